//! What several tests need.

use autodiff::{Disconnected, Element, Program, Tensor};

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

/// The gradient of the last output, a number, by all inputs.
#[allow(dead_code, reason = "as below")]
pub(crate) fn gradient_of_last(f: &Program) -> Program {
    let last = f.output_shapes().len() - 1;
    let loss = Program::record_shapes(&f.input_shapes(), |x| vec![f.eval(x)[last]]).unwrap();
    let wrt: Vec<usize> = (0..f.input_shapes().len()).collect();
    loss.vjp_with(&wrt, Disconnected::Zeros).unwrap()
}

/// xorshift: the same programs on every machine.
#[allow(dead_code, reason = "not every test is random")]
pub(crate) struct Random(pub(crate) u64);

#[allow(dead_code, reason = "as above")]
impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    pub(crate) fn pick(&mut self, from: &[usize]) -> usize {
        from[self.below(from.len())]
    }
}
