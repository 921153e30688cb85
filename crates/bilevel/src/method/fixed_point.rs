//! Implicit differentiation of a fixed point `v = Φ(u, v)`.

use super::{Ask, Hypergradient, Memory, Method};
use crate::dynamics::Dynamics;
use crate::error::{Error, Result, configuration};
use crate::estimate::{Known, curvature_along, estimate};
use crate::krylov::{Stop, bicgstab, gmres};
use crate::session::Session;
use crate::vector::{axpy, bytes, difference, norm, zeros};
use autodiff::{Element, Tensor};

/// How `(I − A)ᵀ·w = f_v`, with `A = ∂Φ/∂s`, is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FixedPointSolver {
    /// `w ← Aᵀw + f_v`, which converges as Φ does.
    Iteration,
    /// Generalised minimal residuals, with so many products before it starts over.
    Gmres(usize),
    /// Stabilised biconjugate gradients.
    BiCgStab,
}

/// The hypergradient of the fixed point of any contraction Φ: `∇F = f_u + Bᵀw` with `(I − A)ᵀw = f_v`, `A = ∂Φ/∂s`,
/// `B = ∂Φ/∂u`. (Grazzi, Franceschi, Pontil, Salzo: On the iteration complexity of hypergradient computation, ICML 2020.)
///
/// Φ need not be a gradient step, so A need not be symmetric. The state s is v and what the rule remembers. The last step
/// is what is differentiated: a schedule is taken at its last value.
///
/// Time: `steps` evaluations of Φ (one more for a tolerance or the report), one VJP an iteration and one more. Memory: a few
/// vectors (GMRES: one for each iteration).
#[derive(Clone, Debug)]
pub struct FixedPoint<D> {
    /// The map Φ.
    pub dynamics: D,
    /// Steps towards the fixed point.
    pub steps: usize,
    /// The `‖Φ(s) − s‖` that must be reached, if any.
    pub inner_tolerance: Option<f64>,
    /// How the linear system is solved.
    pub solver: FixedPointSolver,
    /// The relative residual that must be reached.
    pub tolerance: f64,
    /// The most iterations.
    pub iterations: usize,
    /// Whether to take what there is when a tolerance is not reached; the report then says so.
    pub accept: bool,
}

impl<D> FixedPoint<D> {
    /// `steps` steps of Φ, then the adjoint iteration to a relative residual of 10⁻¹⁰ in at most 10,000 iterations.
    pub fn new(dynamics: D, steps: usize) -> Self {
        let (tolerance, iterations) = (1e-10, 10_000);
        let solver = FixedPointSolver::Iteration;
        Self { dynamics, steps, inner_tolerance: None, solver, tolerance, iterations, accept: false }
    }

    /// With another solver.
    #[must_use]
    pub fn solver(self, solver: FixedPointSolver) -> Self {
        Self { solver, ..self }
    }

    /// With a `‖Φ(s) − s‖` that must be reached.
    #[must_use]
    pub fn inner_tolerance(self, tolerance: f64) -> Self {
        Self { inner_tolerance: Some(tolerance), ..self }
    }
}

impl<D: Dynamics, E: Element> Method<E> for FixedPoint<D> {
    fn name(&self) -> String {
        match self.solver {
            FixedPointSolver::Iteration => "fixed-point".to_owned(),
            FixedPointSolver::Gmres(_) => "fixed-point-gmres".to_owned(),
            FixedPointSolver::BiCgStab => "fixed-point-bicgstab".to_owned(),
        }
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, _: &mut Memory<E>) -> Result<Hypergradient<E>> {
        if self.steps == 0 {
            return configuration("steps", "at least one step of the map is needed");
        }
        if self.tolerance.is_nan() || self.inner_tolerance.is_some_and(f64::is_nan) {
            return configuration("tolerance", "a number is needed");
        }
        let mut session = ask.session(Some(&self.dynamics))?;
        // The fixed point does not know where the way to it began.
        session.later_steps_only = true;
        // A residual below rounding says nothing.
        let asked = self.tolerance.max(100.0 * E::EPSILON.to_f64());
        let mut state = session.initial(ask.v0)?;
        // The way back must see a step that has a cotangent of the state: the one after the last.
        let last = self.steps;
        for step in 0..self.steps {
            state = session.step(step, &state)?;
        }
        let mut warnings = Vec::new();
        let leaves = |s: &mut Session<'_, E>| Ok(difference(&state, &s.step(last, &state)?));
        // What a step leaves: for the tolerance, or for the report.
        let left =
            if self.inner_tolerance.is_some() { Some(leaves(&mut session)?) } else { session.diagnose(leaves)? };
        if let (Some(tolerance), Some(moved)) = (self.inner_tolerance, left.as_deref().map(norm))
            && moved > tolerance
        {
            let error = Error::InnerNotConverged { grad_norm: moved, tolerance, steps: self.steps };
            if !self.accept {
                return Err(error);
            }
            warnings.push(error.to_string());
        }
        let (v, slots) = state.split_at(session.m);
        let outer = session.outer(v, 0, last)?;
        let b = [outer.by_v, zeros(slots)].concat();
        let mut product = |w: &[Tensor<E>]| {
            let (_, by_state) = session.step_vjp(last, &state, w)?;
            Ok(difference(w, &by_state))
        };
        let stop = Stop { tolerance: asked, iterations: self.iterations };
        let solution = match self.solver {
            FixedPointSolver::Iteration => crate::krylov::neumann(&mut product, &b, None, 1.0, stop)?,
            FixedPointSolver::Gmres(restart) => gmres(&mut product, &b, None, restart, stop)?,
            FixedPointSolver::BiCgStab => bicgstab(&mut product, &b, None, stop)?,
        };
        if solution.relative > asked {
            let (residual, iterations, tolerance) = (solution.relative, solution.iterations, asked);
            let error = Error::NotConverged { solver: "the adjoint system", residual, tolerance, iterations };
            if !self.accept {
                return Err(error);
            }
            warnings.push(error.to_string());
        }
        let w = solution.x;
        let (by_u, _) = session.step_vjp(last, &state, &w)?;
        let mut gradient = outer.by_u;
        axpy(1.0, &by_u, &mut gradient);
        // The state beside the vectors of the solver.
        session.alive((1 + solution.vectors) * bytes(&state));
        let mut error = None;
        if let (Some(left), Some(mu)) = (&left, curvature_along(&w, &b, &solution.residual)) {
            let known = Known {
                at: &state,
                slope: left,
                hypergradient: &gradient,
                by_v: &b,
                w: &w,
                image: norm(&by_u),
                residual: norm(&solution.residual),
            };
            let again = |session: &mut Session<'_, E>, there: &[Tensor<E>]| {
                let outer = session.outer(&there[..session.m], 0, last)?;
                let mut by_u = outer.by_u;
                axpy(1.0, &session.step_vjp(last, there, &w)?.0, &mut by_u);
                Ok((by_u, [outer.by_v, zeros(&there[session.m..])].concat()))
            };
            error = session.diagnose(|s| estimate(&known, mu, |there| again(s, there)))?;
        }
        let look = session.look(v, self.steps)?;
        let mut report = session.report(outer.value);
        (report.inner_value, report.inner_grad_norm) = look;
        report.error = error;
        report.inner_steps = self.steps;
        report.linear_residual = Some(solution.relative);
        report.warnings.extend(warnings);
        let inner_solution = v.to_vec();
        Ok(Hypergradient { gradient, inner_solution, adjoint: Some(w[..session.m].to_vec()), report })
    }
}
