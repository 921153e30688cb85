//! Gradient descent with momentum.

use super::{Dynamics, Hyper, Step, structure};
use crate::problem::Symbol;

/// Heavy ball: `m ← β·m − α·∇_v g(v)`, `v ← v + m`. With constant α and β, `v − α·∇g + β·(v − v₋₁)`.
/// (Polyak: Some methods of speeding up the convergence of iteration methods, 1964.)
#[derive(Clone, Debug)]
pub struct Momentum {
    /// The step size α.
    pub rate: Hyper,
    /// The momentum β, in [0, 1).
    pub momentum: Hyper,
}

impl Momentum {
    /// Step size and momentum.
    pub fn new(rate: impl Into<Hyper>, momentum: impl Into<Hyper>) -> Self {
        Self { rate: rate.into(), momentum: momentum.into() }
    }
}

impl Dynamics for Momentum {
    fn hyper(&self) -> Vec<Hyper> {
        vec![self.rate.clone(), self.momentum.clone()]
    }

    fn slots(&self) -> usize {
        1
    }

    fn structure(&self) -> String {
        structure("momentum", &self.hyper())
    }

    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        let [rate, momentum] = [step.hyper[0], step.hyper[1]];
        let velocity: Vec<_> = step.slot(0).iter().zip(step.gradient).map(|(m, g)| *m * momentum - *g * rate).collect();
        let point = step.point.iter().zip(&velocity).map(|(v, m)| *v + *m);
        point.chain(velocity.iter().copied()).collect()
    }
}

/// Nesterov's momentum in terms of the look-ahead point: `m ← β·m − α·∇_v g(v)`, `v ← v + β·m − α·∇_v g(v)`.
/// (Nesterov 1983; in this form Bengio, Boulanger-Lewandowski, Pascanu, ICASSP 2013, section 3.5.)
#[derive(Clone, Debug)]
pub struct Nesterov {
    /// The step size α.
    pub rate: Hyper,
    /// The momentum β, in [0, 1).
    pub momentum: Hyper,
}

impl Nesterov {
    /// Step size and momentum.
    pub fn new(rate: impl Into<Hyper>, momentum: impl Into<Hyper>) -> Self {
        Self { rate: rate.into(), momentum: momentum.into() }
    }
}

impl Dynamics for Nesterov {
    fn hyper(&self) -> Vec<Hyper> {
        vec![self.rate.clone(), self.momentum.clone()]
    }

    fn slots(&self) -> usize {
        1
    }

    fn structure(&self) -> String {
        structure("nesterov", &self.hyper())
    }

    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        let [rate, momentum] = [step.hyper[0], step.hyper[1]];
        let moves: Vec<_> = step.gradient.iter().map(|g| *g * rate).collect();
        let velocity: Vec<_> = step.slot(0).iter().zip(&moves).map(|(m, d)| *m * momentum - *d).collect();
        let point = step.point.iter().zip(&velocity).zip(&moves).map(|((v, m), d)| *v + *m * momentum - *d);
        point.chain(velocity.iter().copied()).collect()
    }
}
