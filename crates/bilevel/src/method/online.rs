//! Real-time hypergradients (RTHO): u moves while the inner optimiser runs.

use super::forward::{contract, directions, initial_tangents};
use super::{Ask, Hypergradient, Memory, Method};
use crate::dynamics::Dynamics;
use crate::error::{Result, configuration};
use crate::report::ErrorEstimate;
use crate::vector;
use autodiff::{Element, Tensor};

/// Forward mode that never starts over: every call runs `Δ` more inner steps and gives the hypergradient so far; the
/// iterate and its tangents go on from there, though u has moved. (Franceschi, Donini, Frasconi, Pontil, ICML 2017,
/// section 3.3.)
///
/// It is meant for [`solve`](crate::Problem::solve), which keeps its memory; the first call alone is [`Forward`] of `Δ`
/// steps. The tangents are those of the trajectory as if u had always been what it was at each step; once u
/// has moved, the error estimate is what its last two changes, as a geometric series, have still to come.
///
/// The truncated sibling, `K` more steps in reverse mode, is [`Reverse`](super::Reverse) with warm starts.
///
/// Time of a call: `Δ` inner gradients and `Δ·m` JVPs. Memory: `2·m·dim s` numbers.
///
/// [`Forward`]: super::Forward
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Online<D> {
    /// The update rule Φ.
    pub dynamics: D,
    /// The number Δ of inner steps for each call, at least 1.
    pub steps: usize,
}

impl<D> Online<D> {
    /// `steps` inner steps for each outer one.
    pub fn new(dynamics: D, steps: usize) -> Self {
        Self { dynamics, steps }
    }
}

const STATE: &str = "online state";
const TANGENTS: &str = "online tangents";
const STEP: &str = "online step";
const U: &str = "online u";
const LAST: &str = "online hypergradient";
const CHANGE: &str = "online change";
const LAGS: &str = "online u has moved";

impl<D: Dynamics, E: Element> Method<E> for Online<D> {
    fn name(&self) -> String {
        format!("online:{}", self.steps)
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        if self.steps == 0 {
            return configuration("steps", "at least one inner step is needed");
        }
        let mut session = ask.session(Some(&self.dynamics))?;
        let du = directions(ask.u);
        let (mut state, mut tangents) = match (memory.tensors(STATE), memory.tensors(TANGENTS)) {
            (Some(state), Some(tangents)) => (state.to_vec(), tangents.to_vec()),
            _ => {
                let state = session.initial(ask.v0)?;
                let tangents = initial_tangents(session.start_jvp(&du)?, &state, vector::count(ask.u));
                (state, tangents)
            }
        };
        let first = memory.number(STEP).unwrap_or(0.0) as usize;
        for step in first..first + self.steps {
            let (next, moved) = session.step_jvp(step, &state, &du, &tangents)?;
            session.alive(vector::bytes(&tangents) + vector::bytes(&moved) + vector::bytes(&du));
            (state, tangents) = (next, moved);
        }
        let v = state[..session.m].to_vec();
        let outer = session.outer(&v, first / self.steps, first + self.steps)?;
        let gradient = contract(&outer.by_u, &tangents, &outer.by_v);
        memory.keep(STATE, state);
        memory.keep(TANGENTS, tangents);
        memory.keep_number(STEP, (first + self.steps) as f64);
        let look = session.look(&v, first + self.steps)?;
        // While u is where it was, this is forward mode of all steps. Later, what is left of the way is what the answer goes
        // on to change by: a geometric series of its last two changes.
        let moved = |u: &[Tensor<E>]| u.iter().zip(ask.u).any(|(a, b)| a.data() != b.data());
        let lags = first > 0 && (memory.number(LAGS).is_some() || memory.tensors(U).is_none_or(moved));
        let change = memory.tensors(LAST).map(|last| vector::norm(&vector::difference(&gradient, last)));
        let error = match (lags, change, memory.number(CHANGE)) {
            (false, ..) => Some(ErrorEstimate::Bound(0.0)),
            (true, Some(change), Some(before)) if change < before => {
                Some(ErrorEstimate::Estimate(change * change / (before - change)))
            }
            (true, Some(change), None) => Some(ErrorEstimate::Estimate(change)),
            // It does not settle.
            _ => None,
        };
        if lags {
            memory.keep_number(LAGS, 1.0);
            change.inspect(|change| memory.keep_number(CHANGE, *change));
        } else {
            memory.keep(U, ask.u.to_vec());
        }
        memory.keep(LAST, gradient.clone());
        let mut report = session.report(outer.value);
        (report.inner_value, report.inner_grad_norm) = look;
        report.error = error;
        report.inner_steps = self.steps;
        report.differentiated_steps = Some(first + self.steps);
        Ok(Hypergradient { gradient, inner_solution: v, adjoint: None, report })
    }
}
