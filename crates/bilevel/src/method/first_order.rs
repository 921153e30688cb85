//! First-order MAML.

use super::{Ask, Hypergradient, Memory, Method};
use crate::dynamics::Dynamics;
use crate::error::{Error, Result, configuration};
use crate::report::ErrorEstimate;
use crate::vector::{axpy, bytes, difference, norm};
use autodiff::Element;

/// The hypergradient through the initial point with the inner steps' derivative taken to be the identity:
/// `f_u + (∂v₀/∂u)ᵀ f_v(v_T)`. (Finn, Abbeel, Levine, ICML 2017, section 5.2: FOMAML.)
///
/// What it leaves out is of the order of the steps' length times the curvature; the report's estimate is T times what one VJP
/// of the last step says, for rules that remember nothing. Only for problems with a [`start`](crate::Problem::start): u that
/// acts on the steps alone is [`Error::Detached`](crate::Error::Detached).
///
/// Time: `T` inner gradients and one outer. Memory: two iterates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstOrder<D> {
    /// The update rule Φ.
    pub dynamics: D,
    /// The number of inner steps `T`, at least 1.
    pub steps: usize,
}

impl<D> FirstOrder<D> {
    /// `steps` steps of an update rule.
    pub fn new(dynamics: D, steps: usize) -> Self {
        Self { dynamics, steps }
    }
}

impl<D: Dynamics, E: Element> Method<E> for FirstOrder<D> {
    fn name(&self) -> String {
        "first-order".to_owned()
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, _: &mut Memory<E>) -> Result<Hypergradient<E>> {
        if self.steps == 0 {
            return configuration("steps", "at least one inner step is needed");
        }
        let mut session = ask.session(Some(&self.dynamics))?;
        let mut state = session.initial(ask.v0)?;
        let mut before = Vec::new();
        for step in 0..self.steps {
            let next = session.step(step, &state)?;
            session.alive(bytes(&state) + bytes(&next));
            before = std::mem::replace(&mut state, next);
        }
        let slots = state.split_off(session.m);
        let outer = session.outer(&state, 0, self.steps)?;
        let mut gradient = outer.by_u;
        let Some(part) = session.start_only_vjp(&outer.by_v)? else {
            let name = ask.problem.name(0, 0);
            return Err(Error::Detached { name, through: "an initial point (the problem has no `start`)" });
        };
        axpy(1.0, &part, &mut gradient);
        // With an optimiser's memory a step acts on many later ones: one VJP does not tell.
        let known = slots.is_empty() && session.has_second_derivatives();
        let error = session.diagnose(|s| {
            if !known {
                return Ok(None);
            }
            let (mut left_out, by_state) = s.step_vjp(self.steps - 1, &before, &outer.by_v)?;
            let change = difference(&by_state, &outer.by_v);
            if let Some(part) = s.start_only_vjp(&change)? {
                axpy(1.0, &part, &mut left_out);
            }
            Ok(Some(ErrorEstimate::Estimate(self.steps as f64 * norm(&left_out))))
        })?;
        let look = session.look(&state, self.steps)?;
        let mut report = session.report(outer.value);
        (report.inner_value, report.inner_grad_norm) = look;
        report.inner_steps = self.steps;
        report.differentiated_steps = Some(0);
        report.error = error.flatten();
        Ok(Hypergradient { gradient, inner_solution: state, adjoint: None, report })
    }
}
