//! The pointwise ops: one number in, or two, and one number out, element by element.

use super::Literal;

/// A comparison; its result is a mask of ones and zeros. Comparisons with NaN are false, except [`Compare::Ne`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Compare {
    /// `a < b`
    Lt,
    /// `a ≤ b`
    Le,
    /// `a > b`
    Gt,
    /// `a ≥ b`
    Ge,
    /// `a = b`
    Eq,
    /// `a ≠ b`
    Ne,
}

impl Compare {
    /// Every comparison.
    pub const ALL: [Self; 6] = [Self::Lt, Self::Le, Self::Gt, Self::Ge, Self::Eq, Self::Ne];

    /// Whether the comparison holds between two numbers.
    #[inline]
    pub fn holds<T: PartialOrd + Copy>(self, a: T, b: T) -> bool {
        match self {
            Self::Lt => a < b,
            Self::Le => a <= b,
            Self::Gt => a > b,
            Self::Ge => a >= b,
            Self::Eq => a == b,
            Self::Ne => a != b,
        }
    }

    /// The op's name in printed programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Eq => "eq",
            Self::Ne => "ne",
        }
    }
}

/// A pointwise op of one argument. Literals are part of the op: `x * 2.0` is one op, with its 2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Unary {
    /// `-x`
    Neg,
    /// `1 / x`
    Recip,
    /// `|x|`; derivative `sign(x)`, so 0 at 0
    Abs,
    /// −1, 0 or 1; derivative structurally zero
    Sign,
    /// `√x`; derivative +∞ at 0
    Sqrt,
    /// `x²`
    Square,
    /// `xⁿ` for an integer `n`; `x⁰ = 1` everywhere
    Powi(i32),
    /// `eˣ`
    Exp,
    /// `eˣ − 1`, accurate near 0
    ExpM1,
    /// natural logarithm
    Ln,
    /// `ln(1 + x)`, accurate near 0
    Ln1p,
    /// sine
    Sin,
    /// cosine
    Cos,
    /// tangent
    Tan,
    /// inverse sine
    Asin,
    /// inverse cosine
    Acos,
    /// inverse tangent
    Atan,
    /// hyperbolic sine
    Sinh,
    /// hyperbolic cosine
    Cosh,
    /// hyperbolic tangent
    Tanh,
    /// logistic function `1 / (1 + e⁻ˣ)`, without overflow
    Sigmoid,
    /// `ln(1 + eˣ)`, without overflow
    Softplus,
    /// `max(x, 0)`; derivative 0 at 0
    Relu,
    /// error function
    Erf,
    /// largest integer ≤ x; derivative structurally zero
    Floor,
    /// smallest integer ≥ x; derivative structurally zero
    Ceil,
    /// nearest integer, halves away from zero; derivative structurally zero
    Round,
    /// `x + c`
    Add(Literal),
    /// `x · c`
    Mul(Literal),
    /// `c − x`
    SubFrom(Literal),
    /// `x / c`
    DivBy(Literal),
    /// `c / x`
    DivInto(Literal),
    /// `xᶜ` for a real `c`
    Powf(Literal),
    /// `max(x, c)`, NaN if `x` is; derivative 1/2 at the tie
    Max(Literal),
    /// `min(x, c)`, NaN if `x` is; derivative 1/2 at the tie
    Min(Literal),
    /// the mask of `x cmp c`; no derivative
    Test(Compare, Literal),
    /// the constant `c` in the shape of the argument; derivative structurally zero
    Fill(Literal),
    /// `x`, cut off from differentiation: derivative structurally zero
    StopGradient,
}

