//! The tape of a plain scalar: nodes of two partials and two parents, and the sweeps over them.
//!
//! Node 0 stands for every constant: it soaks up what would be sent to one, so that the fast sweep need not ask.

use super::arena::Arena;
use crate::value::Value;
use std::cell::Cell;

/// What one operation leaves behind: `v̇ = Σ partial · parent's v̇`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<V> {
    partials: [V; 2],
    parents: [u32; 2],
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
                    let careful = careful_sweep(&nodes[..=top], seeds);
                    return wrt.map(|i| careful.get(i as usize).cloned().flatten()).collect();
                }
            }
        }
        parts
    }

    /// Forward sweep: the tangents of `outputs`, `None` where no seed reaches.
    pub(super) fn forward(&self, seeds: &[(u32, V)], outputs: &[u32]) -> Vec<Option<V>> {
        // SAFETY: as in `reverse`.
        let nodes = unsafe { self.arena.as_slice() };
        let top = outputs.iter().copied().max().unwrap_or(0) as usize;
        let mut tangents: Vec<Option<V>> = vec![None; top + 1];
        let mut seeds = seeds.iter().filter(|s| s.0 as usize <= top).collect::<Vec<_>>();
        seeds.sort_by_key(|s| s.0);
        let first = seeds.first().map_or(top + 1, |s| s.0 as usize);
        for (i, seed) in &seeds {
            let slot = &mut tangents[*i as usize];
            *slot = crate::rules::add_parts(slot.take(), Some(seed.clone()));
        }
        for i in first..=top {
            let node = &nodes[i];
            for (partial, &parent) in node.partials.iter().zip(&node.parents) {
                if parent != 0
                    && parent as usize != i
                    && let Some(t) = tangents[parent as usize].clone()
                {
                    tangents[i] = crate::rules::add_parts(tangents[i].take(), Some(partial.times(&t)));
                }
            }
        }
        outputs.iter().map(|&i| if i == 0 { None } else { tangents[i as usize].clone() }).collect()
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

/// The sweep that tells an absent cotangent from a zero one.
fn careful_sweep<V: Value>(nodes: &[Node<V>], seeds: &[(u32, V)]) -> Vec<Option<V>> {
    let mut adjoints: Vec<Option<V>> = vec![None; nodes.len()];
    for (i, seed) in seeds.iter().filter(|s| s.0 != 0) {
        adjoints[*i as usize] = crate::rules::add_parts(adjoints[*i as usize].take(), Some(seed.clone()));
    }
    for i in (1..nodes.len()).rev() {
        let Some(adjoint) = adjoints[i].clone() else { continue };
        let node = &nodes[i];
        for (partial, &parent) in node.partials.iter().zip(&node.parents) {
            if parent != 0 && parent as usize != i {
                let part = partial.times(&adjoint);
                adjoints[parent as usize] = crate::rules::add_parts(adjoints[parent as usize].take(), Some(part));
            }
        }
    }
    adjoints
}
