//! `Xᵀ·δ`: products whose left factor stands by columns, as in the gradient by weights.
//!
//! A row of `X` holds the elements of `A` that one step along the inner axis needs, side by side: a tile of `C` takes
//! each of them in all lanes, times a row of `B`, and nothing of `X` is copied. (A library's GEMM copies it into panels,
//! which for a layer's 256 columns is a tenth of the product, and waits for memory meanwhile.) The processor does not
//! foresee which rows' parts come next, so they are asked for a tile ahead. The inner axis is cut in blocks of as many
//! rows as it holds page addresses of, and `C` in blocks that stay in the second cache until they are complete.

use super::machine::Machine;
use super::math::Math;
use super::prefetch::{LINE, prefetch};
use super::register::Register;
use super::scratch::Scratch;
use std::mem::MaybeUninit;
use std::ops::Range;

/// `C = A·B` or `C = S + c·A·B`; `C` and `S` are row-major.
#[derive(Clone, Copy)]
pub(crate) struct Deep<'a, E> {
    /// Rows of `A` and `C`: columns of `X`.
    pub(crate) m: usize,
    /// Columns of `A`, rows of `B`: rows of `X`.
    pub(crate) k: usize,
    /// Columns of `B` and `C`.
    pub(crate) n: usize,
    /// The elements of `A`, whose columns are contiguous.
    pub(crate) a: &'a [E],
    /// From one column of `A` to the next.
    pub(crate) a_stride: usize,
    pub(crate) b: &'a [E],
    /// Strides of `B` from row to row and from column to column.
    pub(crate) b_strides: [usize; 2],
    /// What it is added to, as many times as the second says.
    pub(crate) start: Option<(&'a [E], E)>,
}

/// The most rows of `X` in a block: what is copied of `B` stays in the second cache.
const ROWS: usize = 96;

/// Bytes of a page, and pages that the processor's first table of addresses holds, with room for the other arrays'.
const PAGE: usize = 4096;
const PAGES: usize = 64;

/// Columns of `B` that are copied at a time.
const COLUMNS: usize = 256;

/// Bytes of `C` that stay in the second cache.
const NEAR: usize = 1 << 20;

/// Registers side by side in a tile.
const ABREAST: usize = 2;

/// The product; `out` is `C`.
///
/// An element is summed along the inner axis, block by block, whatever else is computed with it.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine>(p: &Deep<'_, E>, out: &mut [E]) {
    let Deep { m, k, n, .. } = *p;
    if m * n * k == 0 {
        match p.start {
            Some((start, _)) => out.copy_from_slice(start),
            None => out.fill(E::from_f64(0.0)),
        }
        return;
    }
    assert!((k - 1) * p.a_stride + m <= p.a.len(), "a product reads beyond its left factor");
    assert!(out.len() == m * n, "a product has another size than its result");
    assert!(p.start.is_none_or(|(start, _)| start.len() == m * n), "a product is added to something of another size");
    let panel = ABREAST * E::Register::<M>::LANES;
    // Blocks as equal as can be, of rows that stand in so many pages.
    let most = (PAGES * PAGE / (p.a_stride * size_of::<E>()).clamp(1, PAGE)).min(ROWS);
    let depth = k.div_ceil(k.div_ceil(most));
    let mut scratch = Scratch::<E, { ROWS * COLUMNS }>::new();
    for left in (0..n).step_by(COLUMNS) {
        let columns = left..(left + COLUMNS).min(n);
        let rows = (NEAR / size_of::<E>() / columns.len()).max(1);
        for top in (0..m).step_by(rows) {
            for begin in (0..k).step_by(depth) {
                let inner = begin..(begin + depth).min(k);
                let block = Block {
                    rows: top..(top + rows).min(m),
                    columns: columns.clone(),
                    packed: pack::<E, M>(p, inner.clone(), &columns, panel, &mut scratch),
                    inner,
                };
                block.multiply::<M>(p, out);
            }
        }
    }
}

/// Some rows and columns of `B` in panels as wide as a tile, filled up with zeros.
#[inline(always)]
fn pack<'a, E: Math, M: Machine>(
    p: &Deep<'_, E>,
    inner: Range<usize>,
    columns: &Range<usize>,
    panel: usize,
    scratch: &'a mut [MaybeUninit<E>],
) -> &'a [E] {
    let [rs, cs] = p.b_strides;
    let lanes = E::Register::<M>::LANES;
    let used = columns.len().next_multiple_of(panel) * inner.len();
    let last = (inner.end - 1) * rs + (columns.end - 1) * cs;
    assert!(last < p.b.len() && used <= scratch.len(), "a product reads beyond its right factor");
    let panels = columns.clone().step_by(panel).zip(scratch[..used].chunks_exact_mut(panel * inner.len()));
    for (at, into) in panels {
        let width = panel.min(columns.end - at);
        for (k, into) in inner.clone().zip(into.chunks_exact_mut(panel)) {
            let from = k * rs + at * cs;
            if cs == 1 {
                for v in 0..ABREAST {
                    let some = width.saturating_sub(v * lanes).min(lanes);
                    // SAFETY: row `k` has `width` more elements, and the panel's row two registers.
                    unsafe {
                        let row = p.b.as_ptr().add(from + (v * lanes).min(width));
                        let row = E::Register::<M>::load_first(row, some);
                        row.store(into.as_mut_ptr().add(v * lanes).cast());
                    }
                }
            } else {
                for (j, into) in into.iter_mut().enumerate() {
                    into.write(if j < width { p.b[from + j * cs] } else { E::from_f64(0.0) });
                }
            }
        }
    }
    // SAFETY: all of it was written.
    unsafe { std::slice::from_raw_parts(scratch.as_ptr().cast(), used) }
}

