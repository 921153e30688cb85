//! Where each buffer goes in the arena, decided once: a buffer takes the place of others that are no longer read.

use super::in_place;
use super::kernels::Kernel;
use super::lower::Buffer;
use super::memory::LINE;
use super::parts::Within;
use crate::scalar::Element;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// What a buffer is to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Input(usize),
    Constant(usize),
    Output(usize),
    /// In the arena, from this element on.
    Arena(usize),
    /// Inside of an output, from this element on.
    Inside(usize, usize),
    /// In scratch, where only a group or a chain sees it; or no kernel uses it.
    Scratch,
}

/// The arena's length in elements, and the place of each buffer that lives in it. O(n log n) for n buffers.
pub(super) fn plan<E: Element>(
    buffers: &[Buffer],
    within: &[Option<Within>],
    homes: &mut [Option<Home>],
    kernels: &[Kernel<E>],
) -> usize {
    let mut first = vec![usize::MAX; buffers.len()];
    let mut last = vec![0; buffers.len()];
    for (i, kernel) in kernels.iter().enumerate() {
        let (read, written) = kernel.buffers();
        for buffer in read.iter().chain(&written) {
            // A piece lives as long as the whole, which lives as long as all of them.
            let buffer = within[*buffer as usize].map_or(*buffer, |w| w.whole) as usize;
            first[buffer] = first[buffer].min(i);
            last[buffer] = i;
        }
    }
    // What is made in the place of another has its place from the first of them, which lives as long as the last. A whole
    // and its pieces keep to their own.
    let mut place_of: Vec<usize> = (0..buffers.len()).collect();
    let mut alone: Vec<bool> = (0..buffers.len()).map(|b| homes[b].is_none() && within[b].is_none()).collect();
    within.iter().flatten().for_each(|w| alone[w.whole as usize] = false);
    for (i, kernel) in kernels.iter().enumerate() {
        let born = |b: u32| alone[b as usize] && first[b as usize] == i;
        let dies = |b: u32| alone[b as usize] && first[b as usize] < i && last[b as usize] == i;
        for (made, read) in in_place::pairs(kernel, buffers, born, dies) {
            let (made, place) = (made as usize, place_of[read as usize]);
            place_of[made] = place;
            last[place] = last[made];
        }
    }
    let unit = LINE / size_of::<E>();
    // Buffers by the kernel that makes them; at each step, the ones whose last reader is behind are free again.
    // What no kernel uses any more has no place.
    let own = |b: usize| homes[b].is_none() && first[b] != usize::MAX && place_of[b] == b;
    let mut order: Vec<usize> = (0..buffers.len()).filter(|&b| own(b)).collect();
    order.sort_by_key(|&b| (first[b], Reverse(buffers[b].len)));
    let mut live = BinaryHeap::new();
    let mut gaps = Gaps::default();
    for buffer in order {
        while let Some(&Reverse((until, at, len))) = live.peek()
            && until < first[buffer]
        {
            live.pop();
            gaps.give(at, len);
        }
        let len = buffers[buffer].len.next_multiple_of(unit).max(unit);
        let at = gaps.take(len);
        live.push(Reverse((last[buffer], at, len)));
        homes[buffer] = Some(Home::Arena(at));
    }
    for (buffer, &place) in place_of.iter().enumerate().filter(|&(buffer, &place)| place != buffer) {
        homes[buffer] = homes[place];
    }
    for (buffer, within) in within.iter().enumerate() {
        if let Some(Within { whole, from }) = *within {
            homes[buffer] = homes[whole as usize].map(|home| match home {
                Home::Arena(at) => Home::Arena(at + from),
                Home::Output(i) => Home::Inside(i, from),
                Home::Input(_) | Home::Constant(_) | Home::Inside(..) | Home::Scratch => {
                    unreachable!("a kernel makes the whole")
                }
            });
        }
    }
    gaps.total
}

/// The free parts of an arena that grows; no two of them touch.
#[derive(Default)]
pub(super) struct Gaps {
    /// Length by start.
    by_start: BTreeMap<usize, usize>,
    /// `(length, start)`.
    by_length: BTreeSet<(usize, usize)>,
    pub(super) total: usize,
}

impl Gaps {
    fn remove(&mut self, start: usize, len: usize) {
        self.by_start.remove(&start);
        self.by_length.remove(&(len, start));
    }

    fn insert(&mut self, start: usize, len: usize) {
        self.by_start.insert(start, len);
        self.by_length.insert((len, start));
    }

    /// The tightest gap that fits, or the arena grows.
    pub(super) fn take(&mut self, len: usize) -> usize {
        if let Some(&(found, start)) = self.by_length.range((len, 0)..).next() {
            self.remove(start, found);
            if found > len {
                self.insert(start + len, found - len);
            }
            return start;
        }
        let start = match self.by_start.last_key_value() {
            Some((&start, &free)) if start + free == self.total => {
                self.remove(start, free);
                start
            }
            _ => self.total,
        };
        self.total = start + len;
        start
    }

    /// Frees a part, and joins it with the gaps beside it.
    pub(super) fn give(&mut self, mut start: usize, mut len: usize) {
        if let Some((&next, &free)) = self.by_start.range(start..).next()
            && next == start + len
        {
            self.remove(next, free);
            len += free;
        }
        if let Some((&before, &free)) = self.by_start.range(..start).next_back()
            && before + free == start
        {
            self.remove(before, free);
            start = before;
            len += free;
        }
        self.insert(start, len);
    }
}

#[cfg(test)]
mod tests {
    use super::Gaps;

    #[test]
    fn what_is_freed_is_joined_and_the_tightest_gap_is_taken() {
        let mut gaps = Gaps::default();
        assert_eq!([8, 4, 8, 16, 8].map(|len| gaps.take(len)), [0, 8, 12, 20, 36]);
        gaps.give(0, 8);
        gaps.give(20, 16);
        assert_eq!(gaps.take(6), 0, "the gap of 8 is tighter than the one of 16");
        gaps.give(12, 8);
        assert_eq!(gaps.take(24), 12, "12..20 and 20..36 are one gap");
        gaps.give(36, 8);
        assert_eq!((gaps.take(12), gaps.total), (36, 48), "a gap at the end grows");
        gaps.give(12, 24);
        gaps.give(8, 4);
        gaps.give(0, 6);
        assert_eq!((gaps.take(36), gaps.total), (0, 48), "gaps on both sides are joined");
    }
}
