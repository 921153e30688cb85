//! How far an implicit hypergradient is from the truth.

use crate::error::Result;
use crate::report::ErrorEstimate;
use crate::session::{Penalty, Session};
use crate::vector::{Tensors, axpy, bytes, count, difference, dot, flat, norm, unit, zeros};
use autodiff::{Element, Tensor, Value};

/// What is known where an implicit hypergradient was taken: `h = f_u − C·w` with `H·w ≈ f_v`, or the same for a fixed point,
/// with `I − A` in place of H and −B in place of C.
pub(crate) struct Known<'k, E: Element> {
    /// Where it was taken: v, or a state.
    pub(crate) at: &'k [Tensor<E>],
    /// ∇_v g, or what a step leaves: `s − Φ(s)`.
    pub(crate) slope: &'k [Tensor<E>],
    pub(crate) hypergradient: &'k [Tensor<E>],
    pub(crate) by_v: &'k [Tensor<E>],
    pub(crate) w: &'k [Tensor<E>],
    /// ‖C·w‖
    pub(crate) image: f64,
    /// ‖f_v − H·w‖, the damping's part included.
    pub(crate) residual: f64,
}

/// From constants that were seen along the way: `‖C‖ ≈ ‖C·w‖/‖w‖`, and μ.
///
/// `‖h − ∇F‖ ≲ ‖C‖·‖r‖/μ`, and what a step of length `‖∇_v g‖/μ` towards the inner solution changes: `again` gives
/// `f_u − C·w` and f_v there.
pub(crate) fn estimate<E: Element>(
    known: &Known<'_, E>,
    mu: f64,
    again: impl FnOnce(&[Tensor<E>]) -> Result<(Tensors<E>, Tensors<E>)>,
) -> Result<ErrorEstimate> {
    let size = norm(known.w);
    let mixed = if size > 0.0 { known.image / size } else { 0.0 };
    let linear = mixed * known.residual / mu;
    // Where the inner gradient is all rounding, the step would be too.
    if norm(known.slope) <= 10.0 * E::EPSILON.to_f64() * mu * norm(known.at) {
        return Ok(ErrorEstimate::Estimate(linear));
    }
    let mut there = known.at.to_vec();
    axpy(-1.0 / mu, known.slope, &mut there);
    let (hypergradient, by_v) = again(&there)?;
    let direct = norm(&difference(&hypergradient, known.hypergradient));
    let through = mixed * norm(&difference(&by_v, known.by_v)) / mu;
    Ok(ErrorEstimate::Estimate(linear + direct + through))
}

/// `wᵀHw/wᵀw = wᵀ(f_v − r)/wᵀw`: a curvature for those who know no spectrum; `None` if it is not positive.
pub(crate) fn curvature_along<E: Element>(w: &[Tensor<E>], by_v: &[Tensor<E>], residual: &[Tensor<E>]) -> Option<f64> {
    Some((dot(w, by_v) - dot(w, residual)) / dot(w, w)).filter(|mu| *mu > 0.0)
}

/// For objectives that are quadratic in v: with `e = v − v* = H⁻¹∇_v g`,
/// `h − ∇F = f_uv·e + C·H⁻¹·(r − f_vv·e)`, so
/// `‖h − ∇F‖ ≤ ‖C‖·‖r‖/μ + (‖f_uv‖ + ‖C‖·‖f_vv‖/μ)·‖∇_v g‖/μ`, each norm bounded by Frobenius' and μ from below by
/// `1/‖H⁻¹‖_F`.
///
/// `None` if the objectives are not quadratic in v or H is not positive definite. Costs `2n` HVPs and `n` mixed products.
pub(crate) fn bound<E: Element>(
    session: &mut Session<'_, E>,
    known: &Known<'_, E>,
    batch: usize,
) -> Result<Option<ErrorEstimate>> {
    // Of minibatches, what is solved is not what is meant.
    if !session.quadratic() || !session.is_whole() {
        return Ok(None);
    }
    let n = count(known.at);
    let mut hessian = session.hessian(known.at, batch)?;
    let none = Penalty { multipliers: zeros(known.at), gamma: 0.0 };
    let mut outer = session.penalised_hessian(known.at, &none, true);
    let still = zeros(&session.u.clone());
    let (mut rows, mut mixed, mut outer_uv, mut outer_vv) = (Vec::with_capacity(n * n), 0.0, 0.0, 0.0);
    for i in 0..n {
        let direction = unit(i, known.at);
        rows.extend(flat(&session.hvp(&mut hessian, &direction)?).into_iter().map(Element::to_f64));
        let column = session.mixed(known.at, &direction, batch)?;
        mixed += dot(&column, &column);
        let column = session.hvp(&mut outer, &[&still[..], &direction].concat())?;
        let (by_u, by_v) = column.split_at(still.len());
        outer_uv += dot(by_u, by_u);
        outer_vv += dot(by_v, by_v);
    }
    session.alive(bytes(known.at) * (n + 4));
    let inverse = Tensor::new(&[n, n], rows)?.cholesky_solve(&Tensor::<f64>::eye(n));
    if !inverse.is_finite() {
        return Ok(None);
    }
    let mu = 1.0 / norm(&[inverse]);
    let distance = norm(known.slope) / mu;
    let (mixed, outer_uv, outer_vv) = (f64::sqrt(mixed), f64::sqrt(outer_uv), f64::sqrt(outer_vv));
    Ok(Some(ErrorEstimate::Bound(mixed * known.residual / mu + (outer_uv + mixed * outer_vv / mu) * distance)))
}
