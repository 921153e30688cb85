//! Elementary functions without branches, for loops that the compiler vectorises.
//!
//! Each is a reduction of the argument to a small interval, a polynomial, and a few selects for special values. Over the
//! whole range, `f32` is within 2 ulp of the true value (2.5 without a fused multiply-add), `f64` within as many of what
//! the standard library finds, which is itself 1 ulp off (`tests` below). Where a fast function is not made for an
//! argument (angles beyond a million quarter turns, powers of negative numbers), a predicate says so, and the loop does
//! those elements with the standard library.

#![allow(clippy::excessive_precision, reason = "the high parts of logarithms are exact, and written out")]

#[macro_use]
mod polynomial;

mod erf;
mod exp;
mod hyperbolic;
mod inverse;
mod ln;
mod pow;
mod trig;

use super::machine::Machine;
use super::register::Register;
use super::turn::{Rows, SIDE};
use crate::op::Binary;
#[cfg(test)]
use crate::op::Unary;
use crate::scalar::Element;
use crate::value::Value;

/// Functions of one argument: the op, the method, the function in the modules `double` and `single` of a file.
macro_rules! functions {
    ($($op:ident: $method:ident = $file:ident::$function:ident;)*) => {
        /// The functions of one argument.
        pub(crate) trait Functions: Element {
            $(fn $method<M: Machine>(self) -> Self;)*
        }

        impl Functions for f64 {
            $(#[inline(always)]
            fn $method<M: Machine>(self) -> Self {
                $file::double::$function::<M>(self)
            })*
        }

        impl Functions for f32 {
            $(#[inline(always)]
            fn $method<M: Machine>(self) -> Self {
                $file::single::$function::<M>(self)
            })*
        }

        /// All of them, with their ops.
        #[cfg(test)]
        fn all<E: Functions, M: Machine>() -> Vec<(Unary, fn(E) -> E)> {
            vec![$((Unary::$op, E::$method::<M>)),*]
        }
    };
}

functions! {
    Exp: exp_fast = exp::exp;
    ExpM1: exp_m1_fast = exp::exp_m1;
    Ln: ln_fast = ln::ln;
    Ln1p: ln_1p_fast = ln::ln_1p;
    Sin: sin_fast = trig::sin;
    Cos: cos_fast = trig::cos;
    Tan: tan_fast = trig::tan;
    Asin: asin_fast = inverse::asin;
    Acos: acos_fast = inverse::acos;
    Atan: atan_fast = inverse::atan;
    Sinh: sinh_fast = hyperbolic::sinh;
    Cosh: cosh_fast = hyperbolic::cosh;
    Tanh: tanh_fast = hyperbolic::tanh;
    Sigmoid: sigmoid_fast = hyperbolic::sigmoid;
    Softplus: softplus_fast = hyperbolic::softplus;
    Erf: erf_fast = erf::erf;
}

/// What the loops need of an element.
pub(crate) trait Math: Functions {
    /// A machine's register.
    type Register<M: Machine>: Register<Self>;
    /// [`blocks::square`](super::turn::blocks::square)
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn turn_square<M: Machine>(from: Rows<Self>, into: *mut Self, stride: usize);
    #[inline(always)]
    unsafe fn turn_tall<M: Machine>(from: Rows<Self>, into: *mut Self, stride: usize) {
        // SAFETY: the caller's.
        unsafe {
            Self::turn_square::<M>(from, into, stride);
            Self::turn_square::<M>(from.lower(), into.add(SIDE), stride);
        }
    }
    fn mul_add_fast<M: Machine>(a: Self, b: Self, c: Self) -> Self;
    fn is_nan(self) -> bool;
    fn magnitude(self) -> Self;
    fn root(self) -> Self;
    fn floored(self) -> Self;
    fn ceiled(self) -> Self;
    fn rounded(self) -> Self;
    /// `selfᵇ` of ordinary arguments.
    fn pow_fast<M: Machine>(self, b: Self) -> Self;
    /// Whether the fast sine, cosine and tangent are not made for the angle.
    fn is_large_angle(self) -> bool;
    /// Whether the fast power is not made for the arguments.
    fn is_special_power(self, b: Self) -> bool;
}

macro_rules! common {
    ($type:ident, $mul_add:ident, $module:ident, $register:ident, $square:ident) => {
        type Register<M: Machine> = M::$register;
        #[inline(always)]
        unsafe fn turn_square<M: Machine>(from: Rows<Self>, into: *mut Self, stride: usize) {
            // SAFETY: the caller's.
            unsafe { M::$square(from, into, stride) }
        }
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
        fn floored(self) -> Self {
            $type::floor(self)
        }
        #[inline(always)]
        fn ceiled(self) -> Self {
            $type::ceil(self)
        }
        #[inline(always)]
        fn rounded(self) -> Self {
            $type::round(self)
        }
        #[inline(always)]
        fn is_large_angle(self) -> bool {
            // Infinities and NaN too.
            self.is_nan() || self.abs() >= trig::$module::LARGEST
        }
        #[inline(always)]
        fn is_special_power(self, b: Self) -> bool {
            !(($type::MIN_POSITIVE..$type::INFINITY).contains(&self) && b.abs() < $type::INFINITY)
        }
    };
}

impl Math for f64 {
    common!(f64, mul_add64, double, Double, square64);
    #[inline(always)]
    fn pow_fast<M: Machine>(self, b: Self) -> Self {
        if M::FUSED { pow::pow::<M>(self, b) } else { Self::binary(|| Binary::Pow, &self, &b) }
    }
}

impl Math for f32 {
    common!(f32, mul_add32, single, Single, square32);
    #[inline(always)]
    unsafe fn turn_tall<M: Machine>(from: Rows<Self>, into: *mut Self, stride: usize) {
        // SAFETY: the caller's.
        unsafe { M::tall32(from, into, stride) }
    }
    /// Through `f64`, whose logarithm and exponential leave nothing to round wrong.
    #[inline(always)]
    fn pow_fast<M: Machine>(self, b: Self) -> Self {
        exp::double::exp::<M>(f64::from(b) * ln::double::ln::<M>(f64::from(self))) as f32
    }
}

#[cfg(test)]
mod tests;
