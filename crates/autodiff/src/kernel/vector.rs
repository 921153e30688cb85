//! Products of a matrix and a vector: rows against it, or rows summed with it.

use super::machine::Machine;
use super::math::Math;

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
