//! Stochastic gradient descent with momentum.

use super::{Optimizer, check, ensure};
use autodiff::{Element, Tensor};

/// `m ← μ·m + g + λ·p`, `p ← p − α·m`, with momentum `μ` and weight decay `λ`. (Heavy ball, in PyTorch's form.)
#[derive(Clone, Debug)]
pub struct Sgd<E: Element> {
    momentum: f64,
    weight_decay: f64,
    velocity: Vec<Tensor<E>>,
}

impl<E: Element> Sgd<E> {
    /// With momentum; 0 for none.
    pub fn new(momentum: f64) -> Self {
        Self { momentum, weight_decay: 0.0, velocity: Vec::new() }
    }

    /// With weight decay.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

impl<E: Element> Optimizer<E> for Sgd<E> {
    fn step(&mut self, params: &mut [Tensor<E>], gradients: &[Tensor<E>], rate: f64) {
        check(params, gradients);
        ensure(&mut self.velocity, params);
        let (momentum, decay, rate) = (E::from_f64(self.momentum), E::from_f64(self.weight_decay), E::from_f64(rate));
        for ((p, g), m) in params.iter_mut().zip(gradients).zip(&mut self.velocity) {
            for ((p, &g), m) in p.data_mut().iter_mut().zip(g.data()).zip(m.data_mut()) {
                *m = momentum * *m + g + decay * *p;
                *p = *p - rate * *m;
            }
        }
    }
}
