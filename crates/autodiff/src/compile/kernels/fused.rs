//! A walk over a domain, block by block: every instruction works on a block while it is in L1.

use super::super::fuse::Level;
use super::super::memory::{Bases, Near, Pointer, Shared};
use super::instr::{Instr, fold_name, with};
use super::registers::Registers;
use super::{Gathered, Load, Scattered, Scratch, for_each_chunk, thread_index};
use crate::kernel::{Fold, Ternary, neutral};
use crate::op::{Literal, Unary};
use crate::scalar::Element;
use std::ops::Range;

/// Where a register is.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Location {
    /// A block of scratch.
    Slot(u32),
    /// A piece of a buffer, which moves on with the block: by elements or by rows.
    Buffer { buffer: u32, offset: isize, level: Level },
    /// Rows of a block that only the kernels of a group see, behind so many elements of each; or in the rings of a chain.
    Near { at: usize, level: Level },
}

/// How a late reduction gathers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum LateKind {
    /// Element `i` goes to `i mod len`.
    Columns,
    /// Element `i` goes to `i / columns`.
    Rows(usize),
}

/// A reduction that is complete after the last block.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Late {
    pub(in super::super) fold: Fold,
    pub(in super::super) from: u32,
    /// Whether it reads one value a row.
    pub(in super::super) row: bool,
    pub(in super::super) kind: LateKind,
    pub(in super::super) len: usize,
    pub(in super::super) out: u32,
}

/// The walk.
#[derive(Clone, Debug)]
pub(in super::super) struct Fused {
    /// Elements of the domain.
    pub(in super::super) n: usize,
    /// Elements of a row; 1 if no instruction knows rows.
    pub(in super::super) columns: usize,
    /// Elements of a block: whole rows.
    pub(in super::super) block: usize,
    /// Elements of a chunk, which one thread walks over: whole blocks.
    pub(in super::super) per_chunk: usize,
    pub(in super::super) chunks: usize,
    pub(in super::super) code: Vec<Instr>,
    /// The first instructions, which load what is the same for all blocks.
    pub(in super::super) once: usize,
    /// Elements after which what they load repeats itself.
    pub(in super::super) period: usize,
    pub(in super::super) locations: Vec<Location>,
    pub(in super::super) loads: Vec<Load>,
    pub(in super::super) gathers: Vec<Gathered>,
    pub(in super::super) scatters: Vec<Scattered>,
    pub(in super::super) lates: Vec<Late>,
    pub(in super::super) slots: usize,
    /// Threads that need a scratch of their own.
    pub(in super::super) scratch: usize,
}

impl Fused {
    pub(super) fn scratch_sizes(&self) -> (usize, usize, usize) {
        let late: usize = self.lates.iter().map(|l| l.len).sum();
        (self.slots * self.block * self.scratch, late * self.chunks, self.locations.len() * self.scratch)
    }

    /// Roughly the time of a run, in multiply-adds.
    pub(super) fn work(&self) -> u64 {
        let each = |i: &Instr| if i.is_row() { self.n / self.columns } else { self.n } * i.weight();
        self.code.iter().map(each).sum::<usize>() as u64
    }

    pub(super) fn buffers(&self) -> (Vec<u32>, Vec<u32>) {
        let mut read: Vec<u32> = self.read_out_of_order().collect();
        let written: Vec<u32> = self.sinks().chain(self.written_at_the_end()).collect();
        for location in &self.locations {
            if let Location::Buffer { buffer, .. } = location
                && !written.contains(buffer)
            {
                read.push(*buffer);
            }
        }
        (read, written)
    }

