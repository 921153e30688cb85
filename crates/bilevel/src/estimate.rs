//! How far an implicit hypergradient is from the truth.

use crate::error::Result;
use crate::report::ErrorEstimate;
use crate::session::{Penalty, Session};
use crate::vector::{axpy, bytes, count, dot, flat, norm, scaled, unit, zeros};
use autodiff::{Element, Tensor, Value};

/// What is known where an implicit hypergradient `f_u − C·w` was taken.
pub(crate) struct Known<'k, E: Element> {
    pub(crate) v: &'k [Tensor<E>],
    /// ∇_v g
    pub(crate) inner_gradient: &'k [Tensor<E>],
    pub(crate) by_u: &'k [Tensor<E>],
    pub(crate) by_v: &'k [Tensor<E>],
    /// w, and C·w
    pub(crate) w: &'k [Tensor<E>],
    pub(crate) image: &'k [Tensor<E>],
    /// ‖f_v − H·w‖, the damping's part included.
    pub(crate) residual: f64,
}

/// From constants that were seen along the way: `‖C‖ ≈ ‖C·w‖/‖w‖`, μ the smallest Ritz value.
///
/// `‖h − ∇F‖ ≲ ‖C‖·‖r‖/μ`, and what a step of length `‖∇_v g‖/μ` towards the inner solution changes: the outer gradient
/// and the mixed derivative are taken once more, there.
pub(crate) fn estimate<E: Element>(
    session: &mut Session<'_, E>,
    known: &Known<'_, E>,
    mu: f64,
    batch: usize,
) -> Result<ErrorEstimate> {
    let size = norm(known.w);
    let mixed = if size > 0.0 { norm(known.image) / size } else { 0.0 };
    let linear = mixed * known.residual / mu;
    let slope = norm(known.inner_gradient);
    // Where the inner gradient is all rounding, the step would be too.
    let visible = slope > 10.0 * E::EPSILON.to_f64() * mu * norm(known.v);
    let inner = if visible {
        let mut there = known.v.to_vec();
        axpy(-1.0 / mu, known.inner_gradient, &mut there);
        let outer = session.outer(&there, 0, 0)?;
        let image = session.mixed(&there, known.w, batch)?;
        let mut by_u = outer.by_u;
        axpy(-1.0, &image, &mut by_u);
        axpy(-1.0, known.by_u, &mut by_u);
        axpy(1.0, known.image, &mut by_u);
        let mut by_v = outer.by_v;
        axpy(-1.0, known.by_v, &mut by_v);
        norm(&by_u) + mixed * norm(&by_v) / mu
    } else {
        0.0
    };
    Ok(ErrorEstimate::Estimate(linear + inner))
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
    if !session.quadratic() {
        return Ok(None);
    }
    let n = count(known.v);
    let mut hessian = session.hessian(known.v, batch)?;
    let none = Penalty { multipliers: zeros(known.v), gamma: 0.0 };
    let mut outer = session.penalised_hessian(known.v, &none, true);
    let still = zeros(&session.u.clone());
    let (mut rows, mut mixed, mut outer_uv, mut outer_vv) = (Vec::with_capacity(n * n), 0.0, 0.0, 0.0);
    for i in 0..n {
        let direction = unit(i, known.v);
        rows.extend(flat(&session.hvp(&mut hessian, &direction)?).into_iter().map(Element::to_f64));
        let column = session.mixed(known.v, &direction, batch)?;
        mixed += dot(&column, &column);
        let column = session.hvp(&mut outer, &[&still[..], &direction].concat())?;
        let (by_u, by_v) = column.split_at(still.len());
        outer_uv += dot(by_u, by_u);
        outer_vv += dot(by_v, by_v);
    }
    session.alive(bytes(known.v) * (n + 4));
    let inverse = Tensor::new(&[n, n], rows)?.cholesky_solve(&Tensor::<f64>::eye(n));
    if !inverse.is_finite() {
        return Ok(None);
    }
    let mu = 1.0 / norm(&[inverse]);
    let distance = norm(known.inner_gradient) / mu;
    let (mixed, outer_uv, outer_vv) = (f64::sqrt(mixed), f64::sqrt(outer_uv), f64::sqrt(outer_vv));
    Ok(Some(ErrorEstimate::Bound(mixed * known.residual / mu + (outer_uv + mixed * outer_vv / mu) * distance)))
}

/// `b − (A + dI)·x + d·x`, the residual without the damping.
pub(crate) fn undamped<E: Element>(residual: &[Tensor<E>], damping: f64, x: &[Tensor<E>]) -> f64 {
    let mut r = residual.to_vec();
    axpy(1.0, &scaled(damping, x), &mut r);
    norm(&r)
}
