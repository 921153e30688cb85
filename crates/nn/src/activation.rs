//! Activations.

use autodiff::Value;
use std::f64::consts::FRAC_1_SQRT_2;

/// A pointwise nonlinearity between layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `tanh x`
    Tanh,
    /// `max(x, 0)`
    Relu,
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid,
    /// `ln(1 + eˣ)`
    Softplus,
    /// `x·Φ(x)` with the normal distribution function `Φ`, exact (by erf)
    Gelu,
    /// `x`
    Identity,
}

impl Activation {
    /// The activation of each element.
    #[track_caller]
    pub fn apply<V: Value>(self, x: &V) -> V {
        match self {
            Self::Tanh => x.tanh(),
            Self::Relu => x.relu(),
            Self::Sigmoid => x.sigmoid(),
            Self::Softplus => x.softplus(),
            Self::Gelu => x.scale(0.5).times(&x.scale(FRAC_1_SQRT_2).erf().shift(1.0)),
            Self::Identity => x.clone(),
        }
    }
}
