//! The tape of a plain scalar: nodes of two partials and two parents, and the sweeps over them.
//!
//! Node 0 stands for every constant: it soaks up what would be sent to one, so that the fast sweep need not ask.

use super::arena::{Arena, Room};
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
    /// # Safety
    /// That of [`Arena::within`].
    pub(super) unsafe fn within(room: Option<&Room>) -> Self {
        // SAFETY: as the caller promises.
        let nodes = Self { arena: unsafe { Arena::within(room) }, inputs: Cell::new(0) };
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

    /// Appends so many inputs, and says where the first one is.
    pub(super) fn push_inputs(&self, count: usize) -> u32 {
        let first = self.arena.len();
        self.arena.extend(count, &Node { partials: [number(0.0), number(0.0)], parents: [0, 0] });
        if first as usize == self.inputs.get() + 1 {
            self.inputs.set(self.inputs.get() + count);
        }
        first
    }

    /// Appends a node of one or two parents; place 0 is no parent.
    ///
    /// An unused second parent is marked by the node's own place, or by the constants' in an input.
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
        let nodes = &*self.arena.read();
        let top = seeds.iter().map(|s| s.0).max().unwrap_or(0) as usize;
        let room = Room::new();
        // SAFETY: the room outlives the arena, which alone is within it.
        let mut adjoints: Arena<V> = unsafe { Arena::within(Some(&room)) };
        adjoints.extend(top + 1, &number(0.0));
        let adjoints = adjoints.as_mut_slice();
        for (i, seed) in seeds {
            adjoints[*i as usize] = adjoints[*i as usize].plus(seed);
        }
        sweep(&nodes[..=top], self.inputs.get(), adjoints);
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

    /// The derivatives of the number at place `y` by the first `inputs` places after the constants'; as in
    /// [`reverse`](Self::reverse) where one is absent or zero, which takes a second look.
    #[inline]
    pub(super) fn gradient(&self, y: u32, inputs: usize) -> Result<Vec<V>, Vec<Option<V>>> {
        let nodes = &*self.arena.read();
        {
            let nodes = &nodes[..=y as usize];
            let room = Room::new();
            // SAFETY: the room outlives the arena, which alone is within it.
            let mut adjoints = unsafe { Arena::within(Some(&room)) };
            adjoints.extend(nodes.len() - 1, &number(0.0));
            adjoints.push(number(1.0));
            let adjoints = adjoints.as_mut_slice();
            sweep(nodes, self.inputs.get(), adjoints);
            if let Some(gradient) = adjoints.get(1..=inputs)
                && gradient.iter().all(V::is_ordinary)
            {
                return Ok(gradient.to_vec());
            }
        }
        Err(sweep::reverse(nodes, &[(y, number(1.0))], 1..=inputs as u32))
    }

    /// Forward sweep: the tangents of `outputs`, `None` where no seed reaches.
    pub(super) fn forward(&self, seeds: &[(u32, V)], outputs: &[u32]) -> Vec<Option<V>> {
        sweep::forward(&self.arena.read(), seeds, outputs)
    }
}

/// The fast sweep, from the last node to the inputs: absent cotangents are zeros, and 0·∞ is taken as it is, which is no
/// number and so is seen at the end.
///
/// What an operation gives to the one just before it, which is where most give something, stays in a register: through
/// memory, a chain of operations would wait for each store to be read back.
#[inline]
fn sweep<V: Value>(nodes: &[Node<V>], inputs: usize, adjoints: &mut [V]) {
    assert!(nodes.len() == adjoints.len() && !nodes.is_empty());
    let mut adjoint = adjoints[adjoints.len() - 1].clone();
    for i in (inputs + 1..nodes.len()).rev() {
        let node = &nodes[i];
        let [p, q] = node.parents.map(|parent| parent as usize);
        // SAFETY: `push` makes nodes whose parents are not behind them, so `p, q <= i < nodes.len() = adjoints.len()`,
        // and `1 <= i`.
        unsafe {
            let mut before = adjoints.get_unchecked(i - 1).clone();
            let mut give = |place: usize, partial: &V| {
                let part = V::times_finite(partial, &adjoint);
                if place == i - 1 {
                    before = before.plus(&part);
                } else {
                    let place = adjoints.get_unchecked_mut(place);
                    *place = place.plus(&part);
                }
            };
            give(p, &node.partials[0]);
            if q < i {
                give(q, &node.partials[1]);
            }
            *adjoints.get_unchecked_mut(i - 1) = before.clone();
            adjoint = before;
        }
    }
}
