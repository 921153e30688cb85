//! What a program costs, counted without running it.

use super::{Kind, Node, Program};
use crate::shape::size;
use std::fmt;

/// The cost of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Ops.
    pub ops: usize,
    /// Floating-point operations: one per element and pointwise op, two per multiply-add, none for moves.
    pub flops: u64,
    /// The most elements alive at once, inputs, constants and outputs included; times the element's size in bytes
    /// this is the peak memory of [`Program::run`] over arrays.
    pub peak_elements: usize,
}

impl Counts {
    /// Peak live bytes for elements of a size: 4 for `f32`, 8 for `f64`.
    pub fn peak_bytes(&self, element: usize) -> usize {
        self.peak_elements * element
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ops, {} flops, {} elements alive at the peak", self.ops, self.flops, self.peak_elements)
    }
}

impl Program {
    /// Floating-point operations of one node.
    pub(super) fn flops(&self, node: &Node) -> u64 {
        let Kind::Op(op) = &node.kind else { return 0 };
        let shapes: Vec<&[usize]> = node.args.iter().map(|&a| &self.nodes[a as usize].shape[..]).collect();
        op.flops(&shapes, &node.shape)
    }

    /// Counts ops, flops and the peak of live memory.
    ///
    /// Time: linear in the number of ops.
    pub fn counts(&self) -> Counts {
        let last = self.last_uses();
        let mut counts = Counts { ops: self.len(), flops: 0, peak_elements: 0 };
        // Inputs belong to the caller, who keeps them throughout.
        let mut live: usize = self.inputs.iter().map(|&i| size(&self.nodes[i as usize].shape)).sum();
        counts.peak_elements = live;
        for (i, node) in self.nodes.iter().enumerate() {
            counts.flops += self.flops(node);
            if !matches!(node.kind, Kind::Input(_)) {
                live += size(&node.shape);
            }
            counts.peak_elements = counts.peak_elements.max(live);
            for (position, &arg) in node.args.iter().enumerate() {
                let repeated = node.args[..position].contains(&arg);
                let freed = last[arg as usize] == i as u32 && !matches!(self.nodes[arg as usize].kind, Kind::Input(_));
                if freed && !repeated {
                    live -= size(&self.nodes[arg as usize].shape);
                }
            }
        }
        counts
    }
}
