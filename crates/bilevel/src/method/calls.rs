//! What methods share that go on from call to call: their iterate, stochastic descent, their answer.

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

/// The answer of a method at v, where g and its gradient are these.
pub(super) fn answer<E: Element>(
    session: &mut Session<'_, E>,
    v: Vec<Tensor<E>>,
    gradient: Vec<Tensor<E>>,
    outer_value: f64,
    (inner_value, slope): (f64, &[Tensor<E>]),
    steps: usize,
) -> Hypergradient<E> {
    session.alive(5 * bytes(&v));
    let mut report = session.report(outer_value);
    report.inner_value = Some(inner_value);
    report.inner_grad_norm = Some(norm(slope));
    report.inner_steps = steps;
    Hypergradient { gradient, inner_solution: v, report }
}
