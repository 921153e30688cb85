//! MRBO: recursive momentum for both levels.

use super::{hypergradient, stochastic_neumann};
use crate::error::{Result, configuration};
use crate::method::calls::{Found, answer, iterate, positive};
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

/// What a batch gives at a point.
struct Directions<E: Element> {
    /// f and g.
    values: [f64; 2],
    hypergradient: Vec<Tensor<E>>,
    slope: Vec<Tensor<E>>,
    w: Vec<Tensor<E>>,
}

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
        let hypergradient = hypergradient(session, v, outer.by_u, &w, call)?;
        let (inner_value, slope) = session.inner(v, call, call)?;
        Ok(Directions { values: [outer.value, inner_value], hypergradient, slope, w })
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
        let Directions { values, hypergradient: mut outer, slope, w } = self.directions(&mut session, &v, call)?;
        let mut inner = slope.clone();
        let before = (memory.take(U_BEFORE), memory.take(V_BEFORE), memory.take(OUTER), memory.take(INNER));
        if let (Some(u_before), Some(v_before), Some(last_outer), Some(last_inner)) = before {
            let now = std::mem::replace(&mut session.u, u_before);
            let then = self.directions(&mut session, &v_before, call)?;
            session.u = now;
            let kept = 1.0 - self.momentum;
            for (d, last, then) in [(&mut outer, last_outer, then.hypergradient), (&mut inner, last_inner, then.slope)]
            {
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
        let found = Found { inner: Some((values[1], slope)), ..Found::new(outer, v, values[0], &w, [call, 1]) };
        answer(&mut session, found)
    }
}
