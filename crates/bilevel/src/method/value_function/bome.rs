//! BOME: a barrier on the value-function gap that sets its own weight.

use crate::error::Result;
use crate::method::calls::{Found, answer, iterate, positive, sgd};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::vector::{axpy, difference, dot, scaled};
use autodiff::Element;

/// With the gap `q(u, v) = g(u, v) − g(u, z)`, z being `steps` steps from v towards the inner minimum and held fixed:
/// `λ = max((η‖∇q‖² − ⟨∇f, ∇q⟩) / ‖∇q‖², 0)`, v moves along `−(f_v + λ·q_v)`, and `f_u + λ·q_u` is the answer. (Ye, Liu,
/// Wright, Stone, Liu: BOME!, NeurIPS 2022.)
///
/// A single-loop method: it is right when v has settled, so it is meant for [`solve`](crate::Problem::solve).
///
/// Time of a call: `steps + 2` inner gradients and one outer. Memory: four vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bome {
    /// The step size of z.
    pub rate: f64,
    /// The step size of v.
    pub rate_v: f64,
    /// η, how fast the gap must close.
    pub eta: f64,
    /// Steps for z in each call.
    pub steps: usize,
}

const V: &str = "bome v";

impl<E: Element> Method<E> for Bome {
    fn name(&self) -> String {
        "bome".to_owned()
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("rate", self.rate), ("rate_v", self.rate_v), ("eta", self.eta), ("steps", self.steps as f64)])?;
        let mut session = ask.session(None)?;
        let call = memory.count("bome calls");
        let v = iterate(&mut session, memory, V, ask.v0)?;
        let z = sgd(&mut session, v.clone(), self.rate, call * self.steps..(call + 1) * self.steps)?;
        let outer = session.outer(&v, call, call)?;
        let (value, at_v, gap_v) = session.inner_both(&v, call, call)?;
        let (_, at_z, slope_z) = session.inner_both(&z, call, call)?;
        let gap_u = difference(&at_v, &at_z);
        let square = dot(&gap_u, &gap_u) + dot(&gap_v, &gap_v);
        let along = dot(&outer.by_u, &gap_u) + dot(&outer.by_v, &gap_v);
        // Without a gap there is nothing to close.
        let weight = if square > 0.0 { ((self.eta * square - along) / square).max(0.0) } else { 0.0 };
        let mut gradient = outer.by_u;
        axpy(weight, &gap_u, &mut gradient);
        let mut moved = v.clone();
        axpy(-self.rate_v, &outer.by_v, &mut moved);
        axpy(-self.rate_v * weight, &gap_v, &mut moved);
        memory.keep(V, moved);
        let w = scaled(weight, &difference(&z, &v));
        let found = Found {
            inner: Some((value, gap_v)),
            other: Some((&z, slope_z)),
            ..Found::new(gradient, v, outer.value, &w, [call, self.steps])
        };
        answer(&mut session, found)
    }
}
