//! MRBO: recursive momentum for both levels.

use super::{hypergradient, stochastic_neumann};
use crate::error::{Result, configuration};
use crate::method::calls::{answer, iterate, positive};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::session::Session;
use crate::vector::{axpy, bytes};
use autodiff::{Element, Tensor};

/// Each direction is corrected by what the same batch said at the point before:
/// `d ← D(now) + (1 − η)·(d − D(before))`, for `D = ∇_v g` and for the hypergradient `f_u − C·w` with w by a Neumann series.
/// (Yang, Ji, Liang: Provably faster algorithms for bilevel optimization, NeurIPS 2021, algorithm 1.)
///
/// Time of a call: four gradients, `2·terms` HVPs, two mixed products. Memory: `3n + 2m` numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mrbo {
    /// The step size of v.
    pub rate: f64,
    /// η of the recursion, in (0, 1]; 1 forgets.
    pub momentum: f64,
    /// η of the Neumann series.
    pub neumann_rate: f64,
    /// Its terms.
    pub terms: usize,
}

const V: &str = "mrbo v";
const U_BEFORE: &str = "mrbo u before";
const V_BEFORE: &str = "mrbo v before";
const INNER: &str = "mrbo inner direction";
const OUTER: &str = "mrbo outer direction";

/// f and g, the hypergradient and the inner gradient that a batch gives at a point.
type Directions<E> = ([f64; 2], Vec<Tensor<E>>, Vec<Tensor<E>>);

impl Mrbo {
    fn directions<E: Element>(
        &self,
        session: &mut Session<'_, E>,
        v: &[Tensor<E>],
        call: usize,
    ) -> Result<Directions<E>> {
        let outer = session.outer(v, call, call)?;
        let batches = call * self.terms..(call + 1) * self.terms;
        let w = stochastic_neumann(session, v, &outer.by_v, self.neumann_rate, batches)?;
        let gradient = hypergradient(session, v, outer.by_u, &w, call)?;
        let (inner_value, slope) = session.inner(v, call, call)?;
        Ok(([outer.value, inner_value], gradient, slope))
    }
}

impl<E: Element> Method<E> for Mrbo {
    fn name(&self) -> String {
        "mrbo".to_owned()
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("rate", self.rate), ("neumann_rate", self.neumann_rate), ("momentum", self.momentum)])?;
        if self.momentum > 1.0 {
            return configuration("momentum", format!("{} must be at most 1", self.momentum));
        }
        let mut session = ask.session(None)?;
        let call = memory.count("mrbo calls");
        let v = iterate(&mut session, memory, V, ask.v0)?;
        let (values, mut outer, slope) = self.directions(&mut session, &v, call)?;
        let mut inner = slope.clone();
        let before = (memory.take(U_BEFORE), memory.take(V_BEFORE), memory.take(OUTER), memory.take(INNER));
        if let (Some(u_before), Some(v_before), Some(last_outer), Some(last_inner)) = before {
            let now = std::mem::replace(&mut session.u, u_before);
            let (_, outer_before, inner_before) = self.directions(&mut session, &v_before, call)?;
            session.u = now;
            let kept = 1.0 - self.momentum;
            for (d, last, then) in [(&mut outer, last_outer, outer_before), (&mut inner, last_inner, inner_before)] {
                axpy(kept, &last, d);
                axpy(-kept, &then, d);
            }
        }
        let mut moved = v.clone();
        axpy(-self.rate, &inner, &mut moved);
        memory.keep(V, moved);
        memory.keep(U_BEFORE, ask.u.to_vec());
        memory.keep(V_BEFORE, v.clone());
        memory.keep(OUTER, outer.clone());
        memory.keep(INNER, inner);
        session.alive(3 * bytes(&v) + 2 * bytes(ask.u));
        Ok(answer(&mut session, v, outer, values[0], (values[1], &slope), 1))
    }
}
