//! Strided views: what reshapes, broadcasts, permutations, slices, flips and paddings of an array are, without moving it.

use crate::op::{Op, Padding, Range};
use crate::shape::{Shape, size, strides};
use smallvec::SmallVec;

/// A view of a row-major buffer: element `i` stands at `offset + Σ i·strides`, or is zero outside the bounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct View {
    pub(super) shape: Shape,
    pub(super) strides: SmallVec<[isize; 4]>,
    pub(super) offset: isize,
    /// For each axis, the range of indices that are in the buffer; the others read zero. `None`: all are.
    pub(super) bounds: Option<SmallVec<[(isize, isize); 4]>>,
}

/// An axis of a loop: its length, its stride, and the range of indices inside the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Axis {
    pub(super) len: usize,
    pub(super) stride: isize,
    pub(super) low: isize,
    pub(super) high: isize,
}

impl Axis {
    /// Whether all its indices are inside the buffer.
    pub(super) fn is_whole(&self) -> bool {
        self.low == 0 && self.high == self.len as isize
    }
}

impl View {
    pub(super) fn contiguous(shape: &[usize]) -> Self {
        Self {
            shape: Shape::from_slice(shape),
            strides: strides(shape).iter().map(|&s| s as isize).collect(),
            offset: 0,
            bounds: None,
        }
    }

    pub(super) fn is_contiguous(&self) -> bool {
        self.offset == 0 && self.is_dense()
    }

    /// Whether the elements stand one behind the other, in order, from some offset on.
    pub(super) fn is_dense(&self) -> bool {
        self.bounds.is_none() && matches!(self.axes()[..], [] | [Axis { stride: 1, .. }])
    }

    /// The view of this view that an op is, if it is one.
    pub(super) fn through(&self, op: &Op) -> Option<Self> {
        match op {
            Op::Reshape(shape) => self.reshape(shape),
            Op::Permute(axes) => Some(Self {
                shape: axes.iter().map(|&a| self.shape[a]).collect(),
                strides: axes.iter().map(|&a| self.strides[a]).collect(),
                offset: self.offset,
                bounds: self.bounds.as_ref().map(|b| axes.iter().map(|&a| b[a]).collect()),
            }),
            Op::Broadcast(shape) => self.broadcast(shape),
            Op::Slice(ranges) => self.slice(ranges),
            Op::Flip(axes) => {
                let mut view = self.clone();
                for &axis in axes {
                    let len = self.shape[axis] as isize;
                    view.offset += view.strides[axis] * (len - 1);
                    view.strides[axis] = -view.strides[axis];
                    if let Some(bounds) = &mut view.bounds {
                        bounds[axis] = (len - bounds[axis].1, len - bounds[axis].0);
                    }
                }
                Some(view)
            }
            Op::Pad(pads) => self.pad(pads),
            _ => None,
        }
    }

    fn broadcast(&self, shape: &[usize]) -> Option<Self> {
        let added = shape.len() - self.shape.len();
        let mut view = Self {
            shape: Shape::from_slice(shape),
            strides: SmallVec::new(),
            offset: self.offset,
            bounds: self.bounds.as_ref().map(|_| SmallVec::new()),
        };
        for (axis, &len) in shape.iter().enumerate() {
            let old = axis.checked_sub(added);
            let repeated = old.is_none_or(|i| self.shape[i] == 1 && len != 1);
            view.strides.push(if repeated { 0 } else { self.strides[old?] });
            if let (Some(bounds), Some(old)) = (&mut view.bounds, &self.bounds) {
                let bound = axis.checked_sub(added).map_or((0, 1), |i| old[i]);
                if repeated && bound != (0, 1) {
                    return None;
                }
                bounds.push(if repeated { (0, len as isize) } else { bound });
            }
        }
        Some(view)
    }

