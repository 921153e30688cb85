//! Single numbers: a list of instructions over a few slots.

use super::super::memory::Bases;
use crate::kernel::Ternary;
use crate::op::{Binary, Literal, Unary};
use crate::scalar::Element;

/// One instruction; the common ones stand by themselves, so that one jump finds them.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum ScalarInstr<E> {
    Add(u32, u32, u32),
    Sub(u32, u32, u32),
    Mul(u32, u32, u32),
    Div(u32, u32, u32),
    Neg(u32, u32),
    Square(u32, u32),
    Shift(E, u32, u32),
    Scale(E, u32, u32),
    Axpy(E, u32, [u32; 2]),
    Ternary(Ternary, u32, [u32; 3]),
    Unary(Unary, u32, u32),
    Binary(Binary, u32, u32, u32),
    Load { out: u32, buffer: u32, offset: usize },
    Store { from: u32, buffer: u32 },
}

pub(in super::super) fn scalar_unary<E: Element>(op: Unary, out: u32, x: u32) -> ScalarInstr<E> {
    match op {
        Unary::Neg => ScalarInstr::Neg(out, x),
        Unary::Square => ScalarInstr::Square(out, x),
        Unary::Add(Literal(c)) => ScalarInstr::Shift(E::from_f64(c), out, x),
        Unary::Mul(Literal(c)) => ScalarInstr::Scale(E::from_f64(c), out, x),
        _ => ScalarInstr::Unary(op, out, x),
    }
}

pub(in super::super) fn scalar_binary<E>(op: Binary, out: u32, a: u32, b: u32) -> ScalarInstr<E> {
    match op {
        Binary::Add => ScalarInstr::Add(out, a, b),
        Binary::Sub => ScalarInstr::Sub(out, a, b),
        Binary::Mul => ScalarInstr::Mul(out, a, b),
        Binary::Div => ScalarInstr::Div(out, a, b),
        _ => ScalarInstr::Binary(op, out, a, b),
    }
}

/// The list.
#[derive(Clone, Debug)]
pub(in super::super) struct Scalars<E> {
    pub(in super::super) code: Vec<ScalarInstr<E>>,
    pub(in super::super) slots: usize,
}

impl<E: Element> Scalars<E> {
    pub(super) fn flops(&self) -> u64 {
        let count = |instr: &ScalarInstr<E>| match instr {
            ScalarInstr::Load { .. } | ScalarInstr::Store { .. } => 0,
            ScalarInstr::Axpy(..)
            | ScalarInstr::Ternary(Ternary::MulAdd | Ternary::MulSub | Ternary::NegMulAdd, ..) => 2,
            _ => 1,
        };
        self.code.iter().map(count).sum()
    }

    pub(super) fn buffers(&self) -> (Vec<u32>, Vec<u32>) {
        let mut found = (Vec::new(), Vec::new());
        for instr in &self.code {
            match *instr {
                ScalarInstr::Load { buffer, .. } => found.0.push(buffer),
                ScalarInstr::Store { buffer, .. } => found.1.push(buffer),
                _ => {}
            }
        }
        found
    }

    pub(super) fn run(&self, bases: &Bases<E>, slots: &mut [E]) {
        use ScalarInstr as I;
        let slots = &mut slots[..self.slots];
        debug_assert!(self.code.iter().all(|i| self.largest_slot(i) < self.slots.max(1)));
        macro_rules! get {
            ($i:expr) => {{
                // SAFETY: slots are numbered below `self.slots` when the list is made, and `slots` has that length.
                unsafe { *slots.get_unchecked($i as usize) }
            }};
        }
        macro_rules! set {
            ($i:expr, $x:expr) => {{
                let x = $x;
                // SAFETY: as above.
                unsafe { *slots.get_unchecked_mut($i as usize) = x }
            }};
        }
        for instr in &self.code {
            match *instr {
                I::Add(y, a, b) => set!(y, get!(a) + get!(b)),
                I::Sub(y, a, b) => set!(y, get!(a) - get!(b)),
                I::Mul(y, a, b) => set!(y, get!(a) * get!(b)),
                I::Div(y, a, b) => set!(y, get!(a) / get!(b)),
                I::Neg(y, a) => set!(y, -get!(a)),
                I::Square(y, a) => set!(y, get!(a) * get!(a)),
                I::Shift(c, y, a) => set!(y, get!(a) + c),
                I::Scale(c, y, a) => set!(y, get!(a) * c),
                I::Axpy(c, y, [a, b]) => set!(y, get!(a) + c * get!(b)),
                I::Ternary(op, y, [a, b, c]) => set!(
                    y,
                    match op {
                        Ternary::MulAdd => get!(a) * get!(b) + get!(c),
                        Ternary::MulSub => get!(a) * get!(b) - get!(c),
                        Ternary::NegMulAdd => get!(c) - get!(a) * get!(b),
                        Ternary::Select => {
                            if get!(a) == E::from_f64(0.0) { get!(c) } else { get!(b) }
                        }
                    }
                ),
                I::Unary(op, y, a) => {
                    let x = get!(a);
                    set!(y, E::unary(|| op, &x));
                }
                I::Binary(op, y, a, b) => {
                    let (a, b) = (get!(a), get!(b));
                    set!(y, E::binary(|| op, &a, &b));
                }
                I::Load { out, buffer, offset } => set!(out, bases.read_all(buffer)[offset]),
                I::Store { from, buffer } => bases.write(buffer, 0, 1)[0] = get!(from),
            }
        }
    }

    fn largest_slot(&self, instr: &ScalarInstr<E>) -> usize {
        use ScalarInstr as I;
        (match *instr {
            I::Add(y, a, b) | I::Sub(y, a, b) | I::Mul(y, a, b) | I::Div(y, a, b) | I::Binary(_, y, a, b) => {
                y.max(a).max(b)
            }
            I::Neg(y, a) | I::Square(y, a) | I::Shift(_, y, a) | I::Scale(_, y, a) | I::Unary(_, y, a) => y.max(a),
            I::Axpy(_, y, [a, b]) => y.max(a).max(b),
            I::Ternary(_, y, [a, b, c]) => y.max(a).max(b).max(c),
            I::Load { out, .. } => out,
            I::Store { from, .. } => from,
        }) as usize
    }
}
