//! Walks that read each other's results some elements away, in one pass over memory.

use super::super::memory::{Bases, LINE, Near, Pointer};
use super::registers::Registers;
use super::steady::Steady;
use super::{Fused, Scratch};
use crate::scalar::Element;

/// Bytes of an array from which it is not in a near cache.
pub(in super::super) const FAR: usize = 1 << 20;

/// A walk whose element `i` has its turn at `lag + i`.
#[derive(Clone, Debug)]
pub(in super::super) struct Link {
    pub(in super::super) walk: Fused,
    pub(in super::super) lag: usize,
}

/// The walks, in order, round by round: in each, every walk goes on by a block. What only they see stands in rings: a
/// block of it, behind the last elements of the one before as far as a walk reads back.
#[derive(Clone, Debug)]
pub(in super::super) struct Chain {
    pub(in super::super) links: Vec<Link>,
    /// Elements of a round.
    pub(in super::super) block: usize,
    /// Elements of a ring before its block, and how many of them each ring keeps.
    pub(in super::super) before: usize,
    pub(in super::super) kept: Vec<usize>,
    /// Buffers that stand in rings.
    pub(in super::super) own: Vec<u32>,
    /// The rounds that are all alike.
    pub(in super::super) steady: Option<Steady>,
}

impl Chain {
    /// Elements of a ring: whole cache lines.
    pub(in super::super) fn ring<E>(before: usize, block: usize) -> usize {
        (before + block).next_multiple_of(LINE / size_of::<E>())
    }

    /// Elements of blocks, whole cache lines; and of rings.
    fn sizes<E: Element>(&self) -> (usize, usize) {
        let slots = self.links.iter().map(|link| link.walk.slots * link.walk.block).max().unwrap_or(0);
        (slots.next_multiple_of(LINE / size_of::<E>()), Self::ring::<E>(self.before, self.block) * self.kept.len())
    }

    pub(super) fn scratch_sizes<E: Element>(&self) -> (usize, usize, usize) {
        let (slots, rings) = self.sizes::<E>();
        let (numbers, addresses) = self.steady.as_ref().map_or((0, 0), Steady::sizes);
        (slots + rings + numbers, 0, self.registers() + addresses)
    }

    /// The turn after the last.
    fn end(&self) -> usize {
        self.links.iter().map(|link| link.lag + link.walk.n).max().unwrap_or(0)
    }

    fn registers(&self) -> usize {
        self.links.iter().map(|link| link.walk.locations.len()).sum()
    }

    pub(super) fn flops(&self) -> u64 {
        self.links.iter().map(|link| link.walk.flops()).sum()
    }

