//! Reverse-mode differentiation of the inner trajectory (RMD), whole, truncated (K-RMD) or checkpointed.

use super::trajectory::{Keep, Trajectory};
use super::{Ask, Hypergradient, Memory, Method};
use crate::dynamics::Dynamics;
use crate::error::{Result, configuration};
use crate::report::ErrorEstimate;
use crate::vector;
use autodiff::Element;

/// How far back the trajectory is differentiated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Window {
    /// To its start.
    #[default]
    Whole,
    /// Its last `K` steps, at least 1: K-RMD.
    Last(usize),
    /// Until the part that is left out is estimated to be below this fraction of the hypergradient's norm.
    Tolerance(f64),
}

/// Reverse-mode hypergradient of `T` steps of the inner optimiser; `T = 1` is the virtual step of learning to reweight.
///
/// With `A_{t+1} = ∂Φ/∂s_t` and `B_{t+1} = ∂Φ/∂u`, `dF/du = f_u + Σ_t B_t A_{t+1} ⋯ A_T f_v`: one VJP of the step for each
/// state, last first. The step and its VJP are recorded once; states are stored, which are v and what the update rule
/// remembers, and no graphs. (Franceschi, Donini, Frasconi, Pontil: Forward and reverse gradient-based hyperparameter
/// optimization, ICML 2017.) A [`Window`] keeps the terms `t = T−K+1 … T` of the sum. (Shaban, Cheng, Hatch, Boots:
/// Truncated back-propagation for bilevel optimization, AISTATS 2019.) [`Keep`] trades memory for steps that are run again,
/// with the same bits, or for products that are not computed again.
///
/// Time: `T` inner gradients and `K` VJPs, independent of `dim u`. Memory: `K · dim s` numbers, or as the budget says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reverse<D> {
    /// The update rule Φ.
    pub dynamics: D,
    /// The number of inner steps `T`, at least 1.
    pub steps: usize,
    /// How far back.
    pub window: Window,
    /// What is kept for the way back.
    pub keep: Keep,
}

impl<D> Reverse<D> {
    /// `steps` steps of an update rule, differentiated to their start.
    pub fn new(dynamics: D, steps: usize) -> Self {
        Self { dynamics, steps, window: Window::Whole, keep: Keep::All }
    }

    /// Only the last `k` steps.
    #[must_use]
    pub fn last(self, k: usize) -> Self {
        Self { window: Window::Last(k), ..self }
    }

    /// As many of the last steps as an estimate of the rest asks for.
    #[must_use]
    pub fn until(self, tolerance: f64) -> Self {
        Self { window: Window::Tolerance(tolerance), ..self }
    }

    /// With checkpoints in place of the whole trajectory, or with residuals beside it.
    ///
    /// ```
    /// use autodiff::{Tensor, Value};
    /// use bilevel::{Data, GradientDescent, Keep, Problem, Reverse};
    /// // A weight for each of 20 examples with 150 features.
    /// let problem = Problem::with_data(
    ///     |_, v, data| (data[0].matmul(&v[0]).tanh() - data[1]).square().sum_all(),
    ///     |u, v, data| ((data[0].matmul(&v[0]).tanh() - data[1]).square() * u[0]).sum_all() * 0.01,
    /// );
    /// let set = [Tensor::from_fn(&[20, 150], |i| ((i[0] * 7 + i[1] * 3) as f64).sin()), Tensor::full(&[20, 2], 0.5)];
    /// let (u, v0, data) = ([Tensor::full(&[20, 1], 1.0)], [Tensor::zeros(&[150, 2])], Data::new(&set, &set));
    /// let method = Reverse::new(GradientDescent::new(0.1), 8);
    /// let states = problem.hypergradient_on(&u, &v0, data, &method)?;
    /// // The product of 20 × 2 numbers, for the last five of eight steps.
    /// let residuals = problem.hypergradient_on(&u, &v0, data, &method.keep(Keep::Residuals(5 * 20 * 2 * 8)))?;
    /// assert_eq!(residuals.report.residual_steps, Some(5));
    /// assert_eq!(residuals.report.trajectory_bytes, states.report.trajectory_bytes + 5 * 20 * 2 * 8);
    /// let difference = (&residuals.gradient[0] - &states.gradient[0]).abs();
    /// assert!(difference.data().iter().all(|d| *d < 1e-12));
    /// # Ok::<(), bilevel::Error>(())
    /// ```
    #[must_use]
    pub fn keep(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }
}

/// Ratios of successive cotangents that a tail estimate looks at.
const RATIOS: usize = 5;

