//! Compressed sparse rows.

use crate::scalar::Element;
use crate::tensor::Tensor;
use std::sync::Arc;

/// Where a sparse matrix has entries: row by row, each row's columns in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    columns_count: usize,
    starts: Vec<usize>,
    columns: Vec<u32>,
}

impl Pattern {
    /// A pattern of so many columns from the columns of each row.
    ///
    /// # Panics
    /// If a column does not exist.
    #[track_caller]
    pub fn new<'a>(columns_count: usize, rows: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut pattern = Self { columns_count, starts: vec![0], columns: Vec::new() };
        for row in rows {
            let start = pattern.columns.len();
            pattern.columns.extend_from_slice(row);
            pattern.columns[start..].sort_unstable();
            let last = pattern.columns[start..].last();
            assert!(last.is_none_or(|&c| (c as usize) < columns_count), "pattern: column {last:?} of {columns_count}");
            pattern.starts.push(pattern.columns.len());
        }
        pattern
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns_count
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The columns of a row's entries, in order.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.columns[self.starts[row]..self.starts[row + 1]]
    }

    /// Where each row's entries start among all entries; one more than there are rows.
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// The pattern with each entry's mirror image; for a square one.
    pub(super) fn symmetrized(&self) -> Self {
        let mirrored = self.transpose();
        let rows: Vec<Vec<u32>> = (0..self.rows())
            .map(|i| {
                let mut row = [self.row(i), mirrored.row(i)].concat();
                row.sort_unstable();
                row.dedup();
                row
            })
            .collect();
        Self::new(self.columns_count, rows.iter().map(|row| &row[..]))
    }

    /// The most entries of a row.
    pub(super) fn fullest_row(&self) -> usize {
        (0..self.rows()).map(|i| self.row(i).len()).max().unwrap_or(0)
    }

    /// Rows and columns exchanged.
    #[must_use]
    pub fn transpose(&self) -> Self {
        let mut starts = vec![0; self.columns_count + 1];
        for &column in &self.columns {
            starts[column as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut columns = vec![0; self.columns.len()];
        for row in 0..self.rows() {
            for &column in self.row(row) {
                columns[next[column as usize]] = row as u32;
                next[column as usize] += 1;
            }
        }
        Self { columns_count: self.rows(), starts, columns }
    }
}

/// A sparse matrix in compressed sparse rows.
#[derive(Clone, Debug)]
pub struct Csr<E> {
    pub(super) pattern: Arc<Pattern>,
    pub(super) values: Vec<E>,
}

impl<E: Element> Csr<E> {
    /// Where its entries are.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The entries, row by row.
    pub fn values(&self) -> &[E] {
        &self.values
    }

    /// The columns and values of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, E)> + '_ {
        let start = self.pattern.starts[row];
        self.pattern.row(row).iter().enumerate().map(move |(i, &column)| (column as usize, self.values[start + i]))
    }

    /// The matrix with its zeros.
    ///
    /// Memory: rows × columns.
    pub fn to_dense(&self) -> Tensor<E> {
        let mut dense = Tensor::zeros(&[self.pattern.rows(), self.pattern.columns()]);
        for i in 0..self.pattern.rows() {
            for (j, value) in self.row(i) {
                dense[[i, j]] = value;
            }
        }
        dense
    }

    /// The product with a vector.
    ///
    /// # Panics
    /// If the vector is not as long as there are columns.
    #[track_caller]
    pub fn times(&self, x: &[E]) -> Vec<E> {
        assert!(x.len() == self.pattern.columns(), "csr: {} columns, a vector of {}", self.pattern.columns(), x.len());
        (0..self.pattern.rows()).map(|i| self.row(i).map(|(j, value)| value * x[j]).sum()).collect()
    }
}
