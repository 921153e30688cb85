//! Transposition, square by square in registers.

use super::machine::Machine;
use super::math::Math;
use super::register::SIDE;
use std::mem::MaybeUninit;

/// Rows of the result that are written at once: as many as the first cache holds lines of, wherever they stand.
const TALL: usize = 32;

/// Vectors that stand `stride` apart, to the columns of a matrix with rows of `padded` elements; beyond the width, the last
/// vector again. All of `into` is written.
#[inline(always)]
pub(super) fn turn<E: Math, M: Machine>(
    from: &[E],
    stride: usize,
    (width, padded): (usize, usize),
    into: &mut [MaybeUninit<E>],
) {
    if into.is_empty() {
        return;
    }
    assert!(padded > 0, "a transposition to no columns");
    let count = into.len() / padded;
    assert!(
        (1..=padded).contains(&width) && count * padded == into.len() && (width - 1) * stride + count <= from.len(),
        "a transposition reads beyond its argument"
    );
    let vector = |j: usize| j.min(width - 1) * stride;
    if count < SIDE || padded < SIDE {
        for (k, row) in into.chunks_exact_mut(padded).enumerate() {
            for (j, x) in row.iter_mut().enumerate() {
                x.write(from[vector(j) + k]);
            }
        }
        return;
    }
    for start in (0..count).step_by(TALL) {
        for j in (0..padded).step_by(SIDE) {
            // The last squares overlap those before them.
            let j = j.min(padded - SIDE);
            for k in (start..(start + TALL).min(count)).step_by(SIDE) {
                let k = k.min(count - SIDE);
                let rows = std::array::from_fn(|r| from.as_ptr().wrapping_add(vector(j + r) + k));
                // SAFETY: the last element of the last vector was checked above; the last that is written is at
                // `count·padded` at most.
                unsafe { E::turn::<M>(rows, into.as_mut_ptr().add(k * padded + j).cast::<E>(), padded) };
            }
        }
    }
}
