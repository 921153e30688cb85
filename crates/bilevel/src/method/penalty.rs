//! The penalty method: no inverse, no trajectory.

use super::audit::{Audit, audit};
use super::penalised::{Descent, minimise};
use super::{Ask, Hypergradient, Memory, Method};
use crate::error::{Error, Result, configuration};
use crate::report::ErrorEstimate;
use crate::session::{Penalty as Weights, Session};
use crate::vector::{difference, norm, scaled, zeros};
use autodiff::{Element, Tensor};

/// When the penalty grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// All of so many stages in each call, so that a call stands for itself.
    Stages(usize),
    /// One stage a call: the method of the paper, where u and v move in turns while γ grows.
    PerCall,
}

/// `min f + γ/2 ‖∇_v g‖²`, with growing γ. (Mehra, Hamm: Penalty method for inversion-free deep bilevel optimization, ACML
/// 2021.)
///
/// At the minimiser over v, the hypergradient is `f_u + γ·C·∇_v g`, and `γ·∇_v g` tends to the multiplier `−H⁻¹f_v`: the
/// error is O(1/γ). One evaluation takes a Hessian-vector product's time.
///
/// On whole data only: the square of a minibatch's ∇_v g estimates ‖∇_v g‖² and the variance, and u would learn to make the
/// variance small.
///
/// Time of a stage: what [`Descent`] takes. Memory: a few vectors.
#[derive(Clone, Debug)]
pub struct Penalty {
    /// γ of the first stage.
    pub gamma: f64,
    /// What γ is multiplied by from stage to stage.
    pub factor: f64,
    /// When it grows.
    pub schedule: Schedule,
    /// How each stage is minimised over v.
    pub descent: Descent,
    /// Whether to take what there is when ‖∇_v g‖ does not fall as γ grows; the report then says so.
    pub accept: bool,
}

impl Penalty {
    /// γ from 1 to `gamma` in tenfold stages, each minimised by Newton's method.
    pub fn new(gamma: f64) -> Self {
        let stages = if gamma.is_finite() { gamma.max(1.0).log10().ceil() as usize } else { 0 };
        let first = gamma / 10_f64.powi(stages as i32);
        Self {
            gamma: first,
            factor: 10.0,
            schedule: Schedule::Stages(stages + 1),
            descent: Descent::Newton(100),
            accept: false,
        }
    }

    fn check(&self) -> Result<()> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(self.gamma) || !positive(self.factor) {
            return configuration(
                "penalty",
                format!("γ = {} and its factor {} must be positive", self.gamma, self.factor),
            );
        }
        if self.schedule == Schedule::Stages(0) {
            return configuration("penalty", "at least one stage is needed");
        }
        Ok(())
    }

    /// Minimises over u and v together, stage by stage.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) for settings that cannot work,
    /// [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn solve<E: Element>(&self, ask: &Ask<'_, E>) -> Result<Saddle<E>> {
        self.check()?;
        let mut session = ask.session(None)?;
        session.needs_whole_data("the penalty method")?;
        let v0 = session.initial(ask.v0)?;
        let stages = if let Schedule::Stages(stages) = self.schedule { stages } else { 1 };
        let mut weights = Weights { multipliers: zeros(&v0), gamma: self.gamma };
        let mut point = [ask.u, &v0].concat();
        let mut trace = Vec::with_capacity(stages);
        let mut slope = Vec::new();
        for stage in 0..stages {
            weights.gamma = self.gamma * self.factor.powi(stage as i32);
            point = minimise(&mut session, &weights, true, point, &self.descent)?.0;
            slope = session.inner(&point[session.n..], 0, stage)?.1;
            let multiplier_norm = weights.gamma * norm(&slope);
            trace.push(MultiplierStep {
                gamma: weights.gamma,
                infeasibility: norm(&slope),
                multiplier_norm,
                change: 0.0,
            });
        }
        let v = point.split_off(session.n);
        Ok(Saddle { u: point, v, multipliers: scaled(weights.gamma, &slope), trace })
    }
}

/// One round of a penalty or multiplier method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiplierStep {
    /// γ.
    pub gamma: f64,
    /// ‖∇_v g‖ after it.
    pub infeasibility: f64,
    /// ‖λ‖ after it.
    pub multiplier_norm: f64,
    /// How far λ moved.
    pub change: f64,
}

/// Where a penalty or multiplier method ended.
#[derive(Clone, Debug)]
pub struct Saddle<E: Element> {
    /// The upper variables.
    pub u: Vec<Tensor<E>>,
    /// The inner variables.
    pub v: Vec<Tensor<E>>,
    /// λ of `f + ⟨λ, ∇_v g⟩`: minus the adjoint `w` that implicit differentiation solves for.
    pub multipliers: Vec<Tensor<E>>,
    /// Round by round.
    pub trace: Vec<MultiplierStep>,
}

const GAMMA: &str = "penalty γ";
const POINT: &str = "penalty v";

