//! Products of a long and a narrow matrix, and tiny products: `C += A·B` where `B` has few columns.
//!
//! A library's GEMM packs `A` into panels first, which costs as much as a product with a dozen columns. Here a tile of
//! `C` of a few rows stays in registers, each element of `A` is read once and multiplied into a row of `B`.

use super::machine::Machine;
use super::math::Math;

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

/// Rows of a tile.
const ROWS: usize = 8;

/// A tile of up to `ROWS` rows and `W` columns, from row `i` and column `j` on.
#[inline(always)]
fn tile<E: Math, M: Machine, const R: usize, const W: usize>(
    p: &Narrow<'_, E>,
    i: usize,
    j: usize,
    width: usize,
    out: &mut [E],
) {
    let zero = E::from_f64(0.0);
    let [rs, cs] = p.a_strides;
    let mut acc = [[zero; W]; R];
    let mut row = [zero; W];
    for k in 0..p.k {
        let b = &p.b[k * p.b_stride + j..];
        // Beyond the row's end stands the next row: columns of the tile that are not in C may hold anything.
        match b.first_chunk::<W>() {
            Some(whole) => row = *whole,
            None => row[..width].copy_from_slice(&b[..width]),
        }
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: `multiply` checked the last element of A that any tile reads.
            let a = unsafe { *p.a.get_unchecked((i + r) * rs + k * cs) };
            for (c, &b) in acc.iter_mut().zip(&row) {
                *c = E::mul_add_fast::<M>(a, b, *c);
            }
        }
    }
    for (r, acc) in acc.iter().enumerate() {
        let target = &mut out[(i + r) * p.n + j..][..width];
        if p.add {
            target.iter_mut().zip(acc).for_each(|(c, &x)| *c += x);
        } else {
            target.copy_from_slice(&acc[..width]);
        }
    }
}

#[inline(always)]
fn columns<E: Math, M: Machine, const W: usize>(p: &Narrow<'_, E>, j: usize, width: usize, out: &mut [E]) {
    let mut i = 0;
    while i + ROWS <= p.m {
        tile::<E, M, ROWS, W>(p, i, j, width, out);
        i += ROWS;
    }
    while i < p.m {
        tile::<E, M, 1, W>(p, i, j, width, out);
        i += 1;
    }
}

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
    let mut j = 0;
    while j < p.n {
        let width = (p.n - j).min(16);
        match width {
            16 => columns::<E, M, 16>(p, j, 16, out),
            9..16 => columns::<E, M, 16>(p, j, width, out),
            8 => columns::<E, M, 8>(p, j, 8, out),
            5..8 => columns::<E, M, 8>(p, j, width, out),
            4 => columns::<E, M, 4>(p, j, 4, out),
            2..4 => columns::<E, M, 4>(p, j, width, out),
            _ => columns::<E, M, 1>(p, j, 1, out),
        }
        j += width;
    }
}

/// `yᵢ = Aᵢ·x` for the rows of `A`, four at a time, each in lanes of its own.
#[inline(always)]
pub(super) fn dot_rows<E: Math, M: Machine>(a: &[E], stride: usize, x: &[E], y: &mut [E]) {
    #[inline(always)]
    fn some<E: Math, M: Machine, const R: usize>(a: &[E], stride: usize, x: &[E], y: &mut [E]) {
        const LANES: usize = 16;
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
                    acc[i] = acc[i] + acc[i + width];
                }
                width /= 2;
            }
            *y = acc[0];
        }
    }
    let mut i = 0;
    while i + 4 <= y.len() {
        some::<E, M, 4>(&a[i * stride..], stride, x, &mut y[i..i + 4]);
        i += 4;
    }
    while i < y.len() {
        some::<E, M, 1>(&a[i * stride..], stride, x, &mut y[i..=i]);
        i += 1;
    }
}

/// `y = Σ xₖ·Aₖ` over the rows of `A`, four at a time.
#[inline(always)]
pub(super) fn sum_rows<E: Math, M: Machine>(a: &[E], stride: usize, x: &[E], y: &mut [E]) {
    let n = y.len();
    y.fill(E::from_f64(0.0));
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
