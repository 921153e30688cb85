//! Minimising `f + ⟨λ, ∇_v g⟩ + γ/2 ‖∇_v g‖²`, over v or over u and v.

use crate::dynamics::Dynamics;
use crate::error::Result;
use crate::minimize::{Minimize, newton};
use crate::mover::Mover;
use crate::session::{Hessian, Penalty, Session};
use crate::vector::bytes;
use autodiff::{Element, Tensor};
use std::sync::Arc;

/// How a penalised objective is minimised.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Descent {
    /// Newton's method with conjugate gradients and a line search, to rounding; at most so many iterations.
    ///
    /// The penalty's Hessian is the square of the inner one: third derivatives of g, and hundreds of times the condition
    /// number, of which Newton takes no notice.
    Newton(usize),
    /// So many steps of an update rule.
    Steps(Arc<dyn Dynamics>, usize),
}

impl Descent {
    /// Steps of an update rule.
    pub fn steps(dynamics: impl Dynamics + 'static, steps: usize) -> Self {
        Self::Steps(Arc::new(dynamics), steps)
    }
}

struct Penalised<'s, 'a, 'p, E: Element> {
    session: &'s mut Session<'a, E>,
    penalty: &'p Penalty<E>,
    /// Whether u is minimised over too; then a point is u, then v.
    joint: bool,
}

impl<E: Element> Penalised<'_, '_, '_, E> {
    /// Moves the session's u where it is part of the point; gives v.
    fn place<'x>(&mut self, x: &'x [Tensor<E>]) -> &'x [Tensor<E>] {
        let (u, v) = x.split_at(if self.joint { self.session.n } else { 0 });
        if self.joint {
            self.session.u = u.to_vec();
        }
        v
    }
}

impl<E: Element> Minimize<E> for Penalised<'_, '_, '_, E> {
    type Hessian = Hessian<E>;

    fn value(&mut self, x: &[Tensor<E>]) -> Result<f64> {
        let v = self.place(x);
        self.session.penalised_value(v, self.penalty)
    }

    fn gradient(&mut self, x: &[Tensor<E>], iteration: usize) -> Result<(f64, Vec<Tensor<E>>)> {
        let v = self.place(x);
        let (value, by_u, by_v) = self.session.penalised(v, self.penalty, iteration)?;
        Ok((value, if self.joint { [by_u, by_v].concat() } else { by_v }))
    }

    fn hessian(&mut self, x: &[Tensor<E>]) -> Result<Hessian<E>> {
        let v = self.place(x);
        Ok(self.session.penalised_hessian(v, self.penalty, self.joint))
    }

    fn product(&mut self, hessian: &mut Hessian<E>, p: &[Tensor<E>]) -> Result<Vec<Tensor<E>>> {
        self.session.hvp(hessian, p)
    }
}

/// Minimises from a point: v, or u and v. Gives the point and the number of iterations; the session's u is that of the
/// point.
pub(super) fn minimise<E: Element>(
    session: &mut Session<'_, E>,
    penalty: &Penalty<E>,
    joint: bool,
    start: Vec<Tensor<E>>,
    descent: &Descent,
) -> Result<(Vec<Tensor<E>>, usize)> {
    let mut objective = Penalised { session, penalty, joint };
    let (point, iterations) = match descent {
        Descent::Newton(iterations) => {
            let found = newton(&mut objective, start, 0.0, *iterations)?;
            // Point, gradient and step, and five of conjugate gradients.
            objective.session.alive(8 * bytes(&found.x));
            (found.x, found.iterations)
        }
        Descent::Steps(dynamics, steps) => {
            let mut mover = Mover::new(dynamics, &start)?;
            let (mut x, mut state) = (start.clone(), mover.start(&start));
            // The next point and state beside these, and the gradient.
            objective.session.alive(3 * bytes(&x) + 2 * bytes(&state));
            for step in 0..*steps {
                let (_, gradient) = objective.gradient(&x, step)?;
                mover.step(step, &mut x, &gradient, &mut state)?;
            }
            (x, *steps)
        }
    };
    objective.place(&point);
    Ok((point, iterations))
}
