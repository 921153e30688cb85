//! SOBA.

use crate::error::Result;
use crate::method::audit::Parts;
use crate::method::calls::{Found, answer, iterate, positive};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::vector::{axpy, zeros};
use autodiff::Element;

/// One batch, three directions at once: `v ← v − ρ·∇_v g`, `w ← w − ρ·(H·w − f_v)`, and `f_u − C·w` for u. (Dagréou, Ablin,
/// Vaiter, Moreau: A framework for bilevel optimization that enables stochastic and global variance reduction algorithms,
/// NeurIPS 2022.)
///
/// Time of a call: two gradients, one HVP, one mixed product. Memory: v and w.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Soba {
    /// ρ, for v and w.
    pub rate: f64,
}

const V: &str = "soba v";
const W: &str = "soba w";

impl<E: Element> Method<E> for Soba {
    fn name(&self) -> String {
        "soba".to_owned()
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("rate", self.rate)])?;
        let mut session = ask.session(None)?;
        let batch = memory.count("soba calls");
        let v = iterate(&mut session, memory, V, ask.v0)?;
        let w = memory.take(W).unwrap_or_else(|| zeros(&v));
        // All directions at the same point, before anything moves.
        let (value, slope) = session.inner(&v, batch, batch)?;
        let outer = session.outer(&v, batch, batch)?;
        let mixed = session.mixed(&v, &w, batch)?;
        let mut hessian = session.hessian(&v, batch)?;
        let image = session.hvp(&mut hessian, &w)?;
        let mut gradient = outer.by_u.clone();
        axpy(-1.0, &mixed, &mut gradient);
        let (mut moved, mut moved_w) = (v.clone(), w.clone());
        axpy(-self.rate, &slope, &mut moved);
        axpy(-self.rate, &image, &mut moved_w);
        axpy(self.rate, &outer.by_v, &mut moved_w);
        memory.keep(V, moved);
        memory.keep(W, moved_w);
        let parts = Some(Parts { by_u: outer.by_u, by_v: outer.by_v, image, mixed });
        let found =
            Found { inner: Some((value, slope)), parts, ..Found::new(gradient, v, outer.value, &w, [batch, 1]) };
        answer(&mut session, found)
    }
}
