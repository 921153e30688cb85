//! Newton's method with conjugate gradients, for objectives whose Hessian is seen through its products.

use crate::error::{Error, Result};
use crate::krylov::{Stop, cg};
use crate::vector::{axpy, dot, norm, scaled};
use autodiff::{Element, Tensor};

/// What is minimised.
pub(crate) trait Minimize<E: Element> {
    /// A point, prepared for products.
    type Hessian;

    /// The value; it need not be finite.
    fn value(&mut self, x: &[Tensor<E>]) -> Result<f64>;

    /// Value and gradient, finite.
    fn gradient(&mut self, x: &[Tensor<E>], iteration: usize) -> Result<(f64, Vec<Tensor<E>>)>;

    fn hessian(&mut self, x: &[Tensor<E>]) -> Result<Self::Hessian>;

    fn product(&mut self, hessian: &mut Self::Hessian, p: &[Tensor<E>]) -> Result<Vec<Tensor<E>>>;
}

pub(crate) struct Found<E: Element> {
    pub(crate) x: Vec<Tensor<E>>,
    pub(crate) value: f64,
    pub(crate) gradient: Vec<Tensor<E>>,
    pub(crate) iterations: usize,
}

/// Newton–CG with backtracking, until the gradient's norm is at most the tolerance or does not shrink any more.
/// (Nocedal, Wright: Numerical optimization, algorithm 7.1.)
///
/// Where the Hessian does not curve upwards, damping is added until it does.
pub(crate) fn newton<E: Element, M: Minimize<E>>(
    objective: &mut M,
    mut x: Vec<Tensor<E>>,
    tolerance: f64,
    iterations: usize,
) -> Result<Found<E>> {
    let n = crate::vector::count(&x);
    let (mut value, mut gradient) = objective.gradient(&x, 0)?;
    let mut done = 0;
    while done < iterations {
        let size = norm(&gradient);
        if size <= tolerance || size == 0.0 {
            break;
        }
        let mut hessian = objective.hessian(&x)?;
        let step = direction(objective, &mut hessian, &gradient, n)?;
        let slope = dot(&step, &gradient);
        let mut length = 1.0;
        let next = loop {
            let mut candidate = x.clone();
            axpy(length, &step, &mut candidate);
            let there = objective.value(&candidate)?;
            // Near the minimum the value is all rounding: a step that is small beside it is taken if the gradient shrinks.
            let flat = (slope.abs() * length) <= 1e3 * E::EPSILON.to_f64() * value.abs().max(f64::MIN_POSITIVE);
            if there.is_finite() && (there <= value + 1e-4 * length * slope || flat) {
                break Some(candidate);
            }
            length *= 0.5;
            if length < 1e-12 {
                break None;
            }
        };
        done += 1;
        let Some(candidate) = next else { break };
        let (there, gradient_there) = objective.gradient(&candidate, done)?;
        let shrinks = norm(&gradient_there) < size;
        let falls = there < value;
        if !shrinks && !falls {
            break;
        }
        // Rounding is reached when the gradient wobbles around nothing.
        let stalled = !shrinks || norm(&gradient_there) > 0.9 * size && !falls;
        (x, value, gradient) = (candidate, there, gradient_there);
        if stalled && (there - value).abs() <= E::EPSILON.to_f64() * value.abs() && !falls {
            break;
        }
    }
    Ok(Found { x, value, gradient, iterations: done })
}

/// `−(H + dI)⁻¹ ∇`, with the smallest damping d that makes it positive definite along the way.
fn direction<E: Element, M: Minimize<E>>(
    objective: &mut M,
    hessian: &mut M::Hessian,
    gradient: &[Tensor<E>],
    n: usize,
) -> Result<Vec<Tensor<E>>> {
    let mut damping = 0.0;
    // As exact as the element type allows: what is small here is exact for the caller.
    let stop = Stop { tolerance: 4.0 * E::EPSILON.to_f64(), iterations: 2 * n + 10 };
    for _ in 0..60 {
        let mut product = |p: &[Tensor<E>]| {
            let mut image = objective.product(hessian, p)?;
            axpy(damping, p, &mut image);
            Ok(image)
        };
        match cg(&mut product, &scaled(-1.0, gradient), None, stop) {
            Ok(solution) => return Ok(solution.x),
            Err(Error::NotPositiveCurvature { curvature }) => {
                damping = (2.0 * damping).max(2.0 * curvature.abs()).max(1e-8);
            }
            Err(other) => return Err(other),
        }
    }
    Err(Error::NotPositiveCurvature { curvature: -damping })
}