impl Unary {
    /// One of every op; the ones with a parameter appear with an ordinary value of it.
    pub const ALL: [Self; 39] = [
        Self::Neg,
        Self::Recip,
        Self::Abs,
        Self::Sign,
        Self::Sqrt,
        Self::Square,
        Self::Powi(3),
        Self::Exp,
        Self::ExpM1,
        Self::Ln,
        Self::Ln1p,
        Self::Sin,
        Self::Cos,
        Self::Tan,
        Self::Asin,
        Self::Acos,
        Self::Atan,
        Self::Sinh,
        Self::Cosh,
        Self::Tanh,
        Self::Sigmoid,
        Self::Softplus,
        Self::Relu,
        Self::Erf,
        Self::Floor,
        Self::Ceil,
        Self::Round,
        Self::Add(Literal(0.7)),
        Self::Mul(Literal(-1.3)),
        Self::SubFrom(Literal(0.4)),
        Self::DivBy(Literal(1.7)),
        Self::DivInto(Literal(0.9)),
        Self::Powf(Literal(2.5)),
        Self::Max(Literal(0.3)),
        Self::Min(Literal(0.3)),
        Self::Test(Compare::Gt, Literal(0.3)),
        Self::Fill(Literal(1.5)),
        Self::StopGradient,
        Self::Powi(-2),
    ];

    /// The op's name in printed programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Neg => "neg",
            Self::Recip => "recip",
            Self::Abs => "abs",
            Self::Sign => "sign",
            Self::Sqrt => "sqrt",
            Self::Square => "square",
            Self::Powi(_) => "powi",
            Self::Exp => "exp",
            Self::ExpM1 => "exp_m1",
            Self::Ln => "ln",
            Self::Ln1p => "ln_1p",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Tan => "tan",
            Self::Asin => "asin",
            Self::Acos => "acos",
            Self::Atan => "atan",
            Self::Sinh => "sinh",
            Self::Cosh => "cosh",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Softplus => "softplus",
            Self::Relu => "relu",
            Self::Erf => "erf",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Round => "round",
            Self::Add(_) => "add",
            Self::Mul(_) => "mul",
            Self::SubFrom(_) => "sub_from",
            Self::DivBy(_) => "div_by",
            Self::DivInto(_) => "div_into",
            Self::Powf(_) => "powf",
            Self::Max(_) => "max",
            Self::Min(_) => "min",
            Self::Test(compare, _) => compare.name(),
            Self::Fill(_) => "fill",
            Self::StopGradient => "stop_gradient",
        }
    }

    /// The literal inside the op, if it has one.
    pub fn literal(self) -> Option<f64> {
        match self {
            Self::Add(c)
            | Self::Mul(c)
            | Self::SubFrom(c)
            | Self::DivBy(c)
            | Self::DivInto(c)
            | Self::Powf(c)
            | Self::Max(c)
            | Self::Min(c)
            | Self::Test(_, c)
            | Self::Fill(c) => Some(c.0),
            Self::Powi(n) => Some(f64::from(n)),
            _ => None,
        }
    }
}

/// A pointwise op of two arguments of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a − b`
    Sub,
    /// `a · b`
    Mul,
    /// `a / b`
    Div,
    /// `aᵇ`; see the rule for what holds at base 0
    Pow,
    /// the angle of the point `(b, a)`, in (−π, π]
    Atan2,
    /// `√(a² + b²)`, without overflow; derivative 0 at the origin
    Hypot,
    /// the larger, NaN if either is; a tie shares the derivative in halves
    Max,
    /// the smaller, NaN if either is; a tie shares the derivative in halves
    Min,
    /// the mask of `a cmp b`; no derivative
    Compare(Compare),
}

impl Binary {
    /// One of every op.
    pub const ALL: [Self; 15] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Pow,
        Self::Atan2,
        Self::Hypot,
        Self::Max,
        Self::Min,
        Self::Compare(Compare::Lt),
        Self::Compare(Compare::Le),
        Self::Compare(Compare::Gt),
        Self::Compare(Compare::Ge),
        Self::Compare(Compare::Eq),
        Self::Compare(Compare::Ne),
    ];

    /// The op's name in printed programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Pow => "pow",
            Self::Atan2 => "atan2",
            Self::Hypot => "hypot",
            Self::Max => "max",
            Self::Min => "min",
            Self::Compare(compare) => compare.name(),
        }
    }
}
