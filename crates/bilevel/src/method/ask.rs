//! What every method is asked, and what it answers.

use super::Memory;
use crate::data::Data;
use crate::dynamics::Dynamics;
use crate::error::Result;
use crate::problem::Problem;
use crate::report::Report;
use crate::session::Session;
use autodiff::{Element, Tensor};

/// Where a hypergradient is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a, E: Element> {
    /// The problem.
    pub problem: &'a Problem,
    /// The upper variables.
    pub u: &'a [Tensor<E>],
    /// Where the inner problem starts; empty if the problem has a [`start`](Problem::start).
    pub v0: &'a [Tensor<E>],
    /// The data of both objectives.
    pub data: Data<'a, E>,
}

impl<'a, E: Element> Ask<'a, E> {
    pub(crate) fn session(&self, dynamics: Option<&'a dyn Dynamics>) -> Result<Session<'a, E>> {
        Session::new(self.problem, self.u, self.v0, self.data, dynamics)
    }
}

/// A way to take a hypergradient.
pub trait Method<E: Element>: std::fmt::Debug {
    /// A short name with its settings, for tables.
    fn name(&self) -> String;

    /// Whether it counts its calls, and takes its batches by them; else an outer loop moves on to the next batches itself.
    fn counts_calls(&self) -> bool {
        false
    }

    /// The hypergradient. What the method wants to know again at the next outer step, it keeps in its memory.
    ///
    /// # Errors
    /// Whatever keeps the result from being right.
    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>>;
}

impl<E: Element, M: Method<E> + ?Sized> Method<E> for Box<M> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn counts_calls(&self) -> bool {
        (**self).counts_calls()
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        (**self).hypergradient(ask, memory)
    }
}

/// A hypergradient, and where it was taken.
#[derive(Clone, Debug)]
pub struct Hypergradient<E: Element> {
    /// dF/du, one tensor for each of `u`.
    pub gradient: Vec<Tensor<E>>,
    /// The inner solution that it belongs to.
    pub inner_solution: Vec<Tensor<E>>,
    /// The adjoint, for methods that go by one: w of `H·w = f_v` (or of the damped system) for implicit, single-loop and value
    /// function methods, minus the multipliers for penalty methods, which tend to the same. For a fixed point it is that of
    /// `(I − A)ᵀ·w = f_v`: `η·H` in place of H where Φ is a gradient step.
    pub adjoint: Option<Vec<Tensor<E>>>,
    /// How good it is and what it cost.
    pub report: Report,
}
