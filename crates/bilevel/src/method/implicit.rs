//! Implicit differentiation of the inner optimality condition.

use super::audit::{Audit, audit};
use super::{Ask, Hypergradient, Memory, Method};
use crate::error::{Error, Result, configuration};
use crate::estimate::{Known, bound, curvature_along, estimate};
use crate::inner::Inner;
use crate::krylov::{Solution, Stop, bicgstab, cg, gmres, neumann, nystrom};
use crate::vector::{axpy, bytes, difference, norm, scaled};
use autodiff::{Element, Tensor};

/// How `(H + dI)·w = f_v` is solved.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinearSolver {
    /// Conjugate gradients: one HVP an iteration; says what the curvature is.
    Cg,
    /// The Neumann series `η Σ (I − ηH)ᵏ f_v`: one HVP a term.
    Neumann {
        /// η, below `2/λ_max(H)`.
        rate: f64,
    },
    /// Generalised minimal residuals, for Hessians that are not definite.
    Gmres {
        /// Products before it starts over: its memory in vectors.
        restart: usize,
    },
    /// Stabilised biconjugate gradients: two HVPs an iteration.
    BiCgStab,
    /// A Nyström approximation from random columns; needs damping.
    Nystrom {
        /// The number of columns, each an HVP.
        rank: usize,
        /// Which columns.
        seed: u64,
    },
    /// `w = η·f_v`, as if H were `I/η`: no HVP, and no claim to be close. (Luketina, Berglund, Greff, Raiko, ICML 2016.)
    Identity {
        /// η.
        rate: f64,
    },
}

/// The implicit hypergradient `∇F = f_u − C·w` with `H·w = f_v`, `H = ∇²_vv g` and `C = ∇²_uv g` at the inner solution.
///
/// By conjugate gradients it is that of iMAML (Rajeswaran, Finn, Kakade, Levine, NeurIPS 2019) and of HOAG (Pedregosa,
/// ICML 2016). Damping d solves `(H + dI)·w = f_v` instead, an error of at most `d/(μ(μ+d))·‖C‖·‖f_v‖`.
///
/// It sees the inner *problem* only, not the way to its solution: an upper variable that acts on the initial point or on
/// the inner optimiser is [`Error::Detached`](crate::Error::Detached).
///
/// Time: the inner solve, one HVP for each iteration, one mixed product. Memory: a few vectors, whatever the inner solve
/// takes.
#[derive(Clone, Debug)]
pub struct Implicit {
    /// How the inner problem is solved.
    pub inner: Inner,
    /// How the linear system is solved.
    pub solver: LinearSolver,
    /// The damping d.
    pub damping: f64,
    /// The `‖f_v − (H + dI)·w‖ / ‖f_v‖` that is asked for; without one, all iterations are made and the report says how
    /// good they were.
    pub tolerance: Option<f64>,
    /// The most iterations.
    pub iterations: usize,
    /// Whether w begins where it ended at the last outer step.
    pub warm_start: bool,
    /// Whether to take what there is when a tolerance is not reached; the report then says so.
    pub accept: bool,
    /// Whether to look for a *bound* on the error, where both objectives are quadratic in v: costs `2n` HVPs.
    pub verify: bool,
}

impl Implicit {
    /// With a solver, to a relative residual of 10⁻¹⁰ in at most 1000 iterations.
    pub fn new(inner: Inner, solver: LinearSolver) -> Self {
        Self {
            inner,
            solver,
            damping: 0.0,
            tolerance: Some(1e-10),
            iterations: 1000,
            warm_start: false,
            accept: false,
            verify: false,
        }
    }

    /// By conjugate gradients.
    pub fn cg(inner: Inner) -> Self {
        Self::new(inner, LinearSolver::Cg)
    }

    /// By so many terms of the Neumann series.
    pub fn neumann(inner: Inner, rate: f64, terms: usize) -> Self {
        Self::new(inner, LinearSolver::Neumann { rate }).iterations(terms)
    }

