//! stocBiO.

use super::{hypergradient, stochastic_neumann};
use crate::error::Result;
use crate::method::calls::{Found, answer, iterate, positive, sgd};
use crate::method::{Ask, Hypergradient, Memory, Method};
use autodiff::Element;

/// `steps` steps of stochastic gradient descent on g from where v was, then `f_u − C·w` with w by `terms` terms of a Neumann
/// series whose factors see a batch each. (Ji, Yang, Liang: Bilevel optimization: convergence analysis and enhanced design,
/// ICML 2021.)
///
/// Time of a call: `steps + 2` gradients, `terms` HVPs, one mixed product. Memory: v and w.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StocBio {
    /// The step size of v.
    pub rate: f64,
    /// Steps of v in each call.
    pub steps: usize,
    /// η of the Neumann series.
    pub neumann_rate: f64,
    /// Its terms.
    pub terms: usize,
}

const V: &str = "stocbio v";

impl<E: Element> Method<E> for StocBio {
    fn name(&self) -> String {
        "stocbio".to_owned()
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("rate", self.rate), ("neumann_rate", self.neumann_rate)])?;
        let mut session = ask.session(None)?;
        let call = memory.count("stocbio calls");
        let v = iterate(&mut session, memory, V, ask.v0)?;
        let v = sgd(&mut session, v, self.rate, call * self.steps..(call + 1) * self.steps)?;
        let outer = session.outer(&v, call, call)?;
        let batches = call * self.terms..(call + 1) * self.terms;
        let w = stochastic_neumann(&mut session, &v, &outer.by_v, self.neumann_rate, batches)?;
        let gradient = hypergradient(&mut session, &v, outer.by_u, &w, call)?;
        let found = Found::new(gradient, v.clone(), outer.value, &w, [call, self.steps]);
        let found = answer(&mut session, found)?;
        memory.keep(V, v);
        Ok(found)
    }
}
