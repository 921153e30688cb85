//! Sums and other reductions: repeated elements counted, factors taken out, unit axes dropped.

use super::super::graph::{Builder, Place};
use crate::op::{Binary, Compare, Literal, Op, Reduce, Unary};
use crate::shape::{Axes, Shape, keep_dims, without};

impl Builder {
    pub(super) fn sum(&mut self, axes: &Axes, x: Place) -> Option<Place> {
        let shape = self.shape(x);
        let out = without(&shape, axes);
        if axes.is_empty() {
            return Some(x);
        }
        // Of no elements; what would be a factor of them may be infinite.
        if axes.iter().any(|&axis| shape[axis] == 0) {
            return Some(self.full(&out, 0.0));
        }
        // Axes of length 1 hold nothing to add.
        if axes.iter().any(|&axis| shape[axis] == 1) {
            let kept: Shape =
                (0..shape.len()).filter(|i| !axes.contains(i) || shape[*i] != 1).map(|i| shape[i]).collect();
            let mut position = 0;
            let mut left = Axes::new();
            for (axis, &len) in shape.iter().enumerate() {
                let summed = axes.contains(&axis);
                if summed && len != 1 {
                    left.push(position);
                }
                if !summed || len != 1 {
                    position += 1;
                }
            }
            let reshaped = self.emit(&Op::Reshape(kept), &[x]);
            return Some(if left.is_empty() { reshaped } else { self.emit(&Op::Sum(left), &[reshaped]) });
        }
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if sorted != *axes {
            return Some(self.emit(&Op::Sum(sorted), &[x]));
        }
        if let Some((c, y)) = self.factor(x) {
            let total = self.emit(&Op::Sum(axes.clone()), &[y]);
            return Some(self.scale(c, total));
        }
        let (op, args) = self.op(x).map(|(op, args)| (op.clone(), args.to_vec()))?;
        match (op, &args[..]) {
            (Op::Broadcast(_), &[y]) => self.sum_of_repeated(axes, y, &shape),
            // The factor that is the same along the summed axes comes out of the sum.
            (Op::Binary(op @ (Binary::Mul | Binary::Div)), &[a, b]) => {
                if let Some(y) = self.constant_along(axes, b) {
                    let total = self.emit(&Op::Sum(axes.clone()), &[a]);
                    return Some(self.emit(&Op::Binary(op), &[total, y]));
                }
                if op == Binary::Mul
                    && let Some(y) = self.constant_along(axes, a)
                {
                    let total = self.emit(&Op::Sum(axes.clone()), &[b]);
                    return Some(self.emit(&Op::Binary(op), &[y, total]));
                }
                None
            }
            (Op::Sum(inner), &[y]) => {
                let rank = self.node(y).shape.len();
                let kept: Vec<usize> = (0..rank).filter(|i| !inner.contains(i)).collect();
                let mut all: Axes = inner.iter().copied().chain(axes.iter().map(|&i| kept[i])).collect();
                all.sort_unstable();
                Some(self.emit(&Op::Sum(all), &[y]))
            }
            // A sum over everything does not care about the shape. (Axes of length 1 are dropped by a reshape, above.)
            (Op::Reshape(_), &[y]) if out.is_empty() && !self.node(y).shape.contains(&1) => {
                let all: Axes = (0..self.node(y).shape.len()).collect();
                Some(self.emit(&Op::Sum(all), &[y]))
            }
            (Op::Permute(order), &[y]) => {
                let mut moved: Axes = axes.iter().map(|&i| order[i]).collect();
                moved.sort_unstable();
                let kept: Vec<usize> = (0..order.len()).filter(|i| !moved.contains(i)).collect();
                let wanted: Vec<usize> = (0..order.len()).filter(|i| !axes.contains(i)).map(|i| order[i]).collect();
                let total = self.emit(&Op::Sum(moved), &[y]);
                let rank = |axis: usize| kept.iter().position(|&k| k == axis);
                let back: Option<Axes> = wanted.iter().map(|&axis| rank(axis)).collect();
                Some(self.emit(&Op::Permute(back?), &[total]))
            }
            (Op::Pad(pads), &[y]) if out.is_empty() && pads.iter().all(|p| p.interior == 0) => {
                Some(self.emit(&Op::Sum((0..self.node(y).shape.len()).collect()), &[y]))
            }
            _ => None,
        }
    }

