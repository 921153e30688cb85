//! Adam.

use super::{Optimizer, check, ensure};
use autodiff::{Element, Tensor, Value};

/// Adaptive moments with bias correction. (Kingma, Ba, ICLR 2015, algorithm 1.)
#[derive(Clone, Debug)]
pub struct Adam<E: Element> {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    first: Vec<Tensor<E>>,
    second: Vec<Tensor<E>>,
    steps: i32,
}

impl<E: Element> Adam<E> {
    /// The published settings: decays 0.9 and 0.999, ε = 1e-8.
    pub fn new() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, first: Vec::new(), second: Vec::new(), steps: 0 }
    }
}

impl<E: Element> Default for Adam<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Element> Optimizer<E> for Adam<E> {
    fn step(&mut self, params: &mut [Tensor<E>], gradients: &[Tensor<E>], rate: f64) {
        check(params, gradients);
        ensure(&mut self.first, params);
        ensure(&mut self.second, params);
        self.steps += 1;
        let corrected = rate * (1.0 - self.beta2.powi(self.steps)).sqrt() / (1.0 - self.beta1.powi(self.steps));
        // With the correction in the rate, ε stands beside the uncorrected root.
        let epsilon = E::from_f64(self.epsilon * (1.0 - self.beta2.powi(self.steps)).sqrt());
        let [b1, c1, b2, c2] = [self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2].map(E::from_f64);
        let corrected = E::from_f64(corrected);
        for (((p, g), m), s) in params.iter_mut().zip(gradients).zip(&mut self.first).zip(&mut self.second) {
            let state = m.data_mut().iter_mut().zip(s.data_mut());
            for ((p, &g), (m, s)) in p.data_mut().iter_mut().zip(g.data()).zip(state) {
                *m = b1 * *m + c1 * g;
                *s = b2 * *s + c2 * g * g;
                *p = *p - corrected * *m / (Value::sqrt(s) + epsilon);
            }
        }
    }
}