    pub(super) fn buffers(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut read, mut written) = (Vec::new(), Vec::new());
        for link in &self.links {
            let (r, w) = link.walk.buffers();
            read.extend(r);
            written.extend(w);
        }
        read.retain(|buffer| !written.contains(buffer) && !self.own.contains(buffer));
        written.retain(|buffer| !self.own.contains(buffer));
        (read, written)
    }

    pub(super) fn describe(&self) -> String {
        let walks: Vec<String> = self.links.iter().map(|link| link.walk.describe()).collect();
        let alike = self.steady.as_ref().map_or(String::new(), |steady| {
            format!(", {} of {} rounds alike", steady.turns.len() / self.block, self.end().div_ceil(self.block))
        });
        format!("chain, {} elements at a time{alike}: {}", self.block, walks.join("; "))
    }

    pub(super) fn run<E: Element>(&self, bases: &Bases<E>, scratch: &mut Scratch<E>) {
        let (slots, rings) = self.sizes::<E>();
        let (numbers, addresses) = self.steady.as_ref().map_or((0, 0), Steady::sizes);
        let (slots, rest) = scratch.slots[..slots + rings + numbers].split_at_mut(slots);
        let (rings, numbers) = rest.split_at_mut(rings);
        let (pointers, addresses) = scratch.pointers[..self.registers() + addresses].split_at_mut(self.registers());
        // One pointer for all rounds, so that none of them ends another's life; and for all numbers.
        let (slots, numbers) = (slots.as_mut_ptr(), Pointer(numbers.as_mut_ptr()));
        let mut near = Near::rings(rings);
        let end = self.end();
        let (mut start, mut anew) = (0, true);
        while start < end {
            match &self.steady {
                Some(steady) if steady.turns.contains(&start) => {
                    near.begin_at(0);
                    if start == steady.turns.start {
                        self.find(steady, (bases, &near), slots, pointers, (&mut *addresses, numbers));
                    }
                    // SAFETY: addresses were found for the first of these rounds, and move on with them; every walk that
                    // has its turn has a whole block in each.
                    unsafe { steady.round(addresses, self.block) };
                    anew = true;
                }
                _ => {
                    self.round((bases, &mut near), slots, pointers, start, anew);
                    anew = false;
                }
            }
            start += self.block;
            if start < end {
                self.keep::<E>(&mut near);
            }
        }
    }

    /// The addresses of the rounds that are all alike.
    fn find<E: Element>(
        &self,
        steady: &Steady,
        (bases, near): (&Bases<E>, &Near<'_, E>),
        slots: *mut E,
        mut pointers: &mut [Pointer<E>],
        (addresses, numbers): (&mut [Pointer<E>], Pointer<E>),
    ) {
        for (i, Link { walk, lag }) in self.links.iter().enumerate() {
            let own = pointers.split_off_mut(..walk.locations.len()).expect("there is room for all registers");
            if !steady.is_idle(i) {
                let registers = Registers::new(own, slots, walk.block);
                let from = steady.turns.start - lag;
                let range = from..from + self.block;
                // SAFETY: there is room for all numbers of these rounds.
                unsafe { steady.find((i, walk), (bases, near), registers, &range, (&mut *addresses, numbers)) };
            }
        }
    }

    /// A block of every walk that has its turn; pointed to anew where it begins, or for all of them.
    fn round<E: Element>(
        &self,
        (bases, near): (&Bases<E>, &mut Near<'_, E>),
        slots: *mut E,
        mut pointers: &mut [Pointer<E>],
        start: usize,
        anew: bool,
    ) {
        for Link { walk, lag } in &self.links {
            let own = pointers.split_off_mut(..walk.locations.len()).expect("there is room for all registers");
            let from = start.saturating_sub(*lag);
            let to = (start + self.block).saturating_sub(*lag).min(walk.n);
            if from >= to {
                continue;
            }
            let (range, n) = (from..to, to - from);
            near.begin_at(from + lag - start);
            let registers = Registers::new(own, slots, walk.block);
            if from == 0 || anew {
                registers.point(&walk.locations, bases, near, (walk.n, 1), &range);
            } else {
                registers.point_to_rings(&walk.locations, near, n);
            }
            // What comes from memory is asked for a block ahead: a chain is long at work on what it has.
            if walk.n * size_of::<E>() > FAR {
                registers.prefetch(&walk.locations, n, (walk.n - to).min(n));
            }
            // SAFETY: buffers were found long enough for all of the walk in its first round, and rings for this one;
            // there are slots of a block for the walk that has most.
            unsafe { walk.run_block(bases, near, registers, &range, (from, n)) };
            registers.advance(&walk.locations, |_| n as isize);
        }
    }

    /// What is read again in the next round goes before its block.
    fn keep<E: Element>(&self, near: &mut Near<'_, E>) {
        near.begin_at(0);
        let ring = Self::ring::<E>(self.before, self.block);
        for (i, &kept) in self.kept.iter().enumerate().filter(|(_, kept)| **kept > 0) {
            let last = near.write(i * ring + self.before - kept, kept + self.block);
            last.copy_within(self.block.., 0);
        }
    }
}
