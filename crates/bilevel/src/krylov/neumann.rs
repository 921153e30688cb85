//! The Neumann series.

use super::{Product, Solution, Stop, begin, relative};
use crate::error::{Error, Result};
use crate::vector::{axpy, is_finite, norm};
use autodiff::{Element, Tensor};

/// `x = η Σ (I − ηA)ᵏ b`, which is A⁻¹b where `‖I − ηA‖ < 1`; as `x ← x + η (b − A·x)`. (Lorraine, Vicol, Duvenaud:
/// Optimizing millions of hyperparameters by implicit differentiation, AISTATS 2020.)
///
/// One product a term, and the last residual takes one more. A series that grows is an error.
pub(crate) fn neumann<E: Element>(
    product: &mut Product<'_, E>,
    b: &[Tensor<E>],
    x0: Option<Vec<Tensor<E>>>,
    rate: f64,
    stop: Stop,
) -> Result<Solution<E>> {
    let scale = norm(b);
    let (mut x, mut r) = begin(product, b, x0)?;
    let first = norm(&r);
    let mut iterations = 0;
    while iterations < stop.iterations && norm(&r) > stop.tolerance * scale {
        axpy(rate, &r, &mut x);
        r = b.to_vec();
        axpy(-1.0, &product(&x)?, &mut r);
        iterations += 1;
        let residual = norm(&r);
        if !is_finite(&r) || residual > 1e3 * first {
            let (solver, residual) = ("the Neumann series (its rate is too large: it diverges)", residual / scale);
            return Err(Error::NotConverged { solver, residual, tolerance: stop.tolerance, iterations });
        }
    }
    if norm(&r) > first {
        let solver = "the Neumann series (its rate is too large: its terms grow)";
        return Err(Error::NotConverged { solver, residual: norm(&r) / scale, tolerance: stop.tolerance, iterations });
    }
    let relative = relative(norm(&r), scale);
    Ok(Solution { x, residual: r, relative, iterations, vectors: 4, lanczos: None })
}
