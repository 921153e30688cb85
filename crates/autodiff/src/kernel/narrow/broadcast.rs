//! Rows of `B` in registers, each multiplied by one element of `A` in all lanes.
//!
//! Each element of `A` is read once for every three registers of columns. A `B` that stands by columns is turned first.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::prefetch::{LINE, prefetch};
use super::super::register::{Register, load_all, move_on};
use super::super::scratch::Scratch;
use super::super::turn::turn;
use super::Narrow;
use std::mem::MaybeUninit;
use std::ops::Range;

/// The most registers side by side in a tile.
const ABREAST: usize = 3;

/// The most rows of a tile.
const MOST_ROWS: usize = 12;

/// Some columns of `B` and `C`: `V` registers abreast, the last of them in part.
struct Columns<'a, E> {
    /// From this column of `C` on, so many.
    at: usize,
    width: usize,
    /// The range of the inner axis.
    inner: Range<usize>,
    /// Where its first rows stand, one from the next.
    rows: &'a [E],
    stride: usize,
    /// From this row on they stand elsewhere.
    whole: usize,
    tail: &'a [E],
    tail_stride: usize,
}

impl<'a, E: Math> Columns<'a, E> {
    /// Beyond the end of a row stands the next one: lanes that are not in `C` may hold anything. Only behind the last rows
    /// of `B` there is nothing, so that those are copied to scratch.
    #[inline(always)]
    fn of(
        p: &Narrow<'a, E>,
        (at, width, padded): (usize, usize, usize),
        inner: &Range<usize>,
        scratch: &'a mut [MaybeUninit<E>],
    ) -> Self {
        let [stride, _] = p.b_strides;
        let rows = &p.b[inner.start * stride + at..];
        let count = inner.len();
        assert!((count - 1) * stride + width <= rows.len(), "a product reads beyond its right factor");
        let (whole, copied) = match (rows.len().checked_sub(padded), stride) {
            (Some(_), 0) => (count, 0),
            (None, 0) => (0, 1),
            (rest, _) => {
                let whole = rest.map_or(0, |rest| count.min(rest / stride + 1));
                (whole, count - whole)
            }
        };
        let into = &mut scratch[..copied * padded];
        for (k, into) in into.chunks_exact_mut(padded).enumerate() {
            let row = &rows[(whole + k) * stride..][..width];
            for (j, into) in into.iter_mut().enumerate() {
                into.write(row.get(j).copied().unwrap_or(E::from_f64(0.0)));
            }
        }
        // SAFETY: all of it was written.
        let tail = unsafe { std::slice::from_raw_parts(into.as_ptr().cast::<E>(), into.len()) };
        Self {
            at,
            width,
            inner: inner.clone(),
            rows,
            stride,
            whole,
            tail,
            tail_stride: if stride == 0 { 0 } else { padded },
        }
    }

    /// Columns that were turned to rows.
    #[inline(always)]
    fn turned((at, width, padded): (usize, usize, usize), inner: &Range<usize>, tail: &'a [E]) -> Self {
        Self { at, width, inner: inner.clone(), rows: &[], stride: 0, whole: 0, tail, tail_stride: padded }
    }

