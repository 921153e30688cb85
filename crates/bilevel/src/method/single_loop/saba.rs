//! SABA: SOBA with variance reduction.

use crate::data::Source;
use crate::error::{Result, configuration};
use crate::method::audit::Parts;
use crate::method::calls::{Found, answer, iterate, positive};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::vector::{axpy, bytes, difference, zeros};
use autodiff::{Element, Tensor};

/// [`Soba`](super::Soba) in which each of the five parts (`∇_v g`, `H·w` and `C·w` over inner batches, `f_v` and `f_u` over
/// outer ones) is SAGA's estimate: what this batch says, less what it said last, plus the mean of what all said last.
/// (Dagréou, Ablin, Vaiter, Moreau, NeurIPS 2022, section 3.2; SAGA: Defazio, Bach, Lacoste-Julien, NeurIPS 2014.)
///
/// Batches must repeat ([`Batches::period`](crate::Batches::period)); whole data is one batch. The first pass over all
/// batches only fills the tables, at its first call.
///
/// Time of a call: as SOBA; the first, once for each batch. Memory: `2n + m` numbers for each inner batch, `n + m` for each
/// outer one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saba {
    /// ρ, for v and w.
    pub rate: f64,
}

const V: &str = "saba v";
const W: &str = "saba w";

fn period<E: Element>(source: &Source<'_, E>) -> Result<usize> {
    match source {
        Source::Whole(_) => Ok(1),
        Source::Batches(batches) => batches.period().map_or_else(
            || configuration("minibatches", "SABA remembers every batch: they must repeat, as `Rows::repeating` does"),
            Ok,
        ),
    }
}

/// What a batch said last, and the mean over batches.
struct Table<'m, E: Element> {
    memory: &'m mut Memory<E>,
    name: &'static str,
    period: usize,
}

impl<E: Element> Table<'_, E> {
    fn entry(&self, batch: usize) -> String {
        format!("saba {} {batch}", self.name)
    }

    /// SAGA's estimate; what the batch says now is remembered.
    fn estimate(&mut self, batch: usize, now: Vec<Tensor<E>>) -> Vec<Tensor<E>> {
        let mean_name = format!("saba {} mean", self.name);
        let entry = self.entry(batch);
        let last = self.memory.take(&entry).unwrap_or_else(|| zeros(&now));
        let mut mean = self.memory.take(&mean_name).unwrap_or_else(|| zeros(&now));
        let change = difference(&now, &last);
        let mut estimate = mean.clone();
        axpy(1.0, &change, &mut estimate);
        axpy(1.0 / self.period as f64, &change, &mut mean);
        self.memory.keep(&entry, now);
        self.memory.keep(&mean_name, mean);
        estimate
    }
}

impl<E: Element> Method<E> for Saba {
    fn name(&self) -> String {
        "saba".to_owned()
    }

    fn counts_calls(&self) -> bool {
        true
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        positive(&[("rate", self.rate)])?;
        let (inner_period, outer_period) = (period(&ask.data.inner)?, period(&ask.data.outer)?);
        let mut session = ask.session(None)?;
        let call = memory.count("saba calls");
        let v = iterate(&mut session, memory, V, ask.v0)?;
        let w = memory.take(W).unwrap_or_else(|| zeros(&v));
        // The first call hears every batch; what it keeps of the estimates is the last, which then is the mean of all.
        let calls = if call == 0 { 0..inner_period.max(outer_period) } else { call..call + 1 };
        let mut parts = None;
        for batch in calls {
            let (inner, outer) = (batch % inner_period, batch % outer_period);
            let (inner_value, slope) = session.inner(&v, inner, call)?;
            let mut hessian = session.hessian(&v, inner)?;
            let image = session.hvp(&mut hessian, &w)?;
            let mixed = session.mixed(&v, &w, inner)?;
            let outer_gradient = session.outer(&v, outer, call)?;
            let mut estimate =
                |name, period, batch, now| Table { memory: &mut *memory, name, period }.estimate(batch, now);
            let inner_parts = [
                estimate("slope", inner_period, inner, slope),
                estimate("image", inner_period, inner, image),
                estimate("mixed", inner_period, inner, mixed),
            ];
            let by_v = estimate("by v", outer_period, outer, outer_gradient.by_v);
            let by_u = estimate("by u", outer_period, outer, outer_gradient.by_u);
            parts = Some((inner_parts, by_v, by_u, [outer_gradient.value, inner_value]));
        }
        let Some(([mut slope, mut image, mut mixed], mut by_v, mut by_u, values)) = parts else {
            return configuration("minibatches", "there are none");
        };
        if call == 0 {
            let mean = |name: &str| memory.tensors(&format!("saba {name} mean")).unwrap_or_default().to_vec();
            (slope, image, mixed) = (mean("slope"), mean("image"), mean("mixed"));
            (by_v, by_u) = (mean("by v"), mean("by u"));
        }
        let mut gradient = by_u.clone();
        axpy(-1.0, &mixed, &mut gradient);
        let (mut moved, mut moved_w) = (v.clone(), w.clone());
        axpy(-self.rate, &slope, &mut moved);
        axpy(-self.rate, &image, &mut moved_w);
        axpy(self.rate, &by_v, &mut moved_w);
        memory.keep(V, moved);
        memory.keep(W, moved_w);
        session.alive((2 * bytes(&v) + bytes(ask.u)) * inner_period + (bytes(&v) + bytes(ask.u)) * outer_period);
        // All five are means over batches: what they say of the error is of the whole data.
        let parts = Some(Parts { by_u, by_v, image, mixed });
        let found =
            Found { inner: Some((values[1], slope)), parts, ..Found::new(gradient, v, values[0], &w, [call, 1]) };
        answer(&mut session, found)
    }
}
