//! What a report is made of, as it comes up: counts, memory, time.

use crate::clock::Clock;
use crate::kind::Kind;
use crate::report::{Counts, Report};
use autodiff::{Element, Executable};
use std::collections::{HashMap, HashSet};

/// The books of one hypergradient: for the answer, and for its report alone.
pub(crate) struct Ledger {
    pub(crate) counts: Counts,
    diagnostic_counts: Counts,
    diagnostic_seconds: f64,
    /// Whether what is evaluated is for the report alone.
    reporting: bool,
    /// What was evaluated for the answer.
    answering: HashSet<Kind>,
    /// What the report could not find out.
    words: Vec<String>,
    started: Clock,
    trajectory_bytes: usize,
}

/// The books before evaluations for the report.
#[derive(Clone, Copy)]
pub(crate) struct Before {
    counts: Counts,
    clock: Clock,
    /// Whether they are within others.
    within: bool,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            counts: Counts::default(),
            diagnostic_counts: Counts::default(),
            diagnostic_seconds: 0.0,
            reporting: false,
            answering: HashSet::new(),
            words: Vec::new(),
            started: Clock::now(),
            trajectory_bytes: 0,
        }
    }

    pub(crate) fn evaluates(&mut self, kind: Kind) {
        if !self.reporting {
            self.answering.insert(kind);
        }
    }

    pub(crate) fn begin_report(&mut self) -> Before {
        let before = Before { counts: self.counts, clock: Clock::now(), within: self.reporting };
        self.reporting = true;
        before
    }

    pub(crate) fn end_report(&mut self, before: Before) {
        self.reporting = before.within;
        if !before.within {
            self.diagnostic_counts += self.counts - before.counts;
            self.diagnostic_seconds += before.clock.seconds();
        }
    }

    pub(crate) fn knows_less(&mut self, what: &str, op: &str) {
        self.words.push(format!("the report knows less: {what} is not finite where it would look ({op})"));
    }

    /// So many bytes of iterates are alive now.
    pub(crate) fn alive(&mut self, bytes: usize) {
        self.trajectory_bytes = self.trajectory_bytes.max(bytes);
    }

    pub(crate) fn report<E: Element>(&self, outer_value: f64, executables: &HashMap<Kind, Executable<E>>) -> Report {
        let answering = executables.iter().filter(|(kind, _)| self.answering.contains(kind));
        Report {
            outer_value,
            counts: self.counts,
            diagnostic_counts: self.diagnostic_counts,
            diagnostic_seconds: self.diagnostic_seconds,
            trajectory_bytes: self.trajectory_bytes,
            tape_bytes: answering.map(|(_, executable)| executable.peak_bytes()).max().unwrap_or(0),
            seconds: self.started.seconds() - self.diagnostic_seconds,
            warnings: self.words.clone(),
            ..Report::default()
        }
    }
}
