//! Sums and other reductions over axes.

use super::{Tensor, movement};
use crate::op::{Binary, Reduce};
use crate::scalar::Element;
use crate::shape::{Shape, size};

/// The reduced axes brought together: `[outer, reduced, inner]`, with the elements moved only if they have to be.
fn grouped<E: Element>(x: &Tensor<E>, axes: &[usize]) -> (Tensor<E>, usize, usize, usize) {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    let adjacent = sorted.windows(2).all(|w| w[0] + 1 == w[1]);
    if let (true, Some(&first), Some(&last)) = (adjacent, sorted.first(), sorted.last()) {
        let dims = x.dims();
        return (x.clone(), size(&dims[..first]), size(&dims[first..=last]), size(&dims[last + 1..]));
    }
    let kept = (0..x.rank()).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = kept.chain(sorted.iter().copied()).collect();
    let shape: Shape = order.iter().map(|&axis| x.dims()[axis]).collect();
    let split = x.rank() - axes.len();
    let (outer, reduced) = (size(&shape[..split]), size(&shape[split..]));
    (movement::permute(x, &order, shape), outer, reduced, 1)
}

/// Folds the middle of `[outer, reduced, inner]`, walking memory in order.
fn fold<E: Element>(x: &Tensor<E>, axes: &[usize], shape: Shape, start: E, f: impl Fn(E, E) -> E) -> Tensor<E> {
    let (x, outer, reduced, inner) = grouped(x, axes);
    let data = x.data();
    let mut out = vec![start; outer * inner];
    for o in 0..outer {
        let block = &data[o * reduced * inner..(o + 1) * reduced * inner];
        if inner == 1 {
            out[o] = block.iter().fold(start, |acc, &x| f(acc, x));
        } else {
            let acc = &mut out[o * inner..(o + 1) * inner];
            for row in block.chunks_exact(inner.max(1)) {
                for (a, &x) in acc.iter_mut().zip(row) {
                    *a = f(*a, x);
                }
            }
        }
    }
    Tensor::from_parts(shape, out)
}

/// Sum of a contiguous run in eight interleaved lanes: vectorised, and closer than one running sum.
fn sum_run<E: Element>(run: &[E]) -> E {
    let mut lanes = [E::from_f64(0.0); 8];
    let chunks = run.chunks_exact(8);
    let rest: E = chunks.remainder().iter().copied().sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}

pub(super) fn sum<E: Element>(x: &Tensor<E>, axes: &[usize], shape: Shape) -> Tensor<E> {
    let (grouped, outer, reduced, inner) = grouped(x, axes);
    if inner == 1 && reduced > 0 {
        let data = grouped.data().chunks_exact(reduced).map(sum_run).collect();
        debug_assert_eq!(size(&shape), outer);
        return Tensor::from_parts(shape, data);
    }
    fold(x, axes, shape, E::from_f64(0.0), |a, b| a + b)
}

pub(super) fn cumsum<E: Element>(x: &Tensor<E>, axis: usize, reverse: bool) -> Tensor<E> {
    let mut out = x.data().to_vec();
    cumsum_in_place(&mut out, x.dims(), axis, reverse);
    Tensor::from_parts(x.shape.clone(), out)
}

pub(crate) fn cumsum_in_place<E: Element>(out: &mut [E], shape: &[usize], axis: usize, reverse: bool) {
    let (n, inner) = (shape[axis], size(&shape[axis + 1..]));
    if n * inner > 0 {
        for block in out.chunks_exact_mut(n * inner) {
            for step in 1..n {
                let (to, from) = if reverse { (n - 1 - step, n - step) } else { (step, step - 1) };
                for i in 0..inner {
                    let carried = block[from * inner + i];
                    block[to * inner + i] += carried;
                }
            }
        }
    }
}

pub(super) fn reduce<E: Element>(op: Reduce, x: &Tensor<E>, axes: &[usize], shape: Shape) -> Tensor<E> {
    match op {
        Reduce::Max => fold(x, axes, shape, E::from_f64(f64::NEG_INFINITY), |a, b| E::binary(|| Binary::Max, &a, &b)),
        Reduce::Min => fold(x, axes, shape, E::from_f64(f64::INFINITY), |a, b| E::binary(|| Binary::Min, &a, &b)),
        Reduce::Prod => fold(x, axes, shape, E::from_f64(1.0), |a, b| a * b),
        Reduce::LogSumExp => logsumexp(x, axes, shape),
    }
}

/// `m + ln Σ e^(x − m)` with `m` the largest element; `m` itself where it is infinite.
fn logsumexp<E: Element>(x: &Tensor<E>, axes: &[usize], shape: Shape) -> Tensor<E> {
    let (x, outer, reduced, inner) = grouped(x, axes);
    let largest = reduce(Reduce::Max, &x.with_grouped_shape(&[outer, reduced, inner]), &[1], [outer, inner][..].into());
    let mut sums = vec![E::from_f64(0.0); outer * inner];
    for o in 0..outer {
        for r in 0..reduced {
            for i in 0..inner {
                let (at, m) = (o * inner + i, largest.data()[o * inner + i]);
                sums[at] += (x.data()[(o * reduced + r) * inner + i] - m).exp();
            }
        }
    }
    let data =
        largest.data().iter().zip(&sums).map(|(&m, s)| if m.to_f64().is_infinite() { m } else { m + s.ln() }).collect();
    Tensor::from_parts(shape, data)
}

impl<E: Element> Tensor<E> {
    fn with_grouped_shape(&self, shape: &[usize]) -> Self {
        Self { shape: Shape::from_slice(shape), data: self.data.clone(), offset: self.offset }
    }
}
