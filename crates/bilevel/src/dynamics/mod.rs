//! Update rules Φ of an optimiser, as values. One rule per file.
//!
//! The same rules move the inner variables, where they are differentiated, and the outer ones.

mod adam;
mod gradient_descent;
mod hyper;
mod map;
mod momentum;
mod projected;
mod rmsprop;

pub use adam::Adam;
pub use gradient_descent::GradientDescent;
pub use hyper::{Hyper, Link, Upper};
pub use map::Map;
pub use momentum::{Momentum, Nesterov};
pub use projected::{Projected, Set};
pub use rmsprop::RmsProp;

use crate::problem::Symbol;
use autodiff::Value;
use std::fmt::Debug;
use std::sync::Arc;

/// What one step of an update rule sees.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'a, 't> {
    /// u; empty where the rule moves u itself.
    pub upper: &'a [Symbol<'t>],
    /// v, before the step.
    pub point: &'a [Symbol<'t>],
    /// ∇_v g, in the shapes of v.
    pub gradient: &'a [Symbol<'t>],
    /// The rule's own state: all tensors of the first slot, then of the second.
    pub state: &'a [Symbol<'t>],
    /// The hyperparameters, in the order of [`Dynamics::hyper`].
    pub hyper: &'a [Symbol<'t>],
    /// The number of this step, from 1; a scalar.
    pub count: Symbol<'t>,
    /// The inner data of this step.
    pub data: &'a [Symbol<'t>],
}

impl<'a, 't> Step<'a, 't> {
    /// For a program of one's own in which a rule takes a step: without u and data. `hyper` has a value for each of
    /// [`Dynamics::hyper`], `state` begins at zero, `count` at 1.
    pub fn new(
        point: &'a [Symbol<'t>],
        gradient: &'a [Symbol<'t>],
        state: &'a [Symbol<'t>],
        hyper: &'a [Symbol<'t>],
        count: Symbol<'t>,
    ) -> Self {
        Self { upper: &[], point, gradient, state, hyper, count, data: &[] }
    }

    /// A slot of the state, in the shapes of v.
    pub fn slot(&self, slot: usize) -> &[Symbol<'t>] {
        let n = self.point.len();
        &self.state[slot * n..(slot + 1) * n]
    }
}

/// One step of an optimiser, `(v, state) ↦ Φ(v, state, ∇_v g, hyper)`.
///
/// It is recorded, and differentiated in everything it sees: u, v, its own state and hyperparameters that are part of u.
/// So the state of momentum or Adam is part of what a hypergradient flows through.
pub trait Dynamics: Debug + Send + Sync {
    /// The hyperparameters. Constants and schedules are inputs of the recorded step, so that their values may change
    /// without recording anew.
    fn hyper(&self) -> Vec<Hyper>;

    /// Tensors of state for each tensor of v; they begin at zero.
    fn slots(&self) -> usize {
        0
    }

    /// Names what is recorded, whatever the values of constants and schedules: two rules with one structure record the
    /// same program.
    fn structure(&self) -> String;

    /// Whether its settings can work for so many tensors.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) that says what cannot.
    fn check(&self, _tensors: usize) -> crate::Result<()> {
        Ok(())
    }

    /// The tensors of v after the step, then those of the state.
    fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>>;
}

macro_rules! forward {
    ($($type:ty),*) => {
        $(impl<D: Dynamics + ?Sized> Dynamics for $type {
            fn hyper(&self) -> Vec<Hyper> {
                (**self).hyper()
            }
            fn slots(&self) -> usize {
                (**self).slots()
            }
            fn structure(&self) -> String {
                (**self).structure()
            }
            fn check(&self, tensors: usize) -> crate::Result<()> {
                (**self).check(tensors)
            }
            fn step<'t>(&self, step: &Step<'_, 't>) -> Vec<Symbol<'t>> {
                (**self).step(step)
            }
        })*
    };
}

forward!(&D, Box<D>, Arc<D>);

/// The structure of a rule that is told apart by its name and by which hyperparameters come from u.
fn structure(name: &str, hyper: &[Hyper]) -> String {
    let mut text = name.to_owned();
    for hyper in hyper {
        match hyper {
            Hyper::Upper(upper) => text.push_str(&format!(" {upper:?}")),
            _ => text.push_str(" given"),
        }
    }
    text
}

/// `√x` that has slope 0 where `x` is 0, in place of infinity: there, what it divides is 0 too.
fn root<'t>(x: &Symbol<'t>) -> Symbol<'t> {
    let positive = x.test(autodiff::Compare::Gt, 0.0);
    positive.select(&positive.select(x, &x.ones_like()).sqrt(), &x.zeros_like())
}
