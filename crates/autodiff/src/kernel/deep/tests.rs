//! Products of small integers, which are exact, against the definition, on every machine that is here.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::{on_every_machine, small_numbers as numbers};
use super::{Deep, multiply};

fn check<E: Math, M: Machine>((m, k, n): (usize, usize, usize), by_columns: bool, added: bool) {
    let what = format!("{m}×{k}×{n}, B by columns: {by_columns}, added: {added}");
    let stride = m + 3;
    // Not an element more than there must be.
    let a = numbers::<E>((k - 1) * stride + m, 1);
    let b_strides = if by_columns { [1, k + 2] } else { [n + 1, 1] };
    let b = numbers::<E>((k - 1) * b_strides[0] + (n - 1) * b_strides[1] + 1, 2);
    let start = numbers::<E>(m * n, 3);
    let start = added.then_some((&start[..], E::from_f64(-2.0)));
    let mut out = vec![E::from_f64(7.0); m * n];
    multiply::<E, M>(&Deep { m, k, n, a: &a, a_stride: stride, b: &b, b_strides, start }, &mut out);
    for (i, row) in out.chunks(n).enumerate() {
        for (j, &found) in row.iter().enumerate() {
            let dot = (0..k)
                .fold(E::from_f64(0.0), |sum, l| sum + a[l * stride + i] * b[l * b_strides[0] + j * b_strides[1]]);
            let expected = start.map_or(dot, |(start, scale)| start[i * n + j] + scale * dot);
            assert!(found == expected, "{what}: {found:?} at {i}, {j} is not {expected:?}");
        }
    }
}

fn all<M: Machine>() {
    for (m, k, n) in [(1, 1, 1), (5, 3, 9), (14, 64, 32), (29, 65, 33), (47, 130, 16), (21, 7, 300), (1100, 70, 260)] {
        for (by_columns, added) in [(false, false), (true, true)] {
            check::<f64, M>((m, k, n), by_columns, added);
            check::<f32, M>((m, k, n), by_columns, added);
        }
    }
}

#[test]
fn products_by_a_factor_that_stands_by_columns_are_exact_on_any_machine() {
    on_every_machine!(all);
}
