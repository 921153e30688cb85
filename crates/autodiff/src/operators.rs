//! `+ − · /` between carriers, references and literals, both ways round.

use crate::abstract_value::Abstract;
use crate::batched::Batched;
use crate::debug::Traced;
use crate::derivative::Nested;
use crate::dual::Dual;
use crate::dual_n::DualN;
use crate::op::Unary;
use crate::scalar::Element;
use crate::tensor::Tensor;
use crate::value::Value;
use crate::var::Var;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// Literals are `f64` and rounded to the carrier's element type when they meet it. (A second literal type would leave
/// the compiler guessing what `x * x + 1.0` is.)
macro_rules! operators {
    ([$($generics:tt)*] $type:ty) => {
        operators!(@binary [$($generics)*] $type, Add add AddAssign add_assign plus);
        operators!(@binary [$($generics)*] $type, Sub sub SubAssign sub_assign minus);
        operators!(@binary [$($generics)*] $type, Mul mul MulAssign mul_assign times);
        operators!(@binary [$($generics)*] $type, Div div DivAssign div_assign over);
        operators!(@literal [$($generics)*] $type);

        impl<$($generics)*> Neg for $type {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn neg(self) -> $type { <$type>::unary(|| Unary::Neg, &self) }
        }
        impl<$($generics)*> Neg for &$type {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn neg(self) -> $type { <$type>::unary(|| Unary::Neg, self) }
        }
        impl<$($generics)*> std::iter::Sum for $type {
            /// # Panics
            /// Without a single term, if the carrier needs a context to make a zero.
            #[track_caller]
            fn sum<I: Iterator<Item = $type>>(terms: I) -> $type {
                let sum = terms.reduce(|a, b| a.plus(&b));
                sum.or_else(|| <$type>::literal(0.0)).expect("sum of no variables: there is no tape to put a zero on")
            }
        }
    };
    (@binary [$($generics:tt)*] $type:ty, $trait:ident $method:ident $assign:ident $assign_method:ident $sugar:ident) => {
        impl<$($generics)*> $trait<$type> for $type {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn $method(self, other: $type) -> $type { self.$sugar(&other) }
        }
        impl<$($generics)*> $trait<&$type> for $type {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn $method(self, other: &$type) -> $type { self.$sugar(other) }
        }
        impl<$($generics)*> $trait<$type> for &$type {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn $method(self, other: $type) -> $type { self.$sugar(&other) }
        }
        impl<$($generics)*> $trait<&$type> for &$type {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn $method(self, other: &$type) -> $type { self.$sugar(other) }
        }
        impl<$($generics)*> $assign<$type> for $type {
            #[inline(always)]
            #[track_caller]
            fn $assign_method(&mut self, other: $type) { *self = self.$sugar(&other); }
        }
        impl<$($generics)*> $assign<&$type> for $type {
            #[inline(always)]
            #[track_caller]
            fn $assign_method(&mut self, other: &$type) { *self = self.$sugar(other); }
        }
    };
    (@literal [$($generics:tt)*] $type:ty) => {
        operators!(@right [$($generics)*] $type, Add add |x, c| x.shift(c));
        operators!(@right [$($generics)*] $type, Sub sub |x, c| x.shift(-c));
        operators!(@right [$($generics)*] $type, Mul mul |x, c| x.scale(c));
        operators!(@right [$($generics)*] $type, Div div |x, c| x.div_by(c));
        operators!(@left [$($generics)*] $type, Add add |x, c| x.shift(c));
        operators!(@left [$($generics)*] $type, Sub sub |x, c| x.sub_from(c));
        operators!(@left [$($generics)*] $type, Mul mul |x, c| x.scale(c));
        operators!(@left [$($generics)*] $type, Div div |x, c| x.div_into(c));
    };
    (@right [$($generics:tt)*] $type:ty, $trait:ident $method:ident |$x:ident, $c:ident| $body:expr) => {
        impl<$($generics)*> $trait<f64> for $type {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn $method(self, c: f64) -> $type { let ($x, $c) = (&self, c); $body }
        }
        impl<$($generics)*> $trait<f64> for &$type {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn $method(self, c: f64) -> $type { let ($x, $c) = (self, c); $body }
        }
    };
    (@left [$($generics:tt)*] $type:ty, $trait:ident $method:ident |$x:ident, $c:ident| $body:expr) => {
        impl<$($generics)*> $trait<$type> for f64 {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn $method(self, x: $type) -> $type { let ($x, $c) = (&x, self); $body }
        }
        impl<$($generics)*> $trait<&$type> for f64 {
            type Output = $type;
            #[inline(always)]
            #[track_caller]
            fn $method(self, x: &$type) -> $type { let ($x, $c) = (x, self); $body }
        }
    };
}

operators!([E: Element] Tensor<E>);
operators!([V: Value] Dual<V>);
operators!([V: Value, const N: usize] DualN<V, N>);
operators!(['t, V: Value] Var<'t, V>);
operators!([V: Value] Batched<V>);
operators!([] Abstract);
operators!(['l, V: Value] Nested<'l, V>);
operators!([V: Value] Traced<V>);

/// An array that is not differentiated, beside a carrier that is: it is lifted into the carrier's context.
macro_rules! with_tensor {
    ([$($generics:tt)*] $type:ty) => {
        with_tensor!(@one [$($generics)*] $type, Add add plus);
        with_tensor!(@one [$($generics)*] $type, Sub sub minus);
        with_tensor!(@one [$($generics)*] $type, Mul mul times);
        with_tensor!(@one [$($generics)*] $type, Div div over);
    };
    (@one [$($generics:tt)*] $type:ty, $trait:ident $method:ident $sugar:ident) => {
        impl<$($generics)*, E: Element> $trait<$type> for &Tensor<E> {
            type Output = $type;
            #[track_caller]
            fn $method(self, x: $type) -> $type { x.constant(self).$sugar(&x) }
        }
        impl<$($generics)*, E: Element> $trait<&Tensor<E>> for $type {
            type Output = $type;
            #[track_caller]
            fn $method(self, constant: &Tensor<E>) -> $type { self.$sugar(&self.constant(constant)) }
        }
    };
}

with_tensor!(['t, V: Value] Var<'t, V>);
with_tensor!([V: Value] Dual<V>);
with_tensor!([V: Value, const N: usize] DualN<V, N>);
with_tensor!([V: Value] Batched<V>);
with_tensor!(['l, V: Value] Nested<'l, V>);
with_tensor!([V: Value] Traced<V>);
