//! Products of small integers, which are exact, against the definition: sizes around those of tiles, all ways in which
//! factors may stand, on every machine that is here.

use super::super::machine::{Baseline, Machine, Neon};
use super::super::math::Math;
use super::{Narrow, multiply};

fn numbers<E: Math>(n: usize, seed: usize) -> Vec<E> {
    (0..n).map(|i| E::from_f64(((i * 7 + seed * 3) % 13) as f64 - 6.0)).collect()
}

/// A product of this size, with its factors by rows or by columns.
fn check<E: Math, M: Machine>((m, k, n): (usize, usize, usize), [a_turned, b_turned, add]: [bool; 3]) {
    let (a, b) = (numbers::<E>(m * k, 1), numbers::<E>(k * n, 2));
    let a_strides = if a_turned { [1, m] } else { [k, 1] };
    let b_strides = if b_turned { [1, k] } else { [n, 1] };
    let start = numbers::<E>(m * n, 3);
    let mut out = start.clone();
    multiply::<E, M>(&Narrow { m, k, n, a: &a, a_strides, b: &b, b_strides, add }, &mut out);
    for (at, (&c, &start)) in out.iter().zip(&start).enumerate() {
        let (i, j) = (at / n, at % n);
        let product = |l: usize| a[i * a_strides[0] + l * a_strides[1]] * b[l * b_strides[0] + j * b_strides[1]];
        let expected = (0..k).fold(if add { start } else { E::from_f64(0.0) }, |sum, l| sum + product(l));
        assert!(c == expected, "{m}×{k}×{n}, {a_turned} {b_turned} {add}, at {i}, {j}: {c:?} is not {expected:?}");
    }
}

fn all<M: Machine>() {
    for m in [1, 2, 3, 7, 12, 13, 25] {
        for k in [1, 2, 7, 8, 9, 43, 200] {
            for n in [1, 2, 4, 5, 8, 9, 15, 16, 17, 24, 25, 33, 47, 48, 49, 100] {
                for flags in 0..8 {
                    let flags = [1, 2, 4].map(|bit| flags & bit > 0);
                    check::<f64, M>((m, k, n), flags);
                    check::<f32, M>((m, k, n), flags);
                }
            }
        }
    }
}

#[test]
fn products_are_exact_on_any_machine() {
    all::<Baseline>();
    all::<Neon>();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn products_are_exact_with_avx() {
    use super::super::machine::{Avx2, Avx512};
    if super::super::table::level() >= 1 {
        all::<Avx2>();
    } else {
        eprintln!("skipped: no AVX2 here");
    }
    if super::super::table::level() >= 2 {
        all::<Avx512>();
    } else {
        eprintln!("skipped: no AVX-512 here");
    }
}

/// Rows that are all the same: a stride of zero.
#[test]
fn a_factor_may_repeat_a_row() {
    let (a, b) = (numbers::<f64>(5 * 4, 1), numbers::<f64>(3, 2));
    let mut out = vec![0.0; 15];
    let product = Narrow { m: 5, k: 4, n: 3, a: &a, a_strides: [4, 1], b: &b, b_strides: [0, 1], add: false };
    multiply::<f64, Baseline>(&product, &mut out);
    for (i, row) in out.chunks(3).enumerate() {
        let sum: f64 = a[i * 4..][..4].iter().sum();
        assert_eq!(row, [sum * b[0], sum * b[1], sum * b[2]]);
    }
}
