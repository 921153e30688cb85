//! Each fast function against the standard library's, over sweeps of the whole range: `f32` against `f64`, `f64` against
//! the standard library, which is itself within 1 ulp.

use super::super::machine::{Baseline, Machine, Neon};
use super::{Math, all};
use crate::op::{Binary, Unary};
use crate::value::Value;

/// Units in the last place between two numbers of a type; 0 for equal specials.
fn ulps64(a: f64, b: f64) -> f64 {
    if a == b && a.is_sign_negative() == b.is_sign_negative() || a.is_nan() && b.is_nan() {
        return 0.0;
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
    let magnitude = b.abs().max(f32::MIN_POSITIVE);
    let spacing = f64::from(f32::from_bits(magnitude.to_bits() + 1)) - f64::from(magnitude);
    (f64::from(a) - exact).abs() / spacing
}

/// Every exponent, and many numbers of ordinary size.
fn sweep() -> impl Iterator<Item = f64> {
    let specials = [0.0, f64::INFINITY, f64::NAN, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0, f64::EPSILON];
    let exponents = (-1080..1024).flat_map(|e| [1.0, 1.25, 1.999, 1.414].map(|m| m * 2_f64.powi(e)));
    let ordinary = (1..200_000).map(|i| f64::from(i) * 0.003_999_7);
    let near_one = (-20_000..20_000).map(|i| 1.0 + f64::from(i) * 2.3e-5);
    specials.into_iter().chain(exponents).chain(ordinary).chain(near_one).flat_map(|x| [x, -x])
}

fn worst<M: Machine>() {
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
        // The standard library's softplus is composed too, and as far from the true value as ours.
        let allowed = if op == Unary::Softplus { 3.0 } else { 2.0 };
        assert!(most[0].0 <= allowed && most[1].0 <= 2.0, "{op:?}: {most:?} ulp");
    }
}

#[test]
fn functions_are_within_two_ulps_with_a_fused_multiply_add() {
    worst::<Neon>();
}

#[test]
fn functions_are_within_two_ulps_without_a_fused_multiply_add() {
    worst::<Baseline>();
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
            let error = ulps64(x.pow_fast::<M>(y), x.powf(y));
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
