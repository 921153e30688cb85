//! `num-traits`: `Dual<f32>` and `Dual<f64>` as numbers, so that numeric code that is generic over `Float` differentiates.
//!
//! Comparisons look at the value alone, so branches are taken by values. `is_zero` and
//! `is_one` look at the tangent too: a number that is zero only here is not to be dropped.

use crate::dual::Dual;
use crate::value::Value;
use num_traits::{Float, FloatConst, FromPrimitive, Num, NumCast, One, Signed, ToPrimitive, Zero};
use std::cmp::Ordering;
use std::fmt;
use std::num::FpCategory;
use std::ops::{Rem, RemAssign};

macro_rules! dual_number {
    ($real:ident) => {
        /// By value; the tangent does not take part.
        impl PartialEq for Dual<$real> {
            fn eq(&self, other: &Self) -> bool {
                self.value() == other.value()
            }
        }

        /// By value; the tangent does not take part.
        impl PartialOrd for Dual<$real> {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                self.value().partial_cmp(&other.value())
            }
        }

        impl fmt::Display for Dual<$real> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.value(), f)?;
                f.write_str(" + ")?;
                fmt::Display::fmt(&self.tangent(), f)?;
                f.write_str("ε")
            }
        }

        impl Dual<$real> {
            /// A function of this number, from its value and its slope.
            fn moved(self, value: $real, slope: $real) -> Self {
                Self::new(value, Value::times_tangent(&slope, &self.tangent()))
            }
        }

        impl From<$real> for Dual<$real> {
            fn from(x: $real) -> Self {
                Self::constant_value(x)
            }
        }

        impl Zero for Dual<$real> {
            fn zero() -> Self {
                Self::constant_value(0.0)
            }
            fn is_zero(&self) -> bool {
                self.value() == 0.0 && self.tangent() == 0.0
            }
        }

        impl One for Dual<$real> {
            fn one() -> Self {
                Self::constant_value(1.0)
            }
            fn is_one(&self) -> bool {
                self.value() == 1.0 && self.tangent() == 0.0
            }
        }

        /// `a − b·trunc(a/b)`: derivatives 1 and `−trunc(a/b)`.
        impl Rem for Dual<$real> {
            type Output = Self;
            fn rem(self, other: Self) -> Self {
                let whole = (self.value() / other.value()).trunc();
                Self::new(self.value() % other.value(), self.tangent() - other.tangent() * whole)
            }
        }

        impl RemAssign for Dual<$real> {
            fn rem_assign(&mut self, other: Self) {
                *self = *self % other;
            }
        }

        impl Num for Dual<$real> {
            type FromStrRadixErr = <$real as Num>::FromStrRadixErr;
            fn from_str_radix(text: &str, radix: u32) -> Result<Self, Self::FromStrRadixErr> {
                $real::from_str_radix(text, radix).map(Self::constant_value)
            }
        }

        impl ToPrimitive for Dual<$real> {
            fn to_i64(&self) -> Option<i64> {
                self.value().to_i64()
            }
            fn to_u64(&self) -> Option<u64> {
                self.value().to_u64()
            }
            fn to_f64(&self) -> Option<f64> {
                ToPrimitive::to_f64(&self.value())
            }
        }

        impl NumCast for Dual<$real> {
            fn from<T: ToPrimitive>(x: T) -> Option<Self> {
                <$real as NumCast>::from(x).map(Self::constant_value)
            }
        }

        impl FromPrimitive for Dual<$real> {
            fn from_i64(x: i64) -> Option<Self> {
                $real::from_i64(x).map(Self::constant_value)
            }
            fn from_u64(x: u64) -> Option<Self> {
                $real::from_u64(x).map(Self::constant_value)
            }
            fn from_f64(x: f64) -> Option<Self> {
                <$real as FromPrimitive>::from_f64(x).map(Self::constant_value)
            }
        }

        impl Signed for Dual<$real> {
            fn abs(&self) -> Self {
                Value::abs(self)
            }
            fn abs_sub(&self, other: &Self) -> Self {
                Value::relu(&(*self - *other))
            }
            fn signum(&self) -> Self {
                Self::constant_value(self.value().signum())
            }
            fn is_positive(&self) -> bool {
                self.value().is_sign_positive()
            }
            fn is_negative(&self) -> bool {
                self.value().is_sign_negative()
            }
        }

        impl FloatConst for Dual<$real> {
            dual_number!(@constants $real:
                E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6 FRAC_PI_8
                LN_10 LN_2 LOG10_E LOG2_E PI SQRT_2);
        }

        impl Float for Dual<$real> {
            dual_number!(@constants $real:
                nan infinity neg_infinity neg_zero min_value min_positive_value max_value epsilon);
            dual_number!(@tests $real: is_nan is_infinite is_finite is_normal is_sign_positive is_sign_negative);
            dual_number!(@unary
                floor ceil round abs recip sqrt exp ln sin cos tan asin acos atan exp_m1 ln_1p sinh cosh tanh);
            fn classify(self) -> FpCategory {
                self.value().classify()
            }
            fn trunc(self) -> Self {
                Self::constant_value(self.value().trunc())
            }
            fn fract(self) -> Self {
                Self::new(self.value().fract(), self.tangent())
            }
            fn signum(self) -> Self {
                Self::constant_value(self.value().signum())
            }
            fn mul_add(self, a: Self, b: Self) -> Self {
                self * a + b
            }
            fn powi(self, n: i32) -> Self {
                Value::powi(&self, n)
            }
            fn powf(self, n: Self) -> Self {
                self.pow(&n)
            }
            fn exp2(self) -> Self {
                let value = self.value().exp2();
                self.moved(value, value * <$real>::LN_2())
            }
            fn log(self, base: Self) -> Self {
                Value::ln(&self) / Value::ln(&base)
            }
            fn log2(self) -> Self {
                self.moved(self.value().log2(), (self.value() * <$real>::LN_2()).recip())
            }
            fn log10(self) -> Self {
                self.moved(self.value().log10(), (self.value() * <$real>::LN_10()).recip())
            }
            fn max(self, other: Self) -> Self {
                // As `Float` has it: the other one, if one is NaN.
                if self.value().is_nan() || other.value().is_nan() {
                    if self.value().is_nan() { other } else { self }
                } else {
                    self.maximum(&other)
                }
            }
            fn min(self, other: Self) -> Self {
                if self.value().is_nan() || other.value().is_nan() {
                    if self.value().is_nan() { other } else { self }
                } else {
                    self.minimum(&other)
                }
            }
            fn abs_sub(self, other: Self) -> Self {
                Value::relu(&(self - other))
            }
            fn cbrt(self) -> Self {
                let root = self.value().cbrt();
                self.moved(root, (3.0 * root * root).recip())
            }
            fn hypot(self, other: Self) -> Self {
                Value::hypot(&self, &other)
            }
            fn atan2(self, other: Self) -> Self {
                Value::atan2(&self, &other)
            }
            fn sin_cos(self) -> (Self, Self) {
                (Value::sin(&self), Value::cos(&self))
            }
            fn asinh(self) -> Self {
                let slope = (self.value() * self.value() + 1.0).sqrt();
                self.moved(self.value().asinh(), slope.recip())
            }
            fn acosh(self) -> Self {
                let slope = (self.value() * self.value() - 1.0).sqrt();
                self.moved(self.value().acosh(), slope.recip())
            }
            fn atanh(self) -> Self {
                let slope = 1.0 - self.value() * self.value();
                self.moved(self.value().atanh(), slope.recip())
            }
            fn integer_decode(self) -> (u64, i16, i8) {
                self.value().integer_decode()
            }
        }
    };
    (@constants $real:ident: $($name:ident)*) => {
        $(fn $name() -> Self { Self::constant_value(<$real>::$name()) })*
    };
    (@tests $real:ident: $($name:ident)*) => {
        $(fn $name(self) -> bool { <$real as Float>::$name(self.value()) })*
    };
    (@unary $($name:ident)*) => {
        $(fn $name(self) -> Self { Value::$name(&self) })*
    };
}

dual_number!(f32);
dual_number!(f64);
