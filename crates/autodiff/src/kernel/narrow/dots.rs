//! Rows against few columns: each element of the result is a dot, whose lanes lie along the inner axis.
//!
//! Ten columns fill ten of sixteen lanes of a register that holds a row of `B`; along the inner axis all lanes are full,
//! whatever the number of columns. For that `B` is copied to registers' worth of its columns, side by side.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::prefetch::{LINE, prefetch};
use super::super::register::{Register, load_all};
use super::super::scratch::Scratch;
use super::super::turn::turn;
use super::{Narrow, by_width, groups};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{Ordering, compiler_fence};

/// The most bytes of copied columns that stay in a first cache, beside the rows that pass.
const NEAR: usize = 32 << 10;

/// How many those may be on a machine. Of its cache the registers say a little: with fewer than 32 it is mostly one of
/// 32 KB, of which the rows that pass, and those that are asked for, take a third.
#[inline(always)]
const fn near<M: Machine>() -> usize {
    if M::REGISTERS < 32 { 20 << 10 } else { NEAR }
}

/// Rows of `A` that a tile holds.
const ROWS: usize = 2;

/// Elements that [`pack`] fills: whole registers for each column.
#[inline(always)]
pub(in super::super) fn packed_len<E: Math, M: Machine>(k: usize, n: usize) -> usize {
    k.next_multiple_of(E::Register::<M>::LANES) * n
}

/// Copies `B`: for each group of columns, register by register along the inner axis, one from each column. Behind the
/// end of the inner axis there are zeros. All of `into` is written.
#[inline(always)]
pub(in super::super) fn pack<E: Math, M: Machine>(
    b: &[E],
    [rs, cs]: [usize; 2],
    (k, n): (usize, usize),
    into: &mut [MaybeUninit<E>],
) {
    let lanes = E::Register::<M>::LANES;
    assert!(into.len() == packed_len::<E, M>(k, n), "packed columns have another size");
    if into.is_empty() {
        return;
    }
    assert!((k - 1) * rs + (n - 1) * cs < b.len(), "a product reads beyond its right factor");
    let mut rest = into;
    for group in groups::<M>(n) {
        let width = group.len();
        let (panel, after) = std::mem::take(&mut rest).split_at_mut(width * k.next_multiple_of(lanes));
        rest = after;
        for (step, into) in panel.chunks_exact_mut(width * lanes).enumerate() {
            let from = &b[step * lanes * rs + group.start * cs..];
            let count = lanes.min(k - step * lanes);
            if cs == 1 && count == lanes {
                turn::<E, M>(from, rs, (lanes, lanes), into);
                continue;
            }
            for (j, column) in into.chunks_exact_mut(lanes).enumerate() {
                for (i, x) in column.iter_mut().enumerate() {
                    x.write(if i < count { from[i * rs + j * cs] } else { E::from_f64(0.0) });
                }
            }
        }
    }
}

/// Adds what a register of each row gives with one of each column.
#[inline(always)]
fn step_on<E: Math, M: Machine, const R: usize, const N: usize>(
    rows: [E::Register<M>; R],
    step: usize,
    panel: &[E],
    acc: &mut [[E::Register<M>; N]; R],
) {
    for j in 0..N {
        if M::REGISTERS < 32 {
            // No instruction: it keeps the loads in order. Left alone, the compiler loads all columns first, for which 16
            // registers are too few, and keeps sums in memory.
            compiler_fence(Ordering::SeqCst);
        }
        // SAFETY: the panel has `N` registers for each step.
        let column = unsafe { E::Register::<M>::load(panel.as_ptr().add((step * N + j) * E::Register::<M>::LANES)) };
        for (r, acc) in acc.iter_mut().enumerate() {
            acc[j] = E::Register::<M>::mul_add(rows[r], column, acc[j]);
        }
    }
}

