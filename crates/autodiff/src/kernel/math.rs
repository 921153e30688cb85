//! Elementary functions for vectorised loops.

use super::machine::Machine;
use crate::op::{Binary, Unary};
use crate::scalar::Element;

pub(crate) trait Math: Element {
    fn mul_add_fast<M: Machine>(a: Self, b: Self, c: Self) -> Self;
    fn is_nan(self) -> bool;
    fn magnitude(self) -> Self;
    fn root(self) -> Self;
    fn exp_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Exp, &self)
    }
    fn exp_m1_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::ExpM1, &self)
    }
    fn ln_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Ln, &self)
    }
    fn ln_1p_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Ln1p, &self)
    }
    fn sin_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Sin, &self)
    }
    fn cos_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Cos, &self)
    }
    fn tan_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Tan, &self)
    }
    fn tanh_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Tanh, &self)
    }
    fn sigmoid_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Sigmoid, &self)
    }
    fn softplus_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Softplus, &self)
    }
    fn erf_fast<M: Machine>(self) -> Self {
        Self::unary(|| Unary::Erf, &self)
    }
    fn pow_fast<M: Machine>(self, b: Self) -> Self {
        Self::binary(|| Binary::Pow, &self, &b)
    }
    fn is_large_angle(self) -> bool {
        false
    }
    fn is_special_power(self, _b: Self) -> bool {
        false
    }
}
impl Math for f64 {
    #[inline(always)]
    fn mul_add_fast<M: Machine>(a: Self, b: Self, c: Self) -> Self {
        M::mul_add64(a, b, c)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }
    #[inline(always)]
    fn magnitude(self) -> Self {
        f64::abs(self)
    }
    #[inline(always)]
    fn root(self) -> Self {
        f64::sqrt(self)
    }
}
impl Math for f32 {
    #[inline(always)]
    fn mul_add_fast<M: Machine>(a: Self, b: Self, c: Self) -> Self {
        M::mul_add32(a, b, c)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }
    #[inline(always)]
    fn magnitude(self) -> Self {
        f32::abs(self)
    }
    #[inline(always)]
    fn root(self) -> Self {
        f32::sqrt(self)
    }
}
