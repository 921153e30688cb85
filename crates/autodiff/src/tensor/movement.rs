//! Kernels that move elements and compute nothing (or only add, in `scatter_add`).

use super::Tensor;
use crate::op::{Padding, Range};
use crate::scalar::Element;
use crate::shape::{Shape, size, strides};
use smallvec::SmallVec;

/// Calls `f(start)` for every run of the last axis, with the start's position in a strided source, row-major in `shape`.
fn runs(shape: &[usize], source: &[isize], first: isize, mut f: impl FnMut(isize)) {
    if size(shape) == 0 {
        return;
    }
    let outer = &shape[..shape.len().saturating_sub(1)];
    let mut index: Shape = SmallVec::from_elem(0, outer.len());
    let mut position = first;
    loop {
        f(position);
        let mut axis = outer.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            position += source[axis];
            if index[axis] < outer[axis] {
                break;
            }
            position -= source[axis] * outer[axis] as isize;
            index[axis] = 0;
        }
    }
}

/// Copies from a strided source into a new row-major array.
fn copy_strided<E: Element>(x: &Tensor<E>, shape: Shape, source: &[isize], first: isize) -> Tensor<E> {
    let data = x.data();
    let mut out = Vec::with_capacity(size(&shape));
    let (n, step) = (shape.last().copied().unwrap_or(1), source.last().copied().unwrap_or(1));
    runs(&shape, source, first, |start| match step {
        1 => out.extend_from_slice(&data[start as usize..start as usize + n]),
        0 => out.resize(out.len() + n, data[start as usize]),
        _ => out.extend((0..n as isize).map(|i| data[(start + i * step) as usize])),
    });
    Tensor::from_parts(shape, out)
}

fn signed(strides: &[usize]) -> Vec<isize> {
    strides.iter().map(|&s| s as isize).collect()
}

pub(super) fn permute<E: Element>(x: &Tensor<E>, axes: &[usize], shape: Shape) -> Tensor<E> {
    let strides = signed(&strides(x.dims()));
    let source: Vec<isize> = axes.iter().map(|&axis| strides[axis]).collect();
    copy_strided(x, shape, &source, 0)
}

pub(super) fn broadcast<E: Element>(x: &Tensor<E>, shape: Shape) -> Tensor<E> {
    let strides = strides(x.dims());
    let added = shape.len() - x.rank();
    let source: Vec<isize> = (0..shape.len())
        .map(|axis| match axis.checked_sub(added) {
            Some(i) if x.dims()[i] == shape[axis] => strides[i] as isize,
            _ => 0,
        })
        .collect();
    copy_strided(x, shape, &source, 0)
}

pub(super) fn slice<E: Element>(x: &Tensor<E>, ranges: &[Range], shape: Shape) -> Tensor<E> {
    let strides = signed(&strides(x.dims()));
    let first = ranges.iter().zip(&strides).map(|(r, s)| r.start as isize * s).sum();
    // A range of the first axis with the others whole is a view.
    let whole = |axis: usize| ranges[axis] == Range { start: 0, stop: x.dims()[axis], step: 1 };
    if x.rank() > 0 && ranges[0].step == 1 && (1..x.rank()).all(whole) && size(&shape) > 0 {
        return Tensor { shape, data: x.data.clone(), offset: x.offset + first as usize };
    }
    let source: Vec<isize> = ranges.iter().zip(&strides).map(|(r, s)| r.step as isize * s).collect();
    copy_strided(x, shape, &source, first)
}

pub(super) fn flip<E: Element>(x: &Tensor<E>, axes: &[usize]) -> Tensor<E> {
    let mut source = signed(&strides(x.dims()));
    let mut first = 0;
    for &axis in axes {
        first += source[axis] * (x.dims()[axis] as isize - 1);
        source[axis] = -source[axis];
    }
    copy_strided(x, x.shape.clone(), &source, first)
}

pub(super) fn pad<E: Element>(x: &Tensor<E>, pads: &[Padding], shape: Shape) -> Tensor<E> {
    let mut out = vec![E::from_f64(0.0); size(&shape)];
    pad_into(x.data(), x.dims(), pads, &shape, &mut out);
    Tensor::from_parts(shape, out)
}

