//! Solvers of `A·x = b` that see A through its products only. One solver per file.

mod bicgstab;
mod cg;
mod gmres;
mod lanczos;
mod neumann;
mod nystrom;

pub(crate) use bicgstab::bicgstab;
pub(crate) use cg::cg;
pub(crate) use gmres::gmres;
pub(crate) use lanczos::Lanczos;
pub(crate) use neumann::neumann;
pub(crate) use nystrom::nystrom;

use crate::error::Result;
use crate::vector::{Tensors, axpy, zeros};
use autodiff::{Element, Tensor};

/// `p ↦ A·p`
pub(crate) type Product<'f, E> = dyn FnMut(&[Tensor<E>]) -> Result<Vec<Tensor<E>>> + 'f;

/// When an iteration ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// Of `‖b − A·x‖ / ‖b‖`.
    pub(crate) tolerance: f64,
    pub(crate) iterations: usize,
}

/// A solution, and how good it is.
pub(crate) struct Solution<E: Element> {
    pub(crate) x: Vec<Tensor<E>>,
    /// b − A·x
    pub(crate) residual: Vec<Tensor<E>>,
    /// `‖b − A·x‖ / ‖b‖`
    pub(crate) relative: f64,
    pub(crate) iterations: usize,
    /// The most vectors that were kept at once, x and b among them.
    pub(crate) vectors: usize,
    /// What conjugate gradients learn of the spectrum.
    pub(crate) lanczos: Option<Lanczos>,
}

/// Where an iteration begins: x, given or zero, and `b − A·x`.
fn begin<E: Element>(
    product: &mut Product<'_, E>,
    b: &[Tensor<E>],
    x0: Option<Vec<Tensor<E>>>,
) -> Result<(Tensors<E>, Tensors<E>)> {
    let mut r = b.to_vec();
    let Some(x) = x0 else { return Ok((zeros(b), r)) };
    axpy(-1.0, &product(&x)?, &mut r);
    Ok((x, r))
}

/// `b − A·x` at the end: an iteration that updates its residual drifts away from it. A single step does not drift.
fn residual<E: Element>(
    product: &mut Product<'_, E>,
    b: &[Tensor<E>],
    x: &[Tensor<E>],
    updated: Vec<Tensor<E>>,
    iterations: usize,
) -> Result<Vec<Tensor<E>>> {
    if iterations < 2 {
        return Ok(updated);
    }
    let mut r = b.to_vec();
    axpy(-1.0, &product(x)?, &mut r);
    Ok(r)
}

/// `‖r‖ / ‖b‖`; 0 where there is nothing to solve.
fn relative(residual: f64, scale: f64) -> f64 {
    if scale > 0.0 { residual / scale } else { 0.0 }
}
