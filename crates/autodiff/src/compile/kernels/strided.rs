//! Reading through a view.

use super::super::memory::{Bases, Near};
use super::super::view::Axis;
use crate::scalar::Element;
use smallvec::SmallVec;
use std::ops::Range;

/// A buffer read through strides.
#[derive(Clone, Debug)]
pub(in super::super) struct Load {
    pub(in super::super) buffer: u32,
    pub(in super::super) offset: isize,
    pub(in super::super) axes: SmallVec<[Axis; 4]>,
    /// Where the buffer is one that only the kernels of a group see: behind so many elements of each of its rows, where the
    /// view is [by rows](Load::is_by_rows), or of the rings of a [chain](super::Chain), where it is a [shift](Load::shift).
    pub(in super::super) near: Option<usize>,
}

impl Load {
    pub(in super::super) fn new(buffer: u32, offset: isize, axes: SmallVec<[Axis; 4]>) -> Self {
        Self { buffer, offset, axes, near: None }
    }

    /// What it reads from, the element of the view that its start is, and the offset there: the buffer, or what stands near
    /// of such a range of the view.
    pub(in super::super) fn source<'a, E: Element>(
        &self,
        bases: &'a Bases<E>,
        near: &'a Near<'_, E>,
        range: &Range<usize>,
    ) -> (&'a [E], usize, isize) {
        let Some(at) = self.near else { return (bases.read_all(self.buffer), 0, self.offset) };
        if let Some((rings, at)) = near.ring(at) {
            return (rings, 0, at as isize - range.start as isize);
        }
        // By rows, it has an axis of them; and of one value a row only where a row of the walk is one element.
        let (row, rest) = self.axes.split_first().expect("a view by rows has axes");
        let columns: usize = rest.iter().map(|axis| axis.len).product();
        (near.read(at, range.len() / columns * row.stride as usize), range.start, self.offset)
    }

    /// Elements after which the view repeats itself, if it does; 1 if every element is the same one.
    pub(in super::super) fn period(&self) -> Option<usize> {
        let repeated = self.axes.iter().take_while(|a| a.stride == 0 && a.is_whole()).count();
        (repeated > 0 || self.axes.is_empty()).then(|| self.axes[repeated..].iter().map(|a| a.len).product())
    }

    /// Whether it reads a buffer from its start, in order.
    pub(in super::super) fn is_straight(&self) -> bool {
        self.offset == 0 && (self.axes.is_empty() || self.line() == Some((0, 1)))
    }

    /// Elements of its rows, if each stands in one piece.
    pub(in super::super) fn row(&self) -> Option<usize> {
        let (inner, outer) = self.axes.split_last()?;
        (!outer.is_empty() && inner.stride == 1 && inner.is_whole()).then_some(inner.len)
    }

    /// Whether every element is the same one, in place.
    pub(in super::super) fn is_number(&self) -> bool {
        self.axes.iter().all(|a| a.stride == 0 && a.is_whole() && a.len > 0)
    }

    /// Whether what it reads for each of so many rows, of so many elements, is inside of a row of the buffer, the same one,
    /// which has `len` elements.
    pub(in super::super) fn is_by_rows(&self, (rows, columns): (usize, usize), len: usize) -> bool {
        let Some((first, rest)) = self.axes.split_first() else { return false };
        let straight = self.offset == 0 && self.axes.iter().all(|axis| axis.stride >= 0 && axis.is_whole());
        let apart = first.len == rows && first.stride as usize == len;
        let last: usize = rest.iter().map(|axis| (axis.len.max(1) - 1) * axis.stride as usize).sum();
        straight && apart && rest.iter().map(|axis| axis.len).product::<usize>() == columns && last < len
    }

    /// That element.
    pub(in super::super) fn number<E: Element>(&self, data: &[E]) -> E {
        data[self.offset as usize]
    }

    /// First element and distance, if all elements stand equally far apart, in order.
    pub(in super::super) fn line(&self) -> Option<(usize, usize)> {
        match self.axes[..] {
            [axis] if axis.stride > 0 && axis.is_whole() => {
                Some((usize::try_from(self.offset).ok()?, axis.stride as usize))
            }
            _ => None,
        }
    }

    /// If it is a part of a buffer in order, or that between zeros: the range of its elements that are in the buffer.
    pub(in super::super) fn shift(&self) -> Option<(usize, usize)> {
        match self.axes[..] {
            [Axis { stride: 1, low, high, len }] => {
                Some((low.max(0) as usize, high.clamp(low.max(0), len as isize) as usize))
            }
            _ => None,
        }
    }

    /// Where so many elements from `start` on stand one behind the other, if they do, in what begins at `offset`.
    pub(in super::super) fn piece(&self, offset: isize, start: usize, n: usize) -> Option<usize> {
        let (inner, outer) = self.axes.split_last()?;
        let column = start % inner.len;
        let inside = inner.low <= column as isize && (column + n) as isize <= inner.high.min(inner.len as isize);
        if inner.stride != 1 || !inside {
            return None;
        }
        let mut at = offset + column as isize;
        let mut row = start / inner.len;
        for axis in outer.iter().rev() {
            let index = (row % axis.len) as isize;
            if !(axis.low..axis.high).contains(&index) {
                return None;
            }
            at += index * axis.stride;
            row /= axis.len;
        }
        usize::try_from(at).ok()
    }

    /// Elements `start..` of the view, in order.
    pub(in super::super) fn read<E: Element>(&self, data: &[E], start: usize, out: &mut [E]) {
        self.read_at(data, self.offset, start, out);
    }

    /// [`read`](Load::read) of what begins at `offset`.
    pub(in super::super) fn read_at<E: Element>(&self, data: &[E], offset: isize, start: usize, out: &mut [E]) {
        let Some((inner, outer)) = self.axes.split_last() else {
            out.fill(data[offset as usize]);
            return;
        };
        if outer.is_empty() {
            run(data, offset, inner, start, out);
            return;
        }
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, outer.len());
        let mut row = start / inner.len;
        for (i, axis) in index.iter_mut().zip(outer).rev() {
            *i = row % axis.len;
            row /= axis.len;
        }
        let mut column = start % inner.len;
        let mut rest = out;
        while !rest.is_empty() {
            let count = rest.len().min(inner.len - column);
            let mut base = offset;
            let mut inside = true;
            for (&i, axis) in index.iter().zip(outer) {
                base += i as isize * axis.stride;
                inside &= (axis.low..axis.high).contains(&(i as isize));
            }
            // How often a whole row repeats itself before the axis outside it ends.
            let again = match (outer, &mut index[..]) {
                ([.., axis], [.., i]) if axis.stride == 0 && inside && count == inner.len => {
                    let left = axis.len.min(axis.high as usize) - *i;
                    let again = left.min(rest.len() / count) - 1;
                    *i += again;
                    again
                }
                _ => 0,
            };
            let (now, after) = rest.split_at_mut(count * (1 + again));
            if inside {
                run(data, base, inner, column, &mut now[..count]);
                let mut done = count;
                while done < now.len() {
                    let (from, to) = now.split_at_mut(done);
                    let some = to.len().min(done);
                    to[..some].copy_from_slice(&from[..some]);
                    done += some;
                }
            } else {
                now.fill(E::from_f64(0.0));
            }
            column = 0;
            rest = after;
            for (i, axis) in index.iter_mut().zip(outer).rev() {
                *i += 1;
                if *i < axis.len {
                    break;
                }
                *i = 0;
            }
        }
    }
}

/// A piece of the innermost axis.
#[inline]
fn run<E: Element>(data: &[E], base: isize, axis: &Axis, start: usize, out: &mut [E]) {
    let end = start + out.len();
    let low = (axis.low.max(0) as usize).clamp(start, end);
    let high = (axis.high.max(0) as usize).clamp(low, end);
    let zero = E::from_f64(0.0);
    if low > start {
        out[..low - start].fill(zero);
    }
    if high < end {
        out[high - start..].fill(zero);
    }
    let out = &mut out[low - start..high - start];
    if out.is_empty() {
        return;
    }
    let first = base + low as isize * axis.stride;
    match axis.stride {
        0 => out.fill(data[first as usize]),
        1 => out.copy_from_slice(&data[first as usize..first as usize + out.len()]),
        stride if stride > 0 => {
            let source = data[first as usize..].iter().step_by(stride as usize);
            out.iter_mut().zip(source).for_each(|(o, &x)| *o = x);
        }
        stride => {
            for (i, o) in out.iter_mut().enumerate() {
                *o = data[(first + i as isize * stride) as usize];
            }
        }
    }
}
