//! Each fast function against the standard library's, over sweeps of the whole range: `f32` against `f64`, `f64` against
//! the standard library, which is itself within 1 ulp.

use super::super::HasTable;
use super::super::machine::{Baseline, Machine, Neon};
use super::super::table::Table;
use super::{Math, all};
use crate::op::{Binary, Literal, Unary};
use crate::value::Value;

/// Units in the last place between two numbers of a type; 0 for equal specials.
fn ulps64(a: f64, b: f64) -> f64 {
    if a == b && a.is_sign_negative() == b.is_sign_negative() || a.is_nan() && b.is_nan() {
        return 0.0;
    }
    if a == b {
        // Zeros of different signs.
        return f64::INFINITY;
    }
    let spacing = f64::from_bits((b.abs().max(f64::MIN_POSITIVE).to_bits() & !((1 << 52) - 1)) + 1)
        - f64::from_bits(b.abs().max(f64::MIN_POSITIVE).to_bits() & !((1 << 52) - 1));
    (a - b).abs() / spacing
}

/// The error of an `f32` against the value in `f64`, in ulps of `f32`.
fn ulps32(a: f32, exact: f64) -> f64 {
    let b = exact as f32;
    if a == b && a.is_sign_negative() == b.is_sign_negative() || a.is_nan() && b.is_nan() {
        return 0.0;
    }
    if a == b && a == 0.0 {
        return f32::INFINITY.into();
    }
    let magnitude = b.abs().max(f32::MIN_POSITIVE);
    let spacing = f64::from(f32::from_bits(magnitude.to_bits() + 1)) - f64::from(magnitude);
    (f64::from(a) - exact).abs() / spacing
}

/// Where a function changes from one way of computing it to another.
const BRANCHES: [f64; 16] = [
    0.25,
    0.5,
    0.625,
    0.66,
    1.0,
    2.414_213_562_373_095,
    6.0,
    10.0,
    22.0,
    88.72,
    89.41,
    104.0,
    709.78,
    710.475_8,
    745.2,
    std::f64::consts::FRAC_PI_4,
];

/// Every exponent, many numbers of ordinary size, more where functions have their branches.
fn sweep() -> impl Iterator<Item = f64> {
    let specials = [0.0, f64::INFINITY, f64::NAN, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0, f64::EPSILON];
    let exponents = (-1080..1024).flat_map(|e| [1.0, 1.25, 1.999, 1.414].map(|m| m * 2_f64.powi(e)));
    let ordinary = (1..200_000).map(|i| f64::from(i) * 0.003_999_7);
    let near_one = (-20_000..20_000).map(|i| 1.0 + f64::from(i) * 2.3e-5);
    let small = (0..50_000).map(|i| (f64::from(i) + 0.37) * 2e-5);
    let middle = (0..50_000).map(|i| (f64::from(i) + 0.73) * 1.6e-4);
    let branches = BRANCHES.into_iter().flat_map(|x| {
        let narrow = x as f32;
        [x, x.next_up(), x.next_down(), narrow.into(), narrow.next_up().into(), narrow.next_down().into()]
    });
    specials
        .into_iter()
        .chain(branches)
        .chain(exponents)
        .chain(ordinary)
        .chain(near_one)
        .chain(small)
        .chain(middle)
        .flat_map(|x| [x, -x])
}

