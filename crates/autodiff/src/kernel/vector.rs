//! Products of a matrix and a vector: rows against it, or rows summed with it; and rows against rows.

use super::machine::Machine;
use super::math::Math;
use super::prefetch::{LINE, prefetch};
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

/// `y += Σ xₖ·Aₖ` over the rows of `A`, four at a time. What stands so many elements behind each of them is asked for, if
/// any: the rows that come next.
#[inline(always)]
pub(super) fn sum_rows<E: Math, M: Machine>(a: &[E], stride: usize, x: &[E], ahead: usize, y: &mut [E]) {
    let n = y.len();
    let row = |k: usize| &a[k * stride..][..n];
    let (fours, rest) = x.as_chunks::<4>();
    for (k, x) in fours.iter().enumerate() {
        let rows = [row(4 * k), row(4 * k + 1), row(4 * k + 2), row(4 * k + 3)];
        if ahead == 0 { add_four::<E, M, false>(rows, 0, x, y) } else { add_four::<E, M, true>(rows, ahead, x, y) }
    }
    for (k, &x) in (4 * fours.len()..).zip(rest) {
        for (y, &a) in y.iter_mut().zip(row(k)) {
            *y = E::mul_add_fast::<M>(x, a, *y);
        }
    }
}

/// `y += Σ xᵢ·aᵢ` over four rows.
#[inline(always)]
fn add_four<E: Math, M: Machine, const AHEAD: bool>(rows: [&[E]; 4], ahead: usize, x: &[E; 4], y: &mut [E]) {
    let (lanes, n) = (E::Register::<M>::LANES, y.len());
    assert!(rows.iter().all(|row| row.len() == n), "a sum reads beyond its rows");
    let mut factors = [E::Register::<M>::splat(x[0]); 4];
    for r in 1..4 {
        factors[r] = E::Register::<M>::splat(x[r]);
    }
    let four = Four { rows: [rows[0].as_ptr(), rows[1].as_ptr(), rows[2].as_ptr(), rows[3].as_ptr()], factors, ahead };
    let (y, mut at) = (y.as_mut_ptr(), 0);
    // SAFETY: as much as is added to is left in each.
    unsafe {
        // Where each step looks how much is left, none begins long before the one before it has ended: reading ahead of
        // what is asked for, they would take the places of lines that are on their way.
        while AHEAD && lanes * size_of::<E>() == LINE && at < n {
            let some = lanes.min(n - at);
            four.add::<AHEAD, false>(at, some, y);
            at += some;
        }
        while at + lanes <= n {
            four.add::<AHEAD, true>(at, lanes, y);
            at += lanes;
        }
        if at < n {
            four.add::<AHEAD, false>(at, n - at, y);
        }
    }
}

/// Four rows, and a factor of each.
struct Four<E, R> {
    rows: [*const E; 4],
    factors: [R; 4],
    ahead: usize,
}

impl<E: Math, R: Register<E>> Four<E, R> {
    /// Adds some elements of the rows, at most a register, or a whole one.
    ///
    /// # Safety
    ///
    /// So many can be read of each row, and written, from `at` on.
    #[inline(always)]
    unsafe fn add<const AHEAD: bool, const WHOLE: bool>(&self, at: usize, some: usize, y: *mut E) {
        // SAFETY: the caller's.
        unsafe {
            let into = y.add(at);
            let mut sum = if WHOLE { R::load(into) } else { R::load_first(into, some) };
            for r in 0..4 {
                let from = self.rows[r].add(at);
                if AHEAD {
                    prefetch::<E, false>(from.wrapping_add(self.ahead));
                }
                let row = if WHOLE { R::load(from) } else { R::load_first(from, some) };
                sum = R::mul_add(self.factors[r], row, sum);
            }
            if WHOLE { sum.store(into) } else { sum.store_first(into, some) }
        }
    }
}

#[cfg(test)]
mod tests;
