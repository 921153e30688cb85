//! `Xᵀ·δ`: products whose left factor stands by columns, as in the gradient by weights.
//!
//! A row of `X` holds the elements of `A` that one step along the inner axis needs, side by side: a tile of `C` takes
//! each of them in all lanes, times a row of `B`, and nothing of `X` is copied. (A library's GEMM copies it into panels,
//! which for a layer's 256 columns is a tenth of the product, and waits for memory meanwhile.) The processor does not
//! foresee which rows' parts come next, so they are asked for a band of tiles ahead. The inner axis is cut in blocks, of
//! as many rows as the processor holds page addresses of, and `C` in blocks of which most stays in the second cache until
//! they are complete. The sizes were found on a processor with 96 such addresses and 2 MB of second cache.

use super::machine::Machine;
use super::math::Math;
use super::panels::{self, ABREAST, width};
use super::prefetch::{LINE, prefetch};
use super::register::{Register, load_all};
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
const ROWS: usize = 104;

/// Bytes of a page, the pages that the rows of a block may stand in, and how many there may be where each is in one of its
/// own: those meet in few places of the first cache.
const PAGE: usize = 4096;
const PAGES: usize = 80;
const APART: usize = 64;

/// Columns of `B` that are copied at a time: whole panels.
const COLUMNS: usize = 256;

/// Bytes of `C` in a block: for each part of a larger one `X` is read again, which costs more than what of `C` does not stay
/// in the second cache.
const NEAR: usize = 2 << 20;

impl<E> Deep<'_, E> {
    /// Rows of a tile, where there are registers for it.
    pub(crate) const TILE: usize = TILE;

    /// Whether a product has enough rows for tiles and for threads, which share nothing else of it, and columns for a
    /// register or two.
    pub(crate) fn suits(m: usize, n: usize) -> bool {
        m >= Self::TILE && n >= 8 && (m >= 8 * Self::TILE || n <= 2 * m)
    }
}

/// Rows of a tile where there are 32 registers.
const TILE: usize = 14;

/// The product; `out` is `C`, and nothing is empty.
///
/// An element is summed along the inner axis, block by block, whatever else is computed with it; the sum is complete
/// before it is added to anything.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine>(p: &Deep<'_, E>, out: &mut [E]) {
    let Deep { m, k, n, .. } = *p;
    assert!((k - 1) * p.a_stride + m <= p.a.len(), "a product reads beyond its left factor");
    assert!(out.len() == m * n, "a product has another size than its result");
    assert!(p.start.is_none_or(|(start, _)| start.len() == m * n), "a product is added to something of another size");
    let panel = width::<E, M>();
    // Blocks as equal as can be: of rows that stand in so many pages, of whole panels.
    let row = (p.a_stride * size_of::<E>()).max(1);
    let most = if row < PAGE { (PAGES * PAGE / row).min(ROWS) } else { APART };
    let depth = k.div_ceil(k.div_ceil(most));
    let mut panels = Scratch::<E, { ROWS * COLUMNS }>::new();
    let mut sums = Scratch::<E, { TILE * COLUMNS }>::new();
    let abreast = n.div_ceil(n.div_ceil(COLUMNS)).next_multiple_of(panel);
    for left in (0..n).step_by(abreast) {
        let columns = left..(left + abreast).min(n);
        let most = (NEAR / size_of::<E>() / columns.len()).max(TILE);
        let rows = m.div_ceil(m.div_ceil(most)).next_multiple_of(TILE);
        for top in (0..m).step_by(rows) {
            for begin in (0..k).step_by(depth) {
                let inner = begin..(begin + depth).min(k);
                let used = columns.len().next_multiple_of(panel) * inner.len();
                let b = &p.b[inner.start * p.b_strides[0] + left * p.b_strides[1]..];
                panels::pack::<E, M>(b, p.b_strides, (inner.len(), columns.len()), &mut panels[..used]);
                // SAFETY: all of it was written.
                let packed = unsafe { std::slice::from_raw_parts(panels.as_ptr().cast(), used) };
                let block = Block { rows: top..(top + rows).min(m), columns: columns.clone(), packed, inner };
                block.multiply::<M>(p, &mut sums, out);
            }
        }
    }
}

