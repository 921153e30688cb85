//! What an adjoint says of the answer of a method that did not solve for it.

use crate::error::Result;
use crate::estimate::{Known, estimate};
use crate::report::ErrorEstimate;
use crate::session::Session;
use crate::vector::{axpy, difference, dot, norm};
use autodiff::{Element, Tensor};

/// An answer `h ≈ f_u − C·w`, and where it was taken.
pub(super) struct Audit<'k, E: Element> {
    /// v
    pub(super) at: &'k [Tensor<E>],
    /// ∇_v g there.
    pub(super) slope: &'k [Tensor<E>],
    /// The adjoint that the answer amounts to; may be zero.
    pub(super) w: &'k [Tensor<E>],
    pub(super) answer: &'k [Tensor<E>],
    /// The numbers of the outer and the inner batch.
    pub(super) batches: [usize; 2],
    /// What the method evaluated at v anyway.
    pub(super) parts: Option<Parts<E>>,
}

/// f_u, f_v, `H·w` and `C·w`.
pub(super) struct Parts<E: Element> {
    pub(super) by_u: Vec<Tensor<E>>,
    pub(super) by_v: Vec<Tensor<E>>,
    pub(super) image: Vec<Tensor<E>>,
    pub(super) mixed: Vec<Tensor<E>>,
}

/// What was found out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict {
    pub(super) error: Option<ErrorEstimate>,
    /// ‖f_v − H·w‖ / ‖f_v‖
    pub(super) residual: Option<f64>,
}

/// How far the answer is from `f_u − C·w` at v, and how far that is from the truth: the residual of w over the curvature
/// along it, as for the implicit methods.
///
/// Nothing where g does not curve upwards along w, or may have no second derivatives. Costs at most one HVP, two mixed
/// products and three gradients; one mixed product and one gradient more for parts that are means over batches.
pub(super) fn audit<E: Element>(session: &mut Session<'_, E>, a: Audit<'_, E>) -> Result<Verdict> {
    if !session.has_second_derivatives() {
        return Ok(Verdict::default());
    }
    let found = session.diagnose(|session| {
        // From w = 0 nothing is learnt: there the adjoint's system is looked at along its right-hand side.
        let nothing = norm(a.w) == 0.0;
        let averaged = a.parts.is_some() && !session.is_whole();
        let Parts { by_u, by_v, image, mixed } = match a.parts {
            Some(parts) if !nothing => parts,
            parts => {
                let (by_u, by_v) = match parts {
                    Some(parts) => (parts.by_u, parts.by_v),
                    None => {
                        let outer = session.outer(a.at, a.batches[0], 0)?;
                        (outer.by_u, outer.by_v)
                    }
                };
                let p = if nothing { &by_v } else { a.w };
                if norm(p) == 0.0 {
                    return Ok(Verdict::default());
                }
                let mut hessian = session.hessian(a.at, a.batches[1])?;
                let (image, mixed) = (session.hvp(&mut hessian, p)?, session.mixed(a.at, p, a.batches[1])?);
                Parts { by_u, by_v, image, mixed }
            }
        };
        let p = if nothing { &by_v } else { a.w };
        let mu = dot(p, &image) / dot(p, p);
        let (mut implicit, mut residual) = (by_u, by_v.clone());
        if !nothing {
            axpy(-1.0, &mixed, &mut implicit);
            axpy(-1.0, &image, &mut residual);
        }
        let relative = norm(&residual) / norm(&by_v);
        let residual_of = Some(relative).filter(|r| r.is_finite());
        if mu <= 0.0 {
            return Ok(Verdict { error: None, residual: residual_of });
        }
        let at_batch = |session: &mut Session<'_, E>, there: &[Tensor<E>]| {
            let outer = session.outer(there, a.batches[0], 0)?;
            let mut by_u = outer.by_u;
            if !nothing {
                axpy(-1.0, &session.mixed(there, a.w, a.batches[1])?, &mut by_u);
            }
            Ok((by_u, outer.by_v))
        };
        // What a step changes is seen on one batch, before and after it.
        let (here, here_by_v) = if averaged { at_batch(session, a.at)? } else { (implicit.clone(), by_v.clone()) };
        let known = Known {
            at: a.at,
            slope: a.slope,
            hypergradient: &here,
            by_v: &here_by_v,
            // Its length is what ‖C·p‖ is measured by.
            w: p,
            image: norm(&mixed),
            residual: norm(&residual),
        };
        let of_implicit = estimate(&known, mu, |there| at_batch(session, there))?;
        let apart = norm(&difference(a.answer, &implicit));
        let error = Some(ErrorEstimate::Estimate(apart + of_implicit.value()));
        Ok(Verdict { error, residual: residual_of })
    })?;
    Ok(found.unwrap_or_default())
}
