//! Pointwise kernels: one pass over contiguous elements.

use super::Tensor;
use crate::op::{Binary, Literal, Unary};
use crate::scalar::Element;

#[inline(always)]
fn map<E: Element>(x: &Tensor<E>, f: impl Fn(E) -> E) -> Tensor<E> {
    Tensor::from_parts(x.shape.clone(), x.data().iter().map(|&x| f(x)).collect())
}

#[inline(always)]
fn zip<E: Element>(a: &Tensor<E>, b: &Tensor<E>, f: impl Fn(E, E) -> E) -> Tensor<E> {
    Tensor::from_parts(a.shape.clone(), a.data().iter().zip(b.data()).map(|(&a, &b)| f(a, b)).collect())
}

/// Element by element. The cheap ops get a loop of their own, which the compiler vectorises; for the others the
/// choice of the op inside the loop costs little beside the op.
pub(super) fn unary<E: Element>(op: Unary, x: &Tensor<E>) -> Tensor<E> {
    let zero = E::from_f64(0.0);
    match op {
        Unary::StopGradient => x.clone(),
        Unary::Fill(Literal(c)) => Tensor::full(&x.shape, E::from_f64(c)),
        Unary::Neg => map(x, |x| -x),
        Unary::Square => map(x, |x| x * x),
        Unary::Relu => map(x, |x| if x <= zero { zero } else { x }),
        Unary::Tanh => map(x, |x| E::unary(|| Unary::Tanh, &x)),
        Unary::Exp => map(x, |x| E::unary(|| Unary::Exp, &x)),
        Unary::Sigmoid => map(x, |x| E::unary(|| Unary::Sigmoid, &x)),
        Unary::Sqrt => map(x, |x| E::unary(|| Unary::Sqrt, &x)),
        Unary::Recip => map(x, |x| E::unary(|| Unary::Recip, &x)),
        Unary::Add(Literal(c)) => {
            let c = E::from_f64(c);
            map(x, |x| x + c)
        }
        Unary::Mul(Literal(c)) => {
            let c = E::from_f64(c);
            map(x, |x| x * c)
        }
        Unary::SubFrom(Literal(c)) => {
            let c = E::from_f64(c);
            map(x, |x| c - x)
        }
        Unary::DivBy(Literal(c)) => {
            let c = E::from_f64(c);
            map(x, |x| x / c)
        }
        Unary::Test(compare, Literal(c)) => {
            let (c, one) = (E::from_f64(c), E::from_f64(1.0));
            map(x, |x| if compare.holds(x, c) { one } else { zero })
        }
        other => map(x, |x| E::unary(|| other, &x)),
    }
}

/// Element by element, shapes equal.
pub(super) fn binary<E: Element>(op: Binary, a: &Tensor<E>, b: &Tensor<E>) -> Tensor<E> {
    match op {
        Binary::Add => zip(a, b, |a, b| a + b),
        Binary::Sub => zip(a, b, |a, b| a - b),
        Binary::Mul => zip(a, b, |a, b| a * b),
        Binary::Div => zip(a, b, |a, b| a / b),
        other => zip(a, b, |a, b| E::binary(|| other, &a, &b)),
    }
}

/// `a` where the mask is not zero, `b` elsewhere.
pub(super) fn select<E: Element>(mask: &Tensor<E>, a: &Tensor<E>, b: &Tensor<E>) -> Tensor<E> {
    let zero = E::from_f64(0.0);
    let pairs = a.data().iter().zip(b.data());
    let data = mask.data().iter().zip(pairs).map(|(&m, (&a, &b))| if m == zero { b } else { a }).collect();
    Tensor::from_parts(a.shape.clone(), data)
}