/// A part of the product.
struct Block<'a, E> {
    rows: Range<usize>,
    inner: Range<usize>,
    columns: Range<usize>,
    packed: &'a [E],
}

/// A tile of a block.
#[derive(Clone, Copy)]
struct Tile<'a, E> {
    /// Its first row and column.
    at: (usize, usize),
    /// Its panel of `B`.
    packed: &'a [E],
    /// Where its sums go, and from one row to the next.
    target: *mut E,
    stride: usize,
    /// Where the sums of the blocks before stand, and from one row to the next.
    so_far: Option<(*const E, usize)>,
    /// What is asked for meanwhile, if anything is: in every second row of `X`.
    ahead: [Option<*const E>; 2],
}

impl<E: Math> Block<'_, E> {
    #[inline(always)]
    fn multiply<M: Machine>(&self, p: &Deep<'_, E>, sums: &mut [MaybeUninit<E>], out: &mut [E]) {
        let mut i = self.rows.start;
        while i < self.rows.end {
            let left = self.rows.end - i;
            i += match M::REGISTERS {
                32 if left >= TILE => self.band::<M, TILE>(p, i, sums, out),
                32 if left >= 8 => self.band::<M, 8>(p, i, sums, out),
                _ if left >= 6 => self.band::<M, 6>(p, i, sums, out),
                _ if left >= 4 => self.band::<M, 4>(p, i, sums, out),
                _ if left >= 2 => self.band::<M, 2>(p, i, sums, out),
                _ => self.band::<M, 1>(p, i, sums, out),
            };
        }
    }

    /// `R` rows from row `i` on, and how many that are.
    ///
    /// Where a block has all columns, a tile of sums stands in one piece until the last block: its rows in `C` may be half
    /// a page apart, and those meet in the first cache and in the queue of what is written.
    #[inline(always)]
    fn band<M: Machine, const R: usize>(
        &self,
        p: &Deep<'_, E>,
        i: usize,
        sums: &mut [MaybeUninit<E>],
        out: &mut [E],
    ) -> usize {
        let panel = width::<E, M>();
        let (first, last) = (self.inner.start == 0, self.inner.end == p.k);
        let band = &mut out[i * p.n..][..R * p.n];
        let target = band.as_mut_ptr();
        let mut from = target.cast_const();
        let in_pieces = p.n <= COLUMNS;
        if in_pieces && last && !first {
            let sums = &mut sums[..band.len()];
            // SAFETY: elements, to a place of their own.
            unsafe { std::ptr::copy_nonoverlapping(from, sums.as_mut_ptr().cast(), sums.len()) };
            from = sums.as_ptr().cast();
        }
        let each = self.packed.chunks_exact(panel * self.inner.len());
        for (index, (packed, at)) in each.zip(self.columns.clone().step_by(panel)).enumerate() {
            let width = panel.min(self.columns.end - at);
            let (in_rows, in_piece) = ((at, p.n), (R * at, width));
            let (begin, stride) = if in_pieces && !last { in_piece } else { in_rows };
            assert!(begin + (R - 1) * stride + width <= R * p.n, "a tile is outside of its band");
            let target = target.wrapping_add(begin);
            let (begin, apart) = if in_pieces { in_piece } else { in_rows };
            let so_far = (!first).then(|| (from.wrapping_add(begin), apart));
            let ahead = self.ahead::<M, R>(p, i, index);
            let tile = Tile { at: (i, at), packed, target, stride, so_far, ahead };
            match width {
                _ if width == panel => self.tile::<M, R, ABREAST, true>(p, tile),
                _ if width > panel / ABREAST => self.tile::<M, R, ABREAST, false>(p, tile),
                _ => self.tile::<M, R, 1, false>(p, tile),
            }
        }
        R
    }

    /// What a tile asks for of the next band's part of `X`, in these rows or in the next block's: one or two lines of a
    /// row, that of its last element and the one before, each at even and at odd rows. The tiles share them, for what is
    /// asked for at once keeps other reads waiting.
    #[inline(always)]
    fn ahead<M: Machine, const R: usize>(&self, p: &Deep<'_, E>, i: usize, index: usize) -> [Option<*const E>; 2] {
        let (row, column) = match i + R < self.rows.end {
            true => (self.inner.start, i + R),
            false => (self.inner.end, self.rows.start),
        };
        let tiles = self.columns.len().div_ceil(width::<E, M>());
        let lines = if R * size_of::<E>() > LINE { 2 } else { 1 };
        // As many as the tiles can ask for.
        let parts = 2 * lines.min(tiles);
        let mut ahead = [None; 2];
        let mut slots = ahead.iter_mut();
        for part in 0..parts {
            if part * tiles / parts == index
                && let Some(slot) = slots.next()
            {
                let at = (row + part % 2) * p.a_stride + column + R - 1;
                *slot = Some(p.a.as_ptr().wrapping_add(at).wrapping_byte_sub(part / 2 * LINE));
            }
        }
        ahead
    }

    /// A tile of `V` registers side by side, all of whose lanes are columns of C if it is `FULL`.
    #[inline(always)]
    fn tile<M: Machine, const R: usize, const V: usize, const FULL: bool>(&self, p: &Deep<'_, E>, tile: Tile<'_, E>) {
        let Tile { at: (i, at), target, stride, .. } = tile;
        let lanes = E::Register::<M>::LANES;
        let width = if FULL { V * lanes } else { self.columns.end - at };
        // What the sum is added to in the end: small steps would be lost in it one by one.
        let mut end = None;
        if let (Some((start, scale)), true) = (p.start, self.inner.end == p.k) {
            let start = start[i * p.n + at..][..(R - 1) * p.n + width].as_ptr();
            for r in 0..R {
                for v in 0..V {
                    prefetch::<E, true>(start.wrapping_add(r * p.n + v * lanes));
                }
            }
            end = Some((start, scale));
        }
        let mut acc = [[E::Register::<M>::splat(E::from_f64(0.0)); V]; R];
        let mut x = p.a[self.inner.start * p.a_stride + i..].as_ptr();
        macro_rules! step {
            ($row:expr) => {
                // SAFETY: a row of a panel holds `V` registers, and every row of `X` has `R` elements from column `i` on.
                unsafe {
                    let b: [E::Register<M>; V] = load_all($row.as_ptr(), lanes);
                    for (r, acc) in acc.iter_mut().enumerate() {
                        let x = E::Register::<M>::splat(*x.add(r));
                        for v in 0..V {
                            acc[v] = E::Register::<M>::mul_add(x, b[v], acc[v]);
                        }
                    }
                }
                x = x.wrapping_add(p.a_stride);
            };
        }
        let [mut one, mut other] = tile.ahead.map(|at| at.unwrap_or(tile.packed.as_ptr()));
        let steps = tile.ahead.map(|at| if at.is_some() { 2 * p.a_stride } else { 0 });
        let mut sums = target;
        let mut pairs = tile.packed.chunks_exact(2 * ABREAST * lanes);
        for (pair, rows) in pairs.by_ref().enumerate() {
            let (first, second) = rows.split_at(ABREAST * lanes);
            prefetch::<E, false>(one);
            step!(first);
            prefetch::<E, false>(other);
            if pair < R {
                for v in 0..V {
                    prefetch::<E, true>(sums.wrapping_add(v * lanes));
                }
                sums = sums.wrapping_add(stride);
            }
            step!(second);
            (one, other) = (one.wrapping_add(steps[0]), other.wrapping_add(steps[1]));
        }
        for row in pairs.remainder().chunks_exact(ABREAST * lanes) {
            step!(row);
        }
        // A block's sum is added when it is complete: in one long sum, what is small beside it would be lost.
        // SAFETY: so many elements of `R` rows are in the band, in the sums so far, and in what is added to.
        unsafe {
            if let Some((from, apart)) = tile.so_far {
                panels::add::<E, M, R, V, FULL>(&mut acc, None, from, apart, width);
            }
            if let Some((start, scale)) = end {
                panels::add::<E, M, R, V, FULL>(&mut acc, Some(scale), start, p.n, width);
            }
            panels::put::<E, M, R, V, FULL>(&acc, target, stride, width);
        }
    }
}

#[cfg(test)]
mod tests;
