//! Products of a long and a narrow matrix, and tiny products: `C += A·B` where `B` has few columns, or stands by columns
//! and is small.
//!
//! A library's GEMM packs `A` into panels first, which costs as much as a product with a dozen columns. Here a tile of
//! `C` stays in registers, and `A` is read as it stands, each element once or twice. What lies along the lanes is the
//! difference between the three kernels.

mod broadcast;
mod columns;
mod dots;

pub(super) use dots::{pack, packed_len};

use super::machine::Machine;
use super::math::Math;
use super::register::Register;
use std::ops::Range;

/// `C = A·B` or `C += A·B`; `C` has contiguous rows, `B` rows or columns.
#[derive(Clone, Copy)]
pub(crate) struct Narrow<'a, E> {
    /// Rows of `A` and `C`.
    pub(crate) m: usize,
    /// Columns of `A`, rows of `B`.
    pub(crate) k: usize,
    /// Columns of `B` and `C`.
    pub(crate) n: usize,
    pub(crate) a: &'a [E],
    /// Strides of `A` from row to row and from column to column.
    pub(crate) a_strides: [usize; 2],
    pub(crate) b: &'a [E],
    /// Strides of `B` from row to row and from column to column; for [`multiply`] one of them is 1, unless `B` has one
    /// column.
    pub(crate) b_strides: [usize; 2],
    /// Whether to add to `C`.
    pub(crate) add: bool,
}

/// Columns of `B` for which the registers hold sums of two rows.
#[inline(always)]
const fn most_columns<M: Machine>() -> usize {
    if M::REGISTERS == 32 { 12 } else { 6 }
}

/// Columns in groups as equal as can be, as [`dots`] and [`columns`] cut them.
#[inline(always)]
fn groups<M: Machine>(n: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let width = n.div_ceil(n.div_ceil(most_columns::<M>()).max(1)).max(1);
    (0..n).step_by(width).map(move |at| at..(at + width).min(n))
}

/// Runs a kernel with the width of a group as a constant.
macro_rules! by_width {
    ($machine:ident, $width:expr, $n:ident => $kernel:expr) => {
        by_width!(@ $machine, $width, $n => $kernel; 1 2 3 4 5 6, 7 8 9 10 11 12)
    };
    (@ $machine:ident, $width:expr, $n:ident => $kernel:expr; $($few:literal)*, $($many:literal)*) => {
        match $width {
            $($few => {
                const $n: usize = $few;
                $kernel
            })*
            // Groups are only so wide where there are 32 registers.
            $($many if $machine::REGISTERS == 32 => {
                const $n: usize = $many;
                $kernel
            })*
            _ => unreachable!("groups are no wider"),
        }
    };
}
use by_width;

/// A kernel for factors that are not empty, and what is left where one is.
macro_rules! entrance {
    ($(#[$doc:meta])* $name:ident($($more:ident: $type:ty),*) = $kernel:path) => {
        $(#[$doc])*
        #[inline(always)]
        pub(super) fn $name<E: Math, M: Machine>(p: &Narrow<'_, E>, $($more: $type,)* out: &mut [E]) {
            if p.m * p.n * p.k > 0 {
                $kernel(p, $($more,)* out);
            } else if !p.add {
                out.fill(E::from_f64(0.0));
            }
        }
    };
}

entrance! {
    /// The product, with lanes along the rows of `B`; `out` is `C`.
    multiply() = broadcast::multiply::<E, M>
}
entrance! {
    /// The product, with lanes along the inner axis; `A` stands by rows, `out` is `C`.
    multiply_packing() = dots::multiply_packing::<E, M>
}
entrance! {
    /// The product of a right factor that was [copied](pack); `A` stands by rows, `out` is `C`.
    multiply_packed(packed: &[E]) = dots::multiply::<E, M>
}
entrance! {
    /// The product, with lanes along the columns of `A`, which stands by columns; `out` is `C`.
    multiply_columns() = columns::multiply::<E, M, false>
}
entrance! {
    /// The same; `out` is `Cᵀ`.
    multiply_transposed() = columns::multiply::<E, M, true>
}

/// Whether lanes along the inner axis suit a product with such strides of `A`: where rows of `B` would leave lanes empty,
/// and dots are long enough to make up for their sums.
#[inline(always)]
pub(super) fn suits_dots<E: Math, M: Machine>(a_strides: [usize; 2], (m, k, n): (usize, usize, usize)) -> bool {
    let lanes = E::Register::<M>::LANES;
    let empty = n <= most_columns::<M>() || (4 * n < 3 * n.next_multiple_of(lanes) && n <= 2 * lanes);
    M::REGISTERS >= 16 && a_strides[1] == 1 && m >= 16 && k >= 8 * lanes && n > 1 && empty
}

/// Whether lanes along the columns of `A` suit a product: where they stand as rows.
#[inline(always)]
pub(super) fn suits_columns<E: Math, M: Machine>(a_strides: [usize; 2], (m, k, n): (usize, usize, usize)) -> bool {
    let lanes = E::Register::<M>::LANES;
    M::REGISTERS >= 16 && a_strides[0] == 1 && a_strides[1] != 1 && m >= lanes && k >= 16 && n > 1
}

#[cfg(test)]
mod tests;
