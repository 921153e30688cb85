//! The tape of a plain scalar: nodes of two partials and two parents, and the sweeps over them.
//!
//! Node 0 stands for every constant: it soaks up what unary nodes and constants would send to a parent, so that the
//! fast sweep has no branch.

use super::arena::Arena;
use crate::value::Value;

/// What one operation leaves behind: `v̇ = Σ partial · parent's v̇`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<V> {
    partials: [V; 2],
    parents: [u32; 2],
}

/// The linearised computation.
pub(super) struct Nodes<V> {
    arena: Arena<Node<V>>,
}

fn number<V: Value>(c: f64) -> V {
    V::literal(c).expect("a scalar needs no context for a literal")
}

impl<V: Value> Nodes<V> {
    pub(super) fn new() -> Self {
        let nodes = Self { arena: Arena::new() };
        if V::SCALAR {
            nodes.push([number(0.0), number(0.0)], [0, 0]);
        }
        nodes
    }

    #[inline(always)]
    pub(super) fn push(&self, partials: [V; 2], parents: [u32; 2]) -> u32 {
        self.arena.push(Node { partials, parents })
    }

    /// Number of nodes, the constants' one included.
    pub(super) fn len(&self) -> usize {
        self.arena.len() as usize
    }

    /// Reverse sweep: the cotangents of `wrt`, `None` where no seed is reached from it.
    pub(super) fn reverse(&self, seeds: &[(u32, V)], wrt: &[u32]) -> Vec<Option<V>> {
        // SAFETY: nothing below records on this tape: a scalar's arithmetic records nowhere.
        let nodes = unsafe { self.arena.as_slice() };
        let top = seeds.iter().map(|s| s.0).max().unwrap_or(0) as usize;
        let adjoints = sweep(&nodes[..=top], seeds);
        let take = |i: u32| adjoints.get(i as usize).cloned();
        // An ordinary number is connected for sure, and met no 0·∞ on its way. Anything else gets a second look.
        if wrt.iter().all(|&i| take(i).is_some_and(|a| a.is_ordinary())) {
            return wrt.iter().map(|&i| take(i)).collect();
        }
        let careful = careful_sweep(&nodes[..=top], seeds);
        wrt.iter().map(|&i| careful.get(i as usize).cloned().flatten()).collect()
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
            tangents[*i as usize] = Some(seed.clone());
        }
        for i in first..=top {
            let node = &nodes[i];
            for (partial, &parent) in node.partials.iter().zip(&node.parents) {
                if parent != 0
                    && let Some(t) = tangents[parent as usize].clone()
                {
                    tangents[i] = crate::rules::add_parts(tangents[i].take(), Some(partial.times(&t)));
                }
            }
        }
        outputs.iter().map(|&i| if i == 0 { None } else { tangents[i as usize].clone() }).collect()
    }
}

/// The branch-free sweep: absent cotangents are zeros.
fn sweep<V: Value>(nodes: &[Node<V>], seeds: &[(u32, V)]) -> Vec<V> {
    let mut adjoints = vec![number::<V>(0.0); nodes.len()];
    for (i, seed) in seeds {
        adjoints[*i as usize] = adjoints[*i as usize].plus(seed);
    }
    for i in (1..nodes.len()).rev() {
        let node = &nodes[i];
        let [p, q] = node.parents;
        let (p, q) = (p as usize, q as usize);
        // A parent was recorded before its child, so one check serves every access below.
        let (earlier, rest) = adjoints.split_at_mut(i);
        let adjoint = &rest[0];
        debug_assert!(p < i && q < i);
        earlier[p] = earlier[p].plus(&node.partials[0].times(adjoint));
        earlier[q] = earlier[q].plus(&node.partials[1].times(adjoint));
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
            if parent != 0 {
                let part = partial.times(&adjoint);
                adjoints[parent as usize] = crate::rules::add_parts(adjoints[parent as usize].take(), Some(part));
            }
        }
    }
    adjoints
}