    /// By a Nyström approximation.
    pub fn nystrom(inner: Inner, rank: usize, damping: f64) -> Self {
        Self::new(inner, LinearSolver::Nystrom { rank, seed: 0 }).damping(damping)
    }

    /// With damping.
    #[must_use]
    pub fn damping(self, damping: f64) -> Self {
        Self { damping, ..self }
    }

    /// With a relative residual that must be reached.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance: Some(tolerance), ..self }
    }

    /// With so many iterations, whatever they reach.
    #[must_use]
    pub fn iterations(self, iterations: usize) -> Self {
        Self { iterations, tolerance: None, ..self }
    }

    /// With w kept from one outer step to the next.
    #[must_use]
    pub fn warm_start(self) -> Self {
        Self { warm_start: true, ..self }
    }

    /// Takes what there is when a tolerance is not reached.
    #[must_use]
    pub fn accept(self) -> Self {
        Self { accept: true, ..self }
    }

    /// Looks for a bound on the error.
    #[must_use]
    pub fn verify(self) -> Self {
        Self { verify: true, ..self }
    }

    fn check(&self) -> Result<()> {
        if self.tolerance.is_some_and(|t| t.is_nan() || t < 0.0) {
            return configuration("tolerance", "a number is needed that is not negative");
        }
        if self.damping.is_nan() || self.damping < 0.0 {
            return configuration("damping", format!("{} must not be negative", self.damping));
        }
        match self.solver {
            LinearSolver::Neumann { rate } | LinearSolver::Identity { rate } if rate.is_nan() || rate <= 0.0 => {
                configuration("rate", format!("{rate} must be positive"))
            }
            LinearSolver::Nystrom { .. } if self.damping == 0.0 => {
                configuration("damping", "a Nyström approximation needs some: it is 1/d where no column points")
            }
            LinearSolver::Nystrom { rank: 0, .. } => configuration("rank", "at least one column is needed"),
            _ => Ok(()),
        }
    }
}

const W: &str = "implicit w";

