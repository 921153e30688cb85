//! F²SA: two inner solutions, one of them pulled by the outer objective.

use crate::error::Result;
use crate::method::calls::{Found, answer, positive, sgd};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::vector::{axpy, difference, scaled};
use autodiff::Element;

/// `h = f_u(y) + γ·(g_u(y) − g_u(z))` with `y ≈ argmin f + γg`, `z ≈ argmin g`. (Kwon, Kwon, Wright, Nowak: A fully
/// first-order method for stochastic bilevel optimization, ICML 2023.)
///
/// With exact y and z the error is O(1/γ), and `γ·(z − y)` tends to the adjoint: by it the report tells how far the answer
/// is off, with one HVP, where [`diagnostics`](crate::Problem::diagnostics) are wanted. Both go on from where they were at
/// the last outer step.
///
/// Time: `2·steps + 2` inner and `steps + 1` outer gradients. Memory: five vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct F2sa {
    /// The step size, for g and for `g + f/γ`.
    pub rate: f64,
    /// γ at the first call.
    pub gamma: f64,
    /// What γ is multiplied by from call to call.
    pub growth: f64,
    /// Steps for y and for z in each call.
    pub steps: usize,
}

impl F2sa {
    /// With constant γ.
    pub fn new(rate: f64, gamma: f64, steps: usize) -> Self {
        Self { rate, gamma, growth: 1.0, steps }
    }
}

const Y: &str = "f2sa y";
const Z: &str = "f2sa z";

impl<E: Element> Method<E> for F2sa {
    fn name(&self) -> String {
        "f2sa".to_owned()
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("rate", self.rate), ("gamma", self.gamma), ("growth", self.growth), ("steps", self.steps as f64)])?;
        let mut session = ask.session(None)?;
        let call = memory.count("f2sa calls");
        let (first, gamma) = (call * self.steps, self.gamma * self.growth.powi(call as i32));
        let start = session.initial(ask.v0)?;
        let z = memory.take(Z).unwrap_or_else(|| start.clone());
        let z = sgd(&mut session, z, self.rate, first..first + self.steps)?;
        let mut y = memory.take(Y).unwrap_or(start);
        for step in first..first + self.steps {
            let slope = session.inner(&y, step, step)?.1;
            let pull = session.outer(&y, step, step)?.by_v;
            axpy(-self.rate, &slope, &mut y);
            axpy(-self.rate / gamma, &pull, &mut y);
        }
        let last = first + self.steps - 1;
        let outer = session.outer(&y, last, last)?;
        let mut gradient = outer.by_u;
        let (value, at_y, slope) = session.inner_both(&y, last, last)?;
        let (_, at_z, slope_z) = session.inner_both(&z, last, last)?;
        axpy(gamma, &at_y, &mut gradient);
        axpy(-gamma, &at_z, &mut gradient);
        let w = scaled(gamma, &difference(&z, &y));
        let found = Found {
            inner: Some((value, slope)),
            other: Some((&z, slope_z)),
            ..Found::new(gradient, y.clone(), outer.value, &w, [last, self.steps])
        };
        let found = answer(&mut session, found)?;
        memory.keep(Y, y);
        memory.keep(Z, z);
        Ok(found)
    }
}
