//! A method that remembers, called until it has settled.

use super::{Ask, Hypergradient, Memory, Method};
use crate::error::{Result, configuration};
use autodiff::Element;

/// Calls a method so often at the same u, with the same memory, and gives the last answer: for single-loop methods, whose
/// first answers say little. Counts and time are those of all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated<M> {
    /// The method.
    pub method: M,
    /// The number of calls, at least 1.
    pub calls: usize,
}

impl<M: Method<E>, E: Element> Method<E> for Repeated<M> {
    fn name(&self) -> String {
        format!("{} ×{}", self.method.name(), self.calls)
    }

    fn counts_calls(&self) -> bool {
        self.method.counts_calls()
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, memory: &mut Memory<E>) -> Result<Hypergradient<E>> {
        if self.calls == 0 {
            return configuration("calls", "at least one is needed");
        }
        let mut result = self.method.hypergradient(ask, memory)?;
        for _ in 1..self.calls {
            let before = result.report;
            result = self.method.hypergradient(ask, memory)?;
            result.report.counts += before.counts;
            result.report.diagnostic_counts += before.diagnostic_counts;
            result.report.seconds += before.seconds;
            result.report.diagnostic_seconds += before.diagnostic_seconds;
            result.report.inner_steps += before.inner_steps;
            result.report.tape_bytes = result.report.tape_bytes.max(before.tape_bytes);
            result.report.warnings.extend(before.warnings);
            result.report.trajectory_bytes = result.report.trajectory_bytes.max(before.trajectory_bytes);
        }
        Ok(result)
    }
}
