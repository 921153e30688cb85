//! Derivatives of any order, by nesting duals at run time.

use super::{Failure, expect_scalar, ours};
use crate::dual::Dual;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::shape::Shape;
use crate::tensor::Constant;
use crate::value::Value;
use std::convert::Infallible;

/// `Dual<Dual<…>>` with a depth that is known only at run time.
#[derive(Clone, Debug)]
pub enum Nested<V: Value> {
    /// A value of the innermost carrier; constant at every level.
    Base(V),
    /// One more level of forward mode.
    Dual(Box<Dual<Nested<V>>>),
}

impl<V: Value> Nested<V> {
    /// The input, with tangent one at each of `depth` levels.
    fn variable(x: V, depth: usize) -> Self {
        let one = x.ones_like();
        (0..depth).fold(Self::Base(x), |x, _| Self::Dual(Box::new(Dual::new(x, Self::Base(one.clone())))))
    }

    /// The innermost value.
    pub fn value(&self) -> V {
        match self {
            Self::Base(x) => x.clone(),
            Self::Dual(dual) => dual.value().value(),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Base(_) => 0,
            Self::Dual(dual) => 1 + dual.value().depth(),
        }
    }

    /// As a dual number of the outermost level, if there is one.
    fn at_level(&self, depth: usize) -> Dual<Self> {
        match self {
            Self::Dual(dual) if self.depth() == depth => (**dual).clone(),
            other => Dual::constant_value(other.clone()),
        }
    }
}

impl<V: Value> Value for Nested<V> {
    type Inline = ();
    type Slot<W: Value> = Option<W>;

    fn to_inline(&self) {}

    fn from_inline((): ()) -> Option<Self> {
        None
    }

    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self {
        let depth = args.iter().map(|x| x.depth()).max().unwrap_or(0);
        if depth == 0 {
            let values: Vec<V> = args.iter().map(|x| x.value()).collect();
            return Self::Base(V::apply(op, &values.iter().collect::<Vec<_>>()));
        }
        let duals: Vec<Dual<Self>> = args.iter().map(|x| x.at_level(depth)).collect();
        Self::Dual(Box::new(Dual::apply(op, &duals.iter().collect::<Vec<_>>())))
    }

    fn shape(&self) -> Shape {
        self.value().shape()
    }

    #[track_caller]
    fn lift(&self, constant: &Constant) -> Self {
        Self::Base(self.value().lift(constant))
    }

    fn literal(c: f64) -> Option<Self> {
        V::literal(c).map(Self::Base)
    }

    fn is_finite(&self) -> bool {
        match self {
            Self::Base(x) => x.is_finite(),
            Self::Dual(dual) => dual.is_finite(),
        }
    }
}

/// The `n`-th derivative of a function of one scalar; the 0-th is the value.
///
/// ```
/// use autodiff::{Value, nth_derivative};
/// assert_eq!(nth_derivative(|x| x.powi(4), 2.0, 3)?, 48.0);
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// Time: up to `3ⁿ` evaluations; memory: `2ⁿ` numbers per live value.
///
/// # Errors
/// [`Error::Disconnected`] if the result does not depend on `x` at all; [`Error::NotScalar`] if it is an array. A
/// derivative that has become structurally zero (the third of `x²`) is a zero.
pub fn nth_derivative<V: Value, F>(f: F, x: V, n: usize) -> Result<V>
where
    F: FnOnce(Nested<V>) -> Nested<V>,
{
    try_nth_derivative(|x| Ok::<_, Infallible>(f(x)), x, n)
}

/// [`nth_derivative`] of a closure that can fail.
///
/// # Errors
/// As [`nth_derivative`], and [`Error::Closure`] if the closure fails.
pub fn try_nth_derivative<V: Value, E: Failure, F>(f: F, x: V, n: usize) -> Result<V>
where
    F: FnOnce(Nested<V>) -> std::result::Result<Nested<V>, E>,
{
    let mut y = ours(f(Nested::variable(x, n)))?;
    expect_scalar(y.shape())?;
    let zero = y.value().zeros_like();
    for level in (1..=n).rev() {
        match y.at_level(level).tangent_part() {
            Some(tangent) => y = tangent.clone(),
            None if level == n => return Err(Error::Disconnected { inputs: vec![0], output: 0 }),
            None => return Ok(zero),
        }
    }
    Ok(y.value())
}