/// A tile of `R` rows, from row `i` on, and the columns of a group; `panel` is the group's, `steps` are registers along
/// the inner axis.
#[inline(always)]
fn tile<E: Math, M: Machine, const R: usize, const N: usize>(
    p: &Narrow<'_, E>,
    (i, at): (usize, usize),
    steps: &Range<usize>,
    panel: &[E],
    add: bool,
    out: &mut [E],
) {
    let lanes = E::Register::<M>::LANES;
    let stride = p.a_strides[0];
    let mut acc = [[E::Register::<M>::splat(E::from_f64(0.0)); N]; R];
    let start = p.a.as_ptr().wrapping_add(i * stride);
    let whole = p.k / lanes;
    for step in steps.start..steps.end.min(whole) {
        if (step * lanes * size_of::<E>()).is_multiple_of(LINE) {
            for r in 0..R {
                prefetch::<E, true>(start.wrapping_add((R + r) * stride + step * lanes));
            }
        }
        // SAFETY: `multiply` checked the last element of A.
        let rows = unsafe { load_all(start.add(step * lanes), stride) };
        step_on::<E, M, R, N>(rows, step, panel, &mut acc);
    }
    if steps.end > whole {
        let some = p.k - whole * lanes;
        let at = |r: usize| start.wrapping_add(r * stride + whole * lanes);
        // SAFETY: as above.
        let rows = std::array::from_fn(|r| unsafe { E::Register::<M>::load_first(at(r), some) });
        step_on::<E, M, R, N>(rows, whole, panel, &mut acc);
    }
    for (r, acc) in acc.into_iter().enumerate() {
        let out = &mut out[(i + r) * p.n + at..][..N];
        let mut sums = [E::from_f64(0.0); N];
        let (fours, rest) = sums.as_chunks_mut();
        for (i, four) in fours.iter_mut().enumerate() {
            *four = E::Register::<M>::sums([acc[4 * i], acc[4 * i + 1], acc[4 * i + 2], acc[4 * i + 3]]);
        }
        for (sum, x) in rest.iter_mut().zip(&acc[N / 4 * 4..]) {
            *sum = x.sum();
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = if add { *out + sum } else { sum };
        }
    }
}

/// The product of a right factor that [`pack`] copied; `A` stands by rows and is not empty, `out` is `C`.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine>(p: &Narrow<'_, E>, packed: &[E], out: &mut [E]) {
    let lanes = E::Register::<M>::LANES;
    assert!(
        p.a_strides[1] == 1 && (p.m - 1) * p.a_strides[0] + p.k <= p.a.len(),
        "a product reads beyond its left factor"
    );
    assert!(packed.len() == packed_len::<E, M>(p.k, p.n), "packed columns have another size");
    let steps = p.k.div_ceil(lanes);
    let block = (near::<M>() / (p.n * lanes * size_of::<E>())).max(1);
    let groups = groups::<M>(p.n);
    // Blocks of one length.
    let block = steps.div_ceil(steps.div_ceil(block));
    for from in (0..steps).step_by(block) {
        let range = from..(from + block).min(steps);
        let add = p.add || from > 0;
        let mut i = 0;
        while i < p.m {
            let rows = ROWS.min(p.m - i);
            for group in groups.clone() {
                let panel = &packed[group.start * steps * lanes..][..group.len() * steps * lanes];
                let place = (i, group.start);
                by_width!(M, group.len(), N => match rows {
                    ROWS => tile::<E, M, ROWS, N>(p, place, &range, panel, add, out),
                    _ => tile::<E, M, 1, N>(p, place, &range, panel, add, out),
                });
            }
            i += rows;
        }
    }
}

/// The product, of columns that are copied here, a range of the inner axis after the other.
#[inline(always)]
pub(super) fn multiply_packing<E: Math, M: Machine>(p: &Narrow<'_, E>, out: &mut [E]) {
    let mut room = Scratch::<u8, NEAR>::new();
    let lanes = E::Register::<M>::LANES;
    let most = near::<M>() / size_of::<E>() / p.n / lanes * lanes;
    let block = p.k.div_ceil(p.k.div_ceil(most)).next_multiple_of(lanes);
    for from in (0..p.k).step_by(block) {
        let k = block.min(p.k - from);
        let len = packed_len::<E, M>(k, p.n);
        assert!(len * size_of::<E>() <= NEAR, "a block of columns has no room");
        // SAFETY: so many elements fit, and the room is aligned for them.
        let packed = unsafe { std::slice::from_raw_parts_mut(room.as_mut_ptr().cast::<MaybeUninit<E>>(), len) };
        pack::<E, M>(&p.b[from * p.b_strides[0]..], p.b_strides, (k, p.n), packed);
        // SAFETY: all of it was written.
        let packed = unsafe { std::slice::from_raw_parts(packed.as_ptr().cast::<E>(), len) };
        let part = Narrow { k, a: &p.a[from * p.a_strides[1]..], add: p.add || from > 0, ..*p };
        multiply::<E, M>(&part, packed, out);
    }
}