impl<E: Element> Method<E> for Implicit {
    fn name(&self) -> String {
        match self.solver {
            LinearSolver::Cg => "implicit-cg".to_owned(),
            LinearSolver::Neumann { .. } => format!("neumann:{}", self.iterations),
            LinearSolver::Gmres { .. } => "implicit-gmres".to_owned(),
            LinearSolver::BiCgStab => "implicit-bicgstab".to_owned(),
            LinearSolver::Nystrom { rank, .. } => format!("nystrom:{rank}"),
            LinearSolver::Identity { .. } => "identity".to_owned(),
        }
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        self.check()?;
        let mut session = ask.session(self.inner.dynamics())?;
        session.rule_is_not_learnt()?;
        let solved = self.inner.solve(&mut session, ask.v0, self.accept, self.verify)?;
        let v = &solved.v;
        let outer = session.outer(v, 0, solved.steps)?;
        let (b, d) = (&outer.by_v, self.damping);
        // A residual below rounding says nothing.
        let floor = 100.0 * E::EPSILON.to_f64();
        let asked = self.tolerance.map(|t| t.max(floor));
        let stop = Stop { tolerance: asked.unwrap_or(0.01 * floor), iterations: self.iterations };
        let x0 = if self.warm_start { memory.take(W) } else { None };
        let solution = if let LinearSolver::Identity { rate } = self.solver {
            Solution {
                x: scaled(rate, b),
                residual: Vec::new(),
                relative: f64::NAN,
                iterations: 0,
                vectors: 2,
                lanczos: None,
            }
        } else {
            let mut hessian = session.hessian(v, solved.batch)?;
            let nystrom_solver = matches!(self.solver, LinearSolver::Nystrom { .. });
            let mut product = |p: &[Tensor<E>]| {
                let mut image = session.hvp(&mut hessian, p)?;
                // Nyström's formula has its own damping.
                if d != 0.0 && !nystrom_solver {
                    axpy(d, p, &mut image);
                }
                Ok(image)
            };
            match self.solver {
                LinearSolver::Neumann { rate } => neumann(&mut product, b, x0, rate, stop)?,
                LinearSolver::Gmres { restart } => gmres(&mut product, b, x0, restart, stop)?,
                LinearSolver::BiCgStab => bicgstab(&mut product, b, x0, stop)?,
                LinearSolver::Nystrom { rank, seed } => nystrom(&mut product, b, rank, d, seed)?,
                LinearSolver::Cg | LinearSolver::Identity { .. } => cg(&mut product, b, x0, stop)?,
            }
        };
        // v and ∇_v g beside those of the solver.
        session.alive((2 + solution.vectors) * bytes(v));
        let mut warnings: Vec<String> = solved.warning.into_iter().collect();
        let iterative = !matches!(self.solver, LinearSolver::Nystrom { .. } | LinearSolver::Identity { .. });
        if let Some(tolerance) = asked
            && iterative
            && solution.relative > tolerance
        {
            let solver = match self.solver {
                LinearSolver::Neumann { .. } => "the Neumann series",
                LinearSolver::Gmres { .. } => "GMRES",
                LinearSolver::BiCgStab => "BiCGStab",
                _ => "conjugate gradients",
            };
            let (residual, iterations) = (solution.relative, solution.iterations);
            let error = Error::NotConverged { solver, residual, tolerance, iterations };
            if !self.accept {
                return Err(error);
            }
            warnings.push(error.to_string());
        }
        let w = solution.x;
        let image = session.mixed(v, &w, solved.batch)?;
        let mut gradient = outer.by_u.clone();
        axpy(-1.0, &image, &mut gradient);

        let curvature = solution.lanczos.and_then(|l| l.extremes()).map(|(low, high)| (low - d, high - d));
        // Without the damping's part, f_v − H·w; nothing is known of it where H was not looked at.
        let mut residual = solution.residual;
        axpy(d, &w, &mut residual);
        if self.verify && residual.is_empty() {
            residual = session.for_report(|s| {
                let mut hessian = s.hessian(v, solved.batch)?;
                Ok(difference(b, &s.hvp(&mut hessian, &w)?))
            })?;
        }
        let (mut error, mut relative) = (None, Some(solution.relative).filter(|r| !r.is_nan()));
        if let Some((_, slope)) = &solved.inner {
            if residual.is_empty() {
                let a = Audit { at: v, slope, w: &w, answer: &gradient, batches: [0, solved.batch], parts: None };
                let verdict = audit(&mut session, a)?;
                (error, relative) = (verdict.error, verdict.residual);
            } else {
                let known = Known {
                    at: v,
                    slope,
                    hypergradient: &gradient,
                    by_v: b,
                    w: &w,
                    image: norm(&image),
                    residual: norm(&residual),
                };
                if self.verify {
                    error = session.for_report(|s| bound(s, &known, solved.batch))?;
                }
                let mu = curvature.map(|(low, _)| low).or_else(|| curvature_along(&w, b, &residual));
                if let (None, Some(mu)) = (error, mu.filter(|mu| *mu > 0.0)) {
                    error = session.diagnose(|session| {
                        let again = |there: &[Tensor<E>]| {
                            let outer = session.outer(there, 0, solved.steps)?;
                            let mut by_u = outer.by_u;
                            axpy(-1.0, &session.mixed(there, &w, solved.batch)?, &mut by_u);
                            Ok((by_u, outer.by_v))
                        };
                        estimate(&known, mu, again)
                    })?;
                }
            }
        }
        let mut report = session.report(outer.value);
        report.inner_value = solved.inner.as_ref().map(|(value, _)| *value);
        report.inner_grad_norm = solved.inner.as_ref().map(|(_, slope)| norm(slope));
        report.inner_steps = solved.steps;
        report.linear_residual = relative;
        report.curvature = curvature;
        report.error = error;
        report.warnings.extend(warnings);
        if self.warm_start {
            memory.keep(W, w.clone());
        }
        Ok(Hypergradient { gradient, inner_solution: solved.v, adjoint: Some(w), report })
    }
}
