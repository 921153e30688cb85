//! Simplification that never changes a bit of the result: dead code, common subexpressions, exact constant folding.

use super::{Kind, Node, Place, Program};
use crate::op::{Op, Unary};
use crate::shape::size;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::collections::HashMap;

impl Program {
    /// The program without what no output needs, with equal subexpressions computed once, and with constants folded
    /// where the result has the same bits for every element type: ops that move elements or change their sign. A single
    /// number that is [filled](crate::Value::fill) in is a constant, whatever it took the place of.
    ///
    /// Time and memory: linear in the number of ops and the size of the constants.
    #[must_use]
    pub fn simplify(&self) -> Self {
        let mut builder = Builder::default();
        let mut places: Vec<Place> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let args = node.args.iter().map(|&a| places[a as usize]).collect();
            places.push(builder.place(Node { args, ..node.clone() }));
        }
        let simplified = Self {
            nodes: builder.nodes,
            inputs: self.inputs.iter().map(|&i| places[i as usize]).collect(),
            outputs: self.outputs.iter().map(|&i| places[i as usize]).collect(),
        };
        simplified.without_dead_code()
    }

    /// Only what the outputs need, and all inputs.
    #[must_use]
    pub(crate) fn without_dead_code(&self) -> Self {
        let ends = self.outputs.iter().chain(&self.inputs).copied();
        let places = places_of_needed(self.nodes.len(), ends, |i| &self.nodes[i].args);
        let mut nodes = Vec::new();
        for (_, node) in self.nodes.iter().enumerate().filter(|(i, _)| places[*i] != Place::MAX) {
            let args = node.args.iter().map(|&a| places[a as usize]).collect();
            nodes.push(Node { args, ..node.clone() });
        }
        Self {
            nodes,
            inputs: self.inputs.iter().map(|&i| places[i as usize]).collect(),
            outputs: self.outputs.iter().map(|&i| places[i as usize]).collect(),
        }
    }
}

/// The place of each node once those that no end needs are gone; `Place::MAX` for those.
pub(crate) fn places_of_needed<'a>(
    len: usize,
    ends: impl Iterator<Item = Place>,
    args: impl Fn(usize) -> &'a [Place],
) -> Vec<Place> {
    let mut places = vec![Place::MAX; len];
    ends.for_each(|end| places[end as usize] = 0);
    for i in (0..len).rev().filter(|&i| !args(i).is_empty()) {
        if places[i] != Place::MAX {
            args(i).iter().for_each(|&arg| places[arg as usize] = 0);
        }
    }
    let needed = places.iter_mut().filter(|place| **place != Place::MAX);
    needed.zip(0..).for_each(|(place, number)| *place = number);
    places
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    seen: HashMap<(Op, SmallVec<[Place; 2]>), Place>,
    constants: HashMap<u64, Vec<Place>>,
}

impl Builder {
    /// The place of an equal node that is already there, or of this one, added.
    fn place(&mut self, mut node: Node) -> Place {
        // What is filled does not count, and need not be computed: a gradient begins with ones like the objective. Large ones
        // stay as they are, since a constant has memory, unless they take the place of one. A literal is an `f64`, whatever
        // it fills.
        if let Kind::Op(Op::Unary(Unary::Fill(c))) = node.kind
            && (size(&node.shape) == 1 || matches!(self.nodes[node.args[0] as usize].kind, Kind::Constant(_)))
        {
            node.kind = Kind::Constant(Tensor::full(&node.shape, c.0).into());
            node.args.clear();
        }
        if let Kind::Op(op) = &node.kind {
            if let [arg] = node.args[..]
                && let Kind::Constant(constant) = &self.nodes[arg as usize].kind
                && is_exact(op)
            {
                node.kind = Kind::Constant(constant.map_exact(op));
                node.args.clear();
            } else {
                let key = (op.clone(), node.args.clone());
                if let Some(&place) = self.seen.get(&key) {
                    return place;
                }
                self.seen.insert(key, self.nodes.len() as Place);
            }
        }
        if let Kind::Constant(constant) = &node.kind {
            let places = self.constants.entry(constant.bits_hash()).or_default();
            let same = |&&place: &&Place| matches!(&self.nodes[place as usize].kind, Kind::Constant(c) if c.same_bits(constant));
            if let Some(&place) = places.iter().find(same) {
                return place;
            }
            places.push(self.nodes.len() as Place);
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as Place
    }
}

/// Whether rounding to an element type commutes with the op, so that folding it cannot change a bit.
fn is_exact(op: &Op) -> bool {
    matches!(
        op,
        Op::Unary(Unary::Neg | Unary::Abs | Unary::StopGradient)
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Slice(_)
            | Op::Flip(_)
    )
}
