//! A walk in the making: instructions over registers, before those have places.

use super::fuse::{Level, NONE};
use super::kernels::{Gathered, LateKind, Load, Location, Scattered, Side};
use crate::kernel::{Fold, Ternary};
use crate::op::{Binary, Literal, Unary};

/// A value inside a kernel, before it has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Register {
    pub(super) level: Level,
    /// Where it already is, if it is not computed here.
    pub(super) direct: Option<(u32, isize)>,
    /// The buffer it is written to.
    pub(super) sink: Option<u32>,
}

/// Elements after which the arguments of a walk may repeat themselves to be loaded once for all blocks.
const LONGEST_PERIOD: usize = 512;

/// Elements of a row from which its sum of products is worth lanes of its own: shorter rows are summed side by side.
const DOTS: usize = 16;

/// A kernel in the making.
#[derive(Default)]
pub(super) struct Body {
    pub(super) registers: Vec<Register>,
    pub(super) code: Vec<Draft>,
    pub(super) loads: Vec<Load>,
    pub(super) gathers: Vec<Gathered>,
    pub(super) scatters: Vec<Scattered>,
    /// For each load, whether it is the same for all blocks of a multiple of `period` elements.
    pub(super) kept: Vec<bool>,
    /// What a block must be a multiple of.
    pub(super) period: usize,
    pub(super) lates: Vec<(Fold, u32, Level, LateKind, usize, u32)>,
}

/// An instruction over registers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Unary(Unary),
    Binary(Binary),
    Ternary(Ternary),
    /// `a + c·b`
    Axpy(Literal),
    /// An op of a register and the number that a load reads, which stands on this side.
    With(Binary, Side, u32),
    /// `a + c·b` or, negative, `a − c·b` with the number that a load reads.
    AxpyWith {
        number: u32,
        negative: bool,
    },
    Fold(Fold),
    /// The sum of a row of products.
    Dot,
    Expand,
    Load(u32),
    Gather(u32),
    /// Absorbed by a later one.
    Dead,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Draft {
    pub(super) what: What,
    pub(super) out: u32,
    pub(super) args: [u32; 3],
}

impl Draft {
    pub(super) fn args(&self) -> &[u32] {
        let n = match self.what {
            What::Load(_) | What::Gather(_) | What::Dead => 0,
            What::Unary(_) | What::With(..) | What::Fold(_) | What::Expand => 1,
            What::Binary(_) | What::Axpy(_) | What::AxpyWith { .. } | What::Dot => 2,
            What::Ternary(_) => 3,
        };
        &self.args[..n]
    }

    /// The same with one operand from memory, if that is a number and the others are not; `numbers` holds loads.
    fn with_number(&self, numbers: &[u32]) -> Option<Self> {
        let number = |place: u32| Some(numbers[place as usize]).filter(|&load| load != NONE);
        let [a, b, c] = self.args;
        let (what, args) = match self.what {
            What::Binary(op @ (Binary::Add | Binary::Sub | Binary::Mul | Binary::Div)) => {
                match (number(a), number(b)) {
                    (Some(load), None) => (What::With(op, Side::Left, load), [b, 0, 0]),
                    (None, Some(load)) => (What::With(op, Side::Right, load), [a, 0, 0]),
                    _ => return None,
                }
            }
            What::Ternary(op @ (Ternary::MulAdd | Ternary::NegMulAdd)) if number(c).is_none() => {
                let negative = op == Ternary::NegMulAdd;
                match (number(a), number(b)) {
                    (Some(number), None) => (What::AxpyWith { number, negative }, [c, b, 0]),
                    (None, Some(number)) => (What::AxpyWith { number, negative }, [c, a, 0]),
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Self { what, args, out: self.out })
    }
}

impl Body {
    pub(super) fn register(&mut self, level: Level) -> u32 {
        self.registers.push(Register { level, direct: None, sink: None });
        (self.registers.len() - 1) as u32
    }

    pub(super) fn push(&mut self, what: What, level: Level, args: &[u32]) -> u32 {
        let out = self.register(level);
        let mut all = [0; 3];
        all[..args.len()].copy_from_slice(args);
        self.code.push(Draft { what, out, args: all });
        out
    }

    /// Adds a load; says whether it is the same for all blocks.
    pub(super) fn load(&mut self, load: Load, level: Level) -> bool {
        let kept = match load.period() {
            Some(1) => true,
            Some(period) if period > 1 && level != Level::Row => {
                let common = least_common_multiple(self.period, period);
                let kept = common <= LONGEST_PERIOD;
                if kept {
                    self.period = common;
                }
                kept
            }
            _ => false,
        };
        self.loads.push(load);
        self.kept.push(kept);
        kept
    }

    /// Registers that are read after the last instruction.
    fn ends(&self) -> impl Iterator<Item = &u32> {
        self.lates.iter().map(|l| &l.1).chain(self.scatters.iter().map(|s| &s.from))
    }

    pub(super) fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.registers.len()];
        for &arg in self.code.iter().flat_map(Draft::args).chain(self.ends()) {
            uses[arg as usize] += 1;
        }
        uses
    }

