//! Conjugate gradients.

use super::{Lanczos, Product, Solution, Stop, begin, relative, residual};
use crate::error::{Error, Result};
use crate::vector::{axpy, dot, norm, xpay};
use autodiff::{Element, Tensor};

/// `A·x = b` for a symmetric positive definite A, from `x0` or zero. (Hestenes, Stiefel 1952.)
///
/// One product an iteration, one more for an `x0` and one for the residual after the last; at most `n` iterations in exact
/// arithmetic. Memory: five vectors.
/// A search direction along which A does not curve upwards is an error.
pub(crate) fn cg<E: Element>(
    product: &mut Product<'_, E>,
    b: &[Tensor<E>],
    x0: Option<Vec<Tensor<E>>>,
    stop: Stop,
) -> Result<Solution<E>> {
    let scale = norm(b);
    let (mut x, mut r) = begin(product, b, x0)?;
    let mut p = r.clone();
    let mut rr = dot(&r, &r);
    let mut lanczos = Lanczos::default();
    let mut iterations = 0;
    // The largest ‖A·p‖/‖p‖ that was met.
    let mut largest = 0.0;
    // A residual of zero ends it whatever the tolerance is; so b = 0 gives x = 0.
    while iterations < stop.iterations && rr > 0.0 && rr.sqrt() > stop.tolerance * scale {
        let image = product(&p)?;
        let (curvature, length) = (dot(&p, &image), dot(&p, &p));
        largest = f64::max(largest, norm(&image) / length.sqrt());
        // Of a product's rounding, the sign says nothing: A is singular to this precision.
        if curvature <= 10.0 * E::EPSILON.to_f64() * largest * length {
            return Err(Error::NotPositiveCurvature { curvature: curvature / length });
        }
        let step = rr / curvature;
        axpy(step, &p, &mut x);
        axpy(-step, &image, &mut r);
        let before = std::mem::replace(&mut rr, dot(&r, &r));
        lanczos.push(step, rr / before);
        xpay(&r, rr / before, &mut p);
        iterations += 1;
    }
    let r = residual(product, b, &x, r, iterations)?;
    let relative = relative(norm(&r), scale);
    Ok(Solution { x, residual: r, relative, iterations, vectors: 5, lanczos: Some(lanczos) })
}
