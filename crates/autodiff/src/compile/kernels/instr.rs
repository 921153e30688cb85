//! The instructions of a walk.

use crate::kernel::{Fold, Ternary};
use crate::op::{Binary, Literal, Unary};
use crate::scalar::Element;

/// Where an operand stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Side {
    Left,
    Right,
}

/// One instruction: registers in, a register out; `row` if it works on one value a row.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Instr {
    Unary {
        op: Unary,
        row: bool,
        out: u32,
        a: u32,
    },
    Binary {
        op: Binary,
        row: bool,
        out: u32,
        a: u32,
        b: u32,
    },
    Ternary {
        op: Ternary,
        row: bool,
        out: u32,
        args: [u32; 3],
    },
    Axpy {
        c: Literal,
        row: bool,
        out: u32,
        a: u32,
        b: u32,
    },
    /// An op with a number from memory.
    With {
        op: Binary,
        side: Side,
        number: u32,
        row: bool,
        out: u32,
        a: u32,
    },
    /// `a + c·b` or, negative, `a − c·b` with a number from memory.
    AxpyWith {
        number: u32,
        negative: bool,
        row: bool,
        out: u32,
        a: u32,
        b: u32,
    },
    /// Each row to one value.
    Fold {
        fold: Fold,
        out: u32,
        a: u32,
    },
    /// The products of each row, summed.
    Dot {
        out: u32,
        a: u32,
        b: u32,
    },
    /// One value to each row.
    Expand {
        out: u32,
        a: u32,
    },
    Load {
        load: u32,
        row: bool,
        out: u32,
    },
    Gather {
        gather: u32,
        out: u32,
    },
}

impl Instr {
    pub(in super::super) fn is_row(&self) -> bool {
        match self {
            Self::Unary { row, .. }
            | Self::Binary { row, .. }
            | Self::Ternary { row, .. }
            | Self::Axpy { row, .. }
            | Self::With { row, .. }
            | Self::AxpyWith { row, .. }
            | Self::Load { row, .. } => *row,
            Self::Fold { .. } | Self::Dot { .. } | Self::Expand { .. } | Self::Gather { .. } => false,
        }
    }

    /// Roughly the time of an element, in multiply-adds.
    pub(in super::super) fn weight(&self) -> usize {
        match self {
            Self::Unary { op, .. } => match op {
                Unary::Neg
                | Unary::Abs
                | Unary::Square
                | Unary::Relu
                | Unary::Add(_)
                | Unary::Mul(_)
                | Unary::SubFrom(_)
                | Unary::Fill(_)
                | Unary::StopGradient
                | Unary::Max(_)
                | Unary::Min(_)
                | Unary::Sign
                | Unary::Floor
                | Unary::Ceil
                | Unary::Round
                | Unary::Test(..) => 1,
                Unary::Exp | Unary::Tanh | Unary::Sigmoid | Unary::Ln | Unary::Softplus => 8,
                Unary::Recip | Unary::DivBy(_) | Unary::DivInto(_) | Unary::Sqrt => 4,
                _ => 16,
            },
            Self::Binary { op: Binary::Pow | Binary::Atan2 | Binary::Hypot, .. } => 32,
            Self::Binary { op: Binary::Div, .. } | Self::With { op: Binary::Div, .. } | Self::Gather { .. } => 4,
            _ => 1,
        }
    }

    /// The registers it reads.
    pub(in super::super) fn args(&self) -> [Option<u32>; 3] {
        match *self {
            Self::Unary { a, .. } | Self::With { a, .. } | Self::Fold { a, .. } | Self::Expand { a, .. } => {
                [Some(a), None, None]
            }
            Self::Binary { a, b, .. }
            | Self::Axpy { a, b, .. }
            | Self::AxpyWith { a, b, .. }
            | Self::Dot { a, b, .. } => [Some(a), Some(b), None],
            Self::Ternary { args, .. } => args.map(Some),
            Self::Load { .. } | Self::Gather { .. } => [None; 3],
        }
    }

    /// Reads another register instead of one.
    pub(in super::super) fn read_instead(&mut self, of: u32, other: u32) {
        let replace = |register: &mut u32| {
            if *register == of {
                *register = other;
            }
        };
        match self {
            Self::Unary { a, .. } | Self::With { a, .. } | Self::Fold { a, .. } | Self::Expand { a, .. } => replace(a),
            Self::Binary { a, b, .. }
            | Self::Axpy { a, b, .. }
            | Self::AxpyWith { a, b, .. }
            | Self::Dot { a, b, .. } => [a, b].into_iter().for_each(replace),
            Self::Ternary { args, .. } => args.iter_mut().for_each(replace),
            Self::Load { .. } | Self::Gather { .. } => {}
        }
    }

    /// The load that it is, or reads a number by.
    pub(in super::super) fn load_mut(&mut self) -> Option<&mut u32> {
        match self {
            Self::Load { load: number, .. } | Self::With { number, .. } | Self::AxpyWith { number, .. } => Some(number),
            _ => None,
        }
    }

    /// The register it writes.
    pub(in super::super) fn out(&self) -> u32 {
        match *self {
            Self::Unary { out, .. }
            | Self::Binary { out, .. }
            | Self::Ternary { out, .. }
            | Self::Axpy { out, .. }
            | Self::With { out, .. }
            | Self::AxpyWith { out, .. }
            | Self::Fold { out, .. }
            | Self::Dot { out, .. }
            | Self::Expand { out, .. }
            | Self::Load { out, .. }
            | Self::Gather { out, .. } => out,
        }
    }

    /// What is said of it, if it is more than a movement.
    pub(super) fn name(&self) -> Option<String> {
        Some(match self {
            Self::Unary { op: Unary::StopGradient, .. } => "copy".into(),
            Self::Unary { op, .. } => op.name().into(),
            Self::Binary { op, .. } | Self::With { op, .. } => op.name().into(),
            Self::Ternary { op, .. } => match op {
                Ternary::Select => "select".into(),
                Ternary::MulAdd => "mul_add".into(),
                Ternary::MulSub => "mul_sub".into(),
                Ternary::NegMulAdd => "neg_mul_add".into(),
            },
            Self::Axpy { .. } | Self::AxpyWith { .. } => "axpy".into(),
            Self::Fold { fold, .. } => format!("row {}", fold_name(*fold)),
            Self::Dot { .. } => "row dot".into(),
            Self::Gather { .. } => "gather".into(),
            Self::Expand { .. } | Self::Load { .. } => return None,
        })
    }
}

/// An op with a number, as an op of one argument: with the same value, bit by bit.
#[inline]
pub(super) fn with<E: Element>(op: Binary, side: Side, number: E) -> Unary {
    let c = Literal(number.to_f64());
    match (op, side) {
        (Binary::Add, _) => Unary::Add(c),
        (Binary::Mul, _) => Unary::Mul(c),
        (Binary::Sub, Side::Left) => Unary::SubFrom(c),
        (Binary::Sub, Side::Right) => Unary::Add(Literal(-c.0)),
        (Binary::Div, Side::Left) => Unary::DivInto(c),
        (Binary::Div, Side::Right) => Unary::DivBy(c),
        _ => unreachable!("only these are made"),
    }
}

pub(super) fn fold_name(fold: Fold) -> &'static str {
    match fold {
        Fold::Sum => "sum",
        Fold::Max => "max",
        Fold::Min => "min",
        Fold::Prod => "prod",
    }
}
