//! Derivatives of any order, by nesting duals at run time.

use super::{Failure, expect_scalar, ours};
use crate::dual::Dual;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::shape::Shape;
use crate::tensor::Constant;
use crate::value::Value;
use std::cell::Cell;
use std::convert::Infallible;
use std::marker::PhantomData;

/// `Dual<Dual<…>>` with a depth that is known only at run time.
///
/// The lifetime is a brand: the variables of two calls of [`nth_derivative`] have different types, so their levels cannot
/// be taken for each other.
#[derive(Clone, Debug)]
pub struct Nested<'l, V: Value> {
    level: Level<'l, V>,
    brand: PhantomData<Cell<&'l ()>>,
}

#[derive(Clone, Debug)]
enum Level<'l, V: Value> {
    /// A value of the innermost carrier; constant at every level.
    Base(V),
    /// One more level of forward mode.
    Dual(Box<Dual<Nested<'l, V>>>),
}

impl<'l, V: Value> Nested<'l, V> {
    fn base(x: V) -> Self {
        Self { level: Level::Base(x), brand: PhantomData }
    }

    fn dual(dual: Dual<Self>) -> Self {
        Self { level: Level::Dual(Box::new(dual)), brand: PhantomData }
    }

    /// The input, with tangent one at each of `depth` levels.
    fn variable(x: V, depth: usize) -> Self {
        let one = x.ones_like();
        (0..depth).fold(Self::base(x), |x, _| Self::dual(Dual::new(x, Self::base(one.clone()))))
    }

    /// The innermost value.
    pub fn value(&self) -> V {
        match &self.level {
            Level::Base(x) => x.clone(),
            Level::Dual(dual) => dual.value().value(),
        }
    }

    fn depth(&self) -> usize {
        match &self.level {
            Level::Base(_) => 0,
            Level::Dual(dual) => 1 + dual.value().depth(),
        }
    }

    /// As a dual number of the outermost level, if there is one.
    fn at_level(&self, depth: usize) -> Dual<Self> {
        match &self.level {
            Level::Dual(dual) if self.depth() == depth => (**dual).clone(),
            _ => Dual::constant_value(self.clone()),
        }
    }
}

impl<V: Value> Value for Nested<'_, V> {
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
            return Self::base(V::apply(op, &values.iter().collect::<Vec<_>>()));
        }
        let duals: Vec<Dual<Self>> = args.iter().map(|x| x.at_level(depth)).collect();
        Self::dual(Dual::apply(op, &duals.iter().collect::<Vec<_>>()))
    }

    fn shape(&self) -> Shape {
        self.value().shape()
    }

    #[track_caller]
    fn lift(&self, constant: &Constant) -> Self {
        Self::base(self.value().lift(constant))
    }

    fn literal(c: f64) -> Option<Self> {
        V::literal(c).map(Self::base)
    }

    fn is_finite(&self) -> bool {
        match &self.level {
            Level::Base(x) => x.is_finite(),
            Level::Dual(dual) => dual.is_finite(),
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
    F: for<'l> FnOnce(Nested<'l, V>) -> Nested<'l, V>,
{
    try_nth_derivative(|x| Ok::<_, Infallible>(f(x)), x, n)
}

/// [`nth_derivative`] of a closure that can fail.
///
/// # Errors
/// As [`nth_derivative`], and [`Error::Closure`] if the closure fails.
pub fn try_nth_derivative<V: Value, E: Failure, F>(f: F, x: V, n: usize) -> Result<V>
where
    F: for<'l> FnOnce(Nested<'l, V>) -> std::result::Result<Nested<'l, V>, E>,
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
