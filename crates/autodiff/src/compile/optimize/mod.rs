//! Rewriting a program into a cheaper one with the same values, to rounding.
//!
//! One walk over the nodes: each is put into a new graph through [`Builder::emit`], which looks at the op and at the
//! ops that made its arguments, and puts something cheaper there instead where a rule fits. What a rule makes goes
//! through `emit` again, so rules meet each other's results. Equal nodes are shared and constants are folded by the
//! builder. A second walk, if the first one found anything, catches what its rules set free.
//!
//! No rule assumes anything about values: `0·x` stays (`x` may be infinite), `x − x` stays. Sums may be reassociated
//! and factors merged: that is the rounding.

mod assemble;
mod beside;
mod inner;
mod movement;
mod pointwise;
mod products;
mod sums;

use super::graph::{Builder, Fold, Graph, Place};
use crate::op::Op;

/// The cheaper graph.
pub(super) fn optimize(graph: &Graph, fold: Fold) -> Graph {
    let emit_all = |graph: &Graph| {
        graph.rebuild(fold, |builder, _, node, _, args| match node.op() {
            Some(op) => builder.emit(op, args),
            None => unreachable!("inputs and constants are put there by `rebuild`"),
        })
    };
    let (once, changed) = emit_all(graph);
    let assembled = assemble::paddings(&once, fold);
    let spared = inner::products(assembled.as_ref().unwrap_or(&once), fold);
    match spared.or(assembled) {
        None if !changed => once,
        other => emit_all(other.as_ref().unwrap_or(&once)).0,
    }
}

impl Builder {
    /// Puts an op, or something cheaper with the same value.
    pub(super) fn emit(&mut self, op: &Op, args: &[Place]) -> Place {
        if !self.beside.is_empty()
            && let Some(place) = self.stay_beside(op, args)
        {
            self.changed = true;
            return place;
        }
        let cheaper = match (op, args) {
            (Op::Unary(op), &[x]) => self.unary(*op, x),
            (Op::Binary(op), &[a, b]) => self.binary(*op, a, b),
            (Op::Select, &[mask, a, b]) => self.select(mask, a, b),
            (Op::Sum(axes), &[x]) => self.sum(axes, x),
            (Op::Reduce(reduce, axes), &[x]) => self.reduce(*reduce, axes, x),
            (Op::MatMul { ta, tb }, &[a, b]) => self.matmul(*ta, *tb, a, b),
            (Op::Reshape(_) | Op::Permute(_) | Op::Broadcast(_) | Op::Slice(_) | Op::Pad(_) | Op::Flip(_), &[x]) => {
                self.movement(op, x)
            }
            (Op::Concat(_) | Op::Stack(_), _) => self.joined(op, args),
            _ => None,
        };
        match cheaper {
            Some(place) => {
                self.changed = true;
                place
            }
            None => self.raw(op.clone(), args),
        }
    }
}
