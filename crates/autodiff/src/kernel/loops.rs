//! The loops themselves, generic over the element and the machine.

use super::machine::Machine;
use super::math::Math;
use crate::op::{Binary, Literal, Unary};

/// Three arguments in one pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ternary {
    /// `a` where the mask is not zero, else `b`: `(mask, a, b)`.
    Select,
    /// `a·b + c`
    MulAdd,
    /// `a·b − c`
    MulSub,
    /// `c − a·b`
    NegMulAdd,
}

#[inline(always)]
fn map<E: Copy>(x: &[E], y: &mut [E], f: impl Fn(E) -> E) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

/// [`map`], with the elements that the fast function is not made for done one by one.
#[inline(always)]
fn patched<E: Copy>(x: &[E], y: &mut [E], f: impl Fn(E) -> E, special: impl Fn(E) -> bool, slow: impl Fn(E) -> E) {
    map(x, y, f);
    if x.iter().fold(false, |any, &x| any | special(x)) {
        for (y, &x) in y.iter_mut().zip(x) {
            if special(x) {
                *y = slow(x);
            }
        }
    }
}

/// `y = op(x)`.
#[inline(always)]
pub(super) fn unary<E: Math, M: Machine>(op: Unary, x: &[E], y: &mut [E]) {
    let (zero, one) = (E::from_f64(0.0), E::from_f64(1.0));
    let number = |Literal(c): Literal| E::from_f64(c);
    let slow = |x: E| E::unary(|| op, &x);
    match op {
        Unary::StopGradient => y.copy_from_slice(x),
        Unary::Fill(c) => y.fill(number(c)),
        Unary::Neg => map(x, y, |x| -x),
        Unary::Recip => map(x, y, |x| one / x),
        Unary::Abs => map(x, y, E::magnitude),
        Unary::Sign => map(x, y, |x| {
            if x > zero {
                one
            } else if x < zero {
                -one
            } else {
                x
            }
        }),
        Unary::Sqrt => map(x, y, E::root),
        Unary::Square => map(x, y, |x| x * x),
        Unary::Powi(n) => powi::<E>(n, x, y),
        Unary::Exp => map(x, y, E::exp_fast::<M>),
        Unary::ExpM1 => map(x, y, E::exp_m1_fast::<M>),
        Unary::Ln => map(x, y, E::ln_fast::<M>),
        Unary::Ln1p => map(x, y, E::ln_1p_fast::<M>),
        Unary::Sin => patched(x, y, E::sin_fast::<M>, E::is_large_angle, slow),
        Unary::Cos => patched(x, y, E::cos_fast::<M>, E::is_large_angle, slow),
        Unary::Tan => patched(x, y, E::tan_fast::<M>, E::is_large_angle, slow),
        Unary::Asin => map(x, y, E::asin_fast::<M>),
        Unary::Acos => map(x, y, E::acos_fast::<M>),
        Unary::Atan => map(x, y, E::atan_fast::<M>),
        Unary::Sinh => map(x, y, E::sinh_fast::<M>),
        Unary::Cosh => map(x, y, E::cosh_fast::<M>),
        Unary::Tanh => map(x, y, E::tanh_fast::<M>),
        Unary::Sigmoid => map(x, y, E::sigmoid_fast::<M>),
        Unary::Softplus => map(x, y, E::softplus_fast::<M>),
        Unary::Erf => map(x, y, E::erf_fast::<M>),
        Unary::Floor => map(x, y, E::floored),
        Unary::Ceil => map(x, y, E::ceiled),
        Unary::Round => map(x, y, E::rounded),
        Unary::Relu => map(x, y, |x| if x <= zero { zero } else { x }),
        Unary::Add(c) => {
            let c = number(c);
            map(x, y, |x| x + c);
        }
        Unary::Mul(c) => {
            let c = number(c);
            map(x, y, |x| x * c);
        }
        Unary::SubFrom(c) => {
            let c = number(c);
            map(x, y, |x| c - x);
        }
        Unary::DivBy(c) => {
            let c = number(c);
            map(x, y, |x| x / c);
        }
        Unary::DivInto(c) => {
            let c = number(c);
            map(x, y, |x| c / x);
        }
        Unary::Max(c) => {
            let c = number(c);
            map(x, y, |x| larger(x, c));
        }
        Unary::Min(c) => {
            let c = number(c);
            map(x, y, |x| smaller(x, c));
        }
        Unary::Powf(c) => {
            let c = number(c);
            patched(x, y, |x| E::pow_fast::<M>(x, c), |x| E::is_special_power(x, c), slow);
        }
        Unary::Test(compare, c) => {
            let c = number(c);
            test(compare, x, y, c);
        }
    }
}

