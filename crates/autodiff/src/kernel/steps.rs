//! Several cheap ops in one call, one after the other over short blocks: there, calls and choices would take as long as
//! what they are for.

use super::Ternary;
use super::loops::{axpy, binary, ternary, unary};
use super::machine::Machine;
use super::math::Math;
use crate::op::{Binary, Literal, Unary};

/// An op that takes about as long as its arguments take to be read. The number is `c`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cheap {
    Copy,
    Neg,
    Square,
    /// `a + c`
    AddNumber,
    /// `c·a`
    Scale,
    /// `c − a`
    SubFrom,
    Add,
    Sub,
    Mul,
    /// `a + c·b`
    Axpy,
    MulAdd,
    MulSub,
    NegMulAdd,
}

impl Cheap {
    /// An op of one argument as one, and its number.
    pub(crate) fn unary(op: Unary) -> Option<(Self, f64)> {
        Some(match op {
            Unary::StopGradient => (Self::Copy, 0.0),
            Unary::Neg => (Self::Neg, 0.0),
            Unary::Square => (Self::Square, 0.0),
            Unary::Add(Literal(c)) => (Self::AddNumber, c),
            Unary::Mul(Literal(c)) => (Self::Scale, c),
            Unary::SubFrom(Literal(c)) => (Self::SubFrom, c),
            _ => return None,
        })
    }

    /// An op of two arguments as one.
    pub(crate) fn binary(op: Binary) -> Option<Self> {
        match op {
            Binary::Add => Some(Self::Add),
            Binary::Sub => Some(Self::Sub),
            Binary::Mul => Some(Self::Mul),
            _ => None,
        }
    }

    /// An op of three arguments as one.
    pub(crate) fn ternary(op: Ternary) -> Option<Self> {
        match op {
            Ternary::MulAdd => Some(Self::MulAdd),
            Ternary::MulSub => Some(Self::MulSub),
            Ternary::NegMulAdd => Some(Self::NegMulAdd),
            Ternary::Select => None,
        }
    }

    /// How many arguments it has.
    pub(crate) fn arguments(self) -> usize {
        match self {
            Self::Copy | Self::Neg | Self::Square | Self::AddNumber | Self::Scale | Self::SubFrom => 1,
            Self::Add | Self::Sub | Self::Mul | Self::Axpy => 2,
            Self::MulAdd | Self::MulSub | Self::NegMulAdd => 3,
        }
    }
}

/// Addresses of a step: the result's, the arguments', as many as there are, and that of its number.
pub(crate) const ADDRESSES: usize = 5;

/// Ops in order, where each finds its arguments, and over how many elements they go.
pub(crate) struct Steps<'a, E> {
    ops: &'a [Cheap],
    addresses: &'a [*mut E],
    n: usize,
}

impl<'a, E> Steps<'a, E> {
    /// [`ADDRESSES`] for each op.
    ///
    /// # Safety
    ///
    /// At each address of an argument `n` elements can be read, when it is the op's turn; at that of a number, one; at that
    /// of a result `n` can be written, none of which is one of its arguments.
    pub(crate) unsafe fn new(ops: &'a [Cheap], addresses: &'a [*mut E], n: usize) -> Self {
        Self { ops, addresses, n }
    }
}

/// One after the other.
#[inline(always)]
pub(super) fn run<E: Math, M: Machine>(steps: &Steps<'_, E>) {
    let n = steps.n;
    let (addresses, _) = steps.addresses.as_chunks::<ADDRESSES>();
    for (&op, &[out, a, b, c, number]) in steps.ops.iter().zip(addresses) {
        // SAFETY: as `Steps::new` was promised.
        let (y, number, a) =
            unsafe { (std::slice::from_raw_parts_mut(out, n), *number, std::slice::from_raw_parts(a, n)) };
        // SAFETY: as above; only for ops that have so many arguments.
        let b = || unsafe { std::slice::from_raw_parts(b, n) };
        // SAFETY: as above.
        let c = || unsafe { std::slice::from_raw_parts(c, n) };
        let literal = || Literal(number.to_f64());
        match op {
            Cheap::Copy => y.copy_from_slice(a),
            Cheap::Neg => unary::<E, M>(Unary::Neg, a, y),
            Cheap::Square => unary::<E, M>(Unary::Square, a, y),
            Cheap::AddNumber => unary::<E, M>(Unary::Add(literal()), a, y),
            Cheap::Scale => unary::<E, M>(Unary::Mul(literal()), a, y),
            Cheap::SubFrom => unary::<E, M>(Unary::SubFrom(literal()), a, y),
            Cheap::Add => binary::<E, M>(Binary::Add, a, b(), y),
            Cheap::Sub => binary::<E, M>(Binary::Sub, a, b(), y),
            Cheap::Mul => binary::<E, M>(Binary::Mul, a, b(), y),
            Cheap::Axpy => axpy::<E, M>(number, a, b(), y),
            Cheap::MulAdd => ternary::<E, M>(Ternary::MulAdd, a, b(), c(), y),
            Cheap::MulSub => ternary::<E, M>(Ternary::MulSub, a, b(), c(), y),
            Cheap::NegMulAdd => ternary::<E, M>(Ternary::NegMulAdd, a, b(), c(), y),
        }
    }
}

#[cfg(test)]
mod tests;
