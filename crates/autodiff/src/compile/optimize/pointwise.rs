//! Pointwise ops: literals folded into ops, signs and factors merged, and work done before a broadcast, not after.

use super::super::graph::{Builder, Place};
use crate::op::{Binary, Compare, Literal, Op, Unary};
use crate::shape::{Shape, broadcast, size};
use crate::value::Value;

/// Whether a factor is moderate: then it may be merged with others and moved out of products and sums. An extreme one stays
/// where it is, for somebody put it there so that nothing overflows or vanishes.
pub(super) fn is_safe_factor(c: f64) -> bool {
    c == 0.0 || (1e-9..1e9).contains(&c.abs())
}

impl Builder {
    fn apply(&mut self, op: Unary, x: Place) -> Place {
        self.emit(&Op::Unary(op), &[x])
    }

    fn combine(&mut self, op: Binary, a: Place, b: Place) -> Place {
        self.emit(&Op::Binary(op), &[a, b])
    }

    pub(super) fn scale(&mut self, c: f64, x: Place) -> Place {
        self.apply(Unary::Mul(Literal(c)), x)
    }

    fn as_unary(&self, place: Place) -> Option<(Unary, Place)> {
        match self.op(place)? {
            (Op::Unary(op), args) => Some((*op, args[0])),
            _ => None,
        }
    }

    fn as_binary(&self, place: Place) -> Option<(Binary, Place, Place)> {
        match self.op(place)? {
            (Op::Binary(op), args) => Some((*op, args[0], args[1])),
            _ => None,
        }
    }

    /// What a value is `c` times of: the number and the value.
    pub(super) fn factor(&self, place: Place) -> Option<(f64, Place)> {
        match self.as_unary(place)? {
            (Unary::Mul(Literal(c)), x) if is_safe_factor(c) => Some((c, x)),
            (Unary::Neg, x) => Some((-1.0, x)),
            _ => None,
        }
    }

    /// The smaller array that a value repeats.
    pub(super) fn repeated(&self, place: Place) -> Option<Place> {
        match self.op(place)? {
            (Op::Broadcast(_), args) => Some(args[0]),
            _ => None,
        }
    }

    pub(super) fn unary(&mut self, op: Unary, x: Place) -> Option<Place> {
        let shape = self.shape(x);
        if let Unary::Fill(Literal(c)) = op {
            return Some(self.full(&shape, c));
        }
        // What decides by a number is left to the element type, in which the number may be another.
        let decides = matches!(op, Unary::Test(..) | Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round);
        if let (Some(number), false) = (self.splat(x), decides) {
            let value = f64::unary(|| op, &number);
            return Some(self.full(&shape, value));
        }
        match op {
            Unary::StopGradient | Unary::Powi(1) => return Some(x),
            Unary::Mul(Literal(0.0)) if self.finite => return Some(self.full(&shape, 0.0)),
            Unary::Add(Literal(0.0)) | Unary::Mul(Literal(1.0)) | Unary::DivBy(Literal(1.0)) => return Some(x),
            Unary::Mul(Literal(-1.0)) => return Some(self.apply(Unary::Neg, x)),
            Unary::Powi(2) | Unary::Powf(Literal(2.0)) => return Some(self.apply(Unary::Square, x)),
            Unary::Powi(-1) | Unary::Powf(Literal(-1.0)) | Unary::DivInto(Literal(1.0)) => {
                return Some(self.apply(Unary::Recip, x));
            }
            Unary::Powf(Literal(1.0)) => return Some(x),
            Unary::DivBy(Literal(c)) if is_safe_factor(c) && c != 0.0 => return Some(self.scale(1.0 / c, x)),
            _ => {}
        }
        if let Some((inner, y)) = self.as_unary(x) {
            match (op, inner) {
                (Unary::Neg, Unary::Neg) => return Some(y),
                (Unary::Neg, Unary::Mul(Literal(c))) => return Some(self.scale(-c, y)),
                (Unary::Mul(Literal(c)), Unary::Neg) => return Some(self.scale(-c, y)),
                (Unary::Mul(Literal(c)), Unary::Mul(Literal(d)))
                    if is_safe_factor(c) && is_safe_factor(d) && is_safe_factor(c * d) =>
                {
                    return Some(self.scale(c * d, y));
                }
                (Unary::Neg, Unary::Add(Literal(c))) => return Some(self.apply(Unary::SubFrom(Literal(-c)), y)),
                (Unary::Neg, Unary::SubFrom(Literal(c))) => return Some(self.apply(Unary::Add(Literal(-c)), y)),
                (Unary::Abs | Unary::Square, Unary::Neg | Unary::Abs) => return Some(self.apply(op, y)),
                (Unary::Relu, Unary::Relu) => return Some(x),
                _ => {}
            }
        }
        if let (Unary::Neg, Some((Binary::Sub, a, b))) = (op, self.as_binary(x)) {
            return Some(self.combine(Binary::Sub, b, a));
        }
        match self.op(x) {
            Some((Op::Broadcast(_), args)) if size(&self.node(args[0]).shape) < size(&shape) => {
                let small = args[0];
                let y = self.apply(op, small);
                Some(self.emit(&Op::Broadcast(shape), &[y]))
            }
            Some((Op::Reshape(_), args)) => {
                let inner = args[0];
                let y = self.apply(op, inner);
                Some(self.emit(&Op::Reshape(shape), &[y]))
            }
            _ => None,
        }
    }

