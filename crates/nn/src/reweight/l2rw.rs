//! Learning to reweight examples (L2RW), as an objective.
//!
//! Each minibatch gets weights from a few trusted examples: where would a small weight on this example, in one virtual
//! step of the network, move the loss on the trusted ones?

use crate::data::Dataset;
use crate::error::Result;
use crate::loss;
use crate::mlp::Mlp;
use crate::train::{Objective, WeightedLoss, check_fit};
use autodiff::{Element, Tensor};
use bilevel::{Data, Problem, VirtualStep, example_weights};

/// The objective of learning to reweight: cross-entropy with the example weights that help the clean set most.
///
/// With `ε = 0`, a virtual step `θ̂(ε) = θ − α ∇_θ Σ εᵢ ℓᵢ(θ)`; the weights are `max(0, −∂L_clean(θ̂(ε))/∂εᵢ)`, divided by
/// their sum (all zero if none is positive). (Ren, Zeng, Yang, Urtasun: Learning to reweight examples for robust deep
/// learning, ICML 2018.)
///
/// Cost of a step: about three gradients of the minibatch and one of the clean set; memory: that of one
/// second-order sweep.
#[derive(Debug)]
pub struct L2rw<E: Element> {
    inputs: Tensor<E>,
    targets: Tensor<E>,
    clean: [Tensor<E>; 2],
    problem: Problem,
    loss: WeightedLoss,
    /// For each example, the weights it was given, times the batch size, so that 1 is the average.
    seen: Vec<Vec<f32>>,
}

impl<E: Element> L2rw<E> {
    /// Reweights `noisy` by `clean`, the whole of which is used in every step.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if a data set does not fit the network, or `clean` is empty.
    pub fn new(mlp: &Mlp, noisy: &Dataset<E>, clean: &Dataset<E>) -> Result<Self> {
        check_fit(mlp, noisy)?;
        check_fit(mlp, clean)?;
        if clean.is_empty() {
            return crate::error::configuration("clean set", "at least one trusted example is needed");
        }
        let (outer, inner) = (mlp.clone(), mlp.clone());
        let problem = Problem::with_data(
            move |_, v, data| loss::mean_cross_entropy(&outer.forward(v, &data[0]), &data[1]),
            move |u, v, data| loss::weighted_cross_entropy(&inner.forward(v, &data[0]), &data[1], &u[0]),
        );
        Ok(Self {
            inputs: noisy.inputs().clone(),
            targets: loss::one_hot(noisy.labels(), noisy.classes())?,
            clean: [clean.inputs().clone(), loss::one_hot(clean.labels(), clean.classes())?],
            // Nobody reads the report of a step.
            problem: problem.diagnostics(false),
            loss: WeightedLoss::new(mlp),
            seen: vec![Vec::new(); noisy.len()],
        })
    }

    /// The weights of some of the examples at these parameters: not negative, with sum 1 or 0.
    ///
    /// `rate` is the step size of the virtual step; it scales the hypergradient and cancels in the weights.
    ///
    /// # Errors
    /// [`Error::Bilevel`](crate::Error::Bilevel) if a number stops being finite.
    pub fn weights(&self, params: &[Tensor<E>], batch: &[usize], rate: f64) -> Result<Tensor<E>> {
        let hypergradient = self.hypergradient(params, batch, rate)?;
        Ok(example_weights(&hypergradient))
    }

    /// `∂L_clean(θ̂(ε))/∂ε` at `ε = 0` for some of the examples.
    ///
    /// # Errors
    /// As [`weights`](L2rw::weights).
    pub fn hypergradient(&self, params: &[Tensor<E>], batch: &[usize], rate: f64) -> Result<Tensor<E>> {
        let inner = [self.inputs.take_rows(batch), self.targets.take_rows(batch)];
        let data = Data::new(&self.clean, &inner);
        let epsilon = [Tensor::zeros(&[batch.len()])];
        Ok(self.problem.hypergradient_on(&epsilon, params, data, &VirtualStep::new(rate))?.gradient.swap_remove(0))
    }

    /// For each example, the mean of the weights it was given in training so far, where 1 is the average over a
    /// minibatch; NaN for one that was never drawn.
    pub fn mean_weights(&self) -> Vec<f64> {
        self.recent_weights(usize::MAX)
    }

    /// [`mean_weights`](L2rw::mean_weights) over the last `draws` times that each example was drawn.
    pub fn recent_weights(&self, draws: usize) -> Vec<f64> {
        let mean = |weights: &Vec<f32>| {
            let recent = &weights[weights.len().saturating_sub(draws)..];
            recent.iter().copied().map(f64::from).sum::<f64>() / recent.len() as f64
        };
        self.seen.iter().map(mean).collect()
    }
}

impl<E: Element> Objective<E> for L2rw<E> {
    fn len(&self) -> usize {
        self.inputs.dims()[0]
    }

    fn gradient(&mut self, params: &[Tensor<E>], batch: &[usize], rate: f64) -> Result<(f64, Vec<Tensor<E>>)> {
        let weights = self.weights(params, batch, rate)?;
        for (&i, w) in batch.iter().zip(weights.data()) {
            self.seen[i].push((w.to_f64() * batch.len() as f64) as f32);
        }
        self.loss.gradient(params, [self.inputs.take_rows(batch), self.targets.take_rows(batch), weights])
    }
}