fn worst<M: Machine>() {
    let mut failures = Vec::new();
    for ((op, f), (_, g)) in all::<f64, M>().into_iter().zip(all::<f32, M>()) {
        let angles = matches!(op, Unary::Sin | Unary::Cos | Unary::Tan);
        let mut most = [(0.0, 0.0); 2];
        for x in sweep() {
            if !(angles && x.is_large_angle()) {
                let error = ulps64(f(x), f64::unary(|| op, &x));
                if error > most[0].0 || error.is_nan() {
                    most[0] = (error, x);
                }
            }
            let narrow = x as f32;
            if !(angles && narrow.is_large_angle()) {
                let error = ulps32(g(narrow), f64::unary(|| op, &f64::from(narrow)));
                if error > most[1].0 || error.is_nan() {
                    most[1] = (error, f64::from(narrow));
                }
            }
        }
        let allowed = if M::FUSED { 2.0 } else { 2.5 };
        // The standard library's own error, or that of what it has to be composed of, is in what is found for `f64`.
        let composed = matches!(op, Unary::Tanh | Unary::Sigmoid | Unary::Softplus);
        if most[0].0 > allowed + f64::from(u8::from(composed)) || most[1].0 > allowed {
            failures.push(format!("{op:?}: {most:?} ulp"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn functions_are_within_two_ulps_with_a_fused_multiply_add() {
    worst::<Neon>();
}

#[test]
fn functions_are_within_two_ulps_without_a_fused_multiply_add() {
    worst::<Baseline>();
}

/// What no fast function is made for, among what they are: a loop must do the one like the other.
fn specials<E: Math>() -> Vec<E> {
    let special = [0.0, f64::INFINITY, f64::NAN, 5e-324, 1e-310, 1e-40, 2e6, 1e300, 1.0, 3.0, 0.3];
    let mut all: Vec<E> = special.into_iter().flat_map(|x| [E::from_f64(x), E::from_f64(-x)]).collect();
    all.extend((0..50).map(|i| E::from_f64(f64::from(i) * 0.37 - 9.0)));
    all
}

/// The loops of a table on special values, against the element's own functions: the same kind of value, the same sign,
/// and near.
fn loops_on_specials<E: Math>(table: &Table<E>) {
    let (epsilon, smallest) = if size_of::<E>() == size_of::<f32>() {
        (8.0 * f64::from(f32::EPSILON), f64::from(f32::from_bits(1)))
    } else {
        (8.0 * f64::EPSILON, f64::from_bits(1))
    };
    let agree = |a: E, b: E, what: String| {
        let (a, b) = (a.to_f64(), b.to_f64());
        let near = (a - b).abs() <= (b.abs() * epsilon).max(4.0 * smallest);
        let same = a.is_nan() && b.is_nan() || (a == b || near) && a.is_sign_negative() == b.is_sign_negative();
        assert!(same, "{what}: {a} instead of {b} ({})", table.name);
    };
    let x = specials::<E>();
    let mut y = vec![E::from_f64(7.0); x.len()];
    let powers = [0.0, 0.5, -1.5, 3.0, f64::INFINITY].map(|c| Unary::Powf(Literal(c)));
    for op in all::<E, Baseline>().into_iter().map(|(op, _)| op).chain(powers) {
        (table.unary)(op, &x, &mut y);
        for (&x, &y) in x.iter().zip(&y) {
            agree(y, E::unary(|| op, &x), format!("{op:?} of {x:?}"));
        }
    }
    for &b in &x {
        let b = vec![b; x.len()];
        for op in [Binary::Pow, Binary::Atan2, Binary::Hypot, Binary::Max, Binary::Min, Binary::Div] {
            (table.binary)(op, &x, &b, &mut y);
            for ((&x, &b), &y) in x.iter().zip(&b).zip(&y) {
                agree(y, E::binary(|| op, &x, &b), format!("{op:?} of {x:?} and {b:?}"));
            }
        }
    }
}

#[test]
fn loops_give_special_values_what_is_theirs() {
    loops_on_specials(<f64 as HasTable>::table());
    loops_on_specials(<f32 as HasTable>::table());
}

/// Powers of numbers of every size whose results are of every size, and near 1.
fn powers<M: Machine>() {
    let bases =
        (-1000..1000).map(|e| 1.1 * 2_f64.powi(e)).chain((-300..300).map(|i| 1.0 + (f64::from(i) + 0.5) * 1.7e-3));
    let mut most = [(0.0, 0.0, 0.0); 2];
    for x in bases {
        for i in -300..300 {
            // Results between 2^-1090 and 2^1090, some of them subnormal or infinite.
            let y = f64::from(i) * 3.63 / x.log2();
            assert!(!x.is_special_power(y));
            // Without a fused multiply-add it is the standard library's.
            let error = if M::FUSED { ulps64(x.pow_fast::<M>(y), x.powf(y)) } else { 0.0 };
            if error > most[0].0 || error.is_nan() {
                most[0] = (error, x, y);
            }
            let (x, y) = (x as f32, y as f32);
            if !x.is_special_power(y) {
                let error = ulps32(x.pow_fast::<M>(y), f64::binary(|| Binary::Pow, &f64::from(x), &f64::from(y)));
                if error > most[1].0 || error.is_nan() {
                    most[1] = (error, f64::from(x), f64::from(y));
                }
            }
        }
    }
    assert!(most[0].0 <= 2.0 && most[1].0 <= 2.0, "{most:?} ulp");
}

#[test]
fn powers_are_within_two_ulps() {
    powers::<Neon>();
    powers::<Baseline>();
}
