//! Loops over contiguous elements, compiled for several instruction sets and chosen at run time.
//!
//! One generic source: a loop is an `#[inline(always)]` function over a [`Machine`], which says whether a fused
//! multiply-add is there, and what a register is. [`Table`] holds, for each element type, the loops as compiled for the
//! best instruction set of this processor. The compiler's vectoriser does the rest, except in products of matrices,
//! whose tiles are registers by name.

mod fold;
mod loops;
mod machine;
pub(crate) mod math;
mod narrow;
mod register;
mod table;
mod turn;
mod vector;

pub(crate) use fold::{Fold, neutral};
pub(crate) use loops::Ternary;
pub(crate) use narrow::Narrow;
#[allow(unreachable_pub, reason = "named by a hidden method of the public trait `Element`")]
pub use table::Table;

/// An element type with loops.
pub(crate) trait HasTable: Sized + 'static {
    /// The loops for this processor.
    fn table() -> &'static Table<Self>;
}
