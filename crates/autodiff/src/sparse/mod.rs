//! Sparse derivatives: which entries of a Jacobian or Hessian can be other than zero, and only those computed.
//!
//! [`detect`] finds the pattern from the program alone; [`coloring`] groups columns (or rows) that never meet in an
//! entry, so that one JVP (or VJP) serves a whole group; [`derivative`] evaluates all groups at once, batched, and puts
//! the entries where they belong.

mod coloring;
mod csr;
mod derivative;
mod detect;

pub use coloring::{color_columns, color_rows, color_star};
pub use csr::{Csr, Pattern};
pub use derivative::{CompiledSparse, SparseDerivative};
