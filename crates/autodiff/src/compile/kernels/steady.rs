//! The rounds of a chain in which every walk has a whole block, and finds in place what it reads: addresses are found once
//! and move on, and all ops of a round are one call.

use super::super::memory::{Bases, Near, Pointer};
use super::chain::Link;
use super::instr::{Instr, Side, with};
use super::registers::Registers;
use super::{Fused, Location};
use crate::kernel::{ADDRESSES, Cheap, Steps, prefetch_all};
use crate::op::{Binary, Literal};
use crate::scalar::Element;
use std::ops::Range;

/// Rounds from which it is worth finding addresses.
const WORTH: usize = 2;

/// The number of an op.
#[derive(Clone, Copy, Debug)]
enum Number {
    Literal(f64),
    /// That of an op with what a load reads.
    With(Binary, Side, u32),
    /// What a load reads, or its negative.
    Load {
        load: u32,
        negative: bool,
    },
}

/// An op and its registers: the result's and the arguments'.
#[derive(Clone, Copy, Debug)]
struct Planned {
    registers: [u32; ADDRESSES - 1],
    number: Number,
}

/// What is done in such a round.
#[derive(Clone, Debug)]
pub(in super::super) struct Steady {
    /// From the first turn of such rounds to the last.
    pub(super) turns: Range<usize>,
    ops: Vec<Cheap>,
    planned: Vec<Planned>,
    /// For each walk, its ops.
    of_links: Vec<Range<usize>>,
    /// Addresses that move on, and those of them at which a long array stands, each once for its walk.
    moving: Vec<u32>,
    far: Vec<u32>,
}

/// The op that an instruction is, if it is a cheap one.
fn cheap(instr: &Instr) -> Option<(Cheap, Planned)> {
    let literal = Number::Literal;
    let (op, number, [a, b, c]) = match *instr {
        Instr::Unary { op, row: false, a, .. } => {
            Cheap::unary(op).map(|(op, number)| (op, literal(number), [a, a, a]))?
        }
        Instr::Binary { op, row: false, a, b, .. } => (Cheap::binary(op)?, literal(0.0), [a, b, a]),
        Instr::Ternary { op, row: false, args, .. } => (Cheap::ternary(op)?, literal(0.0), args),
        Instr::Axpy { c: Literal(c), row: false, a, b, .. } => (Cheap::Axpy, literal(c), [a, b, a]),
        Instr::With { op, side, number, row: false, a, .. } => {
            (Cheap::unary(with(op, side, 1.0_f64))?.0, Number::With(op, side, number), [a, a, a])
        }
        Instr::AxpyWith { number, negative, row: false, a, b, .. } => {
            (Cheap::Axpy, Number::Load { load: number, negative }, [a, b, a])
        }
        _ => return None,
    };
    Some((op, Planned { registers: [instr.out(), a, b, c], number }))
}

/// Whether all that a walk does is cheap, and what it reads is found in place.
pub(in super::super) fn is_cheap(walk: &Fused) -> bool {
    let in_place = |load: u32| walk.loads[load as usize].shift().is_some();
    walk.code
        .iter()
        .all(|instr| matches!(instr, Instr::Load { load, row: false, .. } if in_place(*load)) || cheap(instr).is_some())
}

impl Steady {
    /// Of walks that go on by blocks of so many elements, if there are enough such rounds; of arrays with more than `far`
    /// elements, what comes is asked for.
    pub(in super::super) fn of(links: &[Link], block: usize, far: usize) -> Option<Self> {
        let end = links.iter().map(|link| link.lag + link.walk.n).max()?;
        let (mut first, mut last) = (0, end);
        let mut steady = Self {
            turns: 0..0,
            ops: Vec::new(),
            planned: Vec::new(),
            of_links: Vec::new(),
            moving: Vec::new(),
            far: Vec::new(),
        };
        for Link { walk, lag } in links {
            let begin = steady.ops.len();
            let (mut low, mut high) = (0, walk.n);
            for load in walk.loads.iter().filter(|load| !load.is_number()) {
                let (from, to) = load.shift()?;
                (low, high) = (low.max(from), high.min(to));
            }
            if low + block <= high {
                (first, last) = (first.max(lag + low), last.min(lag + high));
                steady.plan(walk, far)?;
            } else if lag + walk.n / 2 < end / 2 {
                // Over before.
                first = first.max(lag + walk.n);
            } else {
                last = last.min(*lag);
            }
            steady.of_links.push(begin..steady.ops.len());
        }
        steady.turns = first.next_multiple_of(block)..last / block * block;
        (steady.turns.start + WORTH * block <= steady.turns.end).then_some(steady)
    }

