//! Ordered sets of tensors as vectors: sums are kept in f64.

use autodiff::{Element, Shape, Tensor, Value};

/// An ordered set of tensors.
pub(crate) type Tensors<E> = Vec<Tensor<E>>;

/// `⟨a, b⟩`
pub(crate) fn dot<E: Element>(a: &[Tensor<E>], b: &[Tensor<E>]) -> f64 {
    let one = |(a, b): (&Tensor<E>, &Tensor<E>)| -> f64 {
        a.data().iter().zip(b.data()).map(|(a, b)| a.to_f64() * b.to_f64()).sum()
    };
    a.iter().zip(b).map(one).sum()
}

/// `‖a‖`
pub(crate) fn norm<E: Element>(a: &[Tensor<E>]) -> f64 {
    dot(a, a).sqrt()
}

/// `y ← y + c·x`
pub(crate) fn axpy<E: Element>(c: f64, x: &[Tensor<E>], y: &mut [Tensor<E>]) {
    let c = E::from_f64(c);
    for (x, y) in x.iter().zip(y) {
        y.data_mut().iter_mut().zip(x.data()).for_each(|(y, &x)| *y += c * x);
    }
}

/// `y ← x + c·y`
pub(crate) fn xpay<E: Element>(x: &[Tensor<E>], c: f64, y: &mut [Tensor<E>]) {
    let c = E::from_f64(c);
    for (x, y) in x.iter().zip(y) {
        y.data_mut().iter_mut().zip(x.data()).for_each(|(y, &x)| *y = x + c * *y);
    }
}

/// `y ← c·y`
pub(crate) fn scale<E: Element>(c: f64, y: &mut [Tensor<E>]) {
    let c = E::from_f64(c);
    y.iter_mut().for_each(|y| y.data_mut().iter_mut().for_each(|y| *y = c * *y));
}

/// `c·x`
pub(crate) fn scaled<E: Element>(c: f64, x: &[Tensor<E>]) -> Vec<Tensor<E>> {
    let c = E::from_f64(c);
    x.iter().map(|x| x.map(|x| c * x)).collect()
}

/// `a − b`
pub(crate) fn difference<E: Element>(a: &[Tensor<E>], b: &[Tensor<E>]) -> Vec<Tensor<E>> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Zeros in the same shapes.
pub(crate) fn zeros<E: Element>(like: &[Tensor<E>]) -> Vec<Tensor<E>> {
    like.iter().map(|x| Tensor::zeros(x.dims())).collect()
}

/// The number of numbers.
pub(crate) fn count<E: Element>(x: &[Tensor<E>]) -> usize {
    x.iter().map(Tensor::len).sum()
}

/// Bytes of the numbers.
pub(crate) fn bytes<E: Element>(x: &[Tensor<E>]) -> usize {
    count(x) * size_of::<E>()
}

pub(crate) fn is_finite<E: Element>(x: &[Tensor<E>]) -> bool {
    x.iter().all(Value::is_finite)
}

pub(crate) fn shapes<E: Element>(x: &[Tensor<E>]) -> Vec<Shape> {
    x.iter().map(Value::shape).collect()
}

/// All numbers, one behind the other.
pub(crate) fn flat<E: Element>(x: &[Tensor<E>]) -> Vec<E> {
    x.iter().flat_map(|x| x.data().iter().copied()).collect()
}

/// Tensors in the shapes of others from numbers that stand one behind the other.
pub(crate) fn unflat<E: Element>(numbers: &[E], like: &[Tensor<E>]) -> Vec<Tensor<E>> {
    let mut rest = numbers.iter().copied();
    // The iterator has as many numbers as the shapes ask for.
    like.iter().map(|x| Tensor::from_fn(x.dims(), |_| rest.next().unwrap_or_default())).collect()
}

/// The unit vector of one coordinate.
pub(crate) fn unit<E: Element>(index: usize, like: &[Tensor<E>]) -> Vec<Tensor<E>> {
    let mut result = zeros(like);
    let mut rest = index;
    for x in &mut result {
        if rest < x.len() {
            x.data_mut()[rest] = E::from_f64(1.0);
            break;
        }
        rest -= x.len();
    }
    result
}
