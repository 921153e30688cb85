//! Products of a long and a narrow matrix, and tiny products: `C += A·B` where `B` has few columns.
//!
//! A library's GEMM packs `A` into panels first, which costs as much as a product with a dozen columns. Here a tile of
//! `C` of a few rows stays in registers, each element of `A` is read once and multiplied into a row of `B`.

use super::machine::Machine;
use super::math::Math;
use std::ops::Range;

/// `C = A·B` or `C += A·B`; `C` and `B` have contiguous rows.
#[derive(Clone, Copy)]
pub(crate) struct Narrow<'a, E> {
    /// Rows of `A` and `C`.
    pub(crate) m: usize,
    /// Columns of `A`, rows of `B`.
    pub(crate) k: usize,
    /// Columns of `B` and `C`.
    pub(crate) n: usize,
    pub(crate) a: &'a [E],
    /// Strides of `A` from row to row and from column to column.
    pub(crate) a_strides: [usize; 2],
    pub(crate) b: &'a [E],
    /// From row to row of `B`.
    pub(crate) b_stride: usize,
    /// Whether to add to `C`.
    pub(crate) add: bool,
}

/// A row of a tile that may be shorter. A copy, so that the tile itself can stay in registers.
#[inline(always)]
fn partial<E: Math, const W: usize>(row: &[E]) -> [E; W] {
    let mut whole = [E::from_f64(0.0); W];
    whole[..row.len()].copy_from_slice(row);
    whole
}

/// One step along the inner axis: a column of A, from `start` on, times a row of B.
#[inline(always)]
fn multiply_add<E: Math, M: Machine, const R: usize, const W: usize>(
    p: &Narrow<'_, E>,
    start: usize,
    row: &[E; W],
    acc: &mut [[E; W]; R],
) {
    for (r, acc) in acc.iter_mut().enumerate() {
        // SAFETY: `multiply` checked the last element of A that any tile reads.
        let a = unsafe { *p.a.get_unchecked(start + r * p.a_strides[0]) };
        for (c, &b) in acc.iter_mut().zip(row) {
            *c = E::mul_add_fast::<M>(a, b, *c);
        }
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Asks for a line that will be read soon; any address will do.
#[inline(always)]
fn prefetch<E>(at: *const E) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction, and it never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// A tile of `R` rows and up to `W` columns, from row `i` and column `j` on, for a range of the inner axis.
#[inline(always)]
fn tile<E: Math, M: Machine, const R: usize, const W: usize>(
    p: &Narrow<'_, E>,
    (i, j, width): (usize, usize, usize),
    inner: Range<usize>,
    add: bool,
    out: &mut [E],
) {
    let [rs, cs] = p.a_strides;
    let mut acc = [[E::from_f64(0.0); W]; R];
    if add {
        for (r, acc) in acc.iter_mut().enumerate() {
            let row = &out[(i + r) * p.n + j..];
            *acc = row.first_chunk::<W>().copied().unwrap_or_else(|| partial(&row[..width]));
        }
    }
    // Beyond the row's end stands the next row: columns of the tile that are not in C may hold anything. Only behind the
    // last rows of B there is nothing.
    let whole = match (p.b.len().checked_sub(j + W), p.b_stride) {
        (None, _) => inner.start,
        (Some(_), 0) => inner.end,
        (Some(rest), stride) => (rest / stride + 1).clamp(inner.start, inner.end),
    };
    // What the next tile reads, or the next block where A is read by columns: the processor does not foresee either.
    let (every, rows, ahead) =
        if rs == 1 { (1, 1, inner.len() * cs) } else { ((LINE / size_of::<E>()).max(1), R, R * rs) };
    for k in inner.start..whole {
        if k % every == 0 {
            for r in 0..rows {
                prefetch(p.a.as_ptr().wrapping_add((i + r) * rs + k * cs + ahead));
            }
        }
        // SAFETY: `k·stride + j + W` is at most the length.
        let row = unsafe { p.b.get_unchecked(k * p.b_stride + j..).as_ptr().cast::<[E; W]>().read() };
        multiply_add::<E, M, R, W>(p, i * rs + k * cs, &row, &mut acc);
    }
    for k in whole..inner.end {
        let row = partial(&p.b[k * p.b_stride + j..][..width]);
        multiply_add::<E, M, R, W>(p, i * rs + k * cs, &row, &mut acc);
    }
    for (r, acc) in acc.iter().enumerate() {
        let (row, target) = (*acc, &mut out[(i + r) * p.n + j..]);
        // What is too much goes to the next row of the tile, which is written next.
        match target.first_chunk_mut::<W>() {
            Some(target) if width == W || (j == 0 && r + 1 < R) => *target = row,
            _ => target[..width].copy_from_slice(&row[..width]),
        }
    }
}

/// All rows of up to `W` columns from `j` on, in tiles that fill the vector registers.
#[inline(always)]
fn columns<E: Math, M: Machine, const W: usize>(
    p: &Narrow<'_, E>,
    (j, width): (usize, usize),
    inner: &Range<usize>,
    add: bool,
    out: &mut [E],
) {
    let vectors = (W * size_of::<E>()).div_ceil(M::VECTOR);
    let mut i = 0;
    macro_rules! tiles {
        ($rows:literal) => {
            for _ in 0..(p.m - i) / $rows {
                tile::<E, M, $rows, W>(p, (i, j, width), inner.clone(), add, out);
                i += $rows;
            }
        };
    }
    // Beside the tile, a row of B and an element of A.
    match (M::REGISTERS - 1 - vectors) / vectors {
        12.. => tiles!(12),
        8..12 => tiles!(8),
        6..8 => tiles!(6),
        4..6 => tiles!(4),
        _ => tiles!(2),
    }
    tiles!(2);
    tiles!(1);
}

/// Bytes of the left factor that a pass over all columns leaves in the second cache.
const BLOCK: usize = 128 << 10;

/// The product; `out` is `C`.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine>(p: &Narrow<'_, E>, out: &mut [E]) {
    if p.m == 0 || p.k == 0 {
        if !p.add {
            out.fill(E::from_f64(0.0));
        }
        return;
    }
    let last = (p.m - 1) * p.a_strides[0] + (p.k - 1) * p.a_strides[1];
    assert!(last < p.a.len(), "a product reads beyond its left factor");
    // Along the inner axis in blocks: of the rows of A where it is read by columns, so that its lines are used while they
    // are near; else of the rows of B.
    let near = if p.a_strides[0] == 1 { p.m } else { p.n };
    let block = (BLOCK / size_of::<E>() / near.max(1)).clamp(16, 1024);
    for from in (0..p.k).step_by(block) {
        let inner = from..(from + block).min(p.k);
        let add = p.add || from > 0;
        let mut j = 0;
        // Three vectors leave room for more rows than four.
        let widest = if size_of::<E>() == 8 && M::REGISTERS == 16 { 12 } else { 16 };
        while j < p.n {
            let width = (p.n - j).min(widest);
            match width {
                13..=16 => columns::<E, M, 16>(p, (j, width), &inner, add, out),
                9..13 if size_of::<E>() == 8 => columns::<E, M, 12>(p, (j, width), &inner, add, out),
                9..13 => columns::<E, M, 16>(p, (j, width), &inner, add, out),
                5..9 => columns::<E, M, 8>(p, (j, width), &inner, add, out),
                2..5 => columns::<E, M, 4>(p, (j, width), &inner, add, out),
                _ => columns::<E, M, 1>(p, (j, 1), &inner, add, out),
            }
            j += width;
        }
    }
}

/// `yᵢ = Aᵢ·x` for `R` rows of `A`, each in lanes of its own.
#[inline(always)]
fn dot_some<E: Math, M: Machine, const R: usize, const LANES: usize>(a: &[E], stride: usize, x: &[E], y: &mut [E]) {
    let n = x.len();
    let mut acc = [[E::from_f64(0.0); LANES]; R];
    let whole = n / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let x = &x[start..start + LANES];
        for (r, acc) in acc.iter_mut().enumerate() {
            let row = &a[r * stride + start..][..LANES];
            for ((c, &a), &x) in acc.iter_mut().zip(row).zip(x) {
                *c = E::mul_add_fast::<M>(a, x, *c);
            }
        }
    }
    for (r, (acc, y)) in acc.iter_mut().zip(y).enumerate() {
        for (c, i) in acc.iter_mut().zip(whole..n) {
            *c = E::mul_add_fast::<M>(a[r * stride + i], x[i], *c);
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                acc[i] += acc[i + width];
            }
            width /= 2;
        }
        *y = acc[0];
    }
}

