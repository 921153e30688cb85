//! Matrix products: transposes become flags, factors and repeated matrices come out.

use super::super::graph::{Builder, Place};
use crate::op::Op;
use crate::shape::{Axes, Shape, size};

impl Builder {
    /// The stack of matrices that a value is the transpose of.
    fn transposed(&self, place: Place) -> Option<Place> {
        match self.op(place)? {
            (Op::Permute(axes), args) => {
                let rank = axes.len();
                let swaps = rank >= 2
                    && axes[..rank - 2].iter().enumerate().all(|(i, &a)| i == a)
                    && axes[rank - 2] == rank - 1
                    && axes[rank - 1] == rank - 2;
                swaps.then_some(args[0])
            }
            _ => None,
        }
    }

    /// One matrix that a whole stack repeats.
    pub(super) fn shared_matrix(&self, place: Place) -> Option<Place> {
        let y = self.repeated(place)?;
        let (shape, small) = (&self.node(place).shape, &self.node(y).shape);
        let rank = shape.len();
        let lead = small.len().checked_sub(2)?;
        let same = small[lead..] == shape[rank - 2..] && small[..lead].iter().all(|&n| n == 1);
        same.then_some(y)
    }

    pub(super) fn matmul(&mut self, ta: bool, tb: bool, a: Place, b: Place) -> Option<Place> {
        if let Some(x) = self.transposed(a) {
            return Some(self.emit(&Op::MatMul { ta: !ta, tb }, &[x, b]));
        }
        if let Some(y) = self.transposed(b) {
            return Some(self.emit(&Op::MatMul { ta, tb: !tb }, &[a, y]));
        }
        let (sa, sb) = (self.shape(a), self.shape(b));
        if self.finite && [a, b].into_iter().any(|x| self.splat(x) == Some(0.0)) {
            let rank = sa.len();
            let rows = if ta { sa[rank - 1] } else { sa[rank - 2] };
            let columns = if tb { sb[rank - 2] } else { sb[rank - 1] };
            let shape: Shape = sa[..rank - 2].iter().copied().chain([rows, columns]).collect();
            return Some(self.full(&shape, 0.0));
        }
        let rank = sa.len();
        let (m, k) = if ta { (sa[rank - 1], sa[rank - 2]) } else { (sa[rank - 2], sa[rank - 1]) };
        let n = if tb { sb[rank - 2] } else { sb[rank - 1] };
        let stack: usize = sa[..rank - 2].iter().product();
        let out = stack * m * n;
        for (place, other, left) in [(a, b, true), (b, a, false)] {
            if let Some((c, x)) = self.factor(place)
                && out <= self.node(x).size().max(size(&sa[..rank - 2]))
            {
                let args = if left { [x, other] } else { [other, x] };
                let product = self.emit(&Op::MatMul { ta, tb }, &args);
                return Some(self.scale(c, product));
            }
        }
        if rank > 2 {
            // One matrix for the whole stack: one product, with the stack beside its columns or under its rows.
            let lead: Shape = Shape::from_slice(&sa[..rank - 2]);
            if let (Some(x), false) = (self.shared_matrix(a), m * k < 64 && stack < 8) {
                let x = self.emit(&Op::Reshape(Shape::from_slice(&sa[rank - 2..])), &[x]);
                // B as [k, stack, n].
                let b3 = self.emit(&Op::Reshape([&[stack], &sb[rank - 2..]].concat()[..].into()), &[b]);
                let order: Axes = if tb { [2, 0, 1][..].into() } else { [1, 0, 2][..].into() };
                let moved = self.emit(&Op::Permute(order), &[b3]);
                let wide = self.emit(&Op::Reshape([k, stack * n][..].into()), &[moved]);
                let product = self.emit(&Op::MatMul { ta, tb: false }, &[x, wide]);
                let apart = self.emit(&Op::Reshape([m, stack, n][..].into()), &[product]);
                let back = self.in_front(apart);
                let shape: Shape = lead.iter().copied().chain([m, n]).collect();
                return Some(self.emit(&Op::Reshape(shape), &[back]));
            }
            if let (Some(y), false) = (self.shared_matrix(b), ta) {
                let y = self.emit(&Op::Reshape(Shape::from_slice(&sb[rank - 2..])), &[y]);
                let tall = self.emit(&Op::Reshape([stack * m, k][..].into()), &[a]);
                let product = self.emit(&Op::MatMul { ta: false, tb }, &[tall, y]);
                let shape: Shape = lead.iter().copied().chain([m, n]).collect();
                return Some(self.emit(&Op::Reshape(shape), &[product]));
            }
        }
        None
    }
}
