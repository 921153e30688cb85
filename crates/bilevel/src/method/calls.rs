//! What methods share that go on from call to call: their iterate, stochastic descent, their answer.

use super::audit::{Audit, Parts, Verdict, audit};
use super::{Hypergradient, Memory};
use crate::error::{Result, configuration};
use crate::session::Session;
use crate::vector::{axpy, bytes, norm};
use autodiff::{Element, Tensor};

/// [`Error::Configuration`](crate::Error::Configuration) unless all of these settings are positive.
pub(super) fn positive(settings: &[(&'static str, f64)]) -> Result<()> {
    match settings.iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
        Some((name, value)) => configuration(name, format!("{value} must be positive")),
        None => Ok(()),
    }
}

/// The iterate of a method, from its memory or the initial point.
pub(super) fn iterate<E: Element>(
    session: &mut Session<'_, E>,
    memory: &mut Memory<E>,
    name: &str,
    v0: &[Tensor<E>],
) -> Result<Vec<Tensor<E>>> {
    match memory.take(name) {
        Some(v) => Ok(v),
        None => session.initial(v0),
    }
}

/// `v − rate·∇_v g` for so many steps, a batch each.
pub(super) fn sgd<E: Element>(
    session: &mut Session<'_, E>,
    mut v: Vec<Tensor<E>>,
    rate: f64,
    steps: std::ops::Range<usize>,
) -> Result<Vec<Tensor<E>>> {
    for step in steps {
        let slope = session.inner(&v, step, step)?.1;
        axpy(-rate, &slope, &mut v);
    }
    Ok(v)
}

/// A point, and ∇_v g there.
type Place<'k, E> = (&'k [Tensor<E>], Vec<Tensor<E>>);

/// An answer, and what its report is made of.
pub(super) struct Found<'k, E: Element> {
    pub(super) gradient: Vec<Tensor<E>>,
    /// Where it was taken.
    pub(super) v: Vec<Tensor<E>>,
    pub(super) outer_value: f64,
    /// g and ∇_v g there, if the method knows.
    pub(super) inner: Option<(f64, Vec<Tensor<E>>)>,
    /// Another point at which the adjoint is, and ∇_v g there.
    pub(super) other: Option<Place<'k, E>>,
    /// The adjoint that the answer amounts to.
    pub(super) w: &'k [Tensor<E>],
    /// What else the method evaluated at v.
    pub(super) parts: Option<Parts<E>>,
    /// The number of the batch, and of the steps of this call.
    pub(super) batch: usize,
    pub(super) steps: usize,
}

impl<'k, E: Element> Found<'k, E> {
    /// Of which nothing else is known.
    pub(super) fn new(
        gradient: Vec<Tensor<E>>,
        v: Vec<Tensor<E>>,
        outer_value: f64,
        w: &'k [Tensor<E>],
        [batch, steps]: [usize; 2],
    ) -> Self {
        Self { gradient, v, outer_value, inner: None, other: None, w, parts: None, batch, steps }
    }
}

/// The hypergradient with its report.
pub(super) fn answer<E: Element>(session: &mut Session<'_, E>, found: Found<'_, E>) -> Result<Hypergradient<E>> {
    let Found { gradient, v, outer_value, inner, other, w, parts, batch, steps } = found;
    // What goes on to the next call: v, the adjoint, another iterate.
    session.alive(bytes(&v) + bytes(w) + other.as_ref().map_or(0, |(z, _)| bytes(z)));
    let inner = match inner {
        Some(inner) => Some(inner),
        None => session.diagnose(|s| s.inner(&v, batch, batch))?,
    };
    let place = match (&other, &inner) {
        (Some((at, slope)), _) => Some((*at, slope)),
        (None, Some((_, slope))) => Some((v.as_slice(), slope)),
        (None, None) => None,
    };
    let verdict = match place {
        Some((at, slope)) => audit(session, Audit { at, slope, w, answer: &gradient, batches: [batch; 2], parts })?,
        None => Verdict::default(),
    };
    let mut report = session.report(outer_value);
    report.inner_value = inner.as_ref().map(|(value, _)| *value);
    report.inner_grad_norm = inner.as_ref().map(|(_, slope)| norm(slope));
    report.inner_steps = steps;
    (report.error, report.linear_residual) = (verdict.error, verdict.residual);
    Ok(Hypergradient { gradient, inner_solution: v, adjoint: Some(w.to_vec()), report })
}
