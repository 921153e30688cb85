//! Reverse-mode differentiation of the inner trajectory (RMD).

use super::{Hypergradient, Method};
use crate::dynamics::Dynamics;
use crate::error::{Error, Result};
use crate::problem::{Data, Problem};
use crate::report::Report;
use autodiff::{Element, Tensor, Value};

/// Reverse-mode hypergradient of `T` steps of the inner optimiser; `T = 1` is the virtual step of learning to reweight.
///
/// With `A_{t+1} = ∂Φ/∂v_t` and `B_{t+1} = ∂Φ/∂u`, `dF/du = f_u + Σ_t B_t A_{t+1} ⋯ A_T f_v`: one VJP of the step for each
/// iterate, last first. The step and its VJP are recorded once; only iterates are stored.
/// (Franceschi, Donini, Frasconi, Pontil: Forward and reverse gradient-based hyperparameter optimization, ICML 2017.)
///
/// Time: `T` inner gradients forward and `T` VJPs backward, independent of `dim u`; memory: `T · dim v` numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reverse<D> {
    /// The update rule Φ.
    pub dynamics: D,
    /// The number of inner steps `T`, at least 1.
    pub steps: usize,
}

impl<D> Reverse<D> {
    /// `steps` steps of an update rule.
    pub fn new(dynamics: D, steps: usize) -> Self {
        Self { dynamics, steps }
    }
}

fn finite<E: Element>(what: &'static str, step: usize, x: &[Tensor<E>]) -> Result<()> {
    if x.iter().all(Value::is_finite) { Ok(()) } else { Err(Error::NonFinite { what, step }) }
}

impl<D: Dynamics> Method for Reverse<D> {
    fn hypergradient<E: Element>(
        &self,
        problem: &Problem,
        u: &[Tensor<E>],
        v0: &[Tensor<E>],
        data: Data<'_, E>,
    ) -> Result<Hypergradient<E>> {
        if self.steps == 0 {
            let reason = "at least one inner step is needed; without one, v does not depend on u".to_owned();
            return Err(Error::Configuration { setting: "steps", reason });
        }
        let recorded = problem.recorded(u, v0, data, &self.dynamics)?;
        let n = u.len();
        let hyper: Vec<Tensor<E>> = self.dynamics.hyper().iter().map(|&h| Tensor::scalar(E::from_f64(h))).collect();
        let step_inputs = |v: &[Tensor<E>]| [u, v, data.inner, &hyper].concat();

        let mut trajectory = vec![v0.to_vec()];
        for step in 0..self.steps {
            let next = recorded.step.run(&step_inputs(&trajectory[step]))?;
            finite("the inner iterate", step, &next)?;
            trajectory.push(next);
        }
        let inner_solution = trajectory.pop().unwrap_or_default();

        let mut outer = recorded.outer.run(&[u, &inner_solution, data.outer].concat())?;
        let mut cotangent_v = outer.split_off(1 + n);
        let mut gradient = outer.split_off(1);
        let outer_value = outer[0].item().to_f64();
        finite("the outer objective or its gradient", self.steps, &[&outer[..], &gradient, &cotangent_v].concat())?;

        for (step, v) in trajectory.iter().enumerate().rev() {
            let mut inputs = step_inputs(v);
            inputs.extend(cotangent_v);
            let program = if step == 0 { &recorded.first_step_vjp } else { &recorded.step_vjp };
            let mut parts = program.run(&inputs)?;
            finite("the hypergradient", step, &parts)?;
            cotangent_v = parts.split_off(n);
            for (sum, part) in gradient.iter_mut().zip(&parts) {
                *sum += part;
            }
        }
        let size: usize = v0.iter().map(Tensor::len).sum();
        let report = Report {
            outer_value,
            gradients: self.steps + 1,
            vjps: self.steps,
            trajectory_bytes: self.steps * size * size_of::<E>(),
        };
        Ok(Hypergradient { gradient, inner_solution, report })
    }
}
