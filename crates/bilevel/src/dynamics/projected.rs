//! A step followed by a projection or a proximal map.

use super::{Dynamics, Hyper, Step, structure};
use crate::problem::Symbol;
use autodiff::{Compare, Custom, Tensor, Value};
use std::sync::LazyLock;

/// Where the points must be, or what pulls them; each tensor of v by itself.
///
/// Its numbers are hyperparameters like those of a rule: constants, schedules, or a part of u. So the threshold of soft
/// thresholding, the penalty of the lasso, can be learnt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Set {
    /// Every element between two numbers.
    Box {
        /// The least.
        low: Hyper,
        /// The greatest.
        high: Hyper,
    },
    /// No element negative, their sum a given number.
    Simplex {
        /// The sum.
        sum: Hyper,
    },
    /// `‖v‖₁ ≤ radius`.
    L1Ball {
        /// The radius.
        radius: Hyper,
    },
    /// `‖v‖₂ ≤ radius`.
    L2Ball {
        /// The radius.
        radius: Hyper,
    },
    /// No set: the proximal map of `threshold·‖v‖₁`, which is soft thresholding.
    Soft {
        /// The threshold, the step size included.
        threshold: Hyper,
    },
}

/// A step of another rule, then the projection onto a [`Set`].
///
/// The derivative is that of the projection, which is piecewise smooth; on an edge between pieces it is one of the
/// one-sided derivatives. (Projections onto simplex and L1 ball: Duchi, Shalev-Shwartz, Singer, Chandra, ICML 2008.)
///
/// Time of a projection: linear, and `n ln n` for simplex and L1 ball.
#[derive(Clone, Debug)]
pub struct Projected<D> {
    /// The rule that moves.
    pub dynamics: D,
    /// Where to.
    pub set: Set,
}

impl<D: Dynamics> Dynamics for Projected<D> {
    fn hyper(&self) -> Vec<Hyper> {
        [self.dynamics.hyper(), self.set.hyper()].concat()
    }

    fn slots(&self) -> usize {
        self.dynamics.slots()
    }

    fn structure(&self) -> String {
        format!("{} projected on a {}", self.dynamics.structure(), structure(self.set.name(), &self.set.hyper()))
    }

    fn check(&self, tensors: usize) -> crate::Result<()> {
        self.set.check()?;
        self.dynamics.check(tensors)
    }

    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        let (hyper, numbers) = step.hyper.split_at(step.hyper.len() - self.set.hyper().len());
        let mut next = self.dynamics.step(&Step { hyper, ..*step });
        for v in &mut next[..step.point.len()] {
            *v = self.set.project(v, numbers);
        }
        next
    }
}

impl Set {
    /// Every element between two numbers.
    pub fn between(low: impl Into<Hyper>, high: impl Into<Hyper>) -> Self {
        Self::Box { low: low.into(), high: high.into() }
    }

    /// No element negative, their sum a given number.
    pub fn simplex(sum: impl Into<Hyper>) -> Self {
        Self::Simplex { sum: sum.into() }
    }

    /// `‖v‖₁ ≤ radius`.
    pub fn l1_ball(radius: impl Into<Hyper>) -> Self {
        Self::L1Ball { radius: radius.into() }
    }

    /// `‖v‖₂ ≤ radius`.
    pub fn l2_ball(radius: impl Into<Hyper>) -> Self {
        Self::L2Ball { radius: radius.into() }
    }

    /// Soft thresholding.
    pub fn soft(threshold: impl Into<Hyper>) -> Self {
        Self::Soft { threshold: threshold.into() }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Box { .. } => "box",
            Self::Simplex { .. } => "simplex",
            Self::L1Ball { .. } => "ball of the 1-norm",
            Self::L2Ball { .. } => "ball of the 2-norm",
            Self::Soft { .. } => "soft threshold",
        }
    }

    /// Its numbers.
    fn hyper(&self) -> Vec<Hyper> {
        match self {
            Self::Box { low, high } => vec![low.clone(), high.clone()],
            Self::Simplex { sum: one }
            | Self::L1Ball { radius: one }
            | Self::L2Ball { radius: one }
            | Self::Soft { threshold: one } => vec![one.clone()],
        }
    }

    /// The nearest point, or the proximal point.
    fn project<'t>(&self, v: &Symbol<'t>, numbers: &[Symbol<'t>]) -> Symbol<'t> {
        let one = numbers[0];
        match self {
            Self::Box { .. } => v.maximum(&one).minimum(&numbers[1]),
            Self::Simplex { .. } => simplex(&v.flatten(), one).reshape(&v.shape()),
            Self::L1Ball { .. } => {
                let size = v.abs();
                let outside = size.sum_all().compare(Compare::Gt, &one);
                let shrunk = simplex(&size.flatten(), one).reshape(&v.shape()) * v.sign();
                outside.select(&shrunk, v)
            }
            Self::L2Ball { .. } => {
                let square = v.square().sum_all();
                let outside = square.compare(Compare::Gt, &one.square());
                // Inside, the root is taken of 1: no infinite slope at the centre.
                let norm = outside.select(&square, &square.ones_like()).sqrt();
                outside.select(&(*v * one / norm), v)
            }
            Self::Soft { .. } => (v.abs() - one).relu() * v.sign(),
        }
    }

    /// Whether the numbers that are known before the first step make sense.
    fn check(&self) -> crate::Result<()> {
        let numbers: Vec<Option<f64>> = self.hyper().iter().map(|h| h.value(0)).collect();
        let good = match (self, &numbers[..]) {
            (Self::Box { .. }, [Some(low), Some(high)]) => low <= high,
            (Self::Soft { .. }, [Some(threshold)]) => *threshold >= 0.0 && threshold.is_finite(),
            (_, [Some(size)]) => *size > 0.0 && size.is_finite(),
            _ => true,
        };
        if good { Ok(()) } else { crate::error::configuration("constraint", format!("{self:?} is empty or not a set")) }
    }
}

/// `(x, sum)` to the τ with `Σ max(xᵢ − τ, 0) = sum`, by sorting.
static THRESHOLD: LazyLock<Custom> = LazyLock::new(|| {
    Custom::new("simplex threshold", 2, |args| {
        let mut sorted = args[0].data().to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let (mut sum, mut tau) = (-args[1].item(), f64::NAN);
        for (i, &x) in sorted.iter().enumerate() {
            sum += x;
            let candidate = sum / (i + 1) as f64;
            if x <= candidate {
                break;
            }
            tau = candidate;
        }
        Tensor::scalar(tau)
    })
    .shape(|_| autodiff::Shape::new())
});

/// The projection of a vector onto the simplex: τ is found by sorting, which is not differentiated; one exact Newton step
/// of the piecewise linear equation for τ from there has τ's derivative.
fn simplex<'t>(v: &Symbol<'t>, sum: Symbol<'t>) -> Symbol<'t> {
    let fixed = v.stop_gradient();
    let found = Symbol::apply_custom(&THRESHOLD, &[&fixed, &sum.stop_gradient()]);
    let kept = fixed.compare(Compare::Gt, &found);
    let tau = found + (((*v - found) * kept).sum_all() - sum) / kept.sum_all();
    (*v - tau) * kept
}
