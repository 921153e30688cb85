//! Arrays that a program or a carrier holds without differentiating them, of either element type.

use super::Tensor;
use crate::scalar::Element;
use crate::shape::Shape;
use crate::value::Value;
use std::hash::{Hash, Hasher};

/// A constant array, with the element type it was given in; carriers convert it to their own.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Constant {
    /// Single precision.
    F32(Tensor<f32>),
    /// Double precision.
    F64(Tensor<f64>),
}

impl Constant {
    /// The shape.
    pub fn shape(&self) -> Shape {
        match self {
            Self::F32(tensor) => tensor.shape(),
            Self::F64(tensor) => tensor.shape(),
        }
    }

    /// As an array of one element type, rounded to nearest; shares the buffer if it has that type.
    pub fn to_tensor<E: Element>(&self) -> Tensor<E> {
        E::from_constant(self)
    }

    /// The same constant after an op that only moves elements, or negates them, so that rounding commutes with it.
    pub(crate) fn map_exact(&self, op: &crate::op::Op) -> Self {
        match self {
            Self::F32(tensor) => Self::F32(Tensor::apply(op, &[tensor])),
            Self::F64(tensor) => Self::F64(Tensor::apply(op, &[tensor])),
        }
    }

    /// A hash of the shape and the bits.
    pub(crate) fn bits_hash(&self) -> u64 {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        self.shape().hash(&mut hasher);
        match self {
            Self::F32(tensor) => tensor.data().iter().for_each(|x| x.to_bits().hash(&mut hasher)),
            Self::F64(tensor) => tensor.data().iter().for_each(|x| x.to_bits().hash(&mut hasher)),
        }
        hasher.finish()
    }

    /// Whether two constants hold the same bits in the same element type and shape.
    pub(crate) fn same_bits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => {
                a.dims() == b.dims() && a.data().iter().zip(b.data()).all(|(x, y)| x.to_bits() == y.to_bits())
            }
            (Self::F64(a), Self::F64(b)) => {
                a.dims() == b.dims() && a.data().iter().zip(b.data()).all(|(x, y)| x.to_bits() == y.to_bits())
            }
            _ => false,
        }
    }
}

impl<E: Element> From<Tensor<E>> for Constant {
    fn from(tensor: Tensor<E>) -> Self {
        E::into_constant(tensor)
    }
}

impl<E: Element> From<&Tensor<E>> for Constant {
    fn from(tensor: &Tensor<E>) -> Self {
        E::into_constant(tensor.clone())
    }
}

impl From<f64> for Constant {
    fn from(x: f64) -> Self {
        Self::F64(Tensor::scalar(x))
    }
}

impl From<f32> for Constant {
    fn from(x: f32) -> Self {
        Self::F32(Tensor::scalar(x))
    }
}
