//! RMSProp.

use super::{Dynamics, Hyper, Step, root, structure};
use crate::problem::Symbol;
use autodiff::Value;

/// `s ← ρ·s + (1 − ρ)·g²`, `v ← v − α·g / (√s + ε)`. (Tieleman, Hinton 2012, lecture 6.5.)
///
/// Where the second moment is 0, so is the gradient, and the derivative by it is `−α/ε`: finite.
#[derive(Clone, Debug)]
pub struct RmsProp {
    /// The step size α.
    pub rate: Hyper,
    /// The decay ρ of the second moment.
    pub decay: Hyper,
    /// ε, added to the root.
    pub epsilon: Hyper,
}

impl RmsProp {
    /// With decay 0.9 and ε = 10⁻⁸.
    pub fn new(rate: impl Into<Hyper>) -> Self {
        Self { rate: rate.into(), decay: 0.9.into(), epsilon: 1e-8.into() }
    }
}

impl Dynamics for RmsProp {
    fn hyper(&self) -> Vec<Hyper> {
        vec![self.rate.clone(), self.decay.clone(), self.epsilon.clone()]
    }

    fn slots(&self) -> usize {
        1
    }

    fn structure(&self) -> String {
        structure("rmsprop", &self.hyper())
    }

    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        let [rate, decay, epsilon] = [step.hyper[0], step.hyper[1], step.hyper[2]];
        let second = step.slot(0).iter().zip(step.gradient);
        let second: Vec<_> = second.map(|(s, g)| *s * decay + g.square() * (-decay + 1.0)).collect();
        let point = step.point.iter().zip(step.gradient).zip(&second);
        let point = point.map(|((v, g), s)| *v - *g * rate / (root(s) + epsilon));
        point.chain(second.iter().copied()).collect()
    }
}
