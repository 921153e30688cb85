//! Reductions over rows and over columns, and rows that are filled with one element each.
//!
//! Rows are often short (ten classes): those are turned, eight at a time, so that lanes hold different rows; and what
//! goes along a row reads and writes whole registers, beyond the row's end into the next one.

use super::loops::{larger, smaller};
use super::machine::Machine;
use super::math::Math;
use super::register::Register;
use super::scratch::Scratch;
use super::turn::SIDE;
use super::turn::turn;
use crate::scalar::Element;

/// What a reduction does to two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fold {
    Sum,
    Max,
    Min,
    Prod,
}

#[inline(always)]
fn combine<E: Math>(fold: Fold, a: E, b: E) -> E {
    match fold {
        Fold::Sum => a + b,
        Fold::Max => larger(a, b),
        Fold::Min => smaller(a, b),
        Fold::Prod => a * b,
    }
}

/// What a fold starts from.
pub(crate) fn neutral<E: Element>(fold: Fold) -> E {
    E::from_f64(match fold {
        Fold::Sum => 0.0,
        Fold::Max => f64::NEG_INFINITY,
        Fold::Min => f64::INFINITY,
        Fold::Prod => 1.0,
    })
}

/// The fold of a run, in interleaved lanes: vectorised, and for sums closer than one running sum.
#[inline(always)]
fn fold_run<E: Math>(fold: Fold, run: &[E]) -> E {
    const LANES: usize = 32;
    #[inline(always)]
    fn lanes<E: Math>(run: &[E], start: E, f: impl Fn(E, E) -> E + Copy) -> E {
        if run.len() < LANES {
            return run.iter().fold(start, |acc, &x| f(acc, x));
        }
        let mut acc = [start; LANES];
        let chunks = run.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (lane, &x) in acc.iter_mut().zip(chunk) {
                *lane = f(*lane, x);
            }
        }
        for (lane, &x) in acc.iter_mut().zip(rest) {
            *lane = f(*lane, x);
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                acc[i] = f(acc[i], acc[i + width]);
            }
            width /= 2;
        }
        acc[0]
    }
    let start = neutral(fold);
    match fold {
        Fold::Sum => lanes(run, start, |a, b| a + b),
        Fold::Max => lanes(run, start, larger),
        Fold::Min => lanes(run, start, smaller),
        Fold::Prod => lanes(run, start, |a, b| a * b),
    }
}

/// Columns below which rows are folded side by side: too few for lanes of their own.
const SHORT: usize = 32;

/// [`fold_rows`] for the first rows, in eights; how many. A row is folded from its first element to its last.
#[inline(always)]
fn side_by_side<E: Math, M: Machine>(
    x: &[E],
    columns: usize,
    y: &mut [E],
    start: E,
    f: impl Fn(E, E) -> E + Copy,
) -> usize {
    let mut turned = Scratch::<E, { SHORT * SIDE }>::new();
    let turned = &mut turned[..columns * SIDE];
    for (rows, y) in x.chunks_exact(columns * SIDE).zip(y.chunks_exact_mut(SIDE)) {
        let mut acc = [start; SIDE];
        if columns < SIDE {
            for j in 0..columns {
                for (r, acc) in acc.iter_mut().enumerate() {
                    *acc = f(*acc, rows[r * columns + j]);
                }
            }
        } else {
            turn::<E, M>(rows, columns, (SIDE, SIDE), turned);
            for column in turned.as_chunks::<SIDE>().0 {
                for (acc, x) in acc.iter_mut().zip(column) {
                    // SAFETY: `turn` writes all of it.
                    *acc = f(*acc, unsafe { x.assume_init() });
                }
            }
        }
        y.copy_from_slice(&acc);
    }
    y.len() / SIDE * SIDE
}

/// `y[r]` = the fold of row `r` of `x`.
#[inline(always)]
pub(super) fn fold_rows<E: Math, M: Machine>(fold: Fold, x: &[E], columns: usize, y: &mut [E]) {
    let done = match fold {
        _ if columns >= SHORT => 0,
        Fold::Sum => side_by_side::<E, M>(x, columns, y, neutral(fold), |a, b| a + b),
        Fold::Max => side_by_side::<E, M>(x, columns, y, neutral(fold), larger),
        Fold::Min => side_by_side::<E, M>(x, columns, y, neutral(fold), smaller),
        Fold::Prod => side_by_side::<E, M>(x, columns, y, neutral(fold), |a, b| a * b),
    };
    for (y, row) in y[done..].iter_mut().zip(x[done * columns..].chunks_exact(columns)) {
        *y = fold_run(fold, row);
    }
}

