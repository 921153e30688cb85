//! `ndarray`: arrays to and from [`Tensor`].

use crate::scalar::Element;
use crate::tensor::Tensor;
use ndarray::{ArrayBase, ArrayD, Data, Dimension};

/// Copies an array of any dimension and memory layout.
impl<E: Element, S: Data<Elem = E>, D: Dimension> From<&ArrayBase<S, D>> for Tensor<E> {
    fn from(array: &ArrayBase<S, D>) -> Self {
        Self::from_parts(array.shape().into(), array.iter().copied().collect())
    }
}

/// An array of the same shape; copies the elements only if the buffer is shared.
impl<E: Element> From<Tensor<E>> for ArrayD<E> {
    fn from(tensor: Tensor<E>) -> Self {
        let shape = tensor.dims().to_vec();
        Self::from_shape_vec(shape, tensor.into()).expect("a tensor has as many elements as its shape says")
    }
}
