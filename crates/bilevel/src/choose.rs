//! Which method for this problem?

use crate::clock::Clock;
use crate::dynamics::Dynamics;
use crate::error::{Error, Result, configuration};
use crate::inner::Inner;
use crate::krylov::{Stop, cg};
use crate::method::{Ask, Forward, Implicit, Keep, Method, Reverse};
use crate::vector::{bytes, count, norm};
use autodiff::Element;
use std::fmt;
use std::sync::Arc;

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of iterates, tangents and vectors.
    pub bytes: usize,
    /// Inner steps `T`.
    pub steps: usize,
}

/// A method, and why.
pub struct Choice<E: Element> {
    /// The method.
    pub method: Box<dyn Method<E>>,
    /// The reason, in a sentence with the numbers that decided.
    pub reason: String,
}

impl<E: Element> fmt::Debug for Choice<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.method.name(), self.reason)
    }
}

/// An inner gradient that fell to this fraction of where it started counts as solved.
const SOLVED: f64 = 1e-6;

/// Iterations of conjugate gradients that look at the curvature.
const LOOKS: usize = 8;

/// Chooses a method for a problem, an inner optimiser and a budget. It runs the inner optimiser once and times a
/// Hessian-vector product.
///
/// - Where the inner problem is solved after the steps, its Hessian is positive definite and u acts on it: implicit, if its
///   solve is expected to cost less than the way back, or the way back has no room.
/// - Else the trajectory is differentiated: in reverse if it fits the budget, with checkpoints if three states do; forward if u
///   has a few numbers only and the trajectory does not fit.
///
/// # Errors
/// [`Error::Configuration`] if nothing fits the budget; what the inner optimiser reports.
pub fn choose<E: Element>(
    ask: &Ask<'_, E>,
    dynamics: impl Dynamics + Clone + 'static,
    budget: Budget,
) -> Result<Choice<E>> {
    if budget.steps == 0 {
        return configuration("budget", "at least one inner step is needed");
    }
    let rule: Arc<dyn Dynamics> = Arc::new(dynamics);
    let mut session = ask.session(Some(&rule))?;
    let state = session.initial(ask.v0)?;
    let (n, m, steps) = (count(&state[..session.m]), count(ask.u), budget.steps);
    let state_bytes = bytes(&state);
    let first = norm(&session.inner(&state[..session.m], 0, 0)?.1);
    let inner = Inner::steps(Arc::clone(&rule), steps);
    let clock = Clock::now();
    let solved = inner.solve(&mut session, ask.v0, false, true)?;
    let step_seconds = clock.seconds() / steps.max(1) as f64;
    let last = solved.inner.as_ref().map_or(f64::INFINITY, |(_, slope)| norm(slope));
    let trajectory = steps * state_bytes;
    let shrink = if first > 0.0 { last / first } else { 0.0 };

    // What would implicit differentiation see, and cost?
    let mut implicit = None;
    if shrink <= SOLVED && 6 * bytes(&solved.v) <= budget.bytes {
        let mut hessian = session.hessian(&solved.v, 0)?;
        let b = session.outer(&solved.v, 0, steps)?.by_v;
        // Both are compiled before they are timed.
        session.hvp(&mut hessian, &b)?;
        let cotangent: Vec<_> = state.clone();
        session.step_vjp(1, &state, &cotangent)?;
        let clock = Clock::now();
        session.step_vjp(1, &state, &cotangent)?;
        let back_seconds = clock.seconds();
        let clock = Clock::now();
        session.hvp(&mut hessian, &b)?;
        let hvp_seconds = clock.seconds();
        let mut product = |p: &[autodiff::Tensor<E>]| session.hvp(&mut hessian, p);
        let look = cg(&mut product, &b, None, Stop { tolerance: 1e-10, iterations: LOOKS });
        match look {
            Ok(solution) => {
                let condition = solution.lanczos.and_then(|l| l.extremes()).map_or(1.0, |(low, high)| high / low);
                // Conjugate gradients gain a factor of e in √κ/2 iterations; ten digits are ln 10¹⁰ ≈ 23 of them.
                let iterations = ((0.5 * condition.sqrt() * 23.0).ceil() as usize).clamp(1, n.max(1));
                let seen = match session.mixed(&solved.v, &b, 0) {
                    Ok(_) => true,
                    Err(Error::Detached { .. }) => false,
                    Err(other) => return Err(other),
                };
                implicit = seen.then_some((hvp_seconds, back_seconds, iterations));
            }
            Err(Error::NotPositiveCurvature { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    let facts = format!("n = {n}, m = {m}, T = {steps}");
    let fits = trajectory <= budget.bytes;
    if let Some((hvp_seconds, back_seconds, iterations)) = implicit {
        let (solve, back) = (iterations as f64 * hvp_seconds, steps as f64 * back_seconds);
        if !fits || solve < back {
            let reason = format!(
                "{facts}: the inner gradient fell to {shrink:.0e} of where it began, so the implicit equation holds; \
                 about {iterations} products of {:.1} µs solve it, the way back would take {steps} of {:.1} µs and {trajectory} bytes",
                hvp_seconds * 1e6,
                back_seconds * 1e6
            );
            return Ok(Choice { method: Box::new(Implicit::cg(inner)), reason });
        }
    }
    let way =
        if shrink <= SOLVED { "" } else { "the inner problem is not solved after T steps, so its trajectory counts; " };
    if fits {
        let reason = format!(
            "{facts}: {way}{trajectory} bytes of iterates fit into {}, and the way back costs about one step of {:.1} µs each, \
             whatever m is",
            budget.bytes,
            step_seconds * 1e6
        );
        return Ok(Choice { method: Box::new(Reverse::new(Arc::clone(&rule), steps)), reason });
    }
    let tangents = 2 * m * state_bytes;
    if tangents <= budget.bytes && m <= 4 {
        let reason =
            format!("{facts}: {way}the trajectory's {trajectory} bytes do not fit, {m} tangents ({tangents}) do");
        return Ok(Choice { method: Box::new(Forward::new(Arc::clone(&rule), steps)), reason });
    }
    if 3 * state_bytes <= budget.bytes {
        let reason = format!(
            "{facts}: {way}the trajectory's {trajectory} bytes do not fit, {} of its states do: the others are recomputed",
            budget.bytes / state_bytes
        );
        let method = Reverse::new(Arc::clone(&rule), steps).keep(Keep::Bytes(budget.bytes));
        return Ok(Choice { method: Box::new(method), reason });
    }
    configuration(
        "budget",
        format!("{} bytes: three states of the inner optimiser need {}", budget.bytes, 3 * state_bytes),
    )
}