    /// The ops of a walk.
    fn plan(&mut self, walk: &Fused, far: usize) -> Option<()> {
        // What a register is that moves on.
        let mut moves: Vec<bool> =
            walk.locations.iter().map(|location| matches!(location, Location::Buffer { .. })).collect();
        let mut asked = vec![walk.n <= far; moves.len()];
        for instr in &walk.code {
            if let Instr::Load { load, out, .. } = *instr {
                moves[out as usize] = walk.loads[load as usize].near.is_none();
                continue;
            }
            let (op, planned) = cheap(instr)?;
            let at = self.ops.len() * ADDRESSES;
            for (i, &register) in planned.registers.iter().enumerate().take(1 + op.arguments()) {
                if moves[register as usize] {
                    self.moving.push((at + i) as u32);
                    if !std::mem::replace(&mut asked[register as usize], true) {
                        self.far.push((at + i) as u32);
                    }
                }
            }
            self.ops.push(op);
            self.planned.push(planned);
        }
        Some(())
    }

    /// Elements for the numbers, and addresses.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.ops.len(), self.ops.len() * ADDRESSES)
    }

    /// Whether a link has no turn in these rounds.
    pub(super) fn is_idle(&self, i: usize) -> bool {
        self.of_links[i].is_empty()
    }

    /// Finds the addresses and numbers of a link's ops, for a block of such a range.
    ///
    /// # Safety
    ///
    /// There is room for the number of each op from `numbers` on, which nobody else holds.
    pub(super) unsafe fn find<E: Element>(
        &self,
        (i, walk): (usize, &Fused),
        (bases, near): (&Bases<E>, &Near<'_, E>),
        registers: Registers<'_, E>,
        range: &Range<usize>,
        (addresses, numbers): (&mut [Pointer<E>], Pointer<E>),
    ) {
        registers.point(&walk.locations, bases, near, (walk.n, 1), range);
        for instr in &walk.code {
            if let Instr::Load { load, out, .. } = *instr {
                let load = &walk.loads[load as usize];
                let (_, first, offset) = load.source(bases, near, range);
                let n = range.len();
                let at =
                    load.piece(offset, range.start - first, n).expect("a shift is in place inside of what it reads");
                // From where all is reached: what a reference to it gave would end when some of it is written.
                let address = match load.near {
                    Some(_) => near.pointer(at, n),
                    None => bases.pointer(load.buffer, at, n),
                };
                registers.set(out, address);
            }
        }
        for at in self.of_links[i].clone() {
            let Planned { registers: own, number } = self.planned[at];
            let number = match number {
                Number::Literal(c) => E::from_f64(c),
                Number::With(op, side, load) => {
                    let op = with(op, side, walk.number::<E>(bases, load));
                    E::from_f64(Cheap::unary(op).expect("cheap by any number").1)
                }
                Number::Load { load, negative: true } => -walk.number::<E>(bases, load),
                Number::Load { load, .. } => walk.number(bases, load),
            };
            let place = numbers.0.wrapping_add(at);
            // SAFETY: there is room for the number of every op, and nobody else holds it.
            unsafe { place.write(number) };
            let into = &mut addresses[at * ADDRESSES..][..ADDRESSES];
            for (into, &register) in into.iter_mut().zip(&own) {
                *into = Pointer(registers.address(register));
            }
            into[ADDRESSES - 1] = Pointer(place);
        }
    }

    /// A round of `n` elements, with the addresses as they are; then they move on.
    ///
    /// # Safety
    ///
    /// The addresses were found for a block of this round, and moved on since; there are so many elements.
    pub(super) unsafe fn round<E: Element>(&self, addresses: &mut [Pointer<E>], n: usize) {
        for &at in &self.far {
            prefetch_all(addresses[at as usize].0.wrapping_add(n), n);
        }
        // SAFETY: the caller's; a walk does not write what it reads.
        let steps = unsafe { Steps::new(&self.ops, Pointer::addresses(addresses), n) };
        (E::kernels().steps)(&steps);
        for &at in &self.moving {
            let Pointer(address) = &mut addresses[at as usize];
            *address = address.wrapping_add(n);
        }
    }
}
