//! What several tests need.

use autodiff::{Element, Program, Tensor};

/// Numbers between −0.15 and 0.15 for each input, no two alike.
pub(crate) fn inputs<E: Element>(program: &Program) -> Vec<Tensor<E>> {
    let wave = |k: usize, shape: &[usize]| {
        Tensor::from_fn(shape, |i| {
            let place = i.iter().fold(k as f64, |s, &j| 1.618 * s + j as f64);
            E::from_f64((place * 0.37).sin() * 0.15)
        })
    };
    program.input_shapes().iter().enumerate().map(|(k, shape)| wave(k, shape)).collect()
}
