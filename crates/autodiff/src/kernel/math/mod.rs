//! Elementary functions without branches, for loops that the compiler vectorises.
//!
//! Each is a reduction of the argument to a small interval, a polynomial, and a few selects for special values; within
//! 2 ulp of the true value over the whole range, with or without a fused multiply-add (`tests` below). Where a fast
//! function is not made for an argument (angles beyond a million quarter turns, powers of negative numbers), a predicate
//! says so, and the loop does those elements with the standard library.

#![allow(clippy::excessive_precision, reason = "the high parts of logarithms are exact, and written out")]

mod exp;
mod ln;
mod tanh;
mod trig;

use super::machine::Machine;
use crate::op::Binary;
#[cfg(test)]
use crate::op::Unary;
use crate::scalar::Element;
use crate::value::Value;

/// What the loops need of an element.
pub(crate) trait Math: Element {
    fn mul_add_fast<M: Machine>(a: Self, b: Self, c: Self) -> Self;
    fn is_nan(self) -> bool;
    fn magnitude(self) -> Self;
    fn root(self) -> Self;
    fn exp_fast<M: Machine>(self) -> Self;
    fn exp_m1_fast<M: Machine>(self) -> Self;
    fn ln_fast<M: Machine>(self) -> Self;
    fn ln_1p_fast<M: Machine>(self) -> Self;
    fn sin_fast<M: Machine>(self) -> Self;
    fn cos_fast<M: Machine>(self) -> Self;
    fn tanh_fast<M: Machine>(self) -> Self;
    fn sigmoid_fast<M: Machine>(self) -> Self;
    fn softplus_fast<M: Machine>(self) -> Self;
    /// `selfᵇ` of ordinary arguments.
    fn pow_fast<M: Machine>(self, b: Self) -> Self;
    /// Whether the fast sine and cosine are not made for the angle.
    fn is_large_angle(self) -> bool;
    /// Whether the fast power is not made for the arguments.
    fn is_special_power(self, b: Self) -> bool;
}

macro_rules! common {
    ($type:ident, $mul_add:ident, $module:ident) => {
        #[inline(always)]
        fn mul_add_fast<M: Machine>(a: Self, b: Self, c: Self) -> Self {
            M::$mul_add(a, b, c)
        }
        #[inline(always)]
        fn is_nan(self) -> bool {
            $type::is_nan(self)
        }
        #[inline(always)]
        fn magnitude(self) -> Self {
            $type::abs(self)
        }
        #[inline(always)]
        fn root(self) -> Self {
            $type::sqrt(self)
        }
        #[inline(always)]
        fn exp_fast<M: Machine>(self) -> Self {
            exp::$module::exp::<M>(self)
        }
        #[inline(always)]
        fn exp_m1_fast<M: Machine>(self) -> Self {
            exp::$module::exp_m1::<M>(self)
        }
        #[inline(always)]
        fn ln_fast<M: Machine>(self) -> Self {
            ln::$module::ln::<M>(self)
        }
        #[inline(always)]
        fn ln_1p_fast<M: Machine>(self) -> Self {
            ln::$module::ln_1p::<M>(self)
        }
        #[inline(always)]
        fn sin_fast<M: Machine>(self) -> Self {
            trig::$module::sin::<M>(self)
        }
        #[inline(always)]
        fn cos_fast<M: Machine>(self) -> Self {
            trig::$module::cos::<M>(self)
        }
        #[inline(always)]
        fn tanh_fast<M: Machine>(self) -> Self {
            tanh::$module::tanh::<M>(self)
        }
        #[inline(always)]
        fn sigmoid_fast<M: Machine>(self) -> Self {
            tanh::$module::sigmoid::<M>(self)
        }
        #[inline(always)]
        fn softplus_fast<M: Machine>(self) -> Self {
            tanh::$module::softplus::<M>(self)
        }
        #[inline(always)]
        fn is_large_angle(self) -> bool {
            // Infinities and NaN too.
            self.is_nan() || self.abs() >= trig::$module::LARGEST
        }
    };
}

impl Math for f64 {
    common!(f64, mul_add64, double);
    #[inline(always)]
    fn pow_fast<M: Machine>(self, b: Self) -> Self {
        Self::binary(|| Binary::Pow, &self, &b)
    }
    #[inline(always)]
    fn is_special_power(self, _: Self) -> bool {
        false
    }
}

impl Math for f32 {
    common!(f32, mul_add32, single);
    /// Through `f64`, whose logarithm and exponential leave nothing to round wrong.
    #[inline(always)]
    fn pow_fast<M: Machine>(self, b: Self) -> Self {
        exp::double::exp::<M>(f64::from(b) * ln::double::ln::<M>(f64::from(self))) as f32
    }
    #[inline(always)]
    fn is_special_power(self, b: Self) -> bool {
        !(self > 0.0 && self < Self::INFINITY && b.abs() < Self::INFINITY)
    }
}

#[cfg(test)]
mod tests;

/// The fast functions by their op, for tests; `None` where the loops call the standard library.
#[cfg(test)]
fn fast<E: Math, M: Machine>(op: Unary) -> Option<fn(E) -> E> {
    Some(match op {
        Unary::Exp => E::exp_fast::<M>,
        Unary::ExpM1 => E::exp_m1_fast::<M>,
        Unary::Ln => E::ln_fast::<M>,
        Unary::Ln1p => E::ln_1p_fast::<M>,
        Unary::Sin => E::sin_fast::<M>,
        Unary::Cos => E::cos_fast::<M>,
        Unary::Tanh => E::tanh_fast::<M>,
        Unary::Sigmoid => E::sigmoid_fast::<M>,
        Unary::Softplus => E::softplus_fast::<M>,
        _ => return None,
    })
}
