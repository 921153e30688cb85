//! Update rules Φ of the inner optimiser, as values. One rule per file.

mod gradient_descent;

pub use gradient_descent::GradientDescent;

use autodiff::Value;

/// One step of an inner optimiser, `v ↦ Φ(v, ∇_v g, hyper)`, written over any carrier so that it can be differentiated
/// in all of its arguments, the hyperparameters included.
pub trait Dynamics: Clone + Send + Sync + 'static {
    /// The values of the hyperparameters, scalars.
    fn hyper(&self) -> Vec<f64>;

    /// The next iterate of one tensor of `v`, from its gradient and the hyperparameters. It sees nothing else: it is
    /// recorded once for all values of the rule's type.
    fn step<V: Value>(v: &V, gradient: &V, hyper: &[V]) -> V;
}
