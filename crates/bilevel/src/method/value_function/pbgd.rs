//! V-PBGD: the value-function gap as a penalty.

use crate::error::Result;
use crate::method::calls::{Found, answer, positive, sgd};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::vector::{axpy, difference, scaled};
use autodiff::Element;

/// Gradient descent on `f(u, v) + γ·(g(u, v) − min g(u, ·))` over u and v: each call moves v by one step and gives
/// `f_u(v) + γ·(g_u(v) − g_u(z))`, z being `steps` steps towards the inner minimum. (Shen, Chen: On penalty-based bilevel
/// gradient descent method, ICML 2023, algorithm 1.)
///
/// A single-loop method: it is right when v has settled, so it is meant for [`solve`](crate::Problem::solve).
///
/// Time of a call: `steps + 3` inner and two outer gradients. Memory: four vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pbgd {
    /// The step size, for g and for `g + f/γ`.
    pub rate: f64,
    /// γ.
    pub gamma: f64,
    /// Steps for z in each call.
    pub steps: usize,
}

const V: &str = "pbgd v";
const Z: &str = "pbgd z";

impl<E: Element> Method<E> for Pbgd {
    fn name(&self) -> String {
        "pbgd".to_owned()
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("rate", self.rate), ("gamma", self.gamma), ("steps", self.steps as f64)])?;
        let mut session = ask.session(None)?;
        let call = memory.count("pbgd calls");
        let start = session.initial(ask.v0)?;
        let z = memory.take(Z).unwrap_or_else(|| start.clone());
        let z = sgd(&mut session, z, self.rate, call * self.steps..(call + 1) * self.steps)?;
        let mut v = memory.take(V).unwrap_or(start);
        let slope = session.inner(&v, call, call)?.1;
        let pull = session.outer(&v, call, call)?.by_v;
        axpy(-self.rate, &slope, &mut v);
        axpy(-self.rate / self.gamma, &pull, &mut v);
        let outer = session.outer(&v, call, call)?;
        let mut gradient = outer.by_u;
        let (value, at_v, slope) = session.inner_both(&v, call, call)?;
        let (_, at_z, slope_z) = session.inner_both(&z, call, call)?;
        axpy(self.gamma, &at_v, &mut gradient);
        axpy(-self.gamma, &at_z, &mut gradient);
        let w = scaled(self.gamma, &difference(&z, &v));
        let found = Found {
            inner: Some((value, slope)),
            other: Some((&z, slope_z)),
            ..Found::new(gradient, v.clone(), outer.value, &w, [call, self.steps])
        };
        let found = answer(&mut session, found)?;
        memory.keep(V, v);
        memory.keep(Z, z);
        Ok(found)
    }
}
