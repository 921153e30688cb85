//! Dense row-major arrays of `f32` or `f64`: a shape and a shared, copy-on-write buffer.

mod apply;
mod constant;
mod convert;
mod display;
mod gemm;
mod index;
pub(crate) mod linalg;
pub(crate) mod movement;
mod pointwise;
pub(crate) mod reduce;

pub use constant::Constant;
#[allow(unreachable_pub, reason = "named by a hidden method of the public trait `Element`")]
pub use gemm::Product;
pub(crate) use gemm::{gemm, pieces, rows_of};

use crate::error::{Error, Result};
use crate::scalar::Element;
use crate::shape::{Shape, size};
use std::sync::Arc;

/// A dense array: row-major elements in a shared buffer, and a shape. Rank 0 is a scalar.
///
/// Cloning and taking leading rows ([`rows`](Tensor::rows)) share the buffer; writing
/// ([`data_mut`](Tensor::data_mut)) copies it first if it is shared. Memory: one allocation of `size` elements, and
/// the shape in line up to rank 4.
///
/// ```
/// use autodiff::{Tensor, Value};
/// let x = Tensor::from_rows([[1.0, 2.0], [3.0, 4.0]]);
/// let y = &x * 2.0 + x.sum(&[0]);           // broadcasts like NumPy
/// assert_eq!(y.data(), [6.0, 10.0, 10.0, 14.0]);
/// assert_eq!(x.matmul(&x).data(), [7.0, 10.0, 15.0, 22.0]);
/// ```
#[derive(Clone)]
pub struct Tensor<E> {
    shape: Shape,
    data: Arc<Vec<E>>,
    /// The first element; a slice of leading rows starts inside the buffer.
    offset: usize,
}

impl<E: Element> Tensor<E> {
    /// An array from its elements in row-major order.
    ///
    /// # Errors
    /// [`Error::Length`] if the number of elements is not that of the shape.
    pub fn new(shape: &[usize], data: Vec<E>) -> Result<Self> {
        let size = shape.iter().try_fold(1_usize, |size, &n| size.checked_mul(n));
        if size != Some(data.len()) {
            return Err(Error::Length { shape: Shape::from_slice(shape), len: data.len() });
        }
        Ok(Self::from_parts(Shape::from_slice(shape), data))
    }

    /// An array whose length was checked already.
    pub(crate) fn from_parts(shape: Shape, data: Vec<E>) -> Self {
        debug_assert_eq!(size(&shape), data.len());
        Self { shape, data: Arc::new(data), offset: 0 }
    }

    /// A scalar: rank 0.
    pub fn scalar(x: E) -> Self {
        Self::from_parts(Shape::new(), vec![x])
    }

    /// The same number everywhere.
    pub fn full(shape: &[usize], x: E) -> Self {
        Self::from_parts(Shape::from_slice(shape), vec![x; size(shape)])
    }

    /// Zeros.
    pub fn zeros(shape: &[usize]) -> Self {
        Self::full(shape, E::from_f64(0.0))
    }

    /// Ones.
    pub fn ones(shape: &[usize]) -> Self {
        Self::full(shape, E::from_f64(1.0))
    }

    /// The identity matrix.
    pub fn eye(n: usize) -> Self {
        Self::from_fn(&[n, n], |i| E::from_f64(if i[0] == i[1] { 1.0 } else { 0.0 }))
    }

    /// `0, 1, …, n − 1`.
    pub fn arange(n: usize) -> Self {
        Self::from_fn(&[n], |i| E::from_f64(i[0] as f64))
    }

    /// Each element from its index.
    pub fn from_fn(shape: &[usize], mut f: impl FnMut(&[usize]) -> E) -> Self {
        let mut index: Shape = smallvec::SmallVec::from_elem(0, shape.len());
        let mut data = Vec::with_capacity(size(shape));
        for _ in 0..size(shape) {
            data.push(f(&index));
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Self::from_parts(Shape::from_slice(shape), data)
    }

    /// The shape.
    pub fn dims(&self) -> &[usize] {
        &self.shape
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        size(&self.shape)
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &[E] {
        &self.data[self.offset..self.offset + self.len()]
    }

    /// The elements, to write to; copies them first if the buffer is shared.
    pub fn data_mut(&mut self) -> &mut [E] {
        let len = self.len();
        if Arc::get_mut(&mut self.data).is_none() {
            self.data = Arc::new(self.data().to_vec());
            self.offset = 0;
        }
        let offset = self.offset;
        let buffer = Arc::get_mut(&mut self.data).expect("the buffer was made unique just above");
        &mut buffer[offset..offset + len]
    }

    /// The only element.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[track_caller]
    pub fn item(&self) -> E {
        let [x] = *self.data() else { panic!("item: one element is needed, the shape is {:?}", self.shape) };
        x
    }

    /// The same elements in another shape, sharing the buffer.
    ///
    /// # Errors
    /// [`Error::Length`] if the number of elements differs.
    pub fn with_shape(&self, shape: &[usize]) -> Result<Self> {
        if size(shape) != self.len() {
            return Err(Error::Length { shape: Shape::from_slice(shape), len: self.len() });
        }
        Ok(Self { shape: Shape::from_slice(shape), data: Arc::clone(&self.data), offset: self.offset })
    }

    /// A function of each element.
    #[must_use]
    pub fn map(&self, f: impl FnMut(E) -> E) -> Self {
        Self::from_parts(self.shape.clone(), self.data().iter().copied().map(f).collect())
    }

    /// A function of each element, to another element type.
    #[must_use]
    pub fn convert<F: Element>(&self, f: impl FnMut(E) -> F) -> Tensor<F> {
        Tensor::from_parts(self.shape.clone(), self.data().iter().copied().map(f).collect())
    }

    /// The same numbers in another element type, rounded to nearest.
    #[must_use]
    pub fn cast<F: Element>(&self) -> Tensor<F> {
        self.convert(|x| F::from_f64(x.to_f64()))
    }
}
