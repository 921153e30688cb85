//! Methods that see the inner problem through its value `g(u, v*(u))` and need first derivatives only. One per file.

mod bome;
mod f2sa;
mod pbgd;

pub use bome::Bome;
pub use f2sa::F2sa;
pub use pbgd::Pbgd;

use super::Hypergradient;
use crate::error::{Result, configuration};
use crate::session::Session;
use crate::vector::{axpy, bytes, norm};
use autodiff::{Element, Tensor};

/// `steps` steps of gradient descent on g from z; the number of the first one chooses its batch.
fn descend<E: Element>(
    session: &mut Session<'_, E>,
    mut z: Vec<Tensor<E>>,
    rate: f64,
    steps: usize,
    first: usize,
) -> Result<Vec<Tensor<E>>> {
    for step in first..first + steps {
        let slope = session.inner(&z, step, step)?.1;
        axpy(-rate, &slope, &mut z);
    }
    Ok(z)
}

/// The answer of a method at v, from its gradient.
fn answer<E: Element>(
    session: &mut Session<'_, E>,
    v: Vec<Tensor<E>>,
    gradient: Vec<Tensor<E>>,
    outer_value: f64,
    steps: usize,
    batch: usize,
) -> Result<Hypergradient<E>> {
    let (value, slope) = session.inner(&v, batch, steps)?;
    session.alive(5 * bytes(&v));
    let mut report = session.report(outer_value);
    report.inner_value = Some(value);
    report.inner_grad_norm = Some(norm(&slope));
    report.inner_steps = steps;
    Ok(Hypergradient { gradient, inner_solution: v, report })
}

fn check(rate: f64, steps: usize, weight: f64) -> Result<()> {
    let positive = |x: f64| x.is_finite() && x > 0.0;
    if positive(rate) && steps > 0 && positive(weight) {
        return Ok(());
    }
    configuration("value function", format!("rate {rate}, weight {weight} and steps {steps} must be positive"))
}