/// The sum of what is left out, if the terms go on to shrink as the last ones did: a geometric series.
///
/// Its ratio is the geometric mean over the last few steps; `None` before there are two terms, or if they do not shrink.
fn tail(cotangents: &[f64], last_term: f64, left: usize) -> Option<f64> {
    let seen = cotangents.len().min(RATIOS + 1);
    let recent = &cotangents[cotangents.len() - seen..];
    let (&first, &last) = (recent.first()?, recent.last()?);
    if seen < 2 || first == 0.0 {
        return if last_term == 0.0 { Some(0.0) } else { None };
    }
    let ratio = (last / first).powf(1.0 / (seen - 1) as f64);
    if ratio >= 1.0 {
        return None;
    }
    Some(last_term * ratio * (1.0 - ratio.powi(i32::try_from(left).unwrap_or(i32::MAX))) / (1.0 - ratio))
}

impl<D: Dynamics, E: Element> Method<E> for Reverse<D> {
    fn name(&self) -> String {
        match (self.window, self.keep) {
            (Window::Whole, Keep::All) => "reverse".to_owned(),
            (Window::Whole, Keep::Residuals(_)) => "residuals".to_owned(),
            (Window::Whole, _) => "checkpointed".to_owned(),
            (Window::Last(k), _) => format!("truncated:{k}"),
            (Window::Tolerance(tolerance), _) => format!("truncated:{tolerance:e}"),
        }
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, _: &mut Memory<E>) -> Result<Hypergradient<E>> {
        if self.steps == 0 {
            return configuration("steps", "at least one inner step is needed; without one, v does not depend on u");
        }
        let (window, tolerance) = match self.window {
            Window::Whole => (self.steps, None),
            Window::Last(0) => return configuration("window", "at least the last step must be differentiated"),
            Window::Last(k) => (k.min(self.steps), None),
            Window::Tolerance(tolerance) if tolerance > 0.0 => (self.steps, Some(tolerance)),
            Window::Tolerance(_) => return configuration("window", "the tolerance must be positive"),
        };
        let mut session = ask.session(Some(&self.dynamics))?;
        // A window that finds its own length goes all the way where u gives the initial point.
        session.later_steps_only = window < self.steps || (tolerance.is_some() && !session.has_start());
        let start = session.initial(ask.v0)?;
        let (mut trajectory, last) = Trajectory::run(&mut session, start, self.steps, window, self.keep)?;
        let (v, slots) = last.split_at(session.m);
        let outer = session.outer(v, 0, self.steps)?;
        let mut gradient = outer.by_u;
        let mut cotangent = [outer.by_v, vector::zeros(slots)].concat();
        let mut norms = vec![vector::norm(&cotangent)];
        let (mut differentiated, mut with_residuals, mut left_out) = (0, 0, None);
        let note = trajectory.note.take();
        trajectory.walk_back(&mut session, &mut |session, step, state, residuals| {
            let (part, earlier) = session.step_vjp_with(step, state, &cotangent, residuals)?;
            with_residuals += usize::from(residuals.is_some());
            vector::axpy(1.0, &part, &mut gradient);
            differentiated += 1;
            if !earlier.is_empty() {
                cotangent = earlier;
                norms.push(vector::norm(&cotangent));
            }
            // What flows on into an initial point that u gives is more than a tail of the steps: nothing is known of it.
            left_out = if session.has_start() { None } else { tail(&norms, vector::norm(&part), step) };
            let Some(tolerance) = tolerance else { return Ok(true) };
            let small = |rest: f64| rest <= tolerance * vector::norm(&gradient);
            Ok(step == 0 || differentiated < 3 || !left_out.is_some_and(small))
        })?;
        let whole = differentiated == self.steps;
        if whole && let Some(part) = session.start_vjp(&cotangent)? {
            vector::axpy(1.0, &part, &mut gradient);
        }
        let look = session.look(v, self.steps)?;
        let mut report = session.report(outer.value);
        (report.inner_value, report.inner_grad_norm) = look;
        report.inner_steps = self.steps;
        report.differentiated_steps = Some(differentiated);
        report.residual_steps = matches!(self.keep, Keep::Residuals(_)).then_some(with_residuals);
        report.warnings.extend(note);
        report.error = if whole { Some(ErrorEstimate::Bound(0.0)) } else { left_out.map(ErrorEstimate::Estimate) };
        let inner_solution = v.to_vec();
        Ok(Hypergradient { gradient, inner_solution, adjoint: None, report })
    }
}
