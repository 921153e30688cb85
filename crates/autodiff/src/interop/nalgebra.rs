//! `nalgebra`: `Dual<f32>` and `Dual<f64>` as real fields, so that matrices of them can be decomposed and the results
//! carry their derivatives.

use crate::dual::Dual;
use crate::value::Value;
use approx::{AbsDiffEq, RelativeEq, UlpsEq};
use num_traits::Float;
use simba::scalar::{ComplexField, Field, RealField, SubsetOf};
use simba::simd::SimdValue;

macro_rules! dual_field {
    ($real:ident) => {
        impl AbsDiffEq for Dual<$real> {
            type Epsilon = Self;
            fn default_epsilon() -> Self {
                Self::constant_value($real::default_epsilon())
            }
            fn abs_diff_eq(&self, other: &Self, epsilon: Self) -> bool {
                self.value().abs_diff_eq(&other.value(), epsilon.value())
            }
        }

        impl RelativeEq for Dual<$real> {
            fn default_max_relative() -> Self {
                Self::constant_value($real::default_max_relative())
            }
            fn relative_eq(&self, other: &Self, epsilon: Self, max_relative: Self) -> bool {
                self.value().relative_eq(&other.value(), epsilon.value(), max_relative.value())
            }
        }

        impl UlpsEq for Dual<$real> {
            fn default_max_ulps() -> u32 {
                $real::default_max_ulps()
            }
            fn ulps_eq(&self, other: &Self, epsilon: Self, max_ulps: u32) -> bool {
                self.value().ulps_eq(&other.value(), epsilon.value(), max_ulps)
            }
        }

        impl SimdValue for Dual<$real> {
            const LANES: usize = 1;
            type Element = Self;
            type SimdBool = bool;
            fn splat(x: Self) -> Self {
                x
            }
            fn extract(&self, _: usize) -> Self {
                *self
            }
            unsafe fn extract_unchecked(&self, _: usize) -> Self {
                *self
            }
            fn replace(&mut self, _: usize, x: Self) {
                *self = x;
            }
            unsafe fn replace_unchecked(&mut self, _: usize, x: Self) {
                *self = x;
            }
            fn select(self, condition: bool, other: Self) -> Self {
                if condition { self } else { other }
            }
        }

        impl Field for Dual<$real> {}

        impl SubsetOf<Dual<$real>> for Dual<$real> {
            fn to_superset(&self) -> Self {
                *self
            }
            fn from_superset_unchecked(x: &Self) -> Self {
                *x
            }
            fn is_in_subset(_: &Self) -> bool {
                true
            }
        }

        dual_field!(@subset f32 of $real);
        dual_field!(@subset f64 of $real);

        impl ComplexField for Dual<$real> {
            type RealField = Self;
            dual_field!(@forward floor ceil round trunc fract recip sin cos tan asin acos atan sinh cosh tanh asinh acosh
                atanh log2 log10 ln ln_1p sqrt exp exp2 exp_m1 cbrt);
            fn from_real(x: Self) -> Self {
                x
            }
            fn real(self) -> Self {
                self
            }
            fn imaginary(self) -> Self {
                Self::constant_value(0.0)
            }
            fn modulus(self) -> Self {
                Float::abs(self)
            }
            fn modulus_squared(self) -> Self {
                self * self
            }
            fn argument(self) -> Self {
                Self::constant_value(if self.value() >= 0.0 { 0.0 } else { std::f64::consts::PI as $real })
            }
            fn norm1(self) -> Self {
                Float::abs(self)
            }
            fn scale(self, factor: Self) -> Self {
                self * factor
            }
            fn unscale(self, factor: Self) -> Self {
                self / factor
            }
            fn signum(self) -> Self {
                Float::signum(self)
            }
            fn mul_add(self, a: Self, b: Self) -> Self {
                self * a + b
            }
            fn abs(self) -> Self {
                Float::abs(self)
            }
            fn hypot(self, other: Self) -> Self {
                Float::hypot(self, other)
            }
            fn conjugate(self) -> Self {
                self
            }
            fn sin_cos(self) -> (Self, Self) {
                Float::sin_cos(self)
            }
            fn log(self, base: Self) -> Self {
                Float::log(self, base)
            }
            fn powi(self, n: i32) -> Self {
                Float::powi(self, n)
            }
            fn powf(self, n: Self) -> Self {
                Float::powf(self, n)
            }
            fn powc(self, n: Self) -> Self {
                Float::powf(self, n)
            }
            fn is_finite(&self) -> bool {
                Value::is_finite(self)
            }
            fn try_sqrt(self) -> Option<Self> {
                (self.value() >= 0.0).then(|| Float::sqrt(self))
            }
        }

        impl RealField for Dual<$real> {
            dual_field!(@constants $real: pi two_pi frac_pi_2 frac_pi_3 frac_pi_4 frac_pi_6 frac_pi_8 frac_1_pi frac_2_pi
                frac_2_sqrt_pi e log2_e log10_e ln_2 ln_10);
            fn is_sign_positive(&self) -> bool {
                self.value().is_sign_positive()
            }
            fn is_sign_negative(&self) -> bool {
                self.value().is_sign_negative()
            }
            fn copysign(self, sign: Self) -> Self {
                if self.value().is_sign_positive() == sign.value().is_sign_positive() { self } else { -self }
            }
            fn max(self, other: Self) -> Self {
                Float::max(self, other)
            }
            fn min(self, other: Self) -> Self {
                Float::min(self, other)
            }
            fn clamp(self, min: Self, max: Self) -> Self {
                Float::min(Float::max(self, min), max)
            }
            fn atan2(self, other: Self) -> Self {
                Float::atan2(self, other)
            }
            fn min_value() -> Option<Self> {
                Some(Float::min_value())
            }
            fn max_value() -> Option<Self> {
                Some(Float::max_value())
            }
        }
    };
    (@subset $sub:ident of $real:ident) => {
        impl SubsetOf<Dual<$real>> for $sub {
            fn to_superset(&self) -> Dual<$real> {
                Dual::constant_value(*self as $real)
            }
            fn from_superset_unchecked(x: &Dual<$real>) -> Self {
                x.value() as $sub
            }
            fn is_in_subset(x: &Dual<$real>) -> bool {
                x.tangent() == 0.0
            }
        }
    };
    (@forward $($name:ident)*) => {
        $(fn $name(self) -> Self { Float::$name(self) })*
    };
    (@constants $real:ident: $($name:ident)*) => {
        $(fn $name() -> Self { Self::constant_value(<$real as RealField>::$name()) })*
    };
}

dual_field!(f32);
dual_field!(f64);