/// `yᵢ = Aᵢ·x` for the rows of `A`: many lanes for long rows, few for short ones, whose lanes cost more to add up.
#[inline(always)]
pub(super) fn dot_rows<E: Math, M: Machine>(a: &[E], stride: usize, x: &[E], y: &mut [E]) {
    let mut i = 0;
    if x.len() < 64 {
        for _ in 0..y.len() / 8 {
            dot_some::<E, M, 8, 4>(&a[i * stride..], stride, x, &mut y[i..i + 8]);
            i += 8;
        }
    }
    for _ in 0..(y.len() - i) / 4 {
        dot_some::<E, M, 4, 16>(&a[i * stride..], stride, x, &mut y[i..i + 4]);
        i += 4;
    }
    while i < y.len() {
        dot_some::<E, M, 1, 16>(&a[i * stride..], stride, x, &mut y[i..=i]);
        i += 1;
    }
}

/// `y += Σ xₖ·Aₖ` over the rows of `A`, four at a time.
#[inline(always)]
pub(super) fn sum_rows<E: Math, M: Machine>(a: &[E], stride: usize, x: &[E], y: &mut [E]) {
    let n = y.len();
    let mut k = 0;
    while k + 4 <= x.len() {
        let row = |i: usize| &a[(k + i) * stride..][..n];
        let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
        let (x0, x1, x2, x3) = (x[k], x[k + 1], x[k + 2], x[k + 3]);
        for i in 0..n {
            let first = E::mul_add_fast::<M>(x0, r0[i], y[i]);
            let second = E::mul_add_fast::<M>(x1, r1[i], first);
            let third = E::mul_add_fast::<M>(x2, r2[i], second);
            y[i] = E::mul_add_fast::<M>(x3, r3[i], third);
        }
        k += 4;
    }
    while k < x.len() {
        for (y, &a) in y.iter_mut().zip(&a[k * stride..][..n]) {
            *y = E::mul_add_fast::<M>(x[k], a, *y);
        }
        k += 1;
    }
}
