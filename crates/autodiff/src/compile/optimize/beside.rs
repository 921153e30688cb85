//! Stacks that stand beside rows.
//!
//! A product of one matrix with a stack (`X·Wₛ`: the tangents or the copies of a batch) comes out with the stack beside
//! its rows, `[rows, stack, columns]`; the program sees it with the stack in front. What is made of it row by row stays
//! beside the rows too, until something wants it otherwise: nothing is moved in between, and all of a row is near.

use super::super::graph::{Builder, Place};
use crate::op::Op;
use crate::shape::{Axes, Shape};
use smallvec::SmallVec;

/// The first two axes change places.
fn swapped(rank: usize) -> Axes {
    (0..rank).map(|axis| if axis < 2 { 1 - axis } else { axis }).collect()
}

fn swap_shape(shape: &[usize]) -> Shape {
    swapped(shape.len()).iter().map(|&axis| shape[axis]).collect()
}

impl Builder {
    /// The value with the stack in front, of one with the stack beside its rows.
    pub(super) fn in_front(&mut self, x: Place) -> Place {
        let place = self.emit(&Op::Permute(swapped(self.node(x).shape.len())), &[x]);
        if matches!(self.op(place), Some((Op::Permute(_), args)) if args[0] == x) {
            self.beside.insert(place, x);
        }
        place
    }

    /// The same op where the stack is beside the rows, if an argument is so.
    pub(super) fn stay_beside(&mut self, op: &Op, args: &[Place]) -> Option<Place> {
        let first = self.beside.get(args.first()?).copied();
        match (op, first) {
            (Op::Unary(_) | Op::Binary(_) | Op::Select, _) => self.pointwise_beside(op, args),
            (Op::Sum(axes) | Op::Reduce(_, axes), Some(x)) if axes.iter().all(|&axis| axis > 1) && !axes.is_empty() => {
                let y = self.emit(op, &[x]);
                Some(self.in_front(y))
            }
            (Op::Reshape(to), Some(x)) => {
                let shape = self.shape(args[0]);
                if let (&[all, columns], &[stack, rows, same]) = (&to[..], &shape[..])
                    && (all, columns) == (stack * rows, same)
                {
                    return Some(self.flattened(args[0], x));
                }
                if to.len() < 2 || to[..2] != shape[..2] || to[..] == shape[..] {
                    return None;
                }
                let y = self.emit(&Op::Reshape(swap_shape(to)), &[x]);
                Some(self.in_front(y))
            }
            (Op::MatMul { ta, tb }, Some(x)) => {
                let y = self.shared_matrix(args[1])?;
                self.product_beside(*ta, *tb, x, y)
            }
            (Op::MatMul { ta: false, tb }, None) => {
                let x = *self.flat.get(&args[0])?;
                let place = self.product_beside(false, *tb, x, args[1])?;
                let x = *self.beside.get(&place)?;
                Some(self.flattened(place, x))
            }
            _ => None,
        }
    }

    /// The rows of all the stack, one behind the other, of a value whose stack stands beside the rows of `x`.
    fn flattened(&mut self, front: Place, x: Place) -> Place {
        let &[stack, rows, columns] = &self.shape(front)[..] else { unreachable!("a stack of matrices") };
        let place = self.raw(Op::Reshape([stack * rows, columns][..].into()), &[front]);
        self.flat.insert(place, x);
        place
    }

    fn pointwise_beside(&mut self, op: &Op, args: &[Place]) -> Option<Place> {
        let mut any = false;
        for &arg in args {
            let here = self.beside.contains_key(&arg);
            any |= here;
            // What would have to be moved instead is left.
            if !here && self.repeated(arg).is_none() {
                return None;
            }
        }
        if !any {
            return None;
        }
        let moved: SmallVec<[Place; 3]> = args.iter().map(|&arg| self.moved_beside(arg)).collect();
        let y = self.emit(op, &moved);
        Some(self.in_front(y))
    }

    /// An argument with its first two axes changed, which for what repeats moves less than all of it.
    fn moved_beside(&mut self, arg: Place) -> Place {
        if let Some(&x) = self.beside.get(&arg) {
            return x;
        }
        let to = swap_shape(&self.shape(arg));
        let Some(small) = self.repeated(arg) else { unreachable!("it is there or repeats") };
        let shape = self.shape(small);
        let missing = to.len() - shape.len();
        if missing >= 2 {
            return self.emit_broadcast(&to, small);
        }
        let full: Shape = std::iter::repeat_n(1, missing).chain(shape.iter().copied()).collect();
        let small = self.emit(&Op::Reshape(full), &[small]);
        let small = match self.beside.get(&small) {
            Some(&x) => x,
            None => self.emit(&Op::Permute(swapped(to.len())), &[small]),
        };
        self.emit_broadcast(&to, small)
    }

    /// The product of each of the stack with the matrix `y`; `x` has the stack beside its rows.
    fn product_beside(&mut self, ta: bool, tb: bool, x: Place, y: Place) -> Option<Place> {
        let (shape, rank) = (self.shape(x), self.node(y).shape.len());
        let &[rows, stack, inner] = &shape[..] else { return None };
        let matrix = Shape::from_slice(&self.node(y).shape[rank - 2..]);
        let n = if tb { matrix[0] } else { matrix[1] };
        let y = self.emit(&Op::Reshape(matrix), &[y]);
        if ta {
            // Σ over the rows: the columns of all the stack are rows of one product.
            let wide = self.emit(&Op::Reshape([rows, stack * inner][..].into()), &[x]);
            let product = self.emit(&Op::MatMul { ta, tb }, &[wide, y]);
            return Some(self.emit(&Op::Reshape([stack, inner, n][..].into()), &[product]));
        }
        let tall = self.emit(&Op::Reshape([rows * stack, inner][..].into()), &[x]);
        let product = self.emit(&Op::MatMul { ta, tb }, &[tall, y]);
        let apart = self.emit(&Op::Reshape([rows, stack, n][..].into()), &[product]);
        Some(self.in_front(apart))
    }
}
