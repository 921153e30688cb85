//! Sweeps over numbers that tell an absent tangent or cotangent from a zero one.

use super::add;
use super::arena::{Arena, Room};
use crate::value::Value;

/// What one operation leaves behind: `v̇ = Σ partial · parent's v̇`.
pub(super) trait Step<V> {
    /// The parents that can have a derivative, each with what multiplies by its partial; none of place 0, the constants.
    fn parts(&self, own: usize) -> impl Iterator<Item = (usize, impl Fn(&V) -> Option<V>)>;
}

/// The cotangents of `wrt`, `None` where no seed is reached from it.
pub(super) fn reverse<V: Value>(
    steps: &[impl Step<V>],
    seeds: &[(u32, V)],
    wrt: impl Iterator<Item = u32>,
) -> Vec<Option<V>> {
    let top = seeds.iter().map(|s| s.0 as usize).max().unwrap_or(0);
    let room = Room::new();
    // SAFETY: the room outlives the arena, which alone is within it.
    let mut adjoints: Arena<Option<V>> = unsafe { Arena::within(Some(&room)) };
    adjoints.extend(top + 1, &None);
    let adjoints = adjoints.as_mut_slice();
    for (i, seed) in seeds.iter().filter(|s| s.0 != 0) {
        add(&mut adjoints[*i as usize], seed.clone());
    }
    for i in (1..=top).rev() {
        let Some(adjoint) = adjoints[i].clone() else { continue };
        for (parent, times) in steps[i].parts(i) {
            if let Some(part) = times(&adjoint) {
                add(&mut adjoints[parent], part);
            }
        }
    }
    wrt.map(|i| adjoints.get(i as usize).cloned().flatten()).collect()
}

/// The tangents of `outputs`, `None` where no seed reaches.
pub(super) fn forward<V: Value>(steps: &[impl Step<V>], seeds: &[(u32, V)], outputs: &[u32]) -> Vec<Option<V>> {
    let top = outputs.iter().map(|&i| i as usize).max().unwrap_or(0);
    let mut tangents: Vec<Option<V>> = vec![None; top + 1];
    let mut first = top + 1;
    for (i, seed) in seeds.iter().map(|(i, seed)| (*i as usize, seed)).filter(|(i, _)| (1..=top).contains(i)) {
        first = first.min(i);
        add(&mut tangents[i], seed.clone());
    }
    for i in first..=top {
        for (parent, times) in steps[i].parts(i) {
            if let Some(part) = tangents[parent].as_ref().and_then(times) {
                add(&mut tangents[i], part);
            }
        }
    }
    outputs.iter().map(|&i| tangents[i as usize].clone()).collect()
}
