//! One row by columns: each element of the results is a dot, whose lanes lie along the inner axis.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::register::Register;
use super::Stack;

/// Columns at once, whose lanes are summed together.
const COLUMNS: usize = 4;

/// The products of rows that are contiguous and of columns that are.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine>(p: &Stack<'_, E>, out: &mut [E]) {
    let stride = p.b_strides[1];
    for (item, out) in out.chunks_exact_mut(p.n).enumerate() {
        let a = &p.a[item * p.a_step..][..p.k];
        let b = &p.b[item * p.b_step..][..(p.n - 1) * stride + p.k];
        let mut j = 0;
        while j < p.n {
            if p.n < COLUMNS {
                let [acc] = sums::<E, M, 1>(a, &b[j * stride..], stride);
                out[j] = acc.sum();
                j += 1;
            } else {
                // The last ones overlap those before them.
                let at = j.min(p.n - COLUMNS);
                let sums = E::Register::<M>::sums(sums::<E, M, COLUMNS>(a, &b[at * stride..], stride));
                out[at..at + COLUMNS].copy_from_slice(&sums);
                j = at + COLUMNS;
            }
        }
    }
}

/// The products of a row with `N` columns, summed up to one register each.
#[inline(always)]
fn sums<E: Math, M: Machine, const N: usize>(a: &[E], b: &[E], stride: usize) -> [E::Register<M>; N] {
    let lanes = E::Register::<M>::LANES;
    assert!((N - 1) * stride + a.len() <= b.len(), "a dot reads beyond its column");
    let mut acc = [E::Register::<M>::splat(E::from_f64(0.0)); N];
    let whole = a.len() / lanes * lanes;
    for at in (0..whole).step_by(lanes) {
        // SAFETY: a whole register more is in the row, and in each column.
        unsafe {
            let row = E::Register::<M>::load(a.as_ptr().add(at));
            for (j, acc) in acc.iter_mut().enumerate() {
                *acc = E::Register::<M>::mul_add(row, E::Register::<M>::load(b.as_ptr().add(j * stride + at)), *acc);
            }
        }
    }
    let some = a.len() - whole;
    if some > 0 {
        // SAFETY: so many more are in the row, and in each column.
        unsafe {
            let row = E::Register::<M>::load_first(a.as_ptr().add(whole), some);
            for (j, acc) in acc.iter_mut().enumerate() {
                let column = E::Register::<M>::load_first(b.as_ptr().add(j * stride + whole), some);
                *acc = E::Register::<M>::mul_add(row, column, *acc);
            }
        }
    }
    acc
}
