//! Products of small integers, which are exact, against the definition, on every machine that is here.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::{on_every_machine, small_numbers as numbers};
use super::{Tall, multiply, panels::pack, width};
use std::mem::MaybeUninit;

fn check<E: Math, M: Machine>((m, k, n): (usize, usize, usize), a_stride: usize, b_strides: [usize; 2]) {
    let what = format!("{m}×{k}×{n}, rows {a_stride} apart, B {b_strides:?} apart");
    // Not an element more than there must be.
    let a = numbers::<E>((m - 1) * a_stride + k, 1);
    let b = numbers::<E>((k - 1) * b_strides[0] + (n - 1) * b_strides[1] + 1, 2);
    let mut packed = vec![MaybeUninit::uninit(); k * n.next_multiple_of(width::<E, M>())];
    pack::<E, M>(&b, b_strides, (k, n), &mut packed);
    // SAFETY: all of it was written.
    let packed: Vec<E> = packed.into_iter().map(|x| unsafe { x.assume_init() }).collect();
    let mut out = vec![E::from_f64(7.0); m * n];
    multiply::<E, M>(&Tall { m, k, n, a: &a, a_stride }, &packed, &mut out);
    for (i, row) in out.chunks(n).enumerate() {
        for (j, &found) in row.iter().enumerate() {
            let expected = (0..k)
                .fold(E::from_f64(0.0), |sum, l| sum + a[i * a_stride + l] * b[l * b_strides[0] + j * b_strides[1]]);
            assert!(found == expected, "{what}: {found:?} at {i}, {j} is not {expected:?}");
        }
    }
}

fn all<M: Machine>() {
    // Every number of rows in a tile, several blocks of the inner axis, columns in several blocks.
    let sizes =
        [(1, 1, 1), (5, 3, 9), (9, 33, 33), (11, 64, 32), (13, 7, 40), (15, 17, 16), (29, 600, 35), (3, 1100, 300)];
    for (i, (m, k, n)) in sizes.into_iter().enumerate() {
        // By rows, by columns, neither, one row and one column for all.
        for b_strides in [[n + 1, 1], [1, k + 2], [2 * n + 1, 2], [0, 1], [1, 0]] {
            // Rows that overlap are read as well as those that stand apart.
            let a_stride = if i % 2 == 0 { k / 2 + 1 } else { k + 3 };
            check::<f64, M>((m, k, n), a_stride, b_strides);
            check::<f32, M>((m, k, n), a_stride, b_strides);
        }
    }
}

#[test]
fn products_of_many_rows_are_exact_on_any_machine() {
    on_every_machine!(all);
}

/// Four thousand numbers that are not exact, in blocks.
fn long_sums<M: Machine>() {
    let (m, k, n) = (14, 4096, 32);
    let (a, b) = (vec![1.0_f32; m * k], vec![0.1_f32; k * n]);
    let mut packed = vec![MaybeUninit::uninit(); k * n.next_multiple_of(width::<f32, M>())];
    pack::<f32, M>(&b, [n, 1], (k, n), &mut packed);
    // SAFETY: all of it was written.
    let packed: Vec<f32> = packed.into_iter().map(|x| unsafe { x.assume_init() }).collect();
    let mut out = vec![0.0_f32; m * n];
    multiply::<f32, M>(&Tall { m, k, n, a: &a, a_stride: k }, &packed, &mut out);
    let expected = k as f64 * f64::from(0.1_f32);
    assert!(out.iter().all(|&x| (f64::from(x) / expected - 1.0).abs() < 1.5e-5), "{} is not {expected}", out[0]);
}

#[test]
fn long_sums_keep_their_digits() {
    on_every_machine!(long_sums);
}
