//! Plain gradient descent.

use super::Dynamics;
use autodiff::Value;

/// `v − α·∇_v g(u, v)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientDescent {
    /// The step size α.
    pub rate: f64,
}

impl Dynamics for GradientDescent {
    fn hyper(&self) -> Vec<f64> {
        vec![self.rate]
    }

    fn step<V: Value>(v: &V, gradient: &V, hyper: &[V]) -> V {
        v.minus(&gradient.times(&hyper[0]))
    }
}
