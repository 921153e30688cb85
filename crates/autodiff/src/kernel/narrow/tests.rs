//! Products of small integers, which are exact, against the definition: sizes around those of tiles, all ways in which
//! factors may stand, on every machine that is here.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::{on_every_machine, small_numbers as numbers};
use super::{
    Narrow, multiply, multiply_columns, multiply_packed, multiply_packing, multiply_transposed, pack, packed_len,
};
use std::mem::MaybeUninit;

/// Elements behind the result, which nobody may write.
const BEHIND: usize = 64;

/// A product of this size, with its factors by rows or by columns, `apart` elements between those, and the right one's
/// elements one or several steps from each other.
fn check<E: Math, M: Machine>(
    (m, k, n): (usize, usize, usize),
    apart: usize,
    step: usize,
    [a_turned, b_turned, add]: [bool; 3],
) {
    let a_strides = if a_turned { [1, m + apart] } else { [k + apart, 1] };
    let b_strides = if b_turned { [step, step * k + apart] } else { [step * n + apart, step] };
    // Not an element more than there must be.
    let len = |rows: usize, columns: usize, [r, c]: [usize; 2]| {
        if rows * columns == 0 { 0 } else { (rows - 1) * r + (columns - 1) * c + 1 }
    };
    let (a, b) = (numbers::<E>(len(m, k, a_strides), 1), numbers::<E>(len(k, n, b_strides), 2));
    let start = numbers::<E>(m * n + BEHIND, 3);
    let product = Narrow { m, k, n, a: &a, a_strides, b: &b, b_strides, add };
    let agrees = |kernel: &str, turned: bool, run: &dyn Fn(&mut [E])| {
        let mut out = start.clone();
        run(&mut out[..m * n]);
        assert!(out[m * n..] == start[m * n..], "{kernel} of {m}×{k}×{n} wrote behind its result");
        for (at, (&c, &start)) in out[..m * n].iter().zip(&start).enumerate() {
            let (i, j) = if turned { (at % m, at / m) } else { (at / n, at % n) };
            let product = |l: usize| a[i * a_strides[0] + l * a_strides[1]] * b[l * b_strides[0] + j * b_strides[1]];
            let expected = (0..k).fold(if add { start } else { E::from_f64(0.0) }, |sum, l| sum + product(l));
            let way = format!("{kernel} of {m}×{k}×{n}, {a_turned} {b_turned} {add}, at {i}, {j}");
            assert!(c == expected, "{way}: {c:?} is not {expected:?}");
        }
    };
    if step == 1 {
        agrees("product", false, &|out| multiply::<E, M>(&product, out));
    }
    if M::REGISTERS >= 16 && a_turned {
        agrees("product by columns", false, &|out| multiply_columns::<E, M>(&product, out));
        agrees("transposed product", true, &|out| multiply_transposed::<E, M>(&product, out));
    } else if M::REGISTERS >= 16 {
        agrees("packing product", false, &|out| multiply_packing::<E, M>(&product, out));
        let mut packed = vec![MaybeUninit::uninit(); packed_len::<E, M>(k, n)];
        pack::<E, M>(&b, b_strides, (k, n), &mut packed);
        // SAFETY: `pack` writes all of it.
        let packed: Vec<E> = packed.into_iter().map(|x| unsafe { x.assume_init() }).collect();
        agrees("packed product", false, &|out| multiply_packed::<E, M>(&product, &packed, out));
    }
}

fn all<M: Machine>() {
    for m in [0, 1, 2, 3, 7, 12, 13, 25] {
        for k in [0, 1, 2, 7, 8, 9, 43, 200] {
            for n in [0, 1, 2, 4, 5, 8, 9, 15, 16, 17, 24, 25, 33, 47, 48, 49, 100] {
                for flags in 0..8 {
                    let flags = [1, 2, 4].map(|bit| flags & bit > 0);
                    check::<f64, M>((m, k, n), (m + k + n) % 3, 1, flags);
                    check::<f32, M>((m, k, n), (m + k + n) % 3, 1, flags);
                }
            }
        }
    }
}

/// Left factors that are cut along the inner axis.
fn long<M: Machine>() {
    for flags in 0..8 {
        let flags = [1, 2, 4].map(|bit| flags & bit > 0);
        for (m, k) in [(3003, 60), (25, 1500)] {
            for (n, step) in [(3, 1), (10, 1), (14, 1), (10, 3)] {
                check::<f64, M>((m, k, n), 1, step, flags);
                check::<f32, M>((m, k, n), 1, step, flags);
            }
        }
    }
}

#[test]
fn products_are_exact_on_any_machine() {
    on_every_machine!(all);
    on_every_machine!(long);
}

/// Rows that are all the same: a stride of zero, with much or nothing behind the row.
fn repeated<M: Machine>() {
    for (n, len) in [(3, 3), (3, 100), (20, 20), (20, 100)] {
        let (a, b) = (numbers::<f64>(5 * 4, 1), numbers::<f64>(len, 2));
        let mut out = vec![0.0; 5 * n];
        let product = Narrow { m: 5, k: 4, n, a: &a, a_strides: [4, 1], b: &b, b_strides: [0, 1], add: false };
        multiply::<f64, M>(&product, &mut out);
        for (i, row) in out.chunks(n).enumerate() {
            let sum: f64 = a[i * 4..][..4].iter().sum();
            assert!(row.iter().zip(&b).all(|(&c, b)| c == sum * b), "row {i} of {n}");
        }
    }
}

#[test]
fn a_factor_may_repeat_a_row() {
    on_every_machine!(repeated);
}
