//! The op language: the closed set of primitive operations that every carrier interprets.
//!
//! Pointwise ops ([`Unary`], [`Binary`]) act element by element and need equal shapes; structural ops move or add
//! elements and are linear; [`Op::MatMul`] is bilinear; reductions and solves have rules of their own.
//! Broadcasting is an op ([`Op::Broadcast`]) that the sugar on [`Value`](crate::Value) inserts, so no rule knows of it.

mod call;
mod custom;
mod infer;
mod literal;
mod pointwise;

pub use call::Call;
pub use custom::Custom;
pub use literal::Literal;
pub use pointwise::{Binary, Compare, Unary};

use crate::shape::{Axes, Shape};
use std::fmt;

/// A reduction over axes whose derivative is a weighted sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reduce {
    /// The largest element; ties share the derivative equally. −∞ over no elements.
    Max,
    /// The smallest element; ties share the derivative equally. +∞ over no elements.
    Min,
    /// `ln Σ eˣ`, computed without overflow. −∞ over no elements.
    LogSumExp,
    /// The product of the elements. 1 over no elements.
    Prod,
}

impl Reduce {
    /// Every reduction.
    pub const ALL: [Self; 4] = [Self::Max, Self::Min, Self::LogSumExp, Self::Prod];

    /// The op's name in printed programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max_over",
            Self::Min => "min_over",
            Self::LogSumExp => "logsumexp",
            Self::Prod => "prod",
        }
    }
}

/// Zeros put before, after and between the elements of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Padding {
    /// Zeros before the first element.
    pub low: usize,
    /// Zeros after the last element.
    pub high: usize,
    /// Zeros between each two neighbours.
    pub interior: usize,
}

/// The range of one axis: `start, start + step, …` below `stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Range {
    /// First index.
    pub start: usize,
    /// Index past the last.
    pub stop: usize,
    /// Distance between indices, at least 1.
    pub step: usize,
}

impl Range {
    /// Number of indices.
    pub fn len(&self) -> usize {
        self.stop.saturating_sub(self.start).div_ceil(self.step.max(1))
    }

    /// Whether there is no index.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A primitive operation.
///
/// Shapes in the one-line definitions are those of the arguments; an axis counts from 0, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Op {
    /// Element by element, one argument.
    Unary(Unary),
    /// Element by element, two arguments of one shape.
    Binary(Binary),
    /// `(mask, a, b)`: `a` where the mask is not zero, `b` elsewhere; one shape.
    Select,
    /// The same elements, row-major, in another shape of equal size.
    Reshape(Shape),
    /// Axis `i` of the result is axis `axes[i]` of the argument.
    Permute(Axes),
    /// NumPy's broadcast to a shape: axes of length 1 are repeated, missing leading axes added.
    Broadcast(Shape),
    /// Sum over the axes, which vanish.
    Sum(Axes),
    /// A range with step, for every axis.
    Slice(SmallList<Range>),
    /// Zeros around and between, for every axis.
    Pad(SmallList<Padding>),
    /// Several arrays one behind the other along an axis.
    Concat(usize),
    /// Several arrays of one shape along a new axis.
    Stack(usize),
    /// `(x, indices)`: element `indices[j]` of the axis, for each `j`; the axis is replaced by the axes of `indices`.
    Gather(usize),
    /// `(updates, indices)`: the transpose of [`Op::Gather`]: zeros of length `len` along the axis, updates added in.
    ScatterAdd {
        /// The axis of the result that is indexed.
        axis: usize,
        /// Its length.
        len: usize,
    },
    /// Running sum along an axis, from its end if `reverse`.
    CumSum {
        /// The axis.
        axis: usize,
        /// Whether the sum runs from the end.
        reverse: bool,
    },
    /// The axes reversed.
    Flip(Axes),
    /// A reduction over axes, which vanish.
    Reduce(Reduce, Axes),
    /// `A·B` over the last two axes, batched over equal leading ones, either side read as transposed.
    MatMul {
        /// Read the first argument as its transpose.
        ta: bool,
        /// Read the second argument as its transpose.
        tb: bool,
    },
    /// `(A, B)`: the `X` with `A·X = B` (`Aᵀ·X = B` if `transpose`), batched over equal leading axes; by LU with pivoting.
    Solve {
        /// Solve with the transpose of `A`.
        transpose: bool,
    },
    /// `(A, B)`: the `X` with `S·X = B` where `S = (A + Aᵀ)/2` is positive definite; by Cholesky.
    CholeskySolve,
    /// One output of a recorded program, which the reverse pass runs again: a checkpoint.
    Call(Call),
    /// A user's op, with its own value and derivative.
    Custom(Custom),
}

/// A short list inside an op.
pub type SmallList<T> = smallvec::SmallVec<[T; 2]>;

impl Op {
    /// The op's name in printed programs.
    pub fn name(&self) -> &str {
        match self {
            Self::Unary(op) => op.name(),
            Self::Binary(op) => op.name(),
            Self::Select => "select",
            Self::Reshape(_) => "reshape",
            Self::Permute(_) => "permute",
            Self::Broadcast(_) => "broadcast",
            Self::Sum(_) => "sum",
            Self::Slice(_) => "slice",
            Self::Pad(_) => "pad",
            Self::Concat(_) => "concat",
            Self::Stack(_) => "stack",
            Self::Gather(_) => "gather",
            Self::ScatterAdd { .. } => "scatter_add",
            Self::CumSum { .. } => "cumsum",
            Self::Flip(_) => "flip",
            Self::Reduce(op, _) => op.name(),
            Self::MatMul { .. } => "matmul",
            Self::Solve { .. } => "solve",
            Self::CholeskySolve => "cholesky_solve",
            Self::Call(_) => "checkpoint",
            Self::Custom(op) => op.name(),
        }
    }
}

/// `name` followed by the op's parameters in brackets: `mul[2.0]`, `sum[axes 0]`, `matmul[ᵀ·]`.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Unary(Unary::Powi(n)) => write!(f, "[{n}]"),
            Self::Unary(op) => op.literal().map_or(Ok(()), |c| write!(f, "[{c:?}]")),
            Self::Reshape(shape) | Self::Broadcast(shape) => write!(f, "[{shape:?}]"),
            Self::Permute(axes) | Self::Sum(axes) | Self::Flip(axes) | Self::Reduce(_, axes) => {
                write!(f, "[axes {axes:?}]")
            }
            Self::Slice(ranges) => {
                let parts: Vec<String> = ranges.iter().map(|r| format!("{}..{}:{}", r.start, r.stop, r.step)).collect();
                write!(f, "[{}]", parts.join(", "))
            }
            Self::Pad(pads) => {
                let parts: Vec<String> = pads.iter().map(|p| format!("{}|{}|{}", p.low, p.interior, p.high)).collect();
                write!(f, "[{}]", parts.join(", "))
            }
            Self::Concat(axis) | Self::Stack(axis) | Self::Gather(axis) => write!(f, "[axis {axis}]"),
            Self::ScatterAdd { axis, len } => write!(f, "[axis {axis}, len {len}]"),
            Self::CumSum { axis, reverse } => write!(f, "[axis {axis}{}]", if *reverse { ", reverse" } else { "" }),
            Self::MatMul { ta, tb } if *ta || *tb => {
                write!(f, "[{}·{}]", if *ta { "ᵀ" } else { "" }, if *tb { "ᵀ" } else { "" })
            }
            Self::Solve { transpose: true } => f.write_str("[ᵀ]"),
            _ => Ok(()),
        }
    }
}
