//! Adam, and its variant with decoupled weight decay.

use super::{Dynamics, Hyper, Step, root, structure};
use crate::problem::Symbol;
use autodiff::Value;

/// Adaptive moments with bias correction: `m ← β₁m + (1−β₁)g`, `s ← β₂s + (1−β₂)g²`,
/// `v ← v − α·m̂ / (√ŝ + ε) − α·λ·v`. (Kingma, Ba, ICLR 2015; the decay λ as in AdamW: Loshchilov, Hutter, ICLR 2019.)
///
/// Where the second moment is 0, so is the first, and the derivative by the gradient is finite: `−α/ε` at the first
/// step. An ε that is not tiny keeps it sensible.
#[derive(Clone, Debug)]
pub struct Adam {
    /// The step size α.
    pub rate: Hyper,
    /// The decay β₁ of the first moment.
    pub beta1: Hyper,
    /// The decay β₂ of the second moment.
    pub beta2: Hyper,
    /// ε, added to the root.
    pub epsilon: Hyper,
    /// The decoupled weight decay λ; `None` is Adam, `Some` is AdamW.
    pub weight_decay: Option<Hyper>,
}

impl Adam {
    /// With the published settings: decays 0.9 and 0.999, ε = 10⁻⁸.
    pub fn new(rate: impl Into<Hyper>) -> Self {
        let (beta1, beta2, epsilon) = (0.9.into(), 0.999.into(), 1e-8.into());
        Self { rate: rate.into(), beta1, beta2, epsilon, weight_decay: None }
    }

    /// With decoupled weight decay: AdamW.
    #[must_use]
    pub fn weight_decay(self, decay: impl Into<Hyper>) -> Self {
        Self { weight_decay: Some(decay.into()), ..self }
    }
}

impl Dynamics for Adam {
    fn hyper(&self) -> Vec<Hyper> {
        let four = [&self.rate, &self.beta1, &self.beta2, &self.epsilon];
        four.into_iter().chain(&self.weight_decay).cloned().collect()
    }

    fn slots(&self) -> usize {
        2
    }

    fn structure(&self) -> String {
        structure("adam", &self.hyper())
    }

    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        let [rate, beta1, beta2, epsilon] = [step.hyper[0], step.hyper[1], step.hyper[2], step.hyper[3]];
        let mean = |old: &[Symbol<'t>], new: &[Symbol<'t>], beta: Symbol<'t>| -> Vec<Symbol<'t>> {
            old.iter().zip(new).map(|(old, new)| *old * beta + *new * (-beta + 1.0)).collect()
        };
        let squares: Vec<_> = step.gradient.iter().map(Value::square).collect();
        let (first, second) = (mean(step.slot(0), step.gradient, beta1), mean(step.slot(1), &squares, beta2));
        let correction = |beta: Symbol<'t>| -beta.pow(&step.count) + 1.0;
        let (c1, c2) = (correction(beta1), correction(beta2));
        let point = step.point.iter().zip(&first).zip(&second).map(|((v, m), s)| {
            let moved = *v - *m / c1 * rate / (root(&(*s / c2)) + epsilon);
            step.hyper.get(4).map_or(moved, |&decay| moved - *v * (rate * decay))
        });
        point.chain(first.iter().copied()).chain(second.iter().copied()).collect()
    }
}
