//! How a method that does not differentiate the way to the inner solution finds it.

use crate::dynamics::Dynamics;
use crate::error::{Error, Result, configuration};
use crate::minimize::{Minimize, newton};
use crate::session::{Hessian, Session};
use crate::vector;
use autodiff::{Element, Tensor};
use std::sync::Arc;

/// How the inner problem is solved.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum How {
    /// It is: `v0` is the solution.
    Given,
    /// By so many steps of an update rule, or fewer if the tolerance is reached.
    Steps(Arc<dyn Dynamics>, usize),
    /// By Newton's method, each system solved by conjugate gradients, with a line search; at most so many iterations.
    Newton(usize),
}

/// The inner solve of implicit and value-function methods.
#[derive(Clone, Debug)]
pub struct Inner {
    /// The way.
    pub how: How,
    /// The ‖∇_v g‖ that is asked for; without one, what there is after all steps is taken, and the report says how good it
    /// is.
    pub tolerance: Option<f64>,
}

impl Inner {
    /// `v0` is the solution.
    pub fn given() -> Self {
        Self { how: How::Given, tolerance: None }
    }

    /// `steps` steps of an update rule.
    pub fn steps(dynamics: impl Dynamics + 'static, steps: usize) -> Self {
        Self { how: How::Steps(Arc::new(dynamics), steps), tolerance: None }
    }

    /// Newton's method, to rounding.
    pub fn newton() -> Self {
        Self { how: How::Newton(50), tolerance: None }
    }

    /// With a ‖∇_v g‖ that must be reached; steps end there.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance: Some(tolerance), ..self }
    }

    pub(crate) fn dynamics(&self) -> Option<&dyn Dynamics> {
        match &self.how {
            How::Steps(dynamics, _) => Some(dynamics),
            _ => None,
        }
    }

    /// The inner solution, g and ∇_v g there if they are looked for or for the report, and the steps it took.
    pub(crate) fn solve<E: Element>(
        &self,
        session: &mut Session<'_, E>,
        v0: &[Tensor<E>],
        accept: bool,
        look: bool,
    ) -> Result<Solved<E>> {
        if self.tolerance.is_some_and(|t| t.is_nan() || t < 0.0) {
            return configuration("inner tolerance", "a number is needed that is not negative");
        }
        let start = session.initial(v0)?;
        let enough = |gradient: &[Tensor<E>]| self.tolerance.is_some_and(|t| vector::norm(gradient) <= t);
        let mut solved = match &self.how {
            How::Given => {
                let inner = self.look(session, &start, 0, look)?;
                Solved { v: start, inner, steps: 0, batch: 0, warning: None }
            }
            How::Newton(iterations) => {
                let mut objective = InnerObjective { session };
                let found = newton(&mut objective, start, self.tolerance.unwrap_or(0.0), *iterations)?;
                Solved {
                    v: found.x,
                    inner: Some((found.value, found.gradient)),
                    steps: found.iterations,
                    batch: 0,
                    warning: None,
                }
            }
            How::Steps(_, steps) => {
                let m = session.m;
                let (mut state, mut done) = (start, 0);
                // The next state beside this one.
                session.alive(2 * vector::bytes(&state));
                // The step's own gradient is handed out only if there is something to compare it with.
                while done < *steps {
                    state = if self.tolerance.is_none() {
                        session.step(done, &state)?
                    } else {
                        let (next, gradient) = session.step_seen(done, &state)?;
                        if enough(&gradient) {
                            break;
                        }
                        next
                    };
                    done += 1;
                }
                state.truncate(m);
                let inner = self.look(session, &state, done, look)?;
                Solved { v: state, inner, steps: done, batch: done, warning: None }
            }
        };
        if let Some(tolerance) = self.tolerance
            && let Some((_, gradient)) = &solved.inner
            && !enough(gradient)
        {
            let error = Error::InnerNotConverged { grad_norm: vector::norm(gradient), tolerance, steps: solved.steps };
            if !accept {
                return Err(error);
            }
            solved.warning = Some(error.to_string());
        }
        session.alive(2 * vector::bytes(&solved.v));
        Ok(solved)
    }

    /// g and ∇_v g, if a tolerance or the caller needs them; else they are for the report.
    fn look<E: Element>(
        &self,
        session: &mut Session<'_, E>,
        v: &[Tensor<E>],
        batch: usize,
        needed: bool,
    ) -> Result<Option<(f64, Vec<Tensor<E>>)>> {
        if needed || self.tolerance.is_some() {
            return session.inner(v, batch, batch).map(Some);
        }
        session.diagnose(|s| s.inner(v, batch, batch))
    }
}

pub(crate) struct Solved<E: Element> {
    pub(crate) v: Vec<Tensor<E>>,
    /// g and ∇_v g, where somebody looked.
    pub(crate) inner: Option<(f64, Vec<Tensor<E>>)>,
    pub(crate) steps: usize,
    /// The number of the inner batch that they are of.
    pub(crate) batch: usize,
    /// Set where the tolerance was not reached and that was accepted.
    pub(crate) warning: Option<String>,
}

/// g(u, ·)
struct InnerObjective<'s, 'a, E: Element> {
    session: &'s mut Session<'a, E>,
}

impl<E: Element> Minimize<E> for InnerObjective<'_, '_, E> {
    type Hessian = Hessian<E>;

    fn value(&mut self, x: &[Tensor<E>]) -> Result<f64> {
        self.session.inner_value(x, 0)
    }

    fn gradient(&mut self, x: &[Tensor<E>], iteration: usize) -> Result<(f64, Vec<Tensor<E>>)> {
        self.session.inner(x, 0, iteration)
    }

    fn hessian(&mut self, x: &[Tensor<E>]) -> Result<Hessian<E>> {
        self.session.hessian(x, 0)
    }

    fn product(&mut self, hessian: &mut Hessian<E>, p: &[Tensor<E>]) -> Result<Vec<Tensor<E>>> {
        self.session.hvp(hessian, p)
    }
}