    /// The instruction that makes a register of this level, and where it stands, if one other is all that reads it.
    fn made_for_one(&self, register: u32, level: Level, uses: &[u32], made_at: &[u32]) -> Option<(usize, Draft)> {
        let (Register { level: own, sink, .. }, made) = (self.registers[register as usize], made_at[register as usize]);
        let joins = uses[register as usize] == 1 && sink.is_none() && own == level && made != NONE;
        joins.then(|| (made as usize, self.code[made as usize]))
    }

    /// Products that are only added to something join the addition.
    pub(super) fn fuse_multiply_add(&mut self) {
        let uses = self.uses();
        let mut made_at = vec![NONE; self.registers.len()];
        for i in 0..self.code.len() {
            made_at[self.code[i].out as usize] = i as u32;
            let Draft { what: What::Binary(op @ (Binary::Add | Binary::Sub)), args, out } = self.code[i] else {
                continue;
            };
            let level = self.registers[out as usize].level;
            let product = |place: u32| {
                self.made_for_one(place, level, &uses, &made_at)
                    .filter(|(_, draft)| matches!(draft.what, What::Binary(Binary::Mul) | What::Unary(Unary::Mul(_))))
            };
            let [a, b, _] = args;
            let (made, fused) = match (product(a), product(b)) {
                (Some((made, draft)), _) if a != b => {
                    let [x, y, _] = draft.args;
                    let fused = match (draft.what, op) {
                        (What::Unary(Unary::Mul(c)), Binary::Add) => (What::Axpy(c), [b, x, 0]),
                        (What::Binary(_), Binary::Add) => (What::Ternary(Ternary::MulAdd), [x, y, b]),
                        (What::Binary(_), _) => (What::Ternary(Ternary::MulSub), [x, y, b]),
                        // c·x − b has no instruction: try the other side.
                        _ => match product(b) {
                            Some((made, draft)) => {
                                self.absorb(i, made, op, a, draft);
                                continue;
                            }
                            None => continue,
                        },
                    };
                    (made, fused)
                }
                (_, Some((made, draft))) if a != b => {
                    self.absorb(i, made, op, a, draft);
                    continue;
                }
                _ => continue,
            };
            self.code[made].what = What::Dead;
            self.code[i] = Draft { what: fused.0, out, args: fused.1 };
        }
    }

    /// `a ± product` as one instruction, the product on the right.
    pub(super) fn absorb(&mut self, at: usize, made: usize, op: Binary, a: u32, product: Draft) {
        let [x, y, _] = product.args;
        let (what, args) = match (product.what, op) {
            (What::Unary(Unary::Mul(c)), Binary::Add) => (What::Axpy(c), [a, x, 0]),
            (What::Unary(Unary::Mul(Literal(c))), _) => (What::Axpy(Literal(-c)), [a, x, 0]),
            (_, Binary::Add) => (What::Ternary(Ternary::MulAdd), [x, y, a]),
            _ => (What::Ternary(Ternary::NegMulAdd), [x, y, a]),
        };
        let out = self.code[at].out;
        self.code[made].what = What::Dead;
        self.code[at] = Draft { what, out, args };
    }

