//! Multilayer perceptrons.

use crate::Rng;
use crate::activation::Activation;
use crate::error::{Result, configuration};
use crate::params::Params;
use autodiff::{Element, Tensor, Value};
use rand_distr::{Distribution, Uniform};

/// How the weights begin; biases begin at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Uniform in ±√(6 / (fan in + fan out)): for tanh and sigmoid. (Glorot, Bengio, AISTATS 2010.)
    Glorot,
    /// Normal with variance 2 / fan in: for relu. (He, Zhang, Ren, Sun, ICCV 2015.)
    He,
}

/// A stack of dense layers, an activation between each two. It holds no parameters, only the architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mlp {
    sizes: Vec<usize>,
    activation: Activation,
}

impl Mlp {
    /// Layers of these widths, inputs first: `[64, 128, 10]` has one hidden layer.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) for fewer than two widths, or a width of zero.
    pub fn new(sizes: &[usize], activation: Activation) -> Result<Self> {
        if sizes.len() < 2 || sizes.contains(&0) {
            return configuration(
                "layer sizes",
                format!("{sizes:?}: at least inputs and outputs are needed, none of width 0"),
            );
        }
        Ok(Self { sizes: sizes.to_vec(), activation })
    }

    /// The widths, inputs first.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// New parameters: for layer `i` the weights `layer{i}.weight`, inputs × outputs, and `layer{i}.bias`.
    pub fn init<E: Element>(&self, init: Init, rng: &mut Rng) -> Params<E> {
        let layers = self.sizes.windows(2).enumerate().flat_map(|(i, w)| {
            let (rows, cols) = (w[0], w[1]);
            let weight = match init {
                Init::Glorot => {
                    let limit = (6.0 / (rows + cols) as f64).sqrt();
                    let uniform = Uniform::new_inclusive(-limit, limit).expect("the limits are finite and in order");
                    Tensor::from_fn(&[rows, cols], |_| E::from_f64(uniform.sample(rng)))
                }
                Init::He => crate::normal(&[rows, cols], (2.0 / rows as f64).sqrt(), rng),
            };
            [(format!("layer{i}.weight"), weight), (format!("layer{i}.bias"), Tensor::zeros(&[cols]))]
        });
        Params::new(layers).expect("every layer has its own names")
    }

    /// The outputs for a batch: `x` is `[batch, inputs]`, the result `[batch, outputs]`, without a final activation.
    ///
    /// `params` are weights and biases in the order of [`init`](Mlp::init), over any carrier.
    ///
    /// # Panics
    /// If the number of parameters, or a shape, does not fit.
    #[track_caller]
    pub fn forward<V: Value>(&self, params: &[V], x: &V) -> V {
        let layers = self.sizes.len() - 1;
        assert!(params.len() == 2 * layers, "mlp: {} parameters needed, {} given", 2 * layers, params.len());
        params.chunks_exact(2).enumerate().fold(x.clone(), |x, (i, layer)| {
            let out = x.matmul(&layer[0]).plus(&layer[1]);
            if i + 1 < layers { self.activation.apply(&out) } else { out }
        })
    }
}
