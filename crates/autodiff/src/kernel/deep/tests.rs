//! Products of small integers, which are exact, against the definition, on every machine that is here.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::{on_every_machine, small_numbers as numbers};
use super::{Deep, multiply};

fn check<E: Math, M: Machine>((m, k, n): (usize, usize, usize), b_strides: [usize; 2], added: bool) {
    let what = format!("{m}×{k}×{n}, B {b_strides:?} apart, added: {added}");
    // Rows that overlap are read as well as those that stand apart.
    let stride = if added { m / 2 + 1 } else { m + 3 };
    // Not an element more than there must be.
    let a = numbers::<E>((k - 1) * stride + m, 1);
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
    for (m, k, n) in [
        (1, 1, 1),
        (5, 3, 9),
        (14, 64, 32),
        (29, 65, 33),
        (47, 130, 16),
        (21, 7, 300),
        // Several pieces and several blocks; several parts of C.
        (47, 330, 56),
        (33, 250, 200),
        (1100, 70, 257),
        (1100, 110, 256),
    ] {
        // By rows, by columns, neither, one row and one column for all.
        for (i, b_strides) in [[n + 1, 1], [1, k + 2], [2 * n + 1, 2], [0, 1], [1, 0]].into_iter().enumerate() {
            check::<f64, M>((m, k, n), b_strides, i % 2 == 1);
            check::<f32, M>((m, k, n), b_strides, i % 2 == 1);
        }
    }
}

/// A thousand steps, each too small to change what they are added to, change it together.
fn small_steps<M: Machine>() {
    let (m, k, n) = (16, 1000, 40);
    let (a, b) = (vec![1.0_f32; k * m], vec![1.0_f32; k * n]);
    let start = vec![1.0_f32; m * n];
    let mut out = vec![0.0_f32; m * n];
    // Three units in the last place: none of the blocks gives as much as half of one.
    let scale = 0.3 * f32::EPSILON / 100.0;
    let start = Some((&start[..], scale));
    multiply::<f32, M>(&Deep { m, k, n, a: &a, a_stride: m, b: &b, b_strides: [n, 1], start }, &mut out);
    let expected = 1.0 + scale * 1000.0;
    assert!(expected > 1.0 && out.iter().all(|&x| x == expected), "{} is not {expected}", out[0]);
}

#[test]
fn small_steps_are_added_up_before_they_are_added() {
    on_every_machine!(small_steps);
}

#[test]
fn products_by_a_factor_that_stands_by_columns_are_exact_on_any_machine() {
    on_every_machine!(all);
}

/// Sixty thousand numbers that are not exact: one long sum would be wrong in the fourth digit.
fn long_sums<M: Machine>() {
    let (m, k, n) = (16, 60_000, 8);
    let (a, b) = (vec![1.0_f32; k * m], vec![0.1_f32; k * n]);
    let mut out = vec![0.0_f32; m * n];
    multiply::<f32, M>(&Deep { m, k, n, a: &a, a_stride: m, b: &b, b_strides: [n, 1], start: None }, &mut out);
    let expected = k as f64 * f64::from(0.1_f32);
    assert!(out.iter().all(|&x| (f64::from(x) / expected - 1.0).abs() < 2e-5), "{} is not {expected}", out[0]);
}

#[test]
fn long_sums_keep_their_digits() {
    on_every_machine!(long_sums);
}