#[inline(always)]
fn test<E: Math>(compare: crate::op::Compare, x: &[E], y: &mut [E], c: E) {
    use crate::op::Compare::{Eq, Ge, Gt, Le, Lt, Ne};
    let (zero, one) = (E::from_f64(0.0), E::from_f64(1.0));
    let bit = |holds: bool| if holds { one } else { zero };
    match compare {
        Lt => map(x, y, |x| bit(x < c)),
        Le => map(x, y, |x| bit(x <= c)),
        Gt => map(x, y, |x| bit(x > c)),
        Ge => map(x, y, |x| bit(x >= c)),
        Eq => map(x, y, |x| bit(x == c)),
        Ne => map(x, y, |x| bit(x != c)),
    }
}

/// `xⁿ` by repeated squaring, all elements in step.
#[inline(always)]
fn powi<E: Math>(n: i32, x: &[E], y: &mut [E]) {
    let one = E::from_f64(1.0);
    if n.unsigned_abs() > 64 {
        return map(x, y, |x| E::unary(|| Unary::Powi(n), &x));
    }
    map(x, y, |x| {
        let (mut power, mut square, mut left) = (one, x, n.unsigned_abs());
        while left > 0 {
            if left & 1 == 1 {
                power = power * square;
            }
            square = square * square;
            left >>= 1;
        }
        if n < 0 { one / power } else { power }
    });
}

#[inline(always)]
pub(super) fn larger<E: Math>(a: E, b: E) -> E {
    if a > b || a.is_nan() { a } else { b }
}

#[inline(always)]
pub(super) fn smaller<E: Math>(a: E, b: E) -> E {
    if a < b || a.is_nan() { a } else { b }
}

#[inline(always)]
fn zip<E: Copy>(a: &[E], b: &[E], y: &mut [E], f: impl Fn(E, E) -> E) {
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        *y = f(a, b);
    }
}

/// `y = op(a, b)`.
#[inline(always)]
pub(super) fn binary<E: Math, M: Machine>(op: Binary, a: &[E], b: &[E], y: &mut [E]) {
    use crate::op::Compare::{Eq, Ge, Gt, Le, Lt, Ne};
    let (zero, one) = (E::from_f64(0.0), E::from_f64(1.0));
    let bit = |holds: bool| if holds { one } else { zero };
    match op {
        Binary::Add => zip(a, b, y, |a, b| a + b),
        Binary::Sub => zip(a, b, y, |a, b| a - b),
        Binary::Mul => zip(a, b, y, |a, b| a * b),
        Binary::Div => zip(a, b, y, |a, b| a / b),
        Binary::Max => zip(a, b, y, larger),
        Binary::Min => zip(a, b, y, smaller),
        Binary::Compare(compare) => match compare {
            Lt => zip(a, b, y, |a, b| bit(a < b)),
            Le => zip(a, b, y, |a, b| bit(a <= b)),
            Gt => zip(a, b, y, |a, b| bit(a > b)),
            Ge => zip(a, b, y, |a, b| bit(a >= b)),
            Eq => zip(a, b, y, |a, b| bit(a == b)),
            Ne => zip(a, b, y, |a, b| bit(a != b)),
        },
        Binary::Pow => {
            zip(a, b, y, E::pow_fast::<M>);
            if a.iter().zip(b).fold(false, |any, (&a, &b)| any | E::is_special_power(a, b)) {
                for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                    if E::is_special_power(a, b) {
                        *y = E::binary(|| op, &a, &b);
                    }
                }
            }
        }
        Binary::Atan2 | Binary::Hypot => zip(a, b, y, |a, b| E::binary(|| op, &a, &b)),
    }
}

/// `y = op(a, b, c)`.
#[inline(always)]
pub(super) fn ternary<E: Math, M: Machine>(op: Ternary, a: &[E], b: &[E], c: &[E], y: &mut [E]) {
    let zero = E::from_f64(0.0);
    let rows = y.iter_mut().zip(a).zip(b).zip(c);
    match op {
        Ternary::Select => rows.for_each(|(((y, &m), &a), &b)| *y = if m == zero { b } else { a }),
        Ternary::MulAdd => rows.for_each(|(((y, &a), &b), &c)| *y = E::mul_add_fast::<M>(a, b, c)),
        Ternary::MulSub => rows.for_each(|(((y, &a), &b), &c)| *y = E::mul_add_fast::<M>(a, b, -c)),
        Ternary::NegMulAdd => rows.for_each(|(((y, &a), &b), &c)| *y = E::mul_add_fast::<M>(-a, b, c)),
    }
}

/// `y = a + c·b` with a number `c`.
#[inline(always)]
pub(super) fn axpy<E: Math, M: Machine>(c: E, a: &[E], b: &[E], y: &mut [E]) {
    zip(a, b, y, |a, b| E::mul_add_fast::<M>(c, b, a));
}
