//! `f32` and `f64`: plain evaluation of the pointwise ops.

use crate::op::{Binary, Op, Unary};
use crate::shape::Shape;
use crate::slot::Plain;
use crate::tensor::{Constant, Tensor};
use crate::value::Value;
use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::AddAssign;

/// A plain floating-point number: `f32` or `f64`.
pub trait Element:
    Value + Copy + Default + PartialOrd + AddAssign + Sum + Debug + Display + Send + Sync + 'static
{
    /// The name in printed programs and errors.
    const NAME: &'static str;
    /// The distance from 1 to the next number.
    const EPSILON: Self;
    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// The number as `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Wraps an array of this type as a constant.
    #[doc(hidden)]
    fn into_constant(tensor: Tensor<Self>) -> Constant;
    /// A constant as an array of this type.
    #[doc(hidden)]
    fn from_constant(constant: &Constant) -> Tensor<Self>;
    /// The loops over contiguous elements for this processor.
    #[doc(hidden)]
    fn kernels() -> &'static crate::kernel::Table<Self>;
    /// `C = A·B` or `C = S + c·A·B` with strides; the one entrance to the GEMM kernels.
    #[doc(hidden)]
    fn gemm(product: crate::tensor::Product<'_, Self>, out: &mut [Self]);
}

/// The operations that the scalars and the array kernels share, for one type.
macro_rules! scalar {
    ($type:ident, $name:literal, $erf:path, $constant:ident, $other:ident) => {
        impl Element for $type {
            const NAME: &'static str = $name;
            const EPSILON: Self = $type::EPSILON;
            #[inline]
            fn from_f64(x: f64) -> Self {
                x as $type
            }
            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn into_constant(tensor: Tensor<Self>) -> Constant {
                Constant::$constant(tensor)
            }
            fn from_constant(constant: &Constant) -> Tensor<Self> {
                match constant {
                    Constant::$constant(same) => same.clone(),
                    Constant::$other(other) => other.convert(|x| x as $type),
                }
            }
            fn kernels() -> &'static crate::kernel::Table<Self> {
                <Self as crate::kernel::HasTable>::table()
            }
            fn gemm(product: crate::tensor::Product<'_, Self>, out: &mut [Self]) {
                crate::tensor::gemm(product, out);
            }
        }

        impl Value for $type {
            const SCALAR: bool = true;
            type Inline = Self;
            type Slot<W: Value> = Plain<W>;

            #[inline]
            fn to_inline(&self) -> Self {
                *self
            }
            #[inline]
            fn from_inline(inline: Self) -> Option<Self> {
                Some(inline)
            }
            #[inline]
            fn times_tangent(p: &Self, t: &Self) -> Self {
                if *t == 0.0 { 0.0 } else { p * t }
            }
            #[inline]
            fn times_finite(p: &Self, t: &Self) -> Self {
                p * t
            }

            #[track_caller]
            fn apply(op: &Op, args: &[&Self]) -> Self {
                match (op, args) {
                    (Op::Unary(op), [x]) => Self::unary(|| *op, x),
                    (Op::Binary(op), [a, b]) => Self::binary(|| *op, a, b),
                    (Op::Select, [mask, a, b]) => {
                        if **mask != 0.0 {
                            **a
                        } else {
                            **b
                        }
                    }
                    _ => apply_rank_0(op, args),
                }
            }

            #[inline]
            fn shape(&self) -> Shape {
                Shape::new()
            }

            #[track_caller]
            fn lift(&self, constant: &Constant) -> Self {
                let tensor = Self::from_constant(constant);
                assert!(
                    tensor.shape().is_empty(),
                    "{}: a constant of shape {:?} does not fit a scalar; use `Tensor<{}>`",
                    $name,
                    tensor.shape(),
                    $name
                );
                tensor.data()[0]
            }

            #[inline]
            fn literal(c: f64) -> Option<Self> {
                Some(c as $type)
            }

            #[inline]
            fn is_finite(&self) -> bool {
                $type::is_finite(*self)
            }

            fn is_ordinary(&self) -> bool {
                $type::is_finite(*self) && *self != 0.0
            }

            #[inline]
            fn unary(op: impl Fn() -> Unary + Copy, x: &Self) -> Self {
                let x = *x;
                match op() {
                    Unary::Neg => -x,
                    Unary::Recip => x.recip(),
                    Unary::Abs => x.abs(),
                    Unary::Sign => {
                        if x > 0.0 {
                            1.0
                        } else if x < 0.0 {
                            -1.0
                        } else {
                            x
                        }
                    }
                    Unary::Sqrt => x.sqrt(),
                    Unary::Square => x * x,
                    Unary::Powi(n) => x.powi(n),
                    Unary::Exp => x.exp(),
                    Unary::ExpM1 => x.exp_m1(),
                    Unary::Ln => x.ln(),
                    Unary::Ln1p => x.ln_1p(),
                    Unary::Sin => x.sin(),
                    Unary::Cos => x.cos(),
                    Unary::Tan => x.tan(),
                    Unary::Asin => x.asin(),
                    Unary::Acos => x.acos(),
                    Unary::Atan => x.atan(),
                    Unary::Sinh => x.sinh(),
                    Unary::Cosh => x.cosh(),
                    Unary::Tanh => x.tanh(),
                    Unary::Sigmoid => {
                        let e = (-x.abs()).exp();
                        (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
                    }
                    Unary::Softplus => (-x.abs()).exp().ln_1p() + if x <= 0.0 { 0.0 } else { x },
                    Unary::Relu => {
                        if x <= 0.0 {
                            0.0
                        } else {
                            x
                        }
                    }
                    Unary::Erf => $erf(x),
                    Unary::Floor => x.floor(),
                    Unary::Ceil => x.ceil(),
                    Unary::Round => x.round(),
                    Unary::Add(c) => x + c.0 as $type,
                    Unary::Mul(c) => x * c.0 as $type,
                    Unary::SubFrom(c) => c.0 as $type - x,
                    Unary::DivBy(c) => x / c.0 as $type,
                    Unary::DivInto(c) => c.0 as $type / x,
                    Unary::Powf(c) => x.powf(c.0 as $type),
                    Unary::Max(c) => Self::binary(|| Binary::Max, &x, &(c.0 as $type)),
                    Unary::Min(c) => Self::binary(|| Binary::Min, &x, &(c.0 as $type)),
                    Unary::Test(compare, c) => f32::from(compare.holds(x, c.0 as $type)) as $type,
                    Unary::Fill(c) => c.0 as $type,
                    Unary::StopGradient => x,
                }
            }

            #[inline]
            fn binary(op: impl Fn() -> Binary + Copy, a: &Self, b: &Self) -> Self {
                let (a, b) = (*a, *b);
                match op() {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Pow => a.powf(b),
                    Binary::Atan2 => a.atan2(b),
                    Binary::Hypot => a.hypot(b),
                    Binary::Max => {
                        if a > b || a.is_nan() {
                            a
                        } else {
                            b
                        }
                    }
                    Binary::Min => {
                        if a < b || a.is_nan() {
                            a
                        } else {
                            b
                        }
                    }
                    Binary::Compare(compare) => f32::from(compare.holds(a, b)) as $type,
                }
            }
        }
    };
}

scalar!(f64, "f64", libm::erf, F64, F32);
scalar!(f32, "f32", libm::erff, F32, F64);

/// A structural op on scalars: most are the identity at rank 0, and the others do not fit.
#[track_caller]
fn apply_rank_0<E: Element>(op: &Op, args: &[&E]) -> E {
    let tensors: Vec<Tensor<E>> = args.iter().map(|&&x| Tensor::scalar(x)).collect();
    let out = Tensor::apply(op, &tensors.iter().collect::<Vec<_>>());
    assert!(
        out.shape().is_empty(),
        "{op}: the result has shape {:?}, which a scalar cannot hold; use `Tensor<{}>`",
        out.shape(),
        E::NAME
    );
    out.data()[0]
}
