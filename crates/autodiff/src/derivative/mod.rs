//! What a newcomer calls: derivatives of closures.
//!
//! Each function runs the closure once on a tape and sweeps over it; nothing of the backward pass is recorded. Inputs
//! are a slice of one carrier: `&[f64]` for scalars, `&[Tensor<f32>]` for arrays. A closure may capture anything, may
//! look at values and branch on them, and may fail: every function has a `try_` twin that takes closures returning
//! `Result`.

mod first;
mod jacobian;
mod nth;
mod second;

pub use first::{
    derivative, grad, grad_or_zeros, jvp, try_derivative, try_grad, try_jvp, try_value_and_grad, try_vjp,
    value_and_grad, vjp,
};
pub use jacobian::{jacobian, try_jacobian};
pub use nth::{Nested, nth_derivative, try_nth_derivative};
pub use second::{hessian, hvp, try_hessian, try_hvp};

use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::value::Value;
use std::error::Error as StdError;

/// What a fallible closure may fail with.
pub trait Failure: Into<Box<dyn StdError + Send + Sync>> {}

impl<E: Into<Box<dyn StdError + Send + Sync>>> Failure for E {}

/// The closure's result, its error made ours.
pub(crate) fn ours<T, E: Failure>(result: std::result::Result<T, E>) -> Result<T> {
    result.map_err(|e| crate::program::closure_error(e.into()))
}

fn expect_scalar(shape: Shape) -> Result<()> {
    if shape.is_empty() { Ok(()) } else { Err(Error::NotScalar { output: 0, shape }) }
}

fn expect_fit<V: Value>(what: &'static str, given: &[V], like: &[V]) -> Result<()> {
    if given.len() != like.len() {
        return Err(Error::Count { what, expected: like.len(), given: given.len() });
    }
    for (index, (given, like)) in given.iter().zip(like).enumerate() {
        let (given, expected) = (given.shape(), like.shape());
        if given != expected {
            return Err(Error::Input { what, index, expected, given });
        }
    }
    Ok(())
}
