//! What an executable does, step by step: fused walks, products, groups and chains of them, joins, single numbers, and
//! ops with kernels of their own.

mod chain;
mod copied;
mod fused;
mod indexed;
mod instr;
mod joined;
mod matmul;
mod op;
mod registers;
mod rows;
mod scalars;
mod steady;
mod strided;

pub(super) use chain::{Chain, FAR, Link};
pub(super) use copied::Copied;
pub(super) use fused::{Fused, Late, LateKind, Location};
pub(super) use indexed::{Gathered, Indexed, Scattered};
pub(super) use instr::{Instr, Side};
pub(super) use joined::{Joined, Part};
pub(super) use matmul::{Bias, MatMul, NARROW, Source, Start};
pub(super) use op::OpKernel;
pub(super) use rows::{Part as RowPart, Rows};
pub(super) use scalars::{ScalarInstr, Scalars, scalar_binary, scalar_unary};
pub(super) use steady::{Steady, is_cheap};
pub(super) use strided::Load;

use super::memory::{Arena, Bases, Pointer};
#[cfg(feature = "parallel")]
use crate::pool::busy;
use crate::scalar::Element;

/// One step.
#[derive(Clone)]
pub(super) enum Kernel<E> {
    Fused(Fused),
    MatMul(MatMul),
    Rows(Rows),
    Chain(Chain),
    Joined(Joined),
    Scalars(Scalars<E>),
    Op(OpKernel),
}

/// Room for one kernel at a time, sized when compiling.
pub(super) struct Scratch<E> {
    /// Blocks, single numbers, and rows or rings that only a group or a chain sees.
    pub(super) slots: Arena<E>,
    /// Copies of factors, and what belongs to a chunk: what late reductions gather.
    pub(super) late: Arena<E>,
    /// Addresses of registers.
    pub(super) pointers: Vec<Pointer<E>>,
}

impl<E: Element> Kernel<E> {
    /// Elements of scratch: blocks; copies of factors and late reductions; and addresses.
    pub(super) fn scratch(&self) -> (usize, usize, usize) {
        match self {
            Self::Fused(kernel) => kernel.scratch_sizes(),
            Self::Scalars(kernel) => (kernel.slots, 0, 0),
            Self::Op(kernel) => (kernel.scratch(), 0, 0),
            Self::Rows(kernel) => kernel.scratch_sizes(),
            Self::Chain(kernel) => kernel.scratch_sizes::<E>(),
            Self::MatMul(kernel) => (0, kernel.panels::<E>().unwrap_or(0), 0),
            Self::Joined(_) => (0, 0, 0),
        }
    }

    pub(super) fn run(&self, bases: &Bases<E>, scratch: &mut Scratch<E>) {
        match self {
            Self::Fused(kernel) => kernel.run(bases, scratch),
            Self::MatMul(kernel) => kernel.run(bases, &mut scratch.late),
            Self::Rows(kernel) => kernel.run(bases, scratch),
            Self::Chain(kernel) => kernel.run(bases, scratch),
            Self::Joined(kernel) => kernel.run(bases),
            Self::Scalars(kernel) => kernel.run(bases, &mut scratch.slots),
            Self::Op(kernel) => kernel.run(bases, &mut scratch.slots),
        }
    }

    /// The buffers that are read, and those that are written.
    pub(super) fn buffers(&self) -> (Vec<u32>, Vec<u32>) {
        match self {
            Self::Fused(kernel) => kernel.buffers(),
            Self::MatMul(kernel) => kernel.buffers(),
            Self::Rows(kernel) => kernel.buffers(),
            Self::Chain(kernel) => kernel.buffers(),
            Self::Joined(kernel) => (kernel.parts.iter().map(|p| p.load.buffer).collect(), vec![kernel.out]),
            Self::Scalars(kernel) => kernel.buffers(),
            Self::Op(kernel) => (kernel.args.to_vec(), vec![kernel.out]),
        }
    }

    /// The work that may be shared between threads, in multiply-adds.
    #[cfg(feature = "parallel")]
    pub(super) fn work(&self) -> u64 {
        match self {
            Self::Fused(kernel) if kernel.chunks > 1 => kernel.work(),
            Self::MatMul(kernel) => kernel.flops() / 2,
            Self::Rows(kernel) => kernel.work(),
            _ => 0,
        }
    }

    /// Floating-point operations, counted as [`Op::flops`](crate::Op::flops) counts them.
    pub(super) fn flops(&self) -> u64 {
        match self {
            Self::Fused(kernel) => kernel.flops(),
            Self::MatMul(kernel) => kernel.flops(),
            Self::Rows(kernel) => kernel.flops(),
            Self::Chain(kernel) => kernel.flops(),
            Self::Joined(_) => 0,
            Self::Scalars(kernel) => kernel.flops(),
            Self::Op(kernel) => kernel.flops(),
        }
    }

    /// What the kernel does, in a few words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Fused(kernel) => kernel.describe(),
            Self::MatMul(kernel) => kernel.describe(),
            Self::Rows(kernel) => kernel.describe(),
            Self::Chain(kernel) => kernel.describe(),
            Self::Joined(kernel) => format!("concat of {} parts", kernel.parts.len()),
            Self::Scalars(kernel) => format!("{} instructions on single numbers", kernel.code.len()),
            Self::Op(kernel) => kernel.op.to_string(),
        }
    }
}

/// Whether the caller is in a pool of at most so many threads: more would not have scratch of their own, or were not wanted.
#[cfg(feature = "parallel")]
pub(super) fn may_fork(threads: usize) -> bool {
    threads > 1 && rayon::current_thread_index().is_some() && rayon::current_num_threads() <= threads
}

#[cfg(not(feature = "parallel"))]
pub(super) fn may_fork(_threads: usize) -> bool {
    false
}

/// Runs `f` for each chunk, shared between the threads of the pool that the caller is in, if it has at most `threads`.
#[cfg(feature = "parallel")]
pub(super) fn for_each_chunk(threads: usize, chunks: std::ops::Range<usize>, f: &(impl Fn(usize) + Sync)) {
    if chunks.len() <= 1 || !may_fork(threads) {
        chunks.for_each(f);
        return;
    }
    let middle = chunks.start + chunks.len() / 2;
    let part = |chunks| busy(|| for_each_chunk(threads, chunks, f));
    rayon::join(|| part(chunks.start..middle), || part(middle..chunks.end));
}

#[cfg(not(feature = "parallel"))]
pub(super) fn for_each_chunk(_threads: usize, chunks: std::ops::Range<usize>, f: &(impl Fn(usize) + Sync)) {
    chunks.for_each(f);
}

/// The number of this thread, for its own scratch.
#[cfg(feature = "parallel")]
pub(super) fn thread_index() -> usize {
    rayon::current_thread_index().unwrap_or(0)
}

#[cfg(not(feature = "parallel"))]
pub(super) fn thread_index() -> usize {
    0
}
