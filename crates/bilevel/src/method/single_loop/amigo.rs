//! AmIGO.

use super::{adjoint_sgd, hypergradient};
use crate::error::Result;
use crate::method::calls::{Found, answer, iterate, positive, sgd};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::vector::zeros;
use autodiff::Element;

/// `steps` stochastic steps for v and `adjoint_steps` for `½wᵀHw − f_vᵀw`, both from where they were, then `f_u − C·w`.
/// (Arbel, Mairal: Amortized implicit differentiation for stochastic bilevel optimization, ICLR 2022.)
///
/// Time of a call: `steps + 2` gradients, `adjoint_steps` HVPs, one mixed product. Memory: v and w.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amigo {
    /// The step size of v.
    pub rate: f64,
    /// Steps of v in each call.
    pub steps: usize,
    /// The step size of w.
    pub adjoint_rate: f64,
    /// Steps of w in each call.
    pub adjoint_steps: usize,
}

const V: &str = "amigo v";
const W: &str = "amigo w";

impl<E: Element> Method<E> for Amigo {
    fn name(&self) -> String {
        "amigo".to_owned()
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("rate", self.rate), ("adjoint_rate", self.adjoint_rate)])?;
        // Without any, w would stay where it begins, at zero.
        positive(&[("adjoint_steps", self.adjoint_steps as f64)])?;
        let mut session = ask.session(None)?;
        let call = memory.count("amigo calls");
        let v = iterate(&mut session, memory, V, ask.v0)?;
        let v = sgd(&mut session, v, self.rate, call * self.steps..(call + 1) * self.steps)?;
        let outer = session.outer(&v, call, call)?;
        let w = memory.take(W).unwrap_or_else(|| zeros(&v));
        let batches = call * self.adjoint_steps..(call + 1) * self.adjoint_steps;
        let w = adjoint_sgd(&mut session, &v, &outer.by_v, w, self.adjoint_rate, batches)?;
        let gradient = hypergradient(&mut session, &v, outer.by_u, &w, call)?;
        let found = Found::new(gradient, v.clone(), outer.value, &w, [call, self.steps]);
        let found = answer(&mut session, found)?;
        memory.keep(V, v);
        memory.keep(W, w);
        Ok(found)
    }
}