    fn slice(&self, ranges: &[Range]) -> Option<Self> {
        let mut view = self.clone();
        for (axis, range) in ranges.iter().enumerate() {
            view.shape[axis] = range.len();
            view.offset += view.strides[axis] * range.start as isize;
            view.strides[axis] *= range.step as isize;
            if let Some(bounds) = &mut view.bounds {
                if range.step != 1 {
                    return None;
                }
                let (start, len) = (range.start as isize, range.len() as isize);
                bounds[axis] = ((bounds[axis].0 - start).clamp(0, len), (bounds[axis].1 - start).clamp(0, len));
            }
        }
        view.drop_trivial_bounds();
        Some(view)
    }

    fn pad(&self, pads: &[Padding]) -> Option<Self> {
        if pads.iter().any(|p| p.interior != 0) {
            return None;
        }
        let mut view = self.clone();
        let mut bounds: SmallVec<[(isize, isize); 4]> =
            self.bounds.clone().unwrap_or_else(|| self.shape.iter().map(|&n| (0, n as isize)).collect());
        for (axis, pad) in pads.iter().enumerate() {
            view.shape[axis] += pad.low + pad.high;
            view.offset -= view.strides[axis] * pad.low as isize;
            bounds[axis].0 += pad.low as isize;
            bounds[axis].1 += pad.low as isize;
        }
        view.bounds = Some(bounds);
        view.drop_trivial_bounds();
        Some(view)
    }

    fn drop_trivial_bounds(&mut self) {
        let trivial = |bounds: &SmallVec<[(isize, isize); 4]>| {
            bounds.iter().zip(&self.shape).all(|(&(low, high), &n)| low == 0 && high == n as isize)
        };
        if self.bounds.as_ref().is_some_and(trivial) {
            self.bounds = None;
        }
    }

    fn reshape(&self, shape: &[usize]) -> Option<Self> {
        let mut axes = self.axes();
        let mut view = Self {
            shape: Shape::from_slice(shape),
            strides: SmallVec::from_elem(0, shape.len()),
            offset: self.offset,
            bounds: self.bounds.as_ref().map(|_| shape.iter().map(|&n| (0, n as isize)).collect()),
        };
        if size(shape) == 0 {
            view.strides.fill(1);
            return Some(view);
        }
        // From the last axis: each merged old axis must be a product of new ones.
        let mut left = axes.pop();
        for axis in (0..shape.len()).rev().filter(|&axis| shape[axis] != 1) {
            let current = left?;
            view.strides[axis] = current.stride;
            let whole = current.low == 0 && current.high == current.len as isize;
            if current.len == shape[axis] {
                if let Some(bounds) = &mut view.bounds {
                    bounds[axis] = (current.low, current.high);
                }
                left = axes.pop();
            } else if whole && current.len % shape[axis] == 0 {
                let n = shape[axis];
                let len = current.len / n;
                left = Some(Axis { len, stride: current.stride * n as isize, low: 0, high: len as isize });
            } else {
                return None;
            }
        }
        (left.is_none() && axes.is_empty()).then_some(view)
    }

    /// The loop over the view in row-major order, outermost axis first, with axes merged that go on where the next
    /// ends; axes of length 1 are left out.
    pub(super) fn axes(&self) -> SmallVec<[Axis; 4]> {
        let mut axes: SmallVec<[Axis; 4]> = SmallVec::new();
        for (i, &len) in self.shape.iter().enumerate() {
            let (low, high) = self.bounds.as_ref().map_or((0, len as isize), |b| b[i]);
            let whole = low == 0 && high == len as isize;
            if len == 1 && whole {
                continue;
            }
            let axis = Axis { len, stride: self.strides[i], low, high };
            match axes.last_mut() {
                Some(last)
                    if whole
                        && last.low == 0
                        && last.high == last.len as isize
                        && last.stride == axis.stride * len as isize =>
                {
                    *last = Axis { len: last.len * len, stride: axis.stride, low: 0, high: (last.len * len) as isize };
                }
                _ => axes.push(axis),
            }
        }
        axes
    }
}
