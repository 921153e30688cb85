//! Transposition, block by block in registers.

pub(super) mod blocks;

use super::machine::Machine;
use super::math::Math;
pub(super) use blocks::{Rows, SIDE, TALL};
use std::mem::MaybeUninit;

/// Rows of the result that are written at once: as many as the first cache holds lines of, wherever they stand.
const LINES: usize = 32;

/// Vectors that stand `stride` apart, to the columns of a matrix with rows of `padded` elements; beyond the width
/// stands some number. All of `into` is written.
#[inline(always)]
pub(super) fn turn<E: Math, M: Machine>(
    from: &[E],
    stride: usize,
    (width, padded): (usize, usize),
    into: &mut [MaybeUninit<E>],
) {
    if width < padded {
        for row in into.chunks_exact_mut(padded) {
            row[width..].fill(MaybeUninit::new(E::from_f64(0.0)));
        }
    }
    columns::<E, M>(from, stride, (width, padded), into);
}

/// The same, but that what stands beyond the width stays.
#[inline(always)]
pub(super) fn columns<E: Math, M: Machine>(
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
    if count < SIDE || width < SIDE {
        for j in 0..width {
            for (row, &x) in into.chunks_exact_mut(padded).zip(&from[j * stride..][..count]) {
                row[j].write(x);
            }
        }
        return;
    }
    // Where there are enough vectors, blocks write twice as much of a row.
    let tall = width >= TALL;
    let rows = if tall { TALL } else { SIDE };
    for start in (0..count).step_by(LINES) {
        for j in (0..width).step_by(rows) {
            // The last blocks overlap those before them.
            let j = j.min(width - rows);
            let vectors = Rows::new(from.as_ptr().wrapping_add(j * stride), stride);
            for k in (start..(start + LINES).min(count)).step_by(SIDE) {
                let k = k.min(count - SIDE);
                // SAFETY: the last element of the last vector was checked above; the last that is written is at
                // `count·padded` at most.
                unsafe {
                    let (block, into) = (vectors.further(k), into.as_mut_ptr().add(k * padded + j).cast::<E>());
                    if tall { E::turn_tall::<M>(block, into, padded) } else { E::turn_square::<M>(block, into, padded) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
