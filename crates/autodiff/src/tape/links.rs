//! The tape of a number that itself stands on a tape: the partials are places on the outer one.
//!
//! Place 0 stands for every constant. What is absent stays absent: a constant has no partials, here or on the outer tape.

use super::arena::{Arena, Room};
use super::sweep::{self, Step};
use crate::rules::Partial;
use crate::value::Value;

/// An operation with up to two parents; place 0 is none.
struct Link<V> {
    partials: [Partial<V>; 2],
    parents: [u32; 2],
}

impl<V> Link<V> {
    const NONE: Self = Self { partials: [Partial::Zero, Partial::Zero], parents: [0, 0] };
}

impl<V: Value> Step<V> for Link<V> {
    fn parts(&self, _: usize) -> impl Iterator<Item = (usize, impl Fn(&V) -> Option<V>)> {
        let parts = self.partials.iter().zip(self.parents).filter(|(_, parent)| *parent != 0);
        parts.map(|(partial, parent)| (parent as usize, |t: &V| partial.times(t)))
    }
}

/// The linearised computation.
pub(super) struct Links<V>(Arena<Link<V>>);

impl<V: Value> Links<V> {
    /// # Safety
    /// That of [`Arena::within`].
    pub(super) unsafe fn within(room: Option<&Room>) -> Self {
        // SAFETY: as the caller promises.
        let links = Self(unsafe { Arena::within(room) });
        if V::INLINE && !V::SCALAR {
            links.push_input();
        }
        links
    }

    /// Appends an input.
    pub(super) fn push_input(&self) -> u32 {
        self.0.push(Link::NONE)
    }

    /// Appends an operation with two partials and the places they belong to, and says where; 0 if it does not depend on
    /// anything.
    pub(super) fn push(&self, parts: [(Partial<V>, u32); 2]) -> u32 {
        let [(p, i), (q, j)] = parts;
        let place = |partial: &Partial<V>, parent| if matches!(partial, Partial::Zero) { 0 } else { parent };
        let parents = [place(&p, i), place(&q, j)];
        if parents == [0, 0] { 0 } else { self.0.push(Link { partials: [p, q], parents }) }
    }

    /// Number of places, the constants' one included.
    pub(super) fn len(&self) -> usize {
        self.0.len() as usize
    }

    /// Reverse sweep: the cotangents of `wrt`, `None` where no seed is reached from it.
    pub(super) fn reverse(&self, seeds: &[(u32, V)], wrt: impl Iterator<Item = u32>) -> Vec<Option<V>> {
        sweep::reverse(&self.0.read(), seeds, wrt)
    }

    /// Forward sweep: the tangents of `outputs`, `None` where no seed reaches.
    pub(super) fn forward(&self, seeds: &[(u32, V)], outputs: &[u32]) -> Vec<Option<V>> {
        sweep::forward(&self.0.read(), seeds, outputs)
    }
}
