//! The augmented Lagrangian of the inner optimality condition.

use super::penalised::{Descent, minimise};
use super::penalty::{End, MultiplierStep, Saddle, finish};
use super::{Ask, Hypergradient, Memory, Method};
use crate::error::{Error, Result, configuration};
use crate::report::ErrorEstimate;
use crate::session::{Penalty as Weights, Session};
use crate::vector::{axpy, difference, norm, scaled, zeros};
use autodiff::{Element, Tensor};

/// `L = f + ⟨λ, ∇_v g⟩ + γ/2 ‖∇_v g‖²`, minimised, then `λ ← λ + γ·∇_v g`, and again.
///
/// The multipliers tend to `λ* = −H⁻¹f_v`, minus the adjoint of implicit differentiation, without γ having to grow: on a
/// quadratic problem `λ − λ*` shrinks by `(I + γ·H(∇²_vv f)⁻¹H)⁻¹` in each round. At the minimiser over v, the hypergradient is
/// `f_u + C·(λ + γ·∇_v g)`. (Hestenes 1969, Powell 1969; Nocedal, Wright: Numerical optimization, section 17.3.)
///
/// Time of a round: what [`Descent`] takes. Memory: a few vectors.
#[derive(Clone, Debug)]
pub struct AugmentedLagrangian {
    /// γ of the first round.
    pub gamma: f64,
    /// If given, γ is multiplied by it after a round in which ‖∇_v g‖ did not drop below `drop` of what it was.
    pub factor: Option<f64>,
    /// See `factor`.
    pub drop: f64,
    /// The ‖∇_v g‖ at which it ends.
    pub tolerance: f64,
    /// The most rounds.
    pub rounds: usize,
    /// How each round is minimised.
    pub descent: Descent,
    /// Whether to take what there is when the tolerance is not reached; the report then says so.
    pub accept: bool,
}

impl AugmentedLagrangian {
    /// γ that is raised tenfold when ‖∇_v g‖ does not drop to a quarter, to ‖∇_v g‖ ≤ 10⁻¹⁰ in at most 50 rounds, each
    /// minimised by Newton's method.
    pub fn new(gamma: f64) -> Self {
        Self {
            gamma,
            factor: Some(10.0),
            drop: 0.25,
            tolerance: 1e-10,
            rounds: 50,
            descent: Descent::Newton(100),
            accept: false,
        }
    }

    /// With γ as it is, and so many rounds.
    #[must_use]
    pub fn constant(self, rounds: usize) -> Self {
        Self { factor: None, tolerance: 0.0, rounds, ..self }
    }

    /// With another tolerance for ‖∇_v g‖.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Minimises over u and v together, round by round.
    ///
    /// # Errors
    /// [`Error::Configuration`] for settings that cannot work, [`Error::NotConverged`] if there is a tolerance and it is not
    /// reached, [`Error::NonFinite`].
    pub fn solve<E: Element>(&self, ask: &Ask<'_, E>) -> Result<Saddle<E>> {
        let mut session = ask.session(None)?;
        session.needs_whole_data("the augmented Lagrangian")?;
        let v0 = session.initial(ask.v0)?;
        let start = [ask.u, &v0].concat();
        let mut rounds = self.run(&mut session, true, start, zeros(&v0))?;
        let v = rounds.point.split_off(session.n);
        Ok(Saddle { u: rounds.point, v, multipliers: rounds.weights.multipliers, trace: rounds.trace })
    }