    /// Buffers that are read otherwise than block by block through a register: through views, and by index.
    pub(in super::super) fn read_out_of_order(&self) -> impl Iterator<Item = u32> + '_ {
        let views = self.loads.iter().map(|l| l.buffer);
        let indexed = self.gathers.iter().flat_map(|g| [g.source, g.place.indices]);
        views.chain(indexed).chain(self.scatters.iter().map(|s| s.place.indices))
    }

    /// Buffers that are not written block by block through a register.
    pub(in super::super) fn written_at_the_end(&self) -> impl Iterator<Item = u32> + '_ {
        self.lates.iter().map(|l| l.out).chain(self.scatters.iter().map(|s| s.out))
    }

    /// How often a register is read.
    pub(in super::super) fn reads(&self, register: u32) -> usize {
        let args = self.code.iter().flat_map(Instr::args).flatten();
        let ends = self.lates.iter().map(|late| late.from).chain(self.scatters.iter().map(|scatter| scatter.from));
        args.chain(ends).filter(|&read| read == register).count()
    }

    /// The number that a load reads.
    pub(super) fn number<E: Element>(&self, bases: &Bases<E>, load: u32) -> E {
        let load = &self.loads[load as usize];
        debug_assert!(load.near.is_none(), "a view that does not move is not by rows");
        load.number(bases.read_all(load.buffer))
    }

    fn sinks(&self) -> impl Iterator<Item = u32> + '_ {
        self.code.iter().filter_map(|instr| match self.locations[instr.out() as usize] {
            Location::Buffer { buffer, .. } => Some(buffer),
            Location::Slot(_) | Location::Near { .. } => None,
        })
    }

    pub(super) fn flops(&self) -> u64 {
        let rows = (self.n / self.columns) as u64;
        let each = |instr: &Instr| {
            let n = if instr.is_row() { rows } else { self.n as u64 };
            match instr {
                Instr::Load { .. } | Instr::Gather { .. } | Instr::Expand { .. } => 0,
                Instr::Unary { op: Unary::StopGradient | Unary::Fill(_), .. } => 0,
                Instr::Ternary { op: Ternary::Select, .. } => n,
                Instr::Ternary { .. } | Instr::Axpy { .. } | Instr::AxpyWith { .. } | Instr::Dot { .. } => 2 * n,
                _ => n,
            }
        };
        let late = |late: &Late| if late.row { rows } else { self.n as u64 };
        let ends = self.lates.iter().map(late).sum::<u64>() + (self.scatters.len() * self.n) as u64;
        self.code.iter().map(each).sum::<u64>() + ends
    }

    pub(super) fn describe(&self) -> String {
        let mut names: Vec<String> = self.code.iter().filter_map(Instr::name).collect();
        names.extend(self.lates.iter().map(|l| format!("late {}", fold_name(l.fold))));
        names.extend(self.scatters.iter().map(|_| "scatter_add".to_string()));
        let more = names.len().saturating_sub(12);
        names.truncate(12);
        let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
        let domain = if self.columns > 1 {
            format!("{} rows of {}", self.n / self.columns, self.columns)
        } else {
            format!("{} elements", self.n)
        };
        format!("walk over {domain}: {}{tail}", names.join(", "))
    }

    pub(super) fn run<E: Element>(&self, bases: &Bases<E>, scratch: &mut Scratch<E>) {
        let per_late = self.late_len();
        for chunk in scratch.late[..per_late * self.chunks].chunks_exact_mut(per_late.max(1)) {
            self.begin(chunk);
        }
        for scatter in &self.scatters {
            bases.write(scatter.out, 0, scatter.len).fill(E::from_f64(0.0));
        }
        if self.n > 0 {
            let slots = Shared::new(&mut scratch.slots[..self.slots * self.block * self.scratch]);
            let lates = Shared::new(&mut scratch.late[..per_late * self.chunks]);
            let pointers = Shared::new(&mut scratch.pointers[..self.locations.len() * self.scratch]);
            for_each_chunk(self.scratch, 0..self.chunks, &|chunk| {
                let own = if self.scratch > 1 { thread_index().min(self.scratch - 1) } else { 0 };
                let slots = slots.part(own * self.slots * self.block, self.slots * self.block);
                let late = lates.part(chunk * per_late, per_late);
                let pointers = pointers.part(own * self.locations.len(), self.locations.len());
                let range = chunk * self.per_chunk..((chunk + 1) * self.per_chunk).min(self.n);
                self.walk(bases, &Near::none(), slots, late, pointers, range);
            });
        }
        self.finish(bases, &scratch.late, per_late, self.chunks);
    }

    /// Puts together what the chunks have gathered; they stand `stride` elements apart.
    pub(super) fn finish<E: Element>(&self, bases: &Bases<E>, lates: &[E], stride: usize, chunks: usize) {
        let table = E::kernels();
        let mut offset = 0;
        for late in &self.lates {
            let out = bases.write(late.out, 0, late.len);
            out.copy_from_slice(&lates[offset..offset + late.len]);
            for chunk in 1..chunks {
                let part = &lates[chunk * stride + offset..][..late.len];
                (table.fold_columns)(late.fold, part, 0, out);
            }
            offset += late.len;
        }
    }

    /// Elements that the late reductions gather in.
    pub(super) fn late_len(&self) -> usize {
        self.lates.iter().map(|l| l.len).sum()
    }

    /// Sets what the late reductions gather in to what each starts from.
    pub(super) fn begin<E: Element>(&self, lates: &mut [E]) {
        let mut rest = lates;
        for late in &self.lates {
            let (part, after) = rest.split_at_mut(late.len);
            part.fill(neutral(late.fold));
            rest = after;
        }
    }

    /// A range of the domain, of whole rows.
    pub(super) fn walk<E: Element>(
        &self,
        bases: &Bases<E>,
        near: &Near<'_, E>,
        slots: &mut [E],
        lates: &mut [E],
        pointers: &mut [Pointer<E>],
        range: Range<usize>,
    ) {
        let (table, to) = (E::kernels(), range.end);
        assert!(slots.len() >= self.slots * self.block, "a walk has too few slots");
        let registers = Registers::new(pointers, slots.as_mut_ptr(), self.block);
        registers.point(&self.locations, bases, near, (self.n, self.columns), &range);
        let mut start = range.start;
        // Where the block began for which the first instructions were run last.
        let mut filled: Option<usize> = None;
        while start < to {
            // A late reduction over rows wants blocks that end where a row does.
            let mut n = self.block.min(to - start);
            for late in &self.lates {
                if let LateKind::Rows(len) = late.kind {
                    let len = if late.row { len * self.columns } else { len };
                    n = n.min(len - start % len);
                }
            }
            debug_assert!(n.is_multiple_of(self.columns), "a block ends inside a row");
            let rows = n / self.columns;
            // What a walk of a group moves along is not near, but for its first block: the next one is asked for in time.
            let ahead = (to - start - n).min(n);
            if near.in_group() && ahead > 0 {
                registers.prefetch(&self.locations, n, ahead);
            }
            if filled.is_none_or(|at| !(start - at).is_multiple_of(self.period)) {
                filled = Some(start);
                for instr in &self.code[..self.once] {
                    if let Instr::Load { load, row, out } = *instr {
                        let load = &self.loads[load as usize];
                        debug_assert!(load.near.is_none(), "a view that repeats itself is not by rows");
                        // As much as any block from here on has.
                        let (start, most) =
                            if row { (start / self.columns, (to - start) / self.columns) } else { (start, to - start) };
                        // SAFETY: a slot has room for a block, and nothing else is held.
                        let out = unsafe { registers.write(out, self.block.min(most)) };
                        load.read(bases.read_all(load.buffer), start, out);
                    }
                }
            }
            // SAFETY: the registers were pointed to the range, and moved on with the blocks; a slot has room for one.
            unsafe { self.run_long_block(bases, near, registers, &range, (start, n)) };
            // SAFETY: a register that is read at the end holds a block, as for the instructions, and is not written here.
            let read = |register: u32, n: usize| unsafe { registers.read(register, n) };
            let mut offset = 0;
            for late in &self.lates {
                let (n, start) = if late.row { (rows, start / self.columns) } else { (n, start) };
                let acc = &mut lates[offset..offset + late.len];
                match late.kind {
                    LateKind::Columns => (table.fold_columns)(late.fold, read(late.from, n), start, acc),
                    LateKind::Rows(columns) => {
                        let row = start / columns;
                        (table.fold_columns)(late.fold, read(late.from, n), 0, &mut acc[row..=row]);
                    }
                }
                offset += late.len;
            }
            for scatter in &self.scatters {
                let (indices, out) = (bases.read_all(scatter.place.indices), bases.write(scatter.out, 0, scatter.len));
                scatter.add(read(scatter.from, n), indices, start, out);
            }
            start += n;
            if start < to {
                registers.advance(&self.locations, |location| match location {
                    Location::Buffer { level: Level::Row, .. } | Location::Near { level: Level::Row, .. } => {
                        rows as isize
                    }
                    _ => n as isize,
                });
            }
        }
    }

    /// [`run_block`](Fused::run_block) as a function of its own, which keeps what it goes by in registers of the processor:
    /// for many instructions.
    ///
    /// # Safety
    /// As there.
    #[inline(never)]
    unsafe fn run_long_block<E: Element>(
        &self,
        bases: &Bases<E>,
        near: &Near<'_, E>,
        registers: Registers<'_, E>,
        range: &Range<usize>,
        block: (usize, usize),
    ) {
        // SAFETY: the caller's.
        unsafe { self.run_block(bases, near, registers, range, block) };
    }

    /// The instructions that are run for each block, for one of `n` elements from `start` on.
    ///
    /// # Safety
    /// Each register points to at least `n` elements: to a slot, or into a buffer or what stands near, where `start` is.
    #[inline(always)]
    pub(super) unsafe fn run_block<E: Element>(
        &self,
        bases: &Bases<E>,
        near: &Near<'_, E>,
        registers: Registers<'_, E>,
        range: &Range<usize>,
        (start, n): (usize, usize),
    ) {
        let table = E::kernels();
        let rows = n / self.columns;
        // SAFETY: a register points to `n` elements, as the caller says. A result never shares its slot with an argument,
        // and memory that is written here is read only through the register it is written by, and before that, by other
        // instructions, through the one of the buffer that it takes the place of. What a load found in place is not written.
        let read = |register: u32, n: usize| unsafe { registers.read(register, n) };
        // SAFETY: as above.
        let write = |register: u32, n: usize| unsafe { registers.write(register, n) };
        for instr in &self.code[self.once..] {
            match *instr {
                Instr::Unary { op, row, out, a } => {
                    let n = if row { rows } else { n };
                    (table.unary)(op, read(a, n), write(out, n));
                }
                Instr::Binary { op, row, out, a, b } => {
                    let n = if row { rows } else { n };
                    (table.binary)(op, read(a, n), read(b, n), write(out, n));
                }
                Instr::Ternary { op, row, out, args: [a, b, c] } => {
                    let n = if row { rows } else { n };
                    (table.ternary)(op, read(a, n), read(b, n), read(c, n), write(out, n));
                }
                Instr::Axpy { c: Literal(c), row, out, a, b } => {
                    let n = if row { rows } else { n };
                    (table.axpy)(E::from_f64(c), read(a, n), read(b, n), write(out, n));
                }
                Instr::With { op, side, number, row, out, a } => {
                    let n = if row { rows } else { n };
                    (table.unary)(with(op, side, self.number(bases, number)), read(a, n), write(out, n));
                }
                Instr::AxpyWith { number, negative, row, out, a, b } => {
                    let n = if row { rows } else { n };
                    let c = self.number(bases, number);
                    (table.axpy)(if negative { -c } else { c }, read(a, n), read(b, n), write(out, n));
                }
                Instr::Fold { fold, out, a } => {
                    (table.fold_rows)(fold, read(a, n), self.columns, write(out, rows));
                }
                Instr::Dot { out, a, b } => {
                    (table.dot_pairs)(read(a, n), read(b, n), self.columns, write(out, rows));
                }
                Instr::Expand { out, a } => (table.expand)(read(a, rows), self.columns, write(out, n)),
                Instr::Load { load, row, out } => {
                    let load = &self.loads[load as usize];
                    let (n, start) = if row { (rows, start / self.columns) } else { (n, start) };
                    let (data, first, offset) = load.source(bases, near, range);
                    let start = start - first;
                    if let Location::Slot(at) = self.locations[out as usize] {
                        // What stands there as it is wanted is read where it is.
                        let found = load.piece(offset, start, n).and_then(|from| data.get(from..from + n));
                        registers.set(out, found.map_or_else(|| registers.slot(at), |data| data.as_ptr().cast_mut()));
                        if found.is_some() {
                            continue;
                        }
                    }
                    load.read_at(data, offset, start, write(out, n));
                }
                Instr::Gather { gather, out } => {
                    let gather = &self.gathers[gather as usize];
                    let (source, indices) = (bases.read_all(gather.source), bases.read_all(gather.place.indices));
                    gather.read(source, indices, start, write(out, n));
                }
            }
        }
    }
}
