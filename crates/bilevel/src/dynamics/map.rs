//! A user's own update rule.

use super::{Dynamics, Hyper, Step};
use crate::problem::Symbol;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type MapFn = dyn for<'t> Fn(&Step<'_, 't>) -> Vec<Symbol<'t>> + Send + Sync;

/// An update rule from a closure: the next v, then the next state. It need not use the gradient, so any map of which v
/// is a fixed point will do.
///
/// ```
/// use autodiff::Tensor;
/// use bilevel::{Map, Problem, Reverse};
/// // Gradient descent with decay.
/// let rule = Map::new(|step| {
///     step.point.iter().zip(step.gradient).map(|(v, g)| *v * 0.99 - *g * 0.1).collect()
/// });
/// let problem = Problem::new(|_, v| v[0], |u, v| v[0] * u[0]);
/// let h = problem.hypergradient(&[Tensor::scalar(2.0)], &[Tensor::scalar(0.0)], &Reverse::new(rule, 2))?;
/// assert!((h.gradient[0].item() + 0.199_f64).abs() < 1e-12);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone)]
pub struct Map {
    hyper: Vec<Hyper>,
    slots: usize,
    map: Arc<MapFn>,
    /// Tells closures apart: what is recorded for one does not serve another.
    id: usize,
}

impl Map {
    /// A rule without state or hyperparameters of its own.
    pub fn new<F>(map: F) -> Self
    where
        F: for<'t> Fn(&Step<'_, 't>) -> Vec<Symbol<'t>> + Send + Sync + 'static,
    {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self { hyper: Vec::new(), slots: 0, map: Arc::new(map), id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// With hyperparameters, which the closure finds in [`Step::hyper`].
    #[must_use]
    pub fn hyper(self, hyper: impl IntoIterator<Item = impl Into<Hyper>>) -> Self {
        Self { hyper: hyper.into_iter().map(Into::into).collect(), ..self }
    }

    /// With so many tensors of state for each tensor of v.
    #[must_use]
    pub fn slots(self, slots: usize) -> Self {
        Self { slots, ..self }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("hyper", &self.hyper).field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl Dynamics for Map {
    fn hyper(&self) -> Vec<Hyper> {
        self.hyper.clone()
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn structure(&self) -> String {
        super::structure(&format!("map {} {}", self.id, self.slots), &self.hyper)
    }

    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        (self.map)(step)
    }
}
