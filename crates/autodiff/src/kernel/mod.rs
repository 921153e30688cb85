//! Loops over contiguous elements, compiled for several instruction sets and chosen at run time.
//!
//! One generic source: a loop is an `#[inline(always)]` function over a [`Machine`], which says whether a fused
//! multiply-add is there, and what a register is. [`Table`] holds, for each element type, the loops as compiled for the
//! best instruction set of this processor. The compiler's vectoriser does the rest, except where a kernel must say what
//! stays in a register: in products, and along short rows.

mod deep;
mod fold;
mod loops;
mod machine;
pub(crate) mod math;
mod narrow;
mod panels;
mod prefetch;
mod register;
mod scratch;
mod stack;
mod steps;
mod table;
mod tall;
mod turn;
mod vector;

pub(crate) use deep::Deep;
pub(crate) use fold::{Fold, neutral};
pub(crate) use loops::Ternary;
pub(crate) use narrow::Narrow;
pub(crate) use prefetch::prefetch_all;
pub(crate) use scratch::Scratch;
pub(crate) use stack::Stack;
pub(crate) use steps::{ADDRESSES, Cheap, Steps};
#[allow(unreachable_pub, reason = "named by a hidden method of the public trait `Element`")]
pub use table::Table;
pub(crate) use tall::Tall;

/// An element type with loops.
pub(crate) trait HasTable: Sized + 'static {
    /// The loops for this processor.
    fn table() -> &'static Table<Self>;
}

/// Calls a function for every machine that this processor is, or can play.
#[cfg(test)]
macro_rules! on_every_machine {
    ($f:ident) => {{
        use $crate::kernel::machine::{Baseline, Neon};
        $f::<Baseline>();
        $f::<Neon>();
        #[cfg(target_arch = "x86_64")]
        {
            use $crate::kernel::machine::{Avx2, Avx512};
            let level = $crate::kernel::table::level();
            if level >= 1 {
                $f::<Avx2>();
            } else {
                eprintln!("skipped: no AVX2 here");
            }
            if level >= 2 {
                $f::<Avx512>();
            } else {
                eprintln!("skipped: no AVX-512 here");
            }
        }
    }};
}

/// Small numbers, whose sums of products are exact.
#[cfg(test)]
fn small_numbers<E: math::Math>(n: usize, seed: usize) -> Vec<E> {
    (0..n).map(|i| E::from_f64(((i * 7 + seed * 3) % 13) as f64 - 6.0)).collect()
}

#[cfg(test)]
use on_every_machine;
