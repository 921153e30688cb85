//! Stochastic methods in which v, the adjoint w and u move together, one minibatch a call. One per file.
//!
//! They are meant for [`solve`](crate::Problem::solve): a single call from nothing says little.

mod amigo;
mod mrbo;
mod saba;
mod soba;
mod stocbio;

pub use amigo::Amigo;
pub use mrbo::Mrbo;
pub use saba::Saba;
pub use soba::Soba;
pub use stocbio::StocBio;

use super::{Hypergradient, Memory};
use crate::error::{Result, configuration};
use crate::session::Session;
use crate::vector::{axpy, bytes, norm, zeros};
use autodiff::{Element, Tensor};

fn check(rates: &[f64]) -> Result<()> {
    if rates.iter().all(|r| r.is_finite() && *r > 0.0) {
        return Ok(());
    }
    configuration("rate", format!("{rates:?} must be positive"))
}

/// The iterate of a method, from its memory or the initial point.
fn iterate<E: Element>(
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
fn sgd<E: Element>(
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

/// `w − rate·(H·w − b)` for so many steps, a batch each.
fn adjoint_sgd<E: Element>(
    session: &mut Session<'_, E>,
    v: &[Tensor<E>],
    b: &[Tensor<E>],
    mut w: Vec<Tensor<E>>,
    rate: f64,
    batches: std::ops::Range<usize>,
) -> Result<Vec<Tensor<E>>> {
    // Of whole data, what does not depend on w is computed once.
    let whole = matches!(session.data.inner, crate::Source::Whole(_));
    let mut hessian = session.hessian(v, batches.start)?;
    for (i, batch) in batches.enumerate() {
        if i > 0 && !whole {
            hessian = session.hessian(v, batch)?;
        }
        let image = session.hvp(&mut hessian, &w)?;
        axpy(-rate, &image, &mut w);
        axpy(rate, b, &mut w);
    }
    Ok(w)
}

/// `η Σ_{k < terms} (I − ηH)ᵏ b`, a batch for each factor.
fn stochastic_neumann<E: Element>(
    session: &mut Session<'_, E>,
    v: &[Tensor<E>],
    b: &[Tensor<E>],
    rate: f64,
    batches: std::ops::Range<usize>,
) -> Result<Vec<Tensor<E>>> {
    adjoint_sgd(session, v, b, zeros(b), rate, batches)
}

fn answer<E: Element>(
    session: &mut Session<'_, E>,
    v: Vec<Tensor<E>>,
    gradient: Vec<Tensor<E>>,
    outer_value: f64,
    slope: f64,
    steps: usize,
) -> Hypergradient<E> {
    session.alive(5 * bytes(&v));
    let mut report = session.report(outer_value);
    report.inner_grad_norm = Some(slope);
    report.inner_steps = steps;
    Hypergradient { gradient, inner_solution: v, report }
}

/// `f_u − C·w` at v.
fn hypergradient<E: Element>(
    session: &mut Session<'_, E>,
    v: &[Tensor<E>],
    by_u: Vec<Tensor<E>>,
    w: &[Tensor<E>],
    batch: usize,
) -> Result<Vec<Tensor<E>>> {
    let image = session.mixed(v, w, batch)?;
    let mut gradient = by_u;
    axpy(-1.0, &image, &mut gradient);
    Ok(gradient)
}

/// The norm of the inner gradient on a batch.
fn slope<E: Element>(session: &mut Session<'_, E>, v: &[Tensor<E>], batch: usize) -> Result<f64> {
    Ok(norm(&session.inner(v, batch, batch)?.1))
}