/// The most registers of a row that is read or written by whole registers, with what the next rows lend.
const MOST: usize = 4;

/// Adds the rows of `x` to `acc`, which is as long as a row: `V` registers, in part.
#[inline(always)]
fn sum_columns<E: Math, M: Machine, const V: usize>(x: &[E], acc: &mut [E]) {
    let (lanes, columns) = (E::Register::<M>::LANES, acc.len());
    let rows = x.len() / columns;
    // Behind these there are too few elements for whole registers.
    let whole = x.len().checked_sub(V * lanes).map_or(0, |room| room / columns + 1).min(rows) / 2 * 2;
    let mut sums = [[E::Register::<M>::splat(E::from_f64(0.0)); V]; 2];
    for row in (0..whole).step_by(2) {
        for (i, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the registers of row `whole − 1` end inside.
                let x = unsafe { E::Register::<M>::load(x.as_ptr().add((row + i) * columns + v * lanes)) };
                *sum = sum.plus(x);
            }
        }
    }
    for v in 0..V {
        let mut lane = [E::from_f64(0.0); 16];
        // SAFETY: no register has more lanes.
        unsafe { sums[0][v].plus(sums[1][v]).store(lane.as_mut_ptr()) };
        acc[v * lanes..].iter_mut().zip(&lane[..lanes]).for_each(|(acc, &x)| *acc += x);
    }
    for row in x[whole * columns..].chunks_exact(columns) {
        acc.iter_mut().zip(row).for_each(|(acc, &x)| *acc += x);
    }
}

/// `acc[j]` folded with every `x[i]` where `(start + i) mod len = j`.
#[inline(always)]
pub(super) fn fold_columns<E: Math, M: Machine>(fold: Fold, x: &[E], start: usize, acc: &mut [E]) {
    let len = acc.len();
    if len == 1 {
        acc[0] = combine(fold, acc[0], fold_run(fold, x));
        return;
    }
    let mut rest = x;
    let mut at = start % len;
    let registers = len.div_ceil(E::Register::<M>::LANES);
    let short = fold == Fold::Sum && registers <= MOST;
    while !rest.is_empty() {
        let rows = if short && at == 0 { rest.len() / len } else { 0 };
        if rows >= 4 {
            let (whole, after) = rest.split_at(rows * len);
            match registers {
                1 => sum_columns::<E, M, 1>(whole, acc),
                2 => sum_columns::<E, M, 2>(whole, acc),
                3 => sum_columns::<E, M, 3>(whole, acc),
                _ => sum_columns::<E, M, MOST>(whole, acc),
            }
            rest = after;
            continue;
        }
        let n = rest.len().min(len - at);
        let (row, after) = rest.split_at(n);
        let target = &mut acc[at..at + n];
        match fold {
            Fold::Sum => target.iter_mut().zip(row).for_each(|(a, &x)| *a += x),
            Fold::Max => target.iter_mut().zip(row).for_each(|(a, &x)| *a = larger(*a, x)),
            Fold::Min => target.iter_mut().zip(row).for_each(|(a, &x)| *a = smaller(*a, x)),
            Fold::Prod => target.iter_mut().zip(row).for_each(|(a, &x)| *a = *a * x),
        }
        rest = after;
        at = 0;
    }
}

/// Row `r` of `y` filled with `x[r]`.
#[inline(always)]
pub(super) fn expand<E: Math, M: Machine>(x: &[E], columns: usize, y: &mut [E]) {
    let lanes = E::Register::<M>::LANES;
    let registers = columns.div_ceil(lanes);
    let mut whole = 0;
    if registers <= MOST {
        // What is written beyond a row is overwritten by the next one.
        whole = y.len().checked_sub(registers * lanes).map_or(0, |room| room / columns.max(1) + 1).min(x.len());
        for (row, &x) in x[..whole].iter().enumerate() {
            for v in 0..registers {
                // SAFETY: the registers of row `whole − 1` end inside.
                unsafe { E::Register::<M>::splat(x).store(y.as_mut_ptr().add(row * columns + v * lanes)) };
            }
        }
    }
    for (row, &x) in y[whole * columns..].chunks_exact_mut(columns).zip(&x[whole..]) {
        row.fill(x);
    }
}

#[cfg(test)]
mod tests;
