//! `X·W`: products of many rows by a matrix, as in a layer.
//!
//! A tile of `C` takes an element of each of its rows of `X` in all lanes, times a row of `W`, and nothing of `X` is
//! copied; `W` is, once, to panels as wide as a tile. The inner axis is cut in blocks, so that a tile's part of `X` stays
//! in the first cache while the panels pass, and the next part is asked for meanwhile. Columns are cut so that their
//! panels stay in the second cache. The sizes were found on a processor with 48 KB of first and 2 MB of second cache.

use super::machine::Machine;
use super::math::Math;
use super::panels::{self, ABREAST, width};
use super::prefetch::{LINE, prefetch};
use super::register::{Register, load_all, move_on};
use std::ops::Range;

/// `C = A·B`, where `B` was [copied](panels::pack); `A` and `C` stand by rows.
#[derive(Clone, Copy)]
pub(crate) struct Tall<'a, E> {
    /// Rows of `A` and `C`.
    pub(crate) m: usize,
    /// Columns of `A`, rows of `B`.
    pub(crate) k: usize,
    /// Columns of `B` and `C`.
    pub(crate) n: usize,
    /// The elements of `A`, whose rows are contiguous.
    pub(crate) a: &'a [E],
    /// From one row of `A` to the next.
    pub(crate) a_stride: usize,
}

/// Bytes of a row of `A` in a block of the inner axis, at most.
const DEPTH: usize = 2 << 10;

/// Rows that are so many bytes apart meet in too few places of the first cache.
const CROWDED: usize = 2 << 10;

/// Columns whose panels must stay in the second cache.
const MANY: usize = 64;

/// Rows of a tile where there are 32 registers, and where there are 16.
const TILE: usize = 14;
const LOW_TILE: usize = 6;

/// Rows of the next part of `A` that one panel asks for.
const AHEAD: usize = 7;

impl<E> Tall<'_, E> {
    /// Rows of a tile, where there are registers for it.
    pub(crate) const TILE: usize = TILE;

    /// Rows for which panels that do not stay near are worth the way.
    pub(crate) const FAR_ROWS: usize = 16 * TILE;

    /// Rows for which copying the right factor pays.
    const ROWS: usize = 128;

    /// Bytes of panels that stay in the second cache.
    pub(crate) const NEAR: usize = 1 << 20;

    /// Whether it is the kernel for products of such a size, whose left factor has such strides.
    pub(crate) fn suits((m, k): (usize, usize), a_strides: [usize; 2]) -> bool {
        let crowded = (a_strides[0] * size_of::<E>()).is_multiple_of(CROWDED);
        m >= Self::ROWS && a_strides[1] == 1 && !crowded && k * size_of::<E>() <= Self::NEAR / MANY
    }
}

/// The product by panels that [`panels::pack`] made; `out` is `C`, and nothing is empty.
///
/// An element is summed along the inner axis, block by block, whatever else is computed with it.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine>(p: &Tall<'_, E>, packed: &[E], out: &mut [E]) {
    let Tall { m, k, n, .. } = *p;
    let panel = width::<E, M>();
    assert!((m - 1) * p.a_stride + k <= p.a.len(), "a product reads beyond its left factor");
    assert!(out.len() == m * n, "a product has another size than its result");
    assert!(packed.len() == k * n.next_multiple_of(panel), "packed panels have another size");
    // Blocks as equal as can be, of whole lines and whole panels.
    let line = LINE / size_of::<E>();
    let depth = k.div_ceil(k.div_ceil(DEPTH / size_of::<E>())).next_multiple_of(line);
    let columns = n.div_ceil(size_of_val(packed).div_ceil(Tall::<E>::NEAR)).next_multiple_of(panel);
    let most = if M::REGISTERS == 32 { TILE } else { LOW_TILE };
    for left in (0..n).step_by(columns) {
        let columns = left..(left + columns).min(n);
        let mut i = 0;
        while i < m {
            // Tiles as equal as can be, of rows in pairs.
            let left = m - i;
            let rows = left.div_ceil(left.div_ceil(most)).next_multiple_of(2);
            let rows = if rows <= left { rows } else { (left - 1).max(1) };
            for begin in (0..k).step_by(depth) {
                let inner = begin..(begin + depth).min(k);
                // What is read next: further on in these rows, or in the next ones.
                let ahead = if inner.end < k { i * p.a_stride + inner.end } else { (i + rows) * p.a_stride };
                let part = Part { i, columns: columns.clone(), inner, ahead: p.a.as_ptr().wrapping_add(ahead), packed };
                match rows {
                    14 if M::REGISTERS == 32 => part.multiply::<M, 14>(p, out),
                    12 if M::REGISTERS == 32 => part.multiply::<M, 12>(p, out),
                    10 if M::REGISTERS == 32 => part.multiply::<M, 10>(p, out),
                    8 if M::REGISTERS == 32 => part.multiply::<M, 8>(p, out),
                    6 => part.multiply::<M, 6>(p, out),
                    4 => part.multiply::<M, 4>(p, out),
                    2 => part.multiply::<M, 2>(p, out),
                    1 => part.multiply::<M, 1>(p, out),
                    _ => unreachable!("tiles have no other numbers of rows"),
                }
            }
            i += rows;
        }
    }
}