    fn run<E: Element>(
        &self,
        session: &mut Session<'_, E>,
        joint: bool,
        start: Vec<Tensor<E>>,
        multipliers: Vec<Tensor<E>>,
    ) -> Result<Rounds<E>> {
        let grows = self.factor.unwrap_or(2.0);
        if self.tolerance.is_nan() || self.drop.is_nan() {
            return configuration("augmented Lagrangian", "its tolerance and its drop must be numbers");
        }
        if !(self.gamma > 0.0 && self.gamma.is_finite() && grows > 1.0 && self.rounds > 0) {
            let reason = "γ must be positive, its factor above 1, and one round the least";
            return configuration("augmented Lagrangian", reason);
        }
        let mut rounds = Rounds {
            point: start,
            weights: Weights { multipliers, gamma: self.gamma },
            trace: Vec::new(),
            iterations: 0,
            warning: None,
            gradients: [Vec::new(), Vec::new()],
            rest: 0.0,
            inner: (0.0, Vec::new()),
        };
        let mut before = f64::INFINITY;
        for round in 0..self.rounds {
            let (point, done) = minimise(session, &rounds.weights, joint, rounds.point, &self.descent)?;
            rounds.point = point;
            rounds.iterations += done;
            let v = &rounds.point[if joint { session.n } else { 0 }..];
            // f_u + C(λ + γG), at the multipliers before they move.
            let (_, by_u, by_v) = session.penalised(v, &rounds.weights, round)?;
            rounds.rest = norm(&by_v);
            rounds.gradients = [std::mem::take(&mut rounds.gradients[1]), by_u];
            let (inner_value, slope) = session.inner(v, 0, round)?;
            let (gamma, infeasibility) = (rounds.weights.gamma, norm(&slope));
            axpy(gamma, &slope, &mut rounds.weights.multipliers);
            rounds.inner = (inner_value, slope);
            let multiplier_norm = norm(&rounds.weights.multipliers);
            rounds.trace.push(MultiplierStep { gamma, infeasibility, multiplier_norm, change: gamma * infeasibility });
            // Below rounding of where it began, it does not fall any more.
            let floor = 100.0 * E::EPSILON.to_f64() * rounds.trace[0].infeasibility;
            if self.tolerance > 0.0 && infeasibility <= self.tolerance.max(floor) {
                return Ok(rounds);
            }
            if let Some(factor) = self.factor
                && infeasibility > self.drop * before
            {
                rounds.weights.gamma *= factor;
            }
            before = infeasibility;
        }
        if self.tolerance > 0.0 {
            let (residual, tolerance, iterations) = (before, self.tolerance, self.rounds);
            let error = Error::NotConverged { solver: "the augmented Lagrangian", residual, tolerance, iterations };
            if !self.accept {
                return Err(error);
            }
            rounds.warning = Some(error.to_string());
        }
        Ok(rounds)
    }
}

struct Rounds<E: Element> {
    point: Vec<Tensor<E>>,
    weights: Weights<E>,
    trace: Vec<MultiplierStep>,
    iterations: usize,
    warning: Option<String>,
    /// Those of the last two rounds.
    gradients: [Vec<Tensor<E>>; 2],
    /// ‖∇L‖ by v, at the multipliers before they moved.
    rest: f64,
    /// g and ∇_v g at the end.
    inner: (f64, Vec<Tensor<E>>),
}

const MULTIPLIERS: &str = "augmented Lagrangian λ";

impl<E: Element> Method<E> for AugmentedLagrangian {
    fn name(&self) -> String {
        "augmented-lagrangian".to_owned()
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        let mut session = ask.session(None)?;
        session.needs_whole_data("the augmented Lagrangian")?;
        let v0 = session.initial(ask.v0)?;
        let multipliers = memory.take(MULTIPLIERS).unwrap_or_else(|| zeros(&v0));
        let rounds = self.run(&mut session, false, v0, multipliers)?;
        let [before, gradient] = rounds.gradients;
        // A geometric series, if the last two changes of λ are like the next ones.
        let changes: Vec<f64> = rounds.trace.iter().rev().take(2).map(|s| s.change).collect();
        let error = match changes[..] {
            [last, earlier] if last < earlier => {
                let ratio = last / earlier;
                let step = norm(&difference(&gradient, &before));
                Some(ErrorEstimate::Estimate(step * ratio / (1.0 - ratio)))
            }
            _ => None,
        };
        let end = End {
            gradient,
            adjoint: scaled(-1.0, &rounds.weights.multipliers),
            inner: rounds.inner,
            iterations: rounds.iterations,
            error,
            rest: rounds.rest,
            accept: self.accept,
            on_its_way: false,
        };
        memory.keep(MULTIPLIERS, rounds.weights.multipliers);
        let mut result = finish(&mut session, rounds.point, end)?;
        result.report.warnings.extend(rounds.warning);
        Ok(result)
    }
}
