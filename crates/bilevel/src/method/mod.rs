//! Hypergradient methods, one per file.

mod reverse;

pub use reverse::Reverse;

use crate::error::Result;
use crate::problem::{Data, Problem};
use crate::report::Report;
use autodiff::{Element, Tensor};

/// A way to take a hypergradient.
pub trait Method {
    /// The hypergradient at `u`, with the inner problem started from `v0`.
    ///
    /// # Errors
    /// Whatever keeps the result from being right.
    fn hypergradient<E: Element>(
        &self,
        problem: &Problem,
        u: &[Tensor<E>],
        v0: &[Tensor<E>],
        data: Data<'_, E>,
    ) -> Result<Hypergradient<E>>;
}

/// A hypergradient, and where it was taken.
#[derive(Clone, Debug)]
pub struct Hypergradient<E: Element> {
    /// dF/du, one tensor for each of `u`.
    pub gradient: Vec<Tensor<E>>,
    /// The inner solution that it belongs to.
    pub inner_solution: Vec<Tensor<E>>,
    /// How good it is and what it cost.
    pub report: Report,
}
