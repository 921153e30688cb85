//! The calculus of pointwise ops: each partial derivative, once.
//!
//! A rule may use the arguments and the result `y`. It is written in carrier operations, so it is itself
//! differentiable. Conventions at kinks and edges are those of `docs/conventions.md`.

use super::Partial::{self, Constant, Of, Zero};
use crate::op::{Binary, Compare, Unary};
use crate::value::Value;
use std::f64::consts::FRAC_2_SQRT_PI;

/// `∂y/∂x` of `y = op(x)`.
#[inline(always)]
pub(crate) fn unary<V: Value>(op: Unary, x: &V, y: &V) -> Partial<V> {
    match op {
        Unary::Neg => Constant(-1.0),
        Unary::Recip => Of(y.square().scale(-1.0)),
        Unary::Abs => Of(x.sign()),
        // One division with `1/√x`, which is what most norms go on with.
        Unary::Sqrt => Of(y.recip().scale(0.5)),
        Unary::Square => Of(x.scale(2.0)),
        Unary::Powi(0) => Zero,
        Unary::Powi(1) => Constant(1.0),
        Unary::Powi(2) => Of(x.scale(2.0)),
        Unary::Powi(n) => Of(x.powi(n - 1).scale(f64::from(n))),
        Unary::Exp => Of(y.clone()),
        Unary::ExpM1 => Of(x.exp()),
        Unary::Ln => Of(x.recip()),
        Unary::Ln1p => Of(x.shift(1.0).recip()),
        Unary::Sin => Of(x.cos()),
        Unary::Cos => Of(-x.sin()),
        Unary::Tan => Of(y.square().shift(1.0)),
        Unary::Asin => Of(one_minus_square(x).sqrt().recip()),
        Unary::Acos => Of(one_minus_square(x).sqrt().div_into(-1.0)),
        Unary::Atan => Of(x.square().shift(1.0).recip()),
        Unary::Sinh => Of(x.cosh()),
        Unary::Cosh => Of(x.sinh()),
        Unary::Tanh => Of(y.square().sub_from(1.0)),
        Unary::Sigmoid => Of(y.times(&y.sub_from(1.0))),
        Unary::Softplus => Of(x.sigmoid()),
        Unary::Relu => Of(x.test(Compare::Gt, 0.0)),
        Unary::Erf => Of((-x.square()).exp().scale(FRAC_2_SQRT_PI)),
        Unary::Add(_) => Constant(1.0),
        Unary::Mul(c) => Constant(c.0),
        Unary::SubFrom(_) => Constant(-1.0),
        Unary::DivBy(c) => Constant(1.0 / c.0),
        Unary::DivInto(_) => Of(-y.over(x)),
        Unary::Powf(c) if c.0 == 0.0 => Zero,
        Unary::Powf(c) if c.0 == 1.0 => Constant(1.0),
        Unary::Powf(c) => Of(x.powf(c.0 - 1.0).scale(c.0)),
        Unary::Max(c) => Of(mask_or_half(&x.test(Compare::Gt, c.0), &x.test(Compare::Eq, c.0))),
        Unary::Min(c) => Of(mask_or_half(&x.test(Compare::Lt, c.0), &x.test(Compare::Eq, c.0))),
        Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round => Zero,
        Unary::Test(..) | Unary::Fill(_) | Unary::StopGradient => Zero,
    }
}

/// `∂y/∂a` (`arg` 0) or `∂y/∂b` (`arg` 1) of `y = op(a, b)`.
#[inline(always)]
pub(crate) fn binary<V: Value>(op: Binary, arg: usize, a: &V, b: &V, y: &V) -> Partial<V> {
    match (op, arg) {
        (Binary::Add, _) | (Binary::Sub, 0) => Constant(1.0),
        (Binary::Sub, _) => Constant(-1.0),
        (Binary::Mul, 0) => Of(b.clone()),
        (Binary::Mul, _) => Of(a.clone()),
        (Binary::Div, 0) => Of(b.recip()),
        (Binary::Div, _) => Of(-y.over(b)),
        (Binary::Pow, 0) => Of(pow_by_base(a, b)),
        (Binary::Pow, _) => Of(pow_by_exponent(a, b, y)),
        (Binary::Atan2, 0) => Of(over_square(b, &a.hypot(b))),
        (Binary::Atan2, _) => Of(-over_square(a, &a.hypot(b))),
        (Binary::Hypot, 0) => Of(a.over(&nonzero(y))),
        (Binary::Hypot, _) => Of(b.over(&nonzero(y))),
        (Binary::Max, 0) | (Binary::Min, 1) => Of(mask_or_half(&a.compare(Compare::Gt, b), &a.compare(Compare::Eq, b))),
        (Binary::Max, _) | (Binary::Min, _) => Of(mask_or_half(&a.compare(Compare::Lt, b), &a.compare(Compare::Eq, b))),
        (Binary::Compare(_), _) => Zero,
    }
}

/// `1 − x²` without cancellation near ±1.
#[inline]
fn one_minus_square<V: Value>(x: &V) -> V {
    x.sub_from(1.0).times(&x.shift(1.0))
}

/// 1 where the mask holds, ½ at a tie.
#[inline]
fn mask_or_half<V: Value>(mask: &V, tie: &V) -> V {
    mask.plus(&tie.scale(0.5))
}

/// `y`, with 1 in place of 0: dividing by it makes 0/0 a 0.
#[inline]
fn nonzero<V: Value>(y: &V) -> V {
    y.plus(&y.test(Compare::Eq, 0.0))
}

/// `x/r²` without overflow, and 0 for `x = r = 0`.
#[inline(always)]
fn over_square<V: Value>(x: &V, r: &V) -> V {
    let r = nonzero(r);
    x.over(&r).over(&r)
}

/// `b·aᵇ⁻¹`, and 0 for `a = b = 0`.
#[inline]
fn pow_by_base<V: Value>(a: &V, b: &V) -> V {
    let both_zero = a.test(Compare::Eq, 0.0).times(&b.test(Compare::Eq, 0.0));
    // An exponent of 1 in place of 0 keeps 0·0⁻¹ out; the factor b makes the product 0 all the same.
    b.times(&a.pow(&b.plus(&both_zero).shift(-1.0)))
}

/// `aᵇ·ln a`, and 0 for `a = 0` with a positive exponent.
#[inline]
fn pow_by_exponent<V: Value>(a: &V, b: &V, y: &V) -> V {
    let vanishing = a.test(Compare::Eq, 0.0).times(&b.test(Compare::Gt, 0.0));
    // ln 1 = 0 in place of ln 0 = −∞.
    y.times(&a.plus(&vanishing).ln())
}
