//! Right factors that are copied once, for all rows of a product.

use super::super::memory::{Bases, Near, Shared};
use super::matmul::{MatMul, NearAt, to_be_written};
use super::{for_each_chunk, may_fork};
use crate::kernel::{Narrow, Tall};
use crate::scalar::Element;
use crate::tensor::{pieces, rows_of};

/// What is copied of a right factor, and the elements that it takes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Copied {
    /// Nothing: it is read where it stands.
    Nothing,
    /// Columns, for dots.
    Dots(usize),
    /// Panels as wide as a tile.
    Panels(usize),
}

impl Copied {
    pub(in super::super) fn len(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Dots(len) | Self::Panels(len) => len,
        }
    }
}

/// The most elements that panels take, in blocks that stay near.
const BLOCKS: usize = 4;

impl MatMul {
    /// What is copied where the product is computed by blocks of so many rows.
    pub(in super::super) fn copied_for<E: Element>(&self, block: usize) -> Copied {
        let few = E::kernels().few.as_ref().filter(|few| (few.suits_dots)(self.a.strides, (block, self.k, self.n)));
        match few {
            Some(few) => Copied::Dots((few.packed_len)(self.k, self.n)),
            None if self.is_by_small() => Copied::Nothing,
            None => self.panels::<E>().map_or(Copied::Nothing, Copied::Panels),
        }
    }

    /// Elements of the panels by which the product is computed, if it is.
    pub(in super::super) fn panels<E: Element>(&self) -> Option<usize> {
        let many = E::kernels().many.as_ref()?;
        let len = self.k * self.n.next_multiple_of(many.width);
        let fits = len * size_of::<E>() <= BLOCKS * Tall::<E>::NEAR;
        let suits = Tall::<E>::suits((self.m, self.k), self.a.strides);
        (self.is_single() && self.is_blocked() && suits && fits).then_some(len)
    }

    /// Makes the copy.
    pub(super) fn copy<E: Element>(&self, bases: &Bases<E>, copied: Copied, into: &mut [E]) {
        let b = &bases.read_all(self.b.buffer)[self.b.offset..];
        let (k, n, strides) = (self.k, self.n, self.b.strides);
        let table = E::kernels();
        match (copied, &table.few, &table.many) {
            (Copied::Dots(_), Some(few), _) => (few.pack)(b, strides, (k, n), to_be_written(into)),
            (Copied::Panels(_), _, Some(many)) => {
                let (width, into) = (many.width, Shared::new(into));
                for_each_chunk(self.threads, 0..n.div_ceil(width), &|panel| {
                    let into = to_be_written(into.part(panel * width * k, width * k));
                    let columns = width.min(n - panel * width);
                    (many.pack)(&b[panel * width * strides[1]..], strides, (k, columns), into);
                });
            }
            (Copied::Nothing, ..) => {}
            _ => unreachable!("a copy is made for a kernel that is there"),
        }
    }

    /// The rows `from..to` of the result, by such a copy; for a single product.
    pub(super) fn run_copied<E: Element>(
        &self,
        bases: &Bases<E>,
        near: &Near<'_, E>,
        places: [NearAt; 2],
        (copied, copy): (Copied, &[E]),
        (from, to): (usize, usize),
    ) {
        if let Copied::Nothing = copied {
            return self.run_rows(bases, near, places, (from, to));
        }
        let (a, out) = self.rows(bases, near, places, (from, to));
        let (m, k, n, a_strides) = (to - from, self.k, self.n, self.a.strides);
        let table = E::kernels();
        match (copied, &table.few, &table.many) {
            (Copied::Dots(_), Some(few), _) => {
                (few.dots)(&Narrow { m, k, n, a, a_strides, b: &[], b_strides: [0, 0], add: false }, copy, out);
            }
            (Copied::Panels(_), _, Some(many)) => {
                (many.multiply)(&Tall { m, k, n, a, a_stride: a_strides[0] }, copy, out);
            }
            _ => unreachable!("a copy is made for a kernel that is there"),
        }
    }

    /// The product by panels that are copied to some room.
    pub(super) fn run_by_panels<E: Element>(&self, bases: &Bases<E>, room: &mut [E]) {
        let copied = Copied::Panels(room.len());
        self.copy(bases, copied, room);
        let room = &*room;
        // Pieces change no result.
        let threads = if may_fork(self.threads) { self.threads } else { 1 };
        let least = if size_of_val(room) > Tall::<E>::NEAR { Tall::<E>::FAR_ROWS } else { Tall::<E>::TILE };
        let pieces = pieces(self.m * self.n * self.k, threads).min(self.m / least).max(1);
        for_each_chunk(self.threads, 0..pieces, &|piece| {
            let rows = rows_of(piece, pieces, self.m, Tall::<E>::TILE);
            self.run_copied(bases, &Near::none(), [None; 2], (copied, room), (rows.start, rows.end));
        });
    }
}
