//! Reading and adding by indices.

use crate::scalar::Element;
use crate::tensor::movement::whole_index;

/// An array `[outer, length, inner]` seen at `count` indices along its middle axis: `[outer, count, inner]`.
#[derive(Clone, Debug)]
pub(in super::super) struct Indexed {
    pub(in super::super) indices: u32,
    pub(in super::super) length: usize,
    pub(in super::super) count: usize,
    pub(in super::super) inner: usize,
}

impl Indexed {
    /// Calls `f` with the pieces of the range `start..start + n` of what is seen, in order, and where each stands in the
    /// array.
    ///
    /// # Panics
    ///
    /// If an index is not a whole number below the length.
    fn pieces<E: Element>(
        &self,
        op: &str,
        indices: &[E],
        (start, n): (usize, usize),
        mut f: impl FnMut(std::ops::Range<usize>, usize),
    ) {
        let (row, mut column, mut at) = (start / self.inner, start % self.inner, 0);
        let (mut outer, mut which) = (row / self.count, row % self.count);
        while self.inner == 1 && at < n {
            let len = (n - at).min(self.count - which);
            for (i, &index) in indices[which..which + len].iter().enumerate() {
                f(at + i..at + i + 1, outer * self.length + whole_index(index, self.length, op));
            }
            (which, outer, at) = (0, outer + 1, at + len);
        }
        while at < n {
            let len = (n - at).min(self.inner - column);
            let index = whole_index(indices[which], self.length, op);
            f(at..at + len, (outer * self.length + index) * self.inner + column);
            (which, column, at) = (which + 1, 0, at + len);
            if which == self.count {
                (which, outer) = (0, outer + 1);
            }
        }
    }
}

/// What is seen, as an argument of a walk.
#[derive(Clone, Debug)]
pub(in super::super) struct Gathered {
    pub(in super::super) source: u32,
    pub(in super::super) place: Indexed,
}

impl Gathered {
    /// Elements `start..` of the result, in order.
    pub(super) fn read<E: Element>(&self, source: &[E], indices: &[E], start: usize, out: &mut [E]) {
        self.place.pieces("gather", indices, (start, out.len()), |piece, from| match &mut out[piece] {
            [element] => *element = source[from],
            piece => piece.copy_from_slice(&source[from..from + piece.len()]),
        });
    }
}

/// A register's elements, added to where they are seen.
#[derive(Clone, Debug)]
pub(in super::super) struct Scattered {
    pub(in super::super) from: u32,
    pub(in super::super) out: u32,
    /// Elements of the result.
    pub(in super::super) len: usize,
    pub(in super::super) place: Indexed,
}

impl Scattered {
    /// Adds elements `start..` of the updates.
    pub(super) fn add<E: Element>(&self, updates: &[E], indices: &[E], start: usize, out: &mut [E]) {
        self.place.pieces("scatter_add", indices, (start, updates.len()), |piece, at| {
            out[at..at + piece.len()].iter_mut().zip(&updates[piece]).for_each(|(sum, &x)| *sum += x);
        });
    }
}
