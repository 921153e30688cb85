//! Looking at elements and rows.

use super::Tensor;
use crate::scalar::Element;
use crate::shape::{Shape, size};
use std::ops::{Bound, Index, IndexMut, RangeBounds};
use std::sync::Arc;

impl<E: Element> Tensor<E> {
    #[track_caller]
    fn position(&self, index: &[usize]) -> usize {
        assert!(
            index.len() == self.rank() && index.iter().zip(self.dims()).all(|(i, n)| i < n),
            "index {index:?} is not inside shape {:?}",
            self.dims()
        );
        index.iter().zip(self.dims()).fold(0, |position, (i, n)| position * n + i)
    }

    /// The element at an index, if it is inside.
    pub fn get(&self, index: &[usize]) -> Option<E> {
        let inside = index.len() == self.rank() && index.iter().zip(self.dims()).all(|(i, n)| i < n);
        inside.then(|| self.data()[self.position(index)])
    }

    /// A range of the first axis, sharing the buffer: no element is copied.
    ///
    /// # Panics
    /// If the rank is 0 or the range leaves the axis.
    #[track_caller]
    #[must_use]
    pub fn rows(&self, range: impl RangeBounds<usize>) -> Self {
        assert!(self.rank() > 0, "rows: a scalar has no rows");
        let n = self.dims()[0];
        let start = match range.start_bound() {
            Bound::Included(&i) => i,
            Bound::Excluded(&i) => i + 1,
            Bound::Unbounded => 0,
        };
        let stop = match range.end_bound() {
            Bound::Included(&i) => i + 1,
            Bound::Excluded(&i) => i,
            Bound::Unbounded => n,
        };
        assert!(start <= stop && stop <= n, "rows: {start}..{stop} is not inside an axis of length {n}");
        let mut shape = self.shape.clone();
        shape[0] = stop - start;
        Self { shape, data: Arc::clone(&self.data), offset: self.offset + start * size(&self.dims()[1..]) }
    }

    /// Element `i` of the first axis, sharing the buffer.
    ///
    /// # Panics
    /// If the rank is 0 or there is no such row.
    #[track_caller]
    #[must_use]
    pub fn row(&self, i: usize) -> Self {
        let mut row = self.rows(i..=i);
        row.shape = Shape::from_slice(&row.shape[1..]);
        row
    }

    /// The rows with the given numbers, copied one behind the other.
    ///
    /// # Panics
    /// If the rank is 0 or a row does not exist.
    #[track_caller]
    #[must_use]
    pub fn take_rows(&self, rows: &[usize]) -> Self {
        assert!(self.rank() > 0, "take_rows: a scalar has no rows");
        let (n, width) = (self.dims()[0], size(&self.dims()[1..]));
        let mut data = Vec::with_capacity(rows.len() * width);
        for &row in rows {
            assert!(row < n, "take_rows: row {row} does not exist, there are {n}");
            data.extend_from_slice(&self.data()[row * width..(row + 1) * width]);
        }
        let mut shape = self.shape.clone();
        shape[0] = rows.len();
        Self::from_parts(shape, data)
    }
}

/// `x[[i, j]]`, one index for each axis; panics outside the shape.
impl<E: Element, const N: usize> Index<[usize; N]> for Tensor<E> {
    type Output = E;

    #[track_caller]
    fn index(&self, index: [usize; N]) -> &E {
        let position = self.position(&index);
        &self.data()[position]
    }
}

impl<E: Element, const N: usize> IndexMut<[usize; N]> for Tensor<E> {
    #[track_caller]
    fn index_mut(&mut self, index: [usize; N]) -> &mut E {
        let position = self.position(&index);
        &mut self.data_mut()[position]
    }
}
