//! Products of a matrix and a vector: rows against it, or rows summed with it; and rows against rows.

use super::machine::Machine;
use super::math::Math;
use super::register::Register;

/// `yᵢ = Aᵢ·x` for `R` rows of `A` that are shorter than a register, each in a few lanes of its own.
#[inline(always)]
fn dot_short<E: Math, M: Machine, const R: usize>(a: &[E], stride: usize, x: &[E], y: &mut [E]) {
    const LANES: usize = 4;
    let mut acc = [[E::from_f64(0.0); LANES]; R];
    for (k, x) in x.chunks(LANES).enumerate() {
        for (r, acc) in acc.iter_mut().enumerate() {
            for ((c, &a), &x) in acc.iter_mut().zip(&a[r * stride + k * LANES..]).zip(x) {
                *c = E::mul_add_fast::<M>(a, x, *c);
            }
        }
    }
    for (&[a, b, c, d], y) in acc.iter().zip(y) {
        *y = (a + c) + (b + d);
    }
}

/// `yᵢ = Aᵢ·x` for `R` rows of `n` elements of `A`, two registers for each; paired, each has a row of its own of `x`,
/// which stands as `A` does.
#[inline(always)]
fn dot_some<E: Math, M: Machine, const R: usize, const PAIRED: bool>(
    (a, stride): (&[E], usize),
    x: &[E],
    n: usize,
    y: &mut [E],
) {
    let lanes = E::Register::<M>::LANES;
    let apart = if PAIRED { stride } else { 0 };
    assert!((R - 1) * stride + n <= a.len() && (R - 1) * apart + n <= x.len(), "a product reads beyond its rows");
    let zero = E::Register::<M>::splat(E::from_f64(0.0));
    let (mut even, mut odd) = ([zero; R], [zero; R]);
    let mut start = 0;
    // SAFETY: the last rows were checked above.
    unsafe {
        while start + 2 * lanes <= n {
            for r in 0..R {
                let (a, x) = (a.as_ptr().add(r * stride + start), x.as_ptr().add(r * apart + start));
                even[r] = E::Register::<M>::mul_add(E::Register::<M>::load(a), E::Register::<M>::load(x), even[r]);
                let (a, x) = (a.add(lanes), x.add(lanes));
                odd[r] = E::Register::<M>::mul_add(E::Register::<M>::load(a), E::Register::<M>::load(x), odd[r]);
            }
            start += 2 * lanes;
        }
        while start < n {
            let some = lanes.min(n - start);
            for (r, even) in even.iter_mut().enumerate() {
                let a = E::Register::<M>::load_first(a.as_ptr().add(r * stride + start), some);
                let x = E::Register::<M>::load_first(x.as_ptr().add(r * apart + start), some);
                *even = E::Register::<M>::mul_add(a, x, *even);
            }
            start += some;
        }
    }
    let mut both = even;
    for (both, &odd) in both.iter_mut().zip(&odd) {
        *both = both.plus(odd);
    }
    match both.as_chunks() {
        ([four], []) => y.copy_from_slice(&E::Register::<M>::sums(*four)),
        (_, rest) => y.iter_mut().zip(rest).for_each(|(y, x)| *y = x.sum()),
    }
}

/// `yᵢ = Aᵢ·x` for the rows of `A`.
#[inline(always)]
pub(super) fn dot_rows<E: Math, M: Machine>(a: &[E], stride: usize, x: &[E], y: &mut [E]) {
    let mut i = 0;
    if x.len() < E::Register::<M>::LANES {
        for _ in 0..y.len() / 8 {
            dot_short::<E, M, 8>(&a[i * stride..], stride, x, &mut y[i..i + 8]);
            i += 8;
        }
        while i < y.len() {
            dot_short::<E, M, 1>(&a[i * stride..], stride, x, &mut y[i..=i]);
            i += 1;
        }
        return;
    }
    for _ in 0..y.len() / 4 {
        dot_some::<E, M, 4, false>((&a[i * stride..], stride), x, x.len(), &mut y[i..i + 4]);
        i += 4;
    }
    while i < y.len() {
        dot_some::<E, M, 1, false>((&a[i * stride..], stride), x, x.len(), &mut y[i..=i]);
        i += 1;
    }
}

/// `yᵣ = aᵣ·bᵣ` for rows of so many elements, one behind the other.
#[inline(always)]
pub(super) fn dot_pairs<E: Math, M: Machine>(a: &[E], b: &[E], columns: usize, y: &mut [E]) {
    let mut i = 0;
    for _ in 0..y.len() / 4 {
        let (a, b) = (&a[i * columns..], &b[i * columns..]);
        dot_some::<E, M, 4, true>((a, columns), b, columns, &mut y[i..i + 4]);
        i += 4;
    }
    while i < y.len() {
        let (a, b) = (&a[i * columns..], &b[i * columns..]);
        dot_some::<E, M, 1, true>((a, columns), b, columns, &mut y[i..=i]);
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

#[cfg(test)]
mod tests;
