//! A step followed by a projection or a proximal map.

use super::{Dynamics, Hyper, Step};
use crate::problem::Symbol;
use autodiff::{Compare, Custom, Tensor, Value};
use std::sync::LazyLock;

/// Where the points must be, or what pulls them; each tensor of v by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Set {
    /// Every element between two numbers.
    Box {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
    },
    /// No element negative, their sum a given number.
    Simplex {
        /// The sum.
        sum: f64,
    },
    /// `‖v‖₁ ≤ radius`.
    L1Ball {
        /// The radius.
        radius: f64,
    },
    /// `‖v‖₂ ≤ radius`.
    L2Ball {
        /// The radius.
        radius: f64,
    },
    /// No set: the proximal map of `threshold·‖v‖₁`, which is soft thresholding.
    Soft {
        /// The threshold, the step size included.
        threshold: f64,
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
        self.dynamics.hyper()
    }

    fn slots(&self) -> usize {
        self.dynamics.slots()
    }

    fn structure(&self) -> String {
        format!("{} projected on {:?}", self.dynamics.structure(), self.set)
    }

    fn check(&self, tensors: usize) -> crate::Result<()> {
        self.set.check()?;
        self.dynamics.check(tensors)
    }

    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
        let mut next = self.dynamics.step(step);
        for v in &mut next[..step.point.len()] {
            *v = self.set.project(v);
        }
        next
    }
}

impl Set {
    /// The nearest point, or the proximal point.
    pub(crate) fn project<'t>(&self, v: &Symbol<'t>) -> Symbol<'t> {
        match *self {
            Self::Box { low, high } => v.max_with(low).min_with(high),
            Self::Simplex { sum } => simplex(&v.flatten(), sum).reshape(&v.shape()),
            Self::L1Ball { radius } => {
                let size = v.abs();
                let outside = size.sum_all().test(Compare::Gt, radius);
                let shrunk = simplex(&size.flatten(), radius).reshape(&v.shape()) * v.sign();
                outside.select(&shrunk, v)
            }
            Self::L2Ball { radius } => {
                let square = v.square().sum_all();
                let outside = square.test(Compare::Gt, radius * radius);
                // Inside, the root is taken of 1: no infinite slope at the centre.
                let norm = outside.select(&square, &square.ones_like()).sqrt();
                outside.select(&(*v * radius / norm), v)
            }
            Self::Soft { threshold } => (v.abs() - threshold).relu() * v.sign(),
        }
    }

    /// Whether the numbers that describe it make sense.
    pub(crate) fn check(&self) -> crate::Result<()> {
        let good = match *self {
            Self::Box { low, high } => low <= high,
            Self::Simplex { sum } => sum > 0.0 && sum.is_finite(),
            Self::L1Ball { radius } | Self::L2Ball { radius } => radius > 0.0 && radius.is_finite(),
            Self::Soft { threshold } => threshold >= 0.0 && threshold.is_finite(),
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
fn simplex<'t>(v: &Symbol<'t>, sum: f64) -> Symbol<'t> {
    let fixed = v.stop_gradient();
    let found = Symbol::apply_custom(&THRESHOLD, &[&fixed, &v.constant(sum)]);
    let kept = fixed.compare(Compare::Gt, &found);
    let tau = found + (((*v - found) * kept).sum_all() - sum) / kept.sum_all();
    (*v - tau) * kept
}