    /// A tile of `R` rows, from row `i` on.
    #[inline(always)]
    fn tile<M: Machine, const R: usize, const V: usize>(&self, p: &Narrow<'_, E>, i: usize, add: bool, out: &mut [E]) {
        let lanes = E::Register::<M>::LANES;
        let ([rs, cs], (at, width)) = (p.a_strides, (self.at, self.width));
        // Lanes of the last register that are in C.
        let some = width - (V - 1) * lanes;
        let target = &mut out[i * p.n + at..][..(R - 1) * p.n + width];
        let mut acc = [[E::Register::<M>::splat(E::from_f64(0.0)); V]; R];
        if add {
            for (r, acc) in acc.iter_mut().enumerate() {
                for (v, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: the last row ends with the target.
                    *acc = unsafe {
                        let from = target.as_ptr().add(r * p.n + v * lanes);
                        if v + 1 < V { E::Register::<M>::load(from) } else { E::Register::<M>::load_first(from, some) }
                    };
                }
            }
        }
        // What the next tile reads, or the next block where A is read by columns: the processor does not foresee either.
        let (every, rows, ahead) =
            if rs == 1 { (1, 1, self.inner.len() * cs) } else { ((LINE / size_of::<E>()).max(1), R, R * rs) };
        let start = i * rs + self.inner.start * cs;
        // Where every fourth row of A stands: an address of each row in between is one addition away.
        let mut fourth: [*const E; MOST_ROWS / 4] =
            std::array::from_fn(|r| p.a.as_ptr().wrapping_add(start + 4 * r * rs));
        for k in 0..self.inner.len() {
            if k % every == 0 {
                for r in 0..rows {
                    prefetch::<E, false>(p.a.as_ptr().wrapping_add(start + r * rs + k * cs + ahead));
                }
            }
            let row = self.rows.as_ptr().wrapping_add(k * self.stride);
            let tail = self.tail.as_ptr().wrapping_add(k.wrapping_sub(self.whole).wrapping_mul(self.tail_stride));
            let row = if k < self.whole { row } else { tail };
            // SAFETY: the registers of a row before `whole` are inside, and rows of the tail have room for them.
            let row: [E::Register<M>; V] = unsafe { load_all(row, lanes) };
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: `multiply` checked the last element of A that any tile reads.
                let a = E::Register::<M>::splat(unsafe { *fourth[r / 4].wrapping_add(r % 4 * rs) });
                for v in 0..V {
                    acc[v] = E::Register::<M>::mul_add(a, row[v], acc[v]);
                }
            }
            move_on(&mut fourth, cs);
        }
        for (r, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                // SAFETY: the last row ends with the target.
                unsafe {
                    let into = target.as_mut_ptr().add(r * p.n + v * lanes);
                    if v + 1 < V || some == lanes { acc.store(into) } else { acc.store_first(into, some) }
                }
            }
        }
    }

    /// All rows, in tiles that fill the registers.
    #[inline(always)]
    fn multiply<M: Machine, const V: usize>(&self, p: &Narrow<'_, E>, add: bool, out: &mut [E]) {
        let mut i = 0;
        macro_rules! tiles {
            ($($rows:literal)*) => {{$(
                for _ in 0..(p.m - i) / $rows {
                    self.tile::<M, $rows, V>(p, i, add, out);
                    i += $rows;
                }
            )*}};
        }
        // Beside the tile, a row of B, and of A one element, or with many registers one for each row of the tile.
        match (M::REGISTERS, V) {
            (32, 1) => tiles!(12 8 4 2 1),
            (32, 2) => tiles!(8 4 2 1),
            (32, _) => tiles!(6 4 2 1),
            (16, 1) => tiles!(12 6 2 1),
            (16, 2) => tiles!(6 2 1),
            (16, _) => tiles!(4 2 1),
            (_, 1) => tiles!(4 2 1),
            _ => tiles!(2 1),
        }
    }
}

/// Elements of the right factor that are turned at once.
const PANEL: usize = 2048;

/// Columns of `B` that are rows in memory, copied to rows of `padded` elements.
#[inline(always)]
fn turned<'a, E: Math, M: Machine>(
    p: &Narrow<'_, E>,
    (at, width, padded): (usize, usize, usize),
    inner: &Range<usize>,
    scratch: &'a mut [MaybeUninit<E>],
) -> &'a [E] {
    assert!(p.b_strides[0] == 1, "a right factor stands neither by rows nor by columns");
    let stride = p.b_strides[1];
    let into = &mut scratch[..inner.len() * padded];
    turn::<E, M>(&p.b[at * stride + inner.start..], stride, (width, padded), into);
    // SAFETY: all of it was written.
    unsafe { std::slice::from_raw_parts(into.as_ptr().cast::<E>(), into.len()) }
}

/// Bytes of the left factor that a pass over all columns leaves in the second cache.
const BLOCK: usize = 128 << 10;

/// The product, of factors that are not empty; `out` is `C`.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine>(p: &Narrow<'_, E>, out: &mut [E]) {
    let last = (p.m - 1) * p.a_strides[0] + (p.k - 1) * p.a_strides[1];
    assert!(last < p.a.len(), "a product reads beyond its left factor");
    let mut scratch = Scratch::<E, PANEL>::new();
    let lanes = E::Register::<M>::LANES;
    let widest = ABREAST * lanes;
    // Along the inner axis in blocks: of the rows of A where it is read by columns, so that its lines are used while they
    // are near; else of the rows of B.
    let near = if p.a_strides[0] == 1 { p.m } else { p.n };
    let straight = p.b_strides[1] == 1 || p.n == 1;
    let most = if straight { 1024 } else { PANEL / widest };
    let block = (BLOCK / size_of::<E>() / near.max(1)).clamp(16, most);
    for from in (0..p.k).step_by(block) {
        let inner = from..(from + block).min(p.k);
        let add = p.add || from > 0;
        let mut at = 0;
        while at < p.n {
            let width = (p.n - at).min(widest);
            let padded = width.next_multiple_of(lanes);
            let place = (at, width, padded);
            let columns = if straight {
                Columns::of(p, place, &inner, &mut scratch)
            } else {
                Columns::turned(place, &inner, turned::<E, M>(p, place, &inner, &mut scratch))
            };
            match padded / lanes {
                1 => columns.multiply::<M, 1>(p, add, out),
                2 => columns.multiply::<M, 2>(p, add, out),
                _ => columns.multiply::<M, ABREAST>(p, add, out),
            }
            at += width;
        }
    }
}
