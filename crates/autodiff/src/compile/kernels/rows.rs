//! Several kernels in one pass over their rows, block by block, while a block is in the second cache: what one writes of
//! a block, and the rows of a large factor, are near when the next one reads them.

use super::super::memory::{self, Bases, Near, Shared};
use super::super::near::Own;
use super::matmul::NearAt;
use super::{Copied, Fused, MatMul, Scratch, for_each_chunk, thread_index};
use crate::scalar::Element;

/// Elements of a cache line, or of two.
const LINE: usize = memory::LINE / size_of::<f32>();

/// Tiles of products have rows in pairs.
const PAIR: usize = 2;

/// Rows of a chunk that is worth having.
const FEWEST: usize = 32;

/// A kernel that works on a range of rows. What stands in a place of its own is seen by the group alone.
#[derive(Clone, Debug)]
pub(in super::super) enum Part {
    /// Rows of a product, so many for each of the group, and what is copied of its right factor; places of the left factor
    /// and of the result.
    Product { product: MatMul, each: usize, copied: Copied, places: [NearAt; 2] },
    /// A product whose inner axis are the rows: complete after the last block. Whether it is gathered as its transpose;
    /// places of the factors.
    Sum { product: MatMul, transposed: bool, places: [NearAt; 2] },
    /// A walk over so many elements a row.
    Walk { walk: Fused, columns: usize },
}

impl Part {
    /// Elements of what is copied for all chunks. Whole cache lines.
    fn copy_len(&self) -> usize {
        match self {
            Self::Product { copied, .. } => copied.len().next_multiple_of(LINE),
            Self::Sum { .. } | Self::Walk { .. } => 0,
        }
    }

    /// Elements that a chunk of rows has for itself: what is only complete after the last block. Whole cache lines.
    fn own_len(&self) -> usize {
        let len = match self {
            Self::Product { .. } => 0,
            Self::Sum { product, .. } => product.m * product.n,
            Self::Walk { walk, .. } => walk.late_len(),
        };
        len.next_multiple_of(LINE)
    }

    /// The buffers that are read, and those that are written, wherever they stand.
    pub(in super::super) fn buffers(&self) -> (Vec<u32>, Vec<u32>) {
        match self {
            Self::Product { product, .. } | Self::Sum { product, .. } => product.buffers(),
            Self::Walk { walk, .. } => walk.buffers(),
        }
    }

    fn flops(&self) -> u64 {
        match self {
            Self::Product { product, .. } | Self::Sum { product, .. } => product.flops(),
            Self::Walk { walk, .. } => walk.flops(),
        }
    }

    fn work(&self) -> u64 {
        match self {
            Self::Product { product, .. } | Self::Sum { product, .. } => product.flops() / 2,
            Self::Walk { walk, .. } => walk.work(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Product { product, .. } | Self::Sum { product, .. } => product.describe(),
            Self::Walk { walk, .. } => walk.describe(),
        }
    }
}

/// The kernels, in order.
#[derive(Clone, Debug)]
pub(in super::super) struct Rows {
    parts: Vec<Part>,
    own: Own,
    rows: usize,
    /// Chunks of rows that threads may share; by size alone, so that the result does not depend on the threads.
    chunks: usize,
    /// Rows of a chunk, and of a block of it.
    per_chunk: usize,
    block: usize,
    threads: usize,
}

impl Rows {
    /// The parts, by blocks of at most so many rows.
    pub(in super::super) fn new(parts: Vec<Part>, own: Own, (rows, most): (usize, usize), threads: usize) -> Self {
        let mut kernel = Self { parts, own, rows, chunks: 1, per_chunk: rows, block: rows, threads };
        let late = kernel.own_len();
        // What is gathered in every chunk must be small beside the work.
        let work = usize::try_from(kernel.work()).unwrap_or(usize::MAX);
        kernel.chunks = (work >> 17).clamp(1, 16).min(work / (32 * late).max(1)).min(rows / FEWEST).max(1);
        // Chunks as equal as can be, and so the blocks of a chunk.
        kernel.per_chunk = rows.div_ceil(kernel.chunks).next_multiple_of(PAIR);
        kernel.chunks = rows.div_ceil(kernel.per_chunk);
        kernel.block = kernel.per_chunk.div_ceil(kernel.per_chunk.div_ceil(most)).next_multiple_of(PAIR);
        kernel
    }

