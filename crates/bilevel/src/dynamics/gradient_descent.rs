//! Plain gradient descent.

use super::{Dynamics, Hyper, Step, structure};
use crate::problem::Symbol;

/// `v − α·∇_v g(u, v)`, with one step size or one for each tensor of v.
#[derive(Clone, Debug)]
pub struct GradientDescent {
    /// The step size α, or one for each tensor of v.
    pub rates: Vec<Hyper>,
}

impl GradientDescent {
    /// One step size for all of v.
    pub fn new(rate: impl Into<Hyper>) -> Self {
        Self { rates: vec![rate.into()] }
    }

    /// A step size for each tensor of v.
    pub fn per_tensor(rates: impl IntoIterator<Item = impl Into<Hyper>>) -> Self {
        Self { rates: rates.into_iter().map(Into::into).collect() }
    }
}

impl Dynamics for GradientDescent {
    fn hyper(&self) -> Vec<Hyper> {
        self.rates.clone()
    }

    fn structure(&self) -> String {
        structure("gradient descent", &self.rates)
    }

    /// # Panics
    /// If there are several step sizes, but not one for each tensor of v.
    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        let (rates, n) = (step.hyper, step.point.len());
        assert!(rates.len() == 1 || rates.len() == n, "gradient descent: {} rates for {n} tensors", rates.len());
        let moved = step.point.iter().zip(step.gradient).enumerate();
        moved.map(|(i, (v, g))| *v - *g * rates[i.min(rates.len() - 1)]).collect()
    }
}