/// A part of the product.
struct Block<'a, E> {
    rows: Range<usize>,
    inner: Range<usize>,
    columns: Range<usize>,
    packed: &'a [E],
}

impl<E: Math> Block<'_, E> {
    #[inline(always)]
    fn multiply<M: Machine>(&self, p: &Deep<'_, E>, out: &mut [E]) {
        let mut i = self.rows.start;
        while i < self.rows.end {
            let left = self.rows.end - i;
            i += match M::REGISTERS {
                32 if left >= 14 => self.tiles::<M, 14>(p, i, out),
                _ if left >= 6 => self.tiles::<M, 6>(p, i, out),
                _ if left >= 3 => self.tiles::<M, 3>(p, i, out),
                _ => self.tiles::<M, 1>(p, i, out),
            };
        }
    }

    /// `R` rows from row `i` on, and how many that are.
    #[inline(always)]
    fn tiles<M: Machine, const R: usize>(&self, p: &Deep<'_, E>, i: usize, out: &mut [E]) -> usize {
        let panel = ABREAST * E::Register::<M>::LANES;
        let each = self.packed.chunks_exact(panel * self.inner.len());
        for (index, (packed, at)) in each.zip(self.columns.clone().step_by(panel)).enumerate() {
            // The first tiles ask for the next ones' part of `X`, a line each.
            let ahead = i + R + (index * LINE / size_of::<E>()).min(R);
            if self.columns.end - at >= panel {
                self.tile::<M, R, true>(p, (i, at), packed, ahead, out);
            } else {
                self.tile::<M, R, false>(p, (i, at), packed, ahead, out);
            }
        }
        R
    }

    /// A tile, from row `i` and column `at` on; `FULL` if all of its columns are in C.
    #[inline(always)]
    fn tile<M: Machine, const R: usize, const FULL: bool>(
        &self,
        p: &Deep<'_, E>,
        (i, at): (usize, usize),
        packed: &[E],
        ahead: usize,
        out: &mut [E],
    ) {
        let lanes = E::Register::<M>::LANES;
        let width = if FULL { ABREAST * lanes } else { self.columns.end - at };
        let begin = i * p.n + at;
        let target = out[begin..][..(R - 1) * p.n + width].as_mut_ptr();
        for r in 0..R {
            for v in 0..ABREAST {
                prefetch::<E, true>(target.wrapping_add(r * p.n + v * lanes));
            }
        }
        let (from, scale) = match (p.start, self.inner.start) {
            (Some((start, scale)), 0) => {
                let start = start[begin..][..(R - 1) * p.n + width].as_ptr();
                for r in 0..R {
                    for v in 0..ABREAST {
                        prefetch::<E, true>(start.wrapping_add(r * p.n + v * lanes));
                    }
                }
                (Some(start), scale)
            }
            (None, 0) => (None, E::from_f64(1.0)),
            (start, _) => (Some(target.cast_const()), start.map_or(E::from_f64(1.0), |start| start.1)),
        };
        let mut acc = [[E::Register::<M>::splat(E::from_f64(0.0)); ABREAST]; R];
        let first = self.inner.start * p.a_stride;
        let (mut x, mut next) = (p.a[first + i..].as_ptr(), p.a.as_ptr().wrapping_add(first + ahead));
        for row in packed.chunks_exact(ABREAST * lanes) {
            prefetch::<E, true>(next);
            // SAFETY: a row of a panel holds two registers, and every row of `X` has `R` elements from column `i` on.
            unsafe {
                let b: [E::Register<M>; ABREAST] =
                    std::array::from_fn(|v| E::Register::<M>::load(row.as_ptr().add(v * lanes)));
                for (r, acc) in acc.iter_mut().enumerate() {
                    let x = E::Register::<M>::splat(*x.add(r));
                    for (acc, &b) in acc.iter_mut().zip(&b) {
                        *acc = E::Register::<M>::mul_add(x, b, *acc);
                    }
                }
            }
            (x, next) = (x.wrapping_add(p.a_stride), next.wrapping_add(p.a_stride));
        }
        let scale = E::Register::<M>::splat(scale);
        for (r, acc) in acc.iter().enumerate() {
            for (v, &acc) in acc.iter().enumerate() {
                let place = r * p.n + v * lanes;
                let some = if FULL { lanes } else { width.saturating_sub(v * lanes).min(lanes) };
                // SAFETY: so many elements of row `i + r` are in C, and in what is added to.
                unsafe {
                    if FULL {
                        let old = |from: *const E| E::Register::<M>::load(from.add(place));
                        from.map_or(acc, |from| E::Register::<M>::mul_add(acc, scale, old(from)))
                            .store(target.add(place));
                    } else if some > 0 {
                        let old = |from: *const E| E::Register::<M>::load_first(from.add(place), some);
                        let sum = from.map_or(acc, |from| E::Register::<M>::mul_add(acc, scale, old(from)));
                        sum.store_first(target.add(place), some);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
