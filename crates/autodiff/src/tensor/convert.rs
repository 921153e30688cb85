//! From and to vectors, slices, rows and scalars; equality and approximate comparison.

use super::Tensor;
use crate::scalar::Element;
use crate::value::Value;
use approx::{AbsDiffEq, RelativeEq};

impl<E: Element> From<Vec<E>> for Tensor<E> {
    fn from(data: Vec<E>) -> Self {
        Self::from_parts([data.len()][..].into(), data)
    }
}

impl<E: Element> From<&[E]> for Tensor<E> {
    fn from(data: &[E]) -> Self {
        Self::from(data.to_vec())
    }
}

impl<E: Element, const N: usize> From<[E; N]> for Tensor<E> {
    fn from(data: [E; N]) -> Self {
        Self::from(data.to_vec())
    }
}

impl<E: Element> From<E> for Tensor<E> {
    fn from(x: E) -> Self {
        Self::scalar(x)
    }
}

impl<E: Element> From<Tensor<E>> for Vec<E> {
    /// The elements in row-major order; moves them if the buffer is not shared.
    fn from(tensor: Tensor<E>) -> Self {
        let (offset, len) = (tensor.offset, tensor.len());
        match std::sync::Arc::try_unwrap(tensor.data) {
            Ok(mut data) => {
                data.truncate(offset + len);
                data.drain(..offset);
                data
            }
            Err(shared) => shared[offset..offset + len].to_vec(),
        }
    }
}

impl<E: Element> Tensor<E> {
    /// A matrix from its rows.
    pub fn from_rows<const N: usize, const M: usize>(rows: [[E; M]; N]) -> Self {
        Self::from_parts([N, M][..].into(), rows.into_iter().flatten().collect())
    }
}

impl<E: Element> AsRef<[E]> for Tensor<E> {
    fn as_ref(&self) -> &[E] {
        self.data()
    }
}

/// Equal shapes and equal elements.
impl<E: Element> PartialEq for Tensor<E> {
    fn eq(&self, other: &Self) -> bool {
        self.dims() == other.dims() && self.data() == other.data()
    }
}

impl<E: Element + AbsDiffEq<Epsilon = E>> AbsDiffEq for Tensor<E> {
    type Epsilon = E;

    fn default_epsilon() -> E {
        E::default_epsilon()
    }

    fn abs_diff_eq(&self, other: &Self, epsilon: E) -> bool {
        self.dims() == other.dims() && self.data().iter().zip(other.data()).all(|(a, b)| a.abs_diff_eq(b, epsilon))
    }
}

impl<E: Element + RelativeEq<Epsilon = E>> RelativeEq for Tensor<E> {
    fn default_max_relative() -> E {
        E::default_max_relative()
    }

    fn relative_eq(&self, other: &Self, epsilon: E, max_relative: E) -> bool {
        self.shape() == other.shape()
            && self.data().iter().zip(other.data()).all(|(a, b)| a.relative_eq(b, epsilon, max_relative))
    }
}