    /// Products that are only summed over a row join the sum.
    pub(super) fn fuse_dots(&mut self, columns: usize) {
        if columns < DOTS {
            return;
        }
        let uses = self.uses();
        let mut made_at = vec![NONE; self.registers.len()];
        for i in 0..self.code.len() {
            let Draft { what, out, args: [product, ..] } = self.code[i];
            made_at[out as usize] = i as u32;
            if what != What::Fold(Fold::Sum) {
                continue;
            }
            let Some((made, draft)) = self.made_for_one(product, Level::Full, &uses, &made_at) else { continue };
            let [a, b, _] = draft.args;
            let b = match draft.what {
                What::Binary(Binary::Mul) => b,
                What::Unary(Unary::Square) => a,
                _ => continue,
            };
            self.code[made].what = What::Dead;
            self.code[i] = Draft { what: What::Dot, out, args: [a, b, 0] };
        }
    }

    /// Numbers that only stand beside an operand of one instruction are read by that, and take no slot.
    pub(super) fn take_numbers(&mut self) {
        let mut numbers = vec![NONE; self.registers.len()];
        let mut any = false;
        for draft in &self.code {
            if let What::Load(load) = draft.what
                && self.loads[load as usize].is_number()
            {
                numbers[draft.out as usize] = load;
                any = true;
            }
        }
        if !any {
            return;
        }
        let read_otherwise: Vec<u32> = self
            .code
            .iter()
            .filter(|draft| draft.with_number(&numbers).is_none())
            .flat_map(Draft::args)
            .chain(self.ends())
            .copied()
            .collect();
        for register in read_otherwise {
            numbers[register as usize] = NONE;
        }
        for draft in &mut self.code {
            if let Some(with) = draft.with_number(&numbers) {
                *draft = with;
            } else if numbers[draft.out as usize] != NONE {
                draft.what = What::Dead;
            }
        }
    }

    /// Gives every register that is computed or read a place: where it is, its sink or a slot. Slots are reused after the
    /// last use, and a result never shares the slot of an argument.
    pub(super) fn place(&self) -> (Vec<Option<Location>>, u32) {
        let mut last = vec![0_usize; self.registers.len()];
        for (i, draft) in self.code.iter().enumerate() {
            for &register in draft.args().iter().chain([&draft.out]) {
                last[register as usize] = last[register as usize].max(i);
            }
            // What is filled once must keep its slot for all blocks.
            if let What::Load(load) = draft.what
                && self.kept[load as usize]
            {
                last[draft.out as usize] = usize::MAX;
            }
        }
        for &register in self.ends() {
            last[register as usize] = usize::MAX;
        }
        let mut locations = vec![None; self.registers.len()];
        for (location, register) in locations.iter_mut().zip(&self.registers) {
            if let Some((buffer, offset)) = register.direct {
                *location = Some(Location::Buffer { buffer, offset, level: register.level });
            }
        }
        let mut slots = SlotList::default();
        for (i, draft) in self.code.iter().enumerate() {
            if matches!(draft.what, What::Dead) {
                continue;
            }
            let out = draft.out as usize;
            let register = self.registers[out];
            locations[out] = Some(match register.sink {
                Some(buffer) => Location::Buffer { buffer, offset: 0, level: register.level },
                None => Location::Slot(slots.take()),
            });
            for (position, &register) in draft.args().iter().chain([&draft.out]).enumerate() {
                let repeated = draft.args()[..position.min(draft.args().len())].contains(&register);
                if last[register as usize] == i
                    && !repeated
                    && let Some(Location::Slot(slot)) = locations[register as usize]
                {
                    slots.free.push(slot);
                }
            }
        }
        (locations, slots.count)
    }
}

/// Of two positive numbers.
pub(super) fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

#[derive(Default)]
pub(super) struct SlotList {
    pub(super) free: Vec<u32>,
    pub(super) count: u32,
}

impl SlotList {
    pub(super) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }
}
