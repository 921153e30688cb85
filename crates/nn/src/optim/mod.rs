//! Optimisers: a step from gradients, with their own state.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use autodiff::{Element, Tensor};

/// An optimiser of an ordered set of tensors.
pub trait Optimizer<E: Element> {
    /// Moves the parameters by one step with the given learning rate.
    ///
    /// # Panics
    /// If a gradient's shape is not that of its parameter.
    fn step(&mut self, params: &mut [Tensor<E>], gradients: &[Tensor<E>], rate: f64);
}

/// Zeros in the shapes of the parameters, made at the first step.
fn ensure<E: Element>(state: &mut Vec<Tensor<E>>, params: &[Tensor<E>]) {
    if state.is_empty() {
        state.extend(params.iter().map(|p| Tensor::zeros(p.dims())));
    }
    let fits = state.len() == params.len() && state.iter().zip(params).all(|(s, p)| s.dims() == p.dims());
    assert!(fits, "optimizer: its state belongs to other parameters; make a new one");
}

fn check<E: Element>(params: &[Tensor<E>], gradients: &[Tensor<E>]) {
    assert!(params.len() == gradients.len(), "optimizer: {} parameters, {} gradients", params.len(), gradients.len());
    for (i, (p, g)) in params.iter().zip(gradients).enumerate() {
        assert!(p.dims() == g.dims(), "optimizer: parameter {i} has shape {:?}, its gradient {:?}", p.dims(), g.dims());
    }
}
