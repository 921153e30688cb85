//! Which nodes are there already.
//!
//! One table over all nodes of a large program would be out of every cache, and each look into it wait for memory. Most
//! nodes use one that was made just before, so that what is known of a node stands by the last of its arguments, in the
//! order of places, and only what does not fit there in a table.

use super::graph::Place;
use rustc_hash::FxHashMap;

/// Places by half of a hash; two nodes that share it are at worst not shared.
pub(super) struct Seen {
    /// For every four places, what has its last argument among them, as far as it fits.
    lines: Vec<Line>,
    /// What has no arguments, and what did not fit.
    rest: FxHashMap<u32, Place>,
}

/// Hashes and places in one line of the cache, filled from the start.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([(u32, Place); 8]);

const EMPTY: Place = Place::MAX;

impl Seen {
    /// With room for what so many nodes are known by.
    pub(super) fn with_capacity(nodes: usize) -> Self {
        Self { lines: Vec::with_capacity(nodes / 4 + 1), rest: FxHashMap::default() }
    }

    /// The place that was put last with this hash and these arguments.
    pub(super) fn get(&self, hash: u64, args: &[Place]) -> Option<Place> {
        let hash = half(hash);
        if let Some(last) = args.iter().max() {
            for &(own, place) in &self.lines.get(*last as usize / 4)?.0 {
                if place == EMPTY {
                    return None;
                }
                if own == hash {
                    return Some(place);
                }
            }
        }
        self.rest.get(&hash).copied()
    }

    /// Puts a place with this hash and these arguments, instead of one that is there.
    pub(super) fn put(&mut self, hash: u64, args: &[Place], place: Place) {
        let hash = half(hash);
        if let Some(last) = args.iter().max() {
            let line = *last as usize / 4;
            if line >= self.lines.len() {
                self.lines.resize(line + 1, Line([(0, EMPTY); 8]));
            }
            if let Some(slot) = self.lines[line].0.iter_mut().find(|slot| slot.1 == EMPTY || slot.0 == hash) {
                *slot = (hash, place);
                return;
            }
        }
        self.rest.insert(hash, place);
    }
}

/// The better half of a hash: the hasher turns its high bits to the low end.
fn half(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn what_is_put_is_found_with_its_arguments_in_a_line_and_beyond() {
        let mut seen = Seen::with_capacity(0);
        // Lines of one entry, of all they hold, and of more.
        let all = || (0..100_u32).flat_map(|last| (0..last % 20).map(move |i| (u64::from(1000 * last + i), [3, last])));
        for (place, (hash, args)) in all().enumerate() {
            assert_eq!(seen.get(hash, &args), None);
            seen.put(hash, &args, place as u32);
        }
        for (place, (hash, args)) in all().enumerate() {
            assert_eq!(seen.get(hash, &args), Some(place as u32));
        }
        seen.put(5_000_000, &[], 1);
        assert_eq!((seen.get(5_000_000, &[]), seen.get(5_000_001, &[])), (Some(1), None));
    }

    #[test]
    fn the_last_place_of_a_hash_is_the_one_that_is_found() {
        let mut seen = Seen::with_capacity(0);
        for i in 0..30 {
            (0..30).for_each(|hash| seen.put(hash, &[7], 30 * i + hash as u32));
        }
        assert!((0..30).all(|hash| seen.get(hash, &[7]) == Some(29 * 30 + hash as u32)));
    }
}
