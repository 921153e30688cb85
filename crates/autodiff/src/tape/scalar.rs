//! The tape of a plain scalar: nodes of two partials and two parents, and the sweeps over them.
//!
//! Node 0 stands for every constant: it soaks up what would be sent to one, so that the fast sweep need not ask.

use super::arena::Arena;
use super::sweep::{self, Step};
use crate::value::Value;
use std::cell::Cell;

/// An operation with one or two parents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<V> {
    partials: [V; 2],
    parents: [u32; 2],
}

impl<V: Value> Step<V> for Node<V> {
    fn parts(&self, own: usize) -> impl Iterator<Item = (usize, impl Fn(&V) -> Option<V>)> {
        let parts = self.partials.iter().zip(self.parents.map(|parent| parent as usize));
        parts
            .filter(move |(_, parent)| *parent != 0 && *parent != own)
            .map(|(partial, parent)| (parent, |t: &V| Some(partial.times(t))))
    }
}

/// The linearised computation.
pub(super) struct Nodes<V> {
    arena: Arena<Node<V>>,
    /// How many nodes at the start are inputs: a reverse sweep has nothing to do there.
    inputs: Cell<usize>,
}

fn number<V: Value>(c: f64) -> V {
    V::literal(c).expect("a scalar needs no context for a literal")
}

impl<V: Value> Nodes<V> {
    pub(super) fn new() -> Self {
        let nodes = Self { arena: Arena::new(), inputs: Cell::new(0) };
        if V::SCALAR {
            nodes.push([number(0.0), number(0.0)], [0, 0]);
        }
        nodes
    }

    /// Appends an input.
    pub(super) fn push_input(&self) -> u32 {
        let place = self.push([number(0.0), number(0.0)], [0, 0]);
        if place as usize == self.inputs.get() + 1 {
            self.inputs.set(place as usize);
        }
        place
    }

    /// Appends a node of one or two parents; place 0 is no parent.
    ///
    /// An unused second parent is marked by the node's own place.
    #[inline(always)]
    pub(super) fn push(&self, partials: [V; 2], [p, q]: [u32; 2]) -> u32 {
        let own = self.arena.len();
        debug_assert!(p <= own && q <= own);
        self.arena.push(Node { partials, parents: [p, if q == 0 { own } else { q }] })
    }

    /// Number of nodes, the constants' one included.
    pub(super) fn len(&self) -> usize {
        self.arena.len() as usize
    }

    /// Reverse sweep: the cotangents of `wrt`, `None` where no seed is reached from it.
    pub(super) fn reverse(&self, seeds: &[(u32, V)], wrt: impl Iterator<Item = u32> + Clone) -> Vec<Option<V>> {
        // SAFETY: nothing below records on this tape: a scalar's arithmetic records nowhere.
        let nodes = unsafe { self.arena.as_slice() };
        let top = seeds.iter().map(|s| s.0).max().unwrap_or(0) as usize;
        let adjoints = sweep(&nodes[..=top], self.inputs.get(), seeds);
        let mut parts = Vec::with_capacity(wrt.size_hint().0);
        for i in wrt.clone() {
            // An ordinary number is connected for sure, and met no 0·∞ on its way. Anything else gets a second look.
            match adjoints.get(i as usize) {
                _ if i == 0 => parts.push(None),
                Some(adjoint) if adjoint.is_ordinary() => parts.push(Some(adjoint.clone())),
                _ => {
                    return sweep::reverse(nodes, seeds, wrt);
                }
            }
        }
        parts
    }

    /// Forward sweep: the tangents of `outputs`, `None` where no seed reaches.
    pub(super) fn forward(&self, seeds: &[(u32, V)], outputs: &[u32]) -> Vec<Option<V>> {
        // SAFETY: as in `reverse`.
        sweep::forward(unsafe { self.arena.as_slice() }, seeds, outputs)
    }
}

/// The fast sweep: absent cotangents are zeros.
fn sweep<V: Value>(nodes: &[Node<V>], inputs: usize, seeds: &[(u32, V)]) -> Vec<V> {
    let mut adjoints = vec![number::<V>(0.0); nodes.len()];
    for (i, seed) in seeds {
        adjoints[*i as usize] = adjoints[*i as usize].plus(seed);
    }
    for i in (inputs + 1..nodes.len()).rev() {
        let node = &nodes[i];
        let adjoint = adjoints[i].clone();
        let [p, q] = node.parents.map(|parent| parent as usize);
        // SAFETY: `push` makes nodes whose parents are not behind them, so `p, q <= i < nodes.len() = adjoints.len()`.
        unsafe {
            let place = adjoints.get_unchecked_mut(p);
            *place = place.plus(&node.partials[0].times(&adjoint));
            if q < i {
                let place = adjoints.get_unchecked_mut(q);
                *place = place.plus(&node.partials[1].times(&adjoint));
            }
        }
    }
    adjoints
}