    pub(super) fn binary(&mut self, op: Binary, a: Place, b: Place) -> Option<Place> {
        if let Some(place) = self.with_literal(op, a, b) {
            return Some(place);
        }
        if a == b {
            match op {
                Binary::Mul => return Some(self.apply(Unary::Square, a)),
                Binary::Add => return Some(self.scale(2.0, a)),
                _ => {}
            }
        }
        if let Some(place) = self.signs(op, a, b) {
            return Some(place);
        }
        self.before_movement(op, a, b)
    }

    /// One side is the same number everywhere.
    fn with_literal(&mut self, op: Binary, a: Place, b: Place) -> Option<Place> {
        let c = Literal;
        match (self.splat(a), self.splat(b)) {
            (Some(_), Some(_)) if matches!(op, Binary::Compare(_)) => None,
            (Some(x), Some(y)) => {
                let shape = self.shape(a);
                Some(self.full(&shape, f64::binary(|| op, &x, &y)))
            }
            (None, Some(y)) => {
                let unary = match op {
                    Binary::Add => Unary::Add(c(y)),
                    Binary::Sub => Unary::Add(c(-y)),
                    Binary::Mul => Unary::Mul(c(y)),
                    Binary::Div => Unary::DivBy(c(y)),
                    Binary::Pow => Unary::Powf(c(y)),
                    Binary::Max => Unary::Max(c(y)),
                    Binary::Min => Unary::Min(c(y)),
                    Binary::Compare(compare) => Unary::Test(compare, c(y)),
                    Binary::Atan2 | Binary::Hypot => return None,
                };
                Some(self.apply(unary, a))
            }
            (Some(x), None) => {
                let unary = match op {
                    Binary::Add => Unary::Add(c(x)),
                    Binary::Sub => Unary::SubFrom(c(x)),
                    Binary::Mul => Unary::Mul(c(x)),
                    Binary::Div => Unary::DivInto(c(x)),
                    Binary::Max => Unary::Max(c(x)),
                    Binary::Min => Unary::Min(c(x)),
                    Binary::Compare(compare) => {
                        let flipped = match compare {
                            Compare::Lt => Compare::Gt,
                            Compare::Le => Compare::Ge,
                            Compare::Gt => Compare::Lt,
                            Compare::Ge => Compare::Le,
                            same => same,
                        };
                        Unary::Test(flipped, c(x))
                    }
                    Binary::Pow | Binary::Atan2 | Binary::Hypot => return None,
                };
                Some(self.apply(unary, b))
            }
            (None, None) => None,
        }
    }

