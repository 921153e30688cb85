//! The tape of a number that itself stands on a tape: the partials are places on the outer one.
//!
//! Place 0 stands for every constant. What is absent stays absent: a constant has no partials, here or on the outer tape.

use crate::rules::{Partial, add_parts};
use crate::value::Value;
use std::cell::RefCell;

/// What one operation leaves behind: `v̇ = Σ partial · parent's v̇`.
struct Link<V> {
    partials: [Partial<V>; 2],
    parents: [u32; 2],
}

impl<V: Value> Link<V> {
    fn parts(&self) -> impl Iterator<Item = (&Partial<V>, usize)> {
        self.partials.iter().zip(self.parents.map(|parent| parent as usize)).filter(|(_, parent)| *parent != 0)
    }
}

/// The linearised computation, behind place 0.
pub(super) struct Links<V> {
    links: RefCell<Vec<Link<V>>>,
}

impl<V: Value> Links<V> {
    pub(super) fn new() -> Self {
        Self { links: RefCell::default() }
    }

    /// Appends an input.
    pub(super) fn push_input(&self) -> u32 {
        self.append(Link { partials: [Partial::Zero, Partial::Zero], parents: [0, 0] })
    }

    /// Appends an operation with two partials and the places they belong to, and says where; 0 if it does not depend on
    /// anything.
    pub(super) fn push(&self, parts: [(Partial<V>, u32); 2]) -> u32 {
        let [(p, i), (q, j)] = parts;
        let place = |partial: &Partial<V>, parent| if matches!(partial, Partial::Zero) { 0 } else { parent };
        let parents = [place(&p, i), place(&q, j)];
        if parents == [0, 0] { 0 } else { self.append(Link { partials: [p, q], parents }) }
    }

    fn append(&self, link: Link<V>) -> u32 {
        let mut links = self.links.borrow_mut();
        links.push(link);
        u32::try_from(links.len()).expect("tape: more than 2³² operations")
    }

    /// Number of places, the constants' one included.
    pub(super) fn len(&self) -> usize {
        self.links.borrow().len() + 1
    }

    /// Reverse sweep: the cotangents of `wrt`, `None` where no seed is reached from it.
    pub(super) fn reverse(&self, seeds: &[(u32, V)], wrt: impl Iterator<Item = u32>) -> Vec<Option<V>> {
        let links = self.links.borrow();
        let top = seeds.iter().map(|s| s.0 as usize).max().unwrap_or(0);
        let mut adjoints: Vec<Option<V>> = vec![None; top + 1];
        for (i, seed) in seeds {
            add(&mut adjoints[*i as usize], seed.clone());
        }
        for (i, link) in links[..top].iter().enumerate().rev().map(|(i, link)| (i + 1, link)) {
            let Some(adjoint) = adjoints[i].clone() else { continue };
            for (partial, parent) in link.parts() {
                if let Some(part) = partial.times(&adjoint) {
                    add(&mut adjoints[parent], part);
                }
            }
        }
        adjoints[0] = None;
        wrt.map(|i| adjoints.get(i as usize).cloned().flatten()).collect()
    }

    /// Forward sweep: the tangents of `outputs`, `None` where no seed reaches.
    pub(super) fn forward(&self, seeds: &[(u32, V)], outputs: &[u32]) -> Vec<Option<V>> {
        let links = self.links.borrow();
        let top = outputs.iter().map(|&i| i as usize).max().unwrap_or(0);
        let mut tangents: Vec<Option<V>> = vec![None; top + 1];
        for (i, seed) in seeds.iter().filter(|(i, _)| (1..=top).contains(&(*i as usize))) {
            add(&mut tangents[*i as usize], seed.clone());
        }
        for (i, link) in (1..=top).zip(&*links) {
            for (partial, parent) in link.parts() {
                if let Some(part) = tangents[parent].as_ref().and_then(|t| partial.times(t)) {
                    add(&mut tangents[i], part);
                }
            }
        }
        outputs.iter().map(|&i| tangents[i as usize].clone()).collect()
    }
}

fn add<V: Value>(slot: &mut Option<V>, part: V) {
    *slot = add_parts(slot.take(), Some(part));
}
