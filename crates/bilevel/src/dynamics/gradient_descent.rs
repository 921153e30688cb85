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

    fn check(&self, tensors: usize) -> crate::Result<()> {
        let rates = self.rates.len();
        if rates == 1 || rates == tensors {
            return Ok(());
        }
        crate::error::configuration("rates", format!("{rates} of them for {tensors} tensors: one, or one for each"))
    }

    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        let rates = step.hyper;
        let moved = step.point.iter().zip(step.gradient).enumerate();
        moved.map(|(i, (v, g))| *v - *g * rates[i.min(rates.len() - 1)]).collect()
    }
}
