//! Networks, losses, data and training, and learning to reweight noisy examples.
//!
//! ```
//! use autodiff::{Tensor, Value, value_and_grad};
//! use nn::{Activation, Init, Mlp, loss, rng};
//!
//! let mlp = Mlp::new(&[2, 8, 3], Activation::Tanh)?;
//! let params = mlp.init::<f64>(Init::Glorot, &mut rng(0));
//! let (x, y) = (Tensor::from_rows([[0.5, -1.0]]), loss::one_hot::<f64>(&[2], 3)?);
//! let (loss, gradient) = value_and_grad(
//!     |p| loss::cross_entropy(&mlp.forward(p, &p[0].constant(&x)), &p[0].constant(&y)).mean_all(),
//!     params.tensors(),
//! )?;
//! assert!(loss.item() > 0.0 && gradient.len() == 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod activation;
mod error;
mod mlp;
mod params;

pub mod cleaning;
pub mod data;
pub mod few_shot;
pub mod loss;
pub mod optim;
pub mod reweight;
pub mod train;

pub use activation::Activation;
pub use error::{Error, Result};
pub use mlp::{Init, Mlp};
pub use params::Params;

/// The generator of this crate: the same stream on every machine for a seed.
pub type Rng = rand_pcg::Pcg64;

/// A generator from a seed.
pub fn rng(seed: u64) -> Rng {
    rand::SeedableRng::seed_from_u64(seed)
}

/// Independent normal variates with mean 0 and the given deviation.
///
/// # Panics
/// If the deviation is negative or not finite.
#[track_caller]
pub fn normal<E: autodiff::Element>(shape: &[usize], deviation: f64, rng: &mut Rng) -> autodiff::Tensor<E> {
    let normal = rand_distr::Normal::new(0.0, deviation)
        .unwrap_or_else(|_| panic!("normal: {deviation} is not a standard deviation"));
    autodiff::Tensor::from_fn(shape, |_| E::from_f64(rand_distr::Distribution::sample(&normal, rng)))
}