/// What a block of the inner axis gives to some columns of a tile's rows, from row `i` on.
struct Part<'a, E> {
    i: usize,
    columns: Range<usize>,
    inner: Range<usize>,
    /// What the next part reads of `A`.
    ahead: *const E,
    packed: &'a [E],
}

impl<E: Math> Part<'_, E> {
    #[inline(always)]
    fn multiply<M: Machine, const R: usize>(&self, p: &Tall<'_, E>, out: &mut [E]) {
        let panel = width::<E, M>();
        for (index, at) in self.columns.clone().step_by(panel).enumerate() {
            // The first panels ask for it, some rows each.
            let ahead = (index * AHEAD < R).then(|| self.ahead.wrapping_add(index * AHEAD * p.a_stride));
            let packed = &self.packed[at * p.k..][self.inner.start * panel..self.inner.end * panel];
            match p.n - at {
                left if left >= panel => self.tile::<M, R, ABREAST, true>(p, at, packed, ahead, out),
                left if left > panel / ABREAST => self.tile::<M, R, ABREAST, false>(p, at, packed, ahead, out),
                _ => self.tile::<M, R, 1, false>(p, at, packed, ahead, out),
            }
        }
    }

    /// A tile of `R` rows and `V` registers side by side, from column `at` on; all of its columns are in C if it is `FULL`.
    #[inline(always)]
    fn tile<M: Machine, const R: usize, const V: usize, const FULL: bool>(
        &self,
        p: &Tall<'_, E>,
        at: usize,
        packed: &[E],
        mut ahead: Option<*const E>,
        out: &mut [E],
    ) {
        let lanes = E::Register::<M>::LANES;
        let line = LINE / size_of::<E>();
        let width = if FULL { V * lanes } else { p.n - at };
        let target = out[self.i * p.n + at..][..(R - 1) * p.n + width].as_mut_ptr();
        let mut acc = [[E::Register::<M>::splat(E::from_f64(0.0)); V]; R];
        // Where every fourth row of A stands: an address of each row in between is one addition away.
        let start = p.a.as_ptr().wrapping_add(self.i * p.a_stride + self.inner.start);
        let mut fourth: [*const E; TILE.div_ceil(4)] =
            std::array::from_fn(|r| start.wrapping_add((4 * r).min(R - 1) * p.a_stride));
        let mut row = packed.as_ptr();
        macro_rules! step {
            () => {
                // SAFETY: a row of a panel holds `V` registers, and so many elements of the rows of A are there.
                unsafe {
                    let b: [E::Register<M>; V] = load_all(row, lanes);
                    for (r, acc) in acc.iter_mut().enumerate() {
                        let a = E::Register::<M>::splat(*fourth[r / 4].wrapping_add(r % 4 * p.a_stride));
                        for v in 0..V {
                            acc[v] = E::Register::<M>::mul_add(a, b[v], acc[v]);
                        }
                    }
                }
                row = row.wrapping_add(ABREAST * lanes);
                move_on(&mut fourth, 1);
            };
        }
        for steps in 0..self.inner.len() / line {
            if steps < R {
                for v in 0..V {
                    prefetch::<E, true>(target.wrapping_add(steps * p.n + v * lanes));
                }
            }
            if let Some(at) = &mut ahead {
                for r in 0..AHEAD {
                    prefetch::<E, true>(at.wrapping_add(r * p.a_stride));
                }
                *at = at.wrapping_add(line);
            }
            for _ in 0..line {
                step!();
            }
        }
        for _ in 0..self.inner.len() % line {
            step!();
        }
        // A block's sum is added when it is complete: in one long sum, what is small beside it would be lost.
        // SAFETY: so many elements of `R` rows are in C.
        unsafe {
            if self.inner.start > 0 {
                panels::add::<E, M, R, V, FULL>(&mut acc, None, target, p.n, width);
            }
            panels::put::<E, M, R, V, FULL>(&acc, target, p.n, width);
        }
    }
}

#[cfg(test)]
mod tests;
