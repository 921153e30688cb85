//! Columns against few columns: sums of outer products (`Xᵀδ`), the lanes along the columns of `A`, which stand as rows.
//!
//! The result comes out turned: registers hold pieces of its columns.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::register::Register;
use super::super::scratch::Scratch;
use super::super::turn::turn;
use super::{Narrow, by_width, groups};
use std::ops::Range;

/// Registers of a tile along the columns of `A`.
const ABREAST: usize = 2;

/// The most elements of a tile: registers along `A`, columns along `B`.
const TILE: usize = ABREAST * 16 * 12;

/// Bytes of `A` that a pass over all tiles leaves in the second cache.
const BLOCK: usize = 256 << 10;

/// Where a tile is: rows of `C`, of which so many are in the last register; columns of `C`; the inner axis.
struct Place<'a> {
    row: usize,
    some: usize,
    column: usize,
    inner: &'a Range<usize>,
}

/// What a tile of `V` registers and `N` columns adds up.
#[inline(always)]
fn sums<E: Math, M: Machine, const V: usize, const N: usize>(
    p: &Narrow<'_, E>,
    place: &Place<'_>,
) -> [[E::Register<M>; V]; N] {
    let lanes = E::Register::<M>::LANES;
    let (stride, [rs, cs]) = (p.a_strides[1], p.b_strides);
    let mut acc = [[E::Register::<M>::splat(E::from_f64(0.0)); V]; N];
    let whole = place.some == lanes;
    let mut a = p.a.as_ptr().wrapping_add(place.inner.start * stride + place.row);
    let mut b = p.b.as_ptr().wrapping_add(place.inner.start * rs + place.column * cs);
    for _ in 0..place.inner.len() {
        // SAFETY: `multiply` checked the last elements of A and B that any tile reads.
        let rows: [E::Register<M>; V] = unsafe {
            let mut rows = [E::Register::<M>::splat(E::from_f64(0.0)); V];
            for (v, row) in rows.iter_mut().enumerate() {
                let from = a.add(v * lanes);
                *row = if v + 1 < V || whole {
                    E::Register::<M>::load(from)
                } else {
                    E::Register::<M>::load_first(from, place.some)
                };
            }
            rows
        };
        for (j, acc) in acc.iter_mut().enumerate() {
            // SAFETY: as above.
            let x = E::Register::<M>::splat(unsafe { *b.add(j * cs) });
            for v in 0..V {
                acc[v] = E::Register::<M>::mul_add(rows[v], x, acc[v]);
            }
        }
        a = a.wrapping_add(stride);
        b = b.wrapping_add(rs);
    }
    acc
}

/// A tile, to a result by columns.
#[inline(always)]
fn transposed_tile<E: Math, M: Machine, const V: usize, const N: usize>(
    p: &Narrow<'_, E>,
    place: &Place<'_>,
    add: bool,
    out: &mut [E],
) {
    let lanes = E::Register::<M>::LANES;
    for (j, acc) in sums::<E, M, V, N>(p, place).into_iter().enumerate() {
        let out = &mut out[(place.column + j) * p.m + place.row..][..(V - 1) * lanes + place.some];
        for (v, mut acc) in acc.into_iter().enumerate() {
            let some = if v + 1 < V { lanes } else { place.some };
            // SAFETY: the last register ends with the slice.
            unsafe {
                let into = out.as_mut_ptr().add(v * lanes);
                if some == lanes {
                    if add {
                        acc = acc.plus(E::Register::<M>::load(into));
                    }
                    acc.store(into);
                    continue;
                }
                if add {
                    acc = acc.plus(E::Register::<M>::load_first(into, some));
                }
                acc.store_first(into, some);
            }
        }
    }
}

/// A tile, to a result by rows.
#[inline(always)]
fn tile<E: Math, M: Machine, const V: usize, const N: usize>(
    p: &Narrow<'_, E>,
    place: &Place<'_>,
    add: bool,
    out: &mut [E],
) {
    let lanes = E::Register::<M>::LANES;
    let mut columns = Scratch::<E, TILE>::new();
    for (acc, into) in sums::<E, M, V, N>(p, place).into_iter().zip(columns.chunks_exact_mut(V * lanes)) {
        for (v, acc) in acc.into_iter().enumerate() {
            // SAFETY: `V` registers fit into the slice.
            unsafe { acc.store(into.as_mut_ptr().cast::<E>().add(v * lanes)) };
        }
    }
    let mut rows = Scratch::<E, TILE>::new();
    let rows = &mut rows[..V * lanes * N];
    // SAFETY: so many were written.
    let columns = unsafe { std::slice::from_raw_parts(columns.as_ptr().cast::<E>(), V * lanes * N) };
    turn::<E, M>(columns, V * lanes, (N, N), rows);
    for (i, row) in rows.chunks_exact(N).take((V - 1) * lanes + place.some).enumerate() {
        // SAFETY: all of it was written.
        let row = unsafe { &*(std::ptr::from_ref(row) as *const [E]) };
        let out = &mut out[(place.row + i) * p.n + place.column..][..N];
        for (out, &x) in out.iter_mut().zip(row) {
            *out = if add { *out + x } else { x };
        }
    }
}

/// The product of factors that are not empty; `A` stands by columns. `out` is `C`, or, `TRANSPOSED`, `Cᵀ`.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine, const TRANSPOSED: bool>(p: &Narrow<'_, E>, out: &mut [E]) {
    let lanes = E::Register::<M>::LANES;
    assert!(
        p.a_strides[0] == 1 && (p.k - 1) * p.a_strides[1] + p.m <= p.a.len(),
        "a product reads beyond its left factor"
    );
    let last = (p.k - 1) * p.b_strides[0] + (p.n - 1) * p.b_strides[1];
    assert!(last < p.b.len(), "a product reads beyond its right factor");
    let groups = groups::<M>(p.n);
    let block = (BLOCK / size_of::<E>() / p.m).max(16);
    let block = p.k.div_ceil(p.k.div_ceil(block));
    for from in (0..p.k).step_by(block) {
        let inner = &(from..(from + block).min(p.k));
        let add = p.add || from > 0;
        let mut row = 0;
        while row < p.m {
            let abreast = (p.m - row).div_ceil(lanes).min(ABREAST);
            let some = (p.m - row - (abreast - 1) * lanes).min(lanes);
            for group in groups.clone() {
                let place = &Place { row, some, column: group.start, inner };
                by_width!(M, group.len(), N => match (abreast, TRANSPOSED) {
                    (ABREAST, true) => transposed_tile::<E, M, ABREAST, N>(p, place, add, out),
                    (ABREAST, false) => tile::<E, M, ABREAST, N>(p, place, add, out),
                    (_, true) => transposed_tile::<E, M, 1, N>(p, place, add, out),
                    (_, false) => tile::<E, M, 1, N>(p, place, add, out),
                });
            }
            row += abreast * lanes;
        }
    }
}
