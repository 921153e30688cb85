//! Sparse derivatives: which entries of a Jacobian or Hessian can be other than zero, and only those computed.
//!
//! The pattern is found from the program alone ([`Program::jacobian_pattern`](crate::Program::jacobian_pattern)). A
//! colouring groups columns, or rows, that never meet in an entry, so that one JVP, or VJP, serves a whole group. All groups
//! are evaluated at once, batched, and their entries put where they belong
//! ([`Program::sparse_jacobian`](crate::Program::sparse_jacobian),
//! [`Program::sparse_hessian`](crate::Program::sparse_hessian)).

mod coloring;
mod csr;
mod derivative;
mod detect;

pub use coloring::{color_columns, color_rows, color_star};
pub use csr::{Csr, Pattern};
pub use derivative::{CompiledSparse, SparseDerivative};