    /// The kernels, in order.
    pub(in super::super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Rows of a block for which there is room: whole cache lines, however little there is of a row.
    fn room(&self) -> usize {
        self.block.next_multiple_of(LINE)
    }

    /// Threads that need a scratch of their own.
    fn scratch(&self) -> usize {
        self.chunks.min(self.threads).max(1)
    }

    /// The work of a run, in multiply-adds.
    pub(super) fn work(&self) -> u64 {
        self.parts.iter().map(Part::work).sum()
    }

    fn copy_len(&self) -> usize {
        self.parts.iter().map(Part::copy_len).sum()
    }

    fn own_len(&self) -> usize {
        self.parts.iter().map(Part::own_len).sum()
    }

    fn walks(&self) -> impl Iterator<Item = &Fused> {
        self.parts.iter().filter_map(|part| match part {
            Part::Walk { walk, .. } => Some(walk),
            Part::Product { .. } | Part::Sum { .. } => None,
        })
    }

    /// Elements of blocks, of rows that only the group sees, and registers that one thread needs.
    fn own_sizes(&self) -> (usize, usize, usize) {
        let slots = self.walks().map(|walk| walk.slots * walk.block).max().unwrap_or(0).next_multiple_of(LINE);
        let near = self.own.row * self.room();
        (slots, near, self.walks().map(|walk| walk.locations.len()).max().unwrap_or(0))
    }

    pub(super) fn scratch_sizes(&self) -> (usize, usize, usize) {
        let (slots, near, registers) = self.own_sizes();
        ((slots + near) * self.scratch(), self.copy_len() + self.own_len() * self.chunks, registers * self.scratch())
    }

    pub(super) fn flops(&self) -> u64 {
        self.parts.iter().map(Part::flops).sum()
    }

    pub(super) fn buffers(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut read, mut written) = (Vec::new(), Vec::new());
        for part in &self.parts {
            let (r, w) = part.buffers();
            read.extend(r);
            written.extend(w);
        }
        read.retain(|buffer| !written.contains(buffer) && !self.own.buffers.contains(buffer));
        written.retain(|buffer| !self.own.buffers.contains(buffer));
        (read, written)
    }

    pub(super) fn describe(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Part::describe).collect();
        format!("{} rows, {} at a time: {}", self.rows, self.block, parts.join("; "))
    }

    pub(super) fn run<E: Element>(&self, bases: &Bases<E>, scratch: &mut Scratch<E>) {
        let (copies, per_late) = (self.copy_len(), self.own_len());
        let (own_slots, own_near, own_registers) = self.own_sizes();
        {
            let threads = self.scratch();
            let slots = Shared::new(&mut scratch.slots[..(own_slots + own_near) * threads]);
            let (copies, lates) = scratch.late[..copies + per_late * self.chunks].split_at_mut(copies);
            self.copy(bases, copies);
            let (copies, lates) = (&*copies, Shared::new(lates));
            let pointers = Shared::new(&mut scratch.pointers[..own_registers * threads]);
            for_each_chunk(self.threads, 0..self.chunks, &|chunk| {
                // One for each chunk, where these are fewer than the threads.
                let own = if threads == self.chunks { chunk } else { thread_index().min(threads - 1) };
                let (slots, near) =
                    slots.part(own * (own_slots + own_near), own_slots + own_near).split_at_mut(own_slots);
                let near = Near::new(near, self.room());
                let pointers = pointers.part(own * own_registers, own_registers);
                let lates = lates.part(chunk * per_late, per_late);
                self.begin(lates);
                let end = ((chunk + 1) * self.per_chunk).min(self.rows);
                for from in (chunk * self.per_chunk..end).step_by(self.block) {
                    let to = (from + self.block).min(end);
                    let (mut copies, mut rest) = (copies, &mut *lates);
                    for part in &self.parts {
                        let (late, after) = rest.split_at_mut(part.own_len());
                        let (copy, others) = copies.split_at(part.copy_len());
                        (rest, copies) = (after, others);
                        match part {
                            Part::Product { product, each, copied, places } => {
                                let (copy, rows) = (&copy[..copied.len()], (from * each, to * each));
                                product.run_copied(bases, &near, *places, (*copied, copy), rows);
                            }
                            Part::Sum { product, transposed, places } => {
                                let late = &mut late[..product.m * product.n];
                                product.add_inner(bases, &near, *places, *transposed, (from, to), late);
                            }
                            Part::Walk { walk, columns } => {
                                let registers = &mut pointers[..walk.locations.len()];
                                walk.walk(bases, &near, slots, late, registers, from * columns..to * columns);
                            }
                        }
                    }
                }
            });
        }
        let mut offset = copies;
        for part in &self.parts {
            match part {
                Part::Product { .. } => {}
                Part::Sum { product, transposed, .. } => {
                    let len = product.m * product.n;
                    let (sum, more) = scratch.late[offset..].split_at_mut(len);
                    for chunk in 1..self.chunks {
                        let more = &more[chunk * per_late - len..][..len];
                        sum.iter_mut().zip(more).for_each(|(sum, &x)| *sum += x);
                    }
                    product.finish(bases, *transposed, sum);
                }
                Part::Walk { walk, .. } => walk.finish(bases, &scratch.late[offset..], per_late, self.chunks),
            }
            offset += part.own_len();
        }
    }

    /// Makes the copies.
    fn copy<E: Element>(&self, bases: &Bases<E>, mut into: &mut [E]) {
        for part in &self.parts {
            let (copy, rest) = into.split_at_mut(part.copy_len());
            into = rest;
            if let Part::Product { product, copied, .. } = part {
                product.copy(bases, *copied, &mut copy[..copied.len()]);
            }
        }
    }

    /// Sets what is gathered to what it starts from.
    fn begin<E: Element>(&self, lates: &mut [E]) {
        let mut rest = lates;
        for part in &self.parts {
            let (late, after) = rest.split_at_mut(part.own_len());
            rest = after;
            match part {
                Part::Product { .. } => {}
                Part::Sum { .. } => late.fill(E::from_f64(0.0)),
                Part::Walk { walk, .. } => walk.begin(late),
            }
        }
    }
}
