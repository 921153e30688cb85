//! The hypergradient of one virtual step with a difference in place of a second derivative (DARTS), for comparison.

use super::calls::positive;
use super::{Ask, Hypergradient, Memory, Method};
use crate::error::Result;
use crate::report::ErrorEstimate;
use crate::vector::{axpy, bytes, difference, norm, scale};
use autodiff::{Element, Tensor};

/// `f_u(v') − ξ·(∇_u g(v⁺) − ∇_u g(v⁻)) / 2ε` with `v' = v − ξ∇_v g`, `v± = v ± ε·f_v(v')`. (Liu, Simonyan, Yang: DARTS,
/// ICLR 2019, equations 7 and 8.)
///
/// It is [`Reverse`](super::Reverse) of one step, up to the difference: an error of order `ε²`, and of rounding over ε. It
/// is here to be compared with; a product by AD costs about the same, and is exact.
///
/// The report's error is the difference of both, for one VJP (with a [`start`](crate::Problem::start), one HVP and one
/// VJP more). Time beside it: one outer and three inner gradients. Memory: three vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FiniteDifference {
    /// The step size ξ.
    pub rate: f64,
    /// ε times `‖f_v‖`; 0.01 in the paper.
    pub epsilon: f64,
}

impl FiniteDifference {
    /// With the paper's ε.
    pub fn new(rate: f64) -> Self {
        Self { rate, epsilon: 0.01 }
    }
}

impl<E: Element> Method<E> for FiniteDifference {
    fn name(&self) -> String {
        "finite-difference".to_owned()
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, _: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("epsilon", self.epsilon), ("rate", self.rate)])?;
        let mut session = ask.session(None)?;
        let v0 = session.initial(ask.v0)?;
        let (value, slope) = session.inner(&v0, 0, 0)?;
        let mut moved = v0.clone();
        axpy(-self.rate, &slope, &mut moved);
        let outer = session.outer(&moved, 0, 1)?;
        let length = norm(&outer.by_v);
        let mut gradient = outer.by_u;
        let error = if length > 0.0 {
            let epsilon = self.epsilon / length;
            let mut sides = Vec::with_capacity(2);
            for sign in [1.0, -1.0] {
                let mut side = v0.clone();
                axpy(sign * epsilon, &outer.by_v, &mut side);
                let (_, by_u, by_v) = session.inner_both(&side, 0, 0)?;
                sides.push((by_u, by_v));
            }
            let slope = |a: &[Tensor<E>], b: &[Tensor<E>]| {
                let mut difference = difference(a, b);
                scale(1.0 / (2.0 * epsilon), &mut difference);
                difference
            };
            let (mut of_u, mut of_v) = (slope(&sides[0].0, &sides[1].0), slope(&sides[0].1, &sides[1].1));
            axpy(-self.rate, &of_u, &mut gradient);
            if session.has_start() {
                // What flows on into an initial point that u gives: f_v − ξ·H·f_v.
                let mut onwards = outer.by_v.clone();
                axpy(-self.rate, &of_v, &mut onwards);
                if let Some(part) = session.start_vjp(&onwards)? {
                    axpy(1.0, &part, &mut gradient);
                }
            }
            // What the differences stand for are products that can be taken.
            let known = session.has_second_derivatives();
            let error = session.diagnose(|s| {
                if !known {
                    return Ok(None);
                }
                axpy(-1.0, &s.mixed(&v0, &outer.by_v, 0)?, &mut of_u);
                if s.has_start() {
                    let mut hessian = s.hessian(&v0, 0)?;
                    axpy(-1.0, &s.hvp(&mut hessian, &outer.by_v)?, &mut of_v);
                    if let Some(part) = s.start_vjp(&of_v)? {
                        axpy(1.0, &part, &mut of_u);
                    }
                }
                Ok(Some(ErrorEstimate::Bound(self.rate.abs() * norm(&of_u))))
            })?;
            error.flatten()
        } else {
            Some(ErrorEstimate::Bound(0.0))
        };
        session.alive(3 * bytes(&v0));
        let mut report = session.report(outer.value);
        report.inner_value = Some(value);
        report.inner_grad_norm = Some(norm(&slope));
        report.inner_steps = 1;
        report.differentiated_steps = Some(1);
        report.error = error;
        Ok(Hypergradient { gradient, inner_solution: moved, adjoint: None, report })
    }
}