    /// `Σ` over axes of which some only repeat: those become a factor.
    fn sum_of_repeated(&mut self, axes: &Axes, y: Place, shape: &Shape) -> Option<Place> {
        let small = self.shape(y);
        let added = shape.len() - small.len();
        let repeats = |axis: usize| axis < added || small[axis - added] != shape[axis];
        let counted: Vec<usize> = axes.iter().copied().filter(|&axis| repeats(axis)).collect();
        if counted.is_empty() {
            return None;
        }
        let count: usize = counted.iter().map(|&axis| shape[axis]).product();
        // What is left to add, on the small array with its missing leading axes as length 1.
        let full: Shape = std::iter::repeat_n(1, added).chain(small.iter().copied()).collect();
        let y = self.emit(&Op::Reshape(full), &[y]);
        let total = self.emit(&Op::Sum(axes.clone()), &[y]);
        let scaled = self.scale(count as f64, total);
        Some(self.emit_broadcast(&without(shape, axes), scaled))
    }

    /// The value without the axes, if it is the same along them.
    fn constant_along(&mut self, axes: &Axes, place: Place) -> Option<Place> {
        let shape = self.shape(place);
        let y = self.repeated(place)?;
        let small = self.shape(y);
        let added = shape.len() - small.len();
        if !axes.iter().all(|&axis| axis < added || (small[axis - added] == 1 && shape[axis] != 1)) {
            return None;
        }
        let dropped: Axes = axes.iter().filter(|&&axis| axis >= added).map(|&axis| axis - added).collect();
        let reduced = self.emit(&Op::Reshape(without(&small, &dropped)), &[y]);
        Some(self.emit_broadcast(&without(&shape, axes), reduced))
    }

    pub(super) fn reduce(&mut self, reduce: Reduce, axes: &Axes, x: Place) -> Option<Place> {
        let shape = self.shape(x);
        if axes.is_empty() {
            return Some(x);
        }
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if sorted != *axes {
            return Some(self.emit(&Op::Reduce(reduce, sorted), &[x]));
        }
        let count: usize = axes.iter().map(|&axis| shape[axis]).product();
        if count == 1 {
            return Some(self.emit(&Op::Reshape(without(&shape, axes)), &[x]));
        }
        if reduce != Reduce::LogSumExp {
            return None;
        }
        if count == 0 {
            return Some(self.full(&without(&shape, axes), f64::NEG_INFINITY));
        }
        // m + ln Σ e^(x − m) with m the largest element, and 0 in its place where it is infinite.
        let largest = self.emit(&Op::Reduce(Reduce::Max, axes.clone()), &[x]);
        let magnitude = self.emit(&Op::Unary(Unary::Abs), &[largest]);
        let infinite = self.emit(&Op::Unary(Unary::Test(Compare::Eq, Literal(f64::INFINITY))), &[magnitude]);
        let zero = self.full(&without(&shape, axes), 0.0);
        let m = self.emit(&Op::Select, &[infinite, zero, largest]);
        let kept = self.emit(&Op::Reshape(keep_dims(&shape, axes)), &[m]);
        let wide = self.emit_broadcast(&shape, kept);
        let shifted = self.emit(&Op::Binary(Binary::Sub), &[x, wide]);
        let powers = self.emit(&Op::Unary(Unary::Exp), &[shifted]);
        let total = self.emit(&Op::Sum(axes.clone()), &[powers]);
        let logarithm = self.emit(&Op::Unary(Unary::Ln), &[total]);
        Some(self.emit(&Op::Binary(Binary::Add), &[logarithm, m]))
    }
}