/// Where a penalised objective was left, and what is made of it.
pub(super) struct End<E: Element> {
    pub(super) gradient: Vec<Tensor<E>>,
    /// Minus the multipliers, or `−γ·∇_v g`.
    pub(super) adjoint: Vec<Tensor<E>>,
    /// g and ∇_v g.
    pub(super) inner: (f64, Vec<Tensor<E>>),
    pub(super) iterations: usize,
    pub(super) error: Option<ErrorEstimate>,
    /// ‖∇_v L‖
    pub(super) rest: f64,
    pub(super) accept: bool,
    /// Whether it need not be at a minimum yet: later calls go on from here.
    pub(super) on_its_way: bool,
}

/// f itself, where the report wants it.
pub(super) fn finish<E: Element>(
    session: &mut Session<'_, E>,
    v: Vec<Tensor<E>>,
    end: End<E>,
) -> Result<Hypergradient<E>> {
    let iterations = end.iterations;
    let outer = session.outer(&v, 0, iterations)?;
    let value = outer.value;
    // At a minimum of the penalised objective, its gradient is the difference of f_v and what holds it.
    let rest = end.rest / norm(&outer.by_v).max(f64::MIN_POSITIVE);
    let mut warnings = Vec::new();
    if rest > STATIONARY && !end.on_its_way {
        let solver = "the minimisation of the penalised objective over v (‖∇_v L‖ / ‖f_v‖)";
        let error = Error::NotConverged { solver, residual: rest, tolerance: STATIONARY, iterations };
        if !end.accept {
            return Err(error);
        }
        warnings.push(error.to_string());
    }
    let ((inner_value, slope), w) = (end.inner, end.adjoint);
    let mut error = end.error;
    if error.is_none() {
        let a = Audit { at: &v, slope: &slope, w: &w, answer: &end.gradient, batches: [0; 2], parts: None };
        error = audit(session, a)?.error;
    }
    let mut report = session.report(value);
    report.inner_value = Some(inner_value);
    report.inner_grad_norm = Some(norm(&slope));
    report.inner_steps = iterations;
    report.error = error;
    report.warnings.extend(warnings);
    Ok(Hypergradient { gradient: end.gradient, inner_solution: v, adjoint: Some(w), report })
}

/// The largest ‖∇_v L‖ / ‖f_v‖ that counts as a minimum: the hypergradient errs by about as much.
const STATIONARY: f64 = 1e-2;

impl<E: Element> Method<E> for Penalty {
    fn name(&self) -> String {
        "penalty".to_owned()
    }

    fn counts_calls(&self) -> bool {
        self.schedule == Schedule::PerCall
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        self.check()?;
        let mut session = ask.session(None)?;
        session.needs_whole_data("the penalty method")?;
        let per_call = self.schedule == Schedule::PerCall;
        let (stages, first, mut v) = match self.schedule {
            Schedule::Stages(stages) => (stages, self.gamma, session.initial(ask.v0)?),
            Schedule::PerCall => {
                let gamma = memory.number(GAMMA).unwrap_or(self.gamma);
                memory.keep_number(GAMMA, gamma * self.factor);
                let v = match memory.take(POINT) {
                    Some(v) => v,
                    None => session.initial(ask.v0)?,
                };
                (1, gamma, v)
            }
        };
        let mut weights = Weights { multipliers: zeros(&v), gamma: first };
        let (mut gradient, mut error, mut iterations) = (Vec::new(), None, 0);
        let mut inner = (0.0, Vec::new());
        let (mut slopes, mut rest) = (Vec::with_capacity(stages), 0.0);
        for stage in 0..stages {
            weights.gamma = first * self.factor.powi(stage as i32);
            let (point, done) = minimise(&mut session, &weights, false, v, &self.descent)?;
            v = point;
            iterations += done;
            let (_, by_u, by_v) = session.penalised(&v, &weights, iterations)?;
            rest = norm(&by_v);
            // Richardson: the error is proportional to 1/γ.
            if stage > 0 && self.factor > 1.0 {
                let change = norm(&difference(&by_u, &gradient));
                error = Some(ErrorEstimate::Estimate(change / (self.factor - 1.0)));
            }
            gradient = by_u;
            inner = session.inner(&v, 0, iterations)?;
            slopes.push(norm(&inner.1));
        }
        let warning = match slopes[..] {
            // It falls as 1/γ towards a solution of the inner problem; at other stationary points of ‖∇_v g‖² it stays.
            [.., before, last] if self.factor >= 4.0 && last > 0.5 * before && last * weights.gamma > 1.0 => {
                let solver =
                    "the penalty (‖∇_v g‖ does not fall as γ grows: its minimum is no solution of the inner problem)";
                let stuck = Error::NotConverged { solver, residual: last, tolerance: 0.5 * before, iterations };
                if !self.accept {
                    return Err(stuck);
                }
                Some(stuck.to_string())
            }
            _ => None,
        };
        if per_call {
            memory.keep(POINT, v.clone());
        }
        let (accept, adjoint) = (self.accept, scaled(-weights.gamma, &inner.1));
        let end = End { gradient, adjoint, inner, iterations, error, rest, accept, on_its_way: per_call };
        let mut result = finish(&mut session, v, end)?;
        result.report.warnings.extend(warning);
        Ok(result)
    }
}