    /// Signs and factors of the arguments, moved to where they cost nothing.
    fn signs(&mut self, op: Binary, a: Place, b: Place) -> Option<Place> {
        let negated = |place| match self.as_unary(place) {
            Some((Unary::Neg, x)) => Some(x),
            _ => None,
        };
        let reciprocal = |place| match self.as_unary(place) {
            Some((Unary::Recip, x)) => Some(x),
            _ => None,
        };
        match op {
            Binary::Add => match (negated(a), negated(b)) {
                (_, Some(y)) => Some(self.combine(Binary::Sub, a, y)),
                (Some(x), None) => Some(self.combine(Binary::Sub, b, x)),
                _ => None,
            },
            Binary::Sub => negated(b).map(|y| self.combine(Binary::Add, a, y)),
            Binary::Mul => {
                if let Some(y) = reciprocal(b) {
                    return Some(self.combine(Binary::Div, a, y));
                }
                if let Some(x) = reciprocal(a) {
                    return Some(self.combine(Binary::Div, b, x));
                }
                match (self.factor(a), self.factor(b)) {
                    (Some((c, x)), Some((d, y))) if is_safe_factor(c * d) => {
                        let product = self.combine(Binary::Mul, x, y);
                        Some(self.scale(c * d, product))
                    }
                    (Some((c, x)), None) => {
                        let product = self.combine(Binary::Mul, x, b);
                        Some(self.scale(c, product))
                    }
                    (None, Some((d, y))) => {
                        let product = self.combine(Binary::Mul, a, y);
                        Some(self.scale(d, product))
                    }
                    _ => None,
                }
            }
            Binary::Div => match (negated(a), negated(b)) {
                (Some(x), Some(y)) => Some(self.combine(Binary::Div, x, y)),
                (Some(x), None) => {
                    let quotient = self.combine(Binary::Div, x, b);
                    Some(self.apply(Unary::Neg, quotient))
                }
                (None, Some(y)) => {
                    let quotient = self.combine(Binary::Div, a, y);
                    Some(self.apply(Unary::Neg, quotient))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Two arguments that are repeated, or reshaped, alike: the op first, on less.
    fn before_movement(&mut self, op: Binary, a: Place, b: Place) -> Option<Place> {
        let shape = self.shape(a);
        if let (Some(x), Some(y)) = (self.repeated(a), self.repeated(b)) {
            let common = broadcast(&self.node(x).shape, &self.node(y).shape)?;
            if size(&common) >= size(&shape) {
                return None;
            }
            let x = self.emit_broadcast(&common, x);
            let y = self.emit_broadcast(&common, y);
            let small = self.combine(op, x, y);
            return Some(self.emit(&Op::Broadcast(shape), &[small]));
        }
        match (self.op(a), self.op(b)) {
            (Some((Op::Reshape(_), x)), Some((Op::Reshape(_), y))) => {
                let (x, y) = (x[0], y[0]);
                if self.node(x).shape != self.node(y).shape {
                    return None;
                }
                let inner = self.combine(op, x, y);
                Some(self.emit(&Op::Reshape(shape), &[inner]))
            }
            (Some((Op::Permute(p), x)), Some((Op::Permute(q), y))) if p == q => {
                let (axes, x, y) = (p.clone(), x[0], y[0]);
                let inner = self.combine(op, x, y);
                Some(self.emit(&Op::Permute(axes), &[inner]))
            }
            _ => None,
        }
    }

    pub(super) fn emit_broadcast(&mut self, shape: &[usize], x: Place) -> Place {
        if self.node(x).shape[..] == *shape { x } else { self.emit(&Op::Broadcast(Shape::from_slice(shape)), &[x]) }
    }

    pub(super) fn select(&mut self, mask: Place, a: Place, b: Place) -> Option<Place> {
        match self.splat(mask) {
            Some(0.0) => Some(b),
            Some(_) => Some(a),
            None if a == b => Some(a),
            None => None,
        }
    }
}
