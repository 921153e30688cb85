//! Ops that move elements: moves that undo each other, moves of moves, and parts taken from where they came from.

use super::super::graph::{Builder, Place};
use crate::op::{Op, Padding, Range};
use crate::shape::Shape;
use smallvec::SmallVec;

impl Builder {
    pub(super) fn movement(&mut self, op: &Op, x: Place) -> Option<Place> {
        let shape = self.shape(x);
        let inner = self.op(x).map(|(op, args)| (op.clone(), SmallVec::<[Place; 4]>::from_slice(args)));
        match op {
            Op::Reshape(to) => {
                if *to == shape {
                    return Some(x);
                }
                match inner {
                    Some((Op::Reshape(_), args)) => Some(self.emit(op, &args)),
                    Some((Op::Broadcast(_), args)) if self.node(args[0]).shape.is_empty() => {
                        Some(self.emit(&Op::Broadcast(to.clone()), &args))
                    }
                    _ => None,
                }
            }
            Op::Permute(axes) => {
                if axes.iter().enumerate().all(|(i, &a)| i == a) {
                    return Some(x);
                }
                // Only axes of length 1 change places: the order of the elements stays.
                let long = axes.iter().filter(|&&a| shape[a] != 1);
                if long.is_sorted() {
                    let to: Shape = axes.iter().map(|&a| shape[a]).collect();
                    return Some(self.emit(&Op::Reshape(to), &[x]));
                }
                match inner {
                    Some((Op::Permute(first), args)) => {
                        Some(self.emit(&Op::Permute(axes.iter().map(|&a| first[a]).collect()), &args))
                    }
                    // (A·B)ᵀ = Bᵀ·Aᵀ
                    Some((Op::MatMul { ta, tb }, args)) if axes[..] == [1, 0] => {
                        Some(self.emit(&Op::MatMul { ta: !tb, tb: !ta }, &[args[1], args[0]]))
                    }
                    _ => None,
                }
            }
            Op::Broadcast(to) => {
                if *to == shape {
                    return Some(x);
                }
                match inner {
                    Some((Op::Broadcast(_), args)) => Some(self.emit(op, &args)),
                    // A leading axis of length 1 is added by the broadcast anyway.
                    Some((Op::Reshape(_), args)) => {
                        let y = self.shape(args[0]);
                        let leads = shape.len() >= y.len() && shape[shape.len() - y.len()..] == y[..];
                        (leads && shape[..shape.len() - y.len()].iter().all(|&n| n == 1)).then(|| self.emit(op, &args))
                    }
                    _ => None,
                }
            }
            Op::Slice(ranges) => {
                if ranges.iter().zip(&shape).all(|(r, &n)| *r == Range { start: 0, stop: n, step: 1 }) {
                    return Some(x);
                }
                match inner {
                    Some((Op::Slice(first), args)) if ranges.iter().all(|r| !r.is_empty()) => {
                        let both = first.iter().zip(ranges).map(|(f, r)| Range {
                            start: f.start + r.start * f.step,
                            stop: (f.start + r.stop.saturating_sub(1) * f.step + 1).min(f.stop),
                            step: f.step * r.step,
                        });
                        let both: SmallVec<[Range; 2]> = both.collect();
                        let same = both.iter().zip(ranges).all(|(b, r)| b.len() == r.len());
                        same.then(|| self.emit(&Op::Slice(both), &args))
                    }
                    Some((Op::Concat(axis), args)) => self.slice_of_concat(ranges, axis, &args),
                    Some((Op::Stack(axis), args)) => self.slice_of_stack(ranges, axis, &args),
                    Some((Op::Broadcast(_), args)) if self.node(args[0]).shape.is_empty() => {
                        let to: Shape = ranges.iter().map(Range::len).collect();
                        Some(self.emit(&Op::Broadcast(to), &args))
                    }
                    _ => None,
                }
            }
            Op::Pad(pads) => {
                if pads.iter().all(|p| *p == Padding::default()) {
                    return Some(x);
                }
                None
            }
            Op::Flip(axes) => axes.iter().all(|&axis| shape[axis] <= 1).then_some(x),
            _ => None,
        }
    }

    /// A slice that lies within one part is a slice of that part.
    fn slice_of_concat(&mut self, ranges: &[Range], axis: usize, parts: &[Place]) -> Option<Place> {
        let range = ranges[axis];
        let mut start = 0;
        for &part in parts {
            let len = self.node(part).shape[axis];
            if range.start >= start && range.stop <= start + len {
                let mut inside: SmallVec<[Range; 2]> = SmallVec::from_slice(ranges);
                inside[axis] = Range { start: range.start - start, stop: range.stop - start, step: range.step };
                return Some(self.emit(&Op::Slice(inside), &[part]));
            }
            start += len;
        }
        None
    }

    fn slice_of_stack(&mut self, ranges: &[Range], axis: usize, parts: &[Place]) -> Option<Place> {
        if ranges[axis].len() != 1 {
            return None;
        }
        let part = parts[ranges[axis].start];
        let inside = ranges.iter().enumerate().filter(|(i, _)| *i != axis).map(|(_, &r)| r).collect();
        let slice = self.emit(&Op::Slice(inside), &[part]);
        let to = ranges.iter().map(Range::len).collect();
        Some(self.emit(&Op::Reshape(to), &[slice]))
    }

    /// Parts joined.
    pub(super) fn joined(&mut self, op: &Op, args: &[Place]) -> Option<Place> {
        match (op, args) {
            (Op::Concat(_), &[x]) => Some(x),
            // Parts that were joined along the same axis are joined at once.
            (Op::Concat(axis), _)
                if args.iter().any(|&x| matches!(self.op(x), Some((Op::Concat(a), _)) if a == axis)) =>
            {
                let mut parts: Vec<Place> = Vec::with_capacity(args.len());
                for &x in args {
                    match self.op(x) {
                        Some((Op::Concat(inner), inner_parts)) if inner == axis => parts.extend_from_slice(inner_parts),
                        _ => parts.push(x),
                    }
                }
                Some(self.emit(op, &parts))
            }
            (Op::Stack(axis), _) => {
                let mut shape = self.shape(args[0]);
                shape.insert(*axis, 1);
                let parts: Vec<Place> = args.iter().map(|&x| self.emit(&Op::Reshape(shape.clone()), &[x])).collect();
                Some(self.emit(&Op::Concat(*axis), &parts))
            }
            _ => None,
        }
    }
}