pub(crate) fn pad_into<E: Element>(x: &[E], dims: &[usize], pads: &[Padding], shape: &[usize], out: &mut [E]) {
    out.fill(E::from_f64(0.0));
    let strides = strides(shape);
    let first = pads.iter().zip(&strides).map(|(p, s)| (p.low * s) as isize).sum();
    let target: SmallVec<[isize; 4]> =
        pads.iter().zip(&strides).map(|(p, s)| ((p.interior + 1) * s) as isize).collect();
    let (n, step) = (dims.last().copied().unwrap_or(1), target.last().copied().unwrap_or(1));
    let mut data = x.chunks_exact(n.max(1));
    runs(dims, &target, first, |start| {
        for (i, &value) in data.next().unwrap_or_default().iter().enumerate() {
            out[(start + i as isize * step) as usize] = value;
        }
    });
}

pub(super) fn concat<E: Element>(parts: &[&Tensor<E>], axis: usize, shape: Shape) -> Tensor<E> {
    let inner = size(&shape[axis + 1..]);
    let mut out = Vec::with_capacity(size(&shape));
    for outer in 0..size(&shape[..axis]) {
        for part in parts {
            let run = part.dims()[axis] * inner;
            out.extend_from_slice(&part.data()[outer * run..(outer + 1) * run]);
        }
    }
    Tensor::from_parts(shape, out)
}

pub(super) fn stack<E: Element>(parts: &[&Tensor<E>], axis: usize, shape: Shape) -> Tensor<E> {
    let inner = size(&shape[axis + 1..]);
    let mut out = Vec::with_capacity(size(&shape));
    for outer in 0..size(&shape[..axis]) {
        for part in parts {
            out.extend_from_slice(&part.data()[outer * inner..(outer + 1) * inner]);
        }
    }
    Tensor::from_parts(shape, out)
}

/// Reads an index; panics unless it is a whole number below `n`.
#[track_caller]
#[inline]
pub(crate) fn whole_index<E: Element>(index: E, n: usize, op: &str) -> usize {
    let index = index.to_f64();
    // What is negative, too large or none becomes another number.
    let whole = index as usize;
    assert!(whole < n && whole as f64 == index, "{op}: index {index} is not a whole number below {n}");
    whole
}

#[track_caller]
pub(super) fn gather<E: Element>(x: &Tensor<E>, indices: &Tensor<E>, axis: usize, shape: Shape) -> Tensor<E> {
    let mut out = vec![E::from_f64(0.0); size(&shape)];
    let (n, inner) = (x.dims()[axis], size(&x.dims()[axis + 1..]));
    if out.is_empty() {
        return Tensor::from_parts(shape, out);
    }
    let mut rows = out.chunks_exact_mut(inner);
    for outer in 0..size(&x.dims()[..axis]) {
        for &index in indices.data() {
            let start = (outer * n + whole_index(index, n, "gather")) * inner;
            rows.next().unwrap_or_default().copy_from_slice(&x.data()[start..start + inner]);
        }
    }
    Tensor::from_parts(shape, out)
}

#[track_caller]
pub(super) fn scatter_add<E: Element>(
    updates: &Tensor<E>,
    indices: &Tensor<E>,
    axis: usize,
    shape: Shape,
) -> Tensor<E> {
    let mut out = vec![E::from_f64(0.0); size(&shape)];
    let (n, inner) = (shape[axis], size(&shape[axis + 1..]));
    if updates.is_empty() {
        return Tensor::from_parts(shape, out);
    }
    let mut runs = updates.data().chunks_exact(inner);
    for outer in 0..size(&shape[..axis]) {
        for &index in indices.data() {
            let start = (outer * n + whole_index(index, n, "scatter_add")) * inner;
            for (o, &u) in out[start..start + inner].iter_mut().zip(runs.next().unwrap_or_default()) {
                *o += u;
            }
        }
    }
    Tensor::from_parts(shape, out)
}
