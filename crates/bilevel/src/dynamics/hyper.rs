//! Hyperparameters of update rules: constants, schedules, or a part of u.

use crate::problem::Symbol;
use autodiff::Value;
use std::fmt;
use std::sync::Arc;

/// The number of a step, from 0, to a value.
type ScheduleFn = dyn Fn(usize) -> f64 + Send + Sync;

/// Where a hyperparameter comes from.
#[derive(Clone)]
#[non_exhaustive]
pub enum Hyper {
    /// The same at every step.
    Constant(f64),
    /// A function of the step, counted from 0.
    Schedule(Arc<ScheduleFn>),
    /// An upper variable, which is then learnt: see [`Hyper::upper`].
    Upper(Upper),
}

/// An upper variable that serves as a hyperparameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Upper {
    /// Its position in u.
    pub index: usize,
    /// One of its elements, or all of it, which must then broadcast against every tensor of v.
    pub element: Option<usize>,
    /// What is done to it first.
    pub link: Link,
}

/// A map from all numbers to those that a hyperparameter may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Link {
    /// As it is.
    #[default]
    Identity,
    /// `eˣ`, for rates and decays.
    Exp,
    /// `1/(1 + e⁻ˣ)`, for momenta.
    Sigmoid,
    /// `ln(1 + eˣ)`.
    Softplus,
}

impl Hyper {
    /// A function of the step, counted from 0.
    pub fn schedule(f: impl Fn(usize) -> f64 + Send + Sync + 'static) -> Self {
        Self::Schedule(Arc::new(f))
    }

    /// The upper variable `u[index]`: a scalar, or an array that broadcasts against every tensor of v.
    pub fn upper(index: usize) -> Self {
        Self::Upper(Upper { index, element: None, link: Link::Identity })
    }

    /// Element `element` of the flattened `u[index]`.
    pub fn upper_element(index: usize, element: usize) -> Self {
        Self::Upper(Upper { index, element: Some(element), link: Link::Identity })
    }

    /// The same through a [`Link`]; constants and schedules stay as they are.
    #[must_use]
    pub fn link(self, link: Link) -> Self {
        match self {
            Self::Upper(upper) => Self::Upper(Upper { link, ..upper }),
            other => other,
        }
    }

    /// The value at a step, if it does not come from u.
    pub fn value(&self, step: usize) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Schedule(f) => Some(f(step)),
            Self::Upper(_) => None,
        }
    }
}

impl Upper {
    pub(crate) fn resolve<'t>(&self, u: &[Symbol<'t>]) -> Symbol<'t> {
        let whole = u[self.index];
        let x = self.element.map_or(whole, |i| whole.flatten().at(0, i));
        match self.link {
            Link::Identity => x,
            Link::Exp => x.exp(),
            Link::Sigmoid => x.sigmoid(),
            Link::Softplus => x.softplus(),
        }
    }
}

impl From<f64> for Hyper {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}

impl fmt::Debug for Hyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "{value}"),
            Self::Schedule(_) => f.write_str("schedule"),
            Self::Upper(upper) => write!(f, "{upper:?}"),
        }
    }
}
