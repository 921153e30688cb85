//! One virtual step: learning to reweight, and Meta-Weight-Net.

use super::{Ask, Hypergradient, Memory, Method, Reverse};
use crate::dynamics::{GradientDescent, Hyper};
use crate::error::Result;
use autodiff::{Element, Tensor};

/// The hypergradient of one gradient step from where the model stands: what would have been better for the trusted data?
///
/// - Learning to reweight: u are the weights ε of a minibatch's examples, taken at `ε = 0`;
///   `−∂f/∂εᵢ = α⟨∇f(θ), ∇ℓᵢ(θ)⟩`, and [`example_weights`] makes weights of it. (Ren, Zeng, Yang, Urtasun, ICML 2018.)
/// - Meta-Weight-Net: u are the parameters Θ of a network `V(ℓ; Θ)` that turns an example's loss into its weight, ℓ being
///   detached inside V: `∂f/∂Θ = −(α/n) Σ ⟨∇f(θ̂), ∇ℓᵢ(θ)⟩ ∂V(ℓᵢ; Θ)/∂Θ`. (Shu et al., NeurIPS 2019.)
///
/// It is [`Reverse`] of one step of gradient descent, under the name that the field gives it.
///
/// Time: one inner and one outer gradient and one VJP of the step, about three gradients in all. Memory: one iterate.
#[derive(Clone, Debug)]
pub struct VirtualStep {
    /// The step size α of the virtual step; that of the real one, as a rule.
    pub rate: Hyper,
}

impl VirtualStep {
    /// With a step size.
    pub fn new(rate: impl Into<Hyper>) -> Self {
        Self { rate: rate.into() }
    }
}

impl<E: Element> Method<E> for VirtualStep {
    fn name(&self) -> String {
        "virtual-step".to_owned()
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        Reverse::new(GradientDescent::new(self.rate.clone()), 1).hypergradient(ask, memory)
    }
}

/// Weights from the hypergradient by ε: `max(0, −h)`, divided by their sum; all zero if none is positive. (Ren, Zeng, Yang,
/// Urtasun, ICML 2018, equations 7 and 8.)
pub fn example_weights<E: Element>(hypergradient: &Tensor<E>) -> Tensor<E> {
    let zero = E::from_f64(0.0);
    // NaN is neither, and stays.
    let clipped = hypergradient.map(|h| if h >= zero { zero } else { -h });
    let sum: E = clipped.data().iter().copied().sum();
    if sum > zero { clipped.map(|w| w / sum) } else { clipped }
}
