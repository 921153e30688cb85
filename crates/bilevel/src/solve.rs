//! The outer loop, as an iterator.

use crate::data::Data;
use crate::dynamics::Dynamics;
use crate::error::{Error, Result};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::mover::Mover;
use crate::problem::Problem;
use crate::report::Report;
use crate::state::State;
use crate::vector::{norm, shapes};
use autodiff::{Element, Tensor};
use std::path::Path;

/// What an outer loop is told beside where it starts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The most outer steps.
    pub iterations: usize,
    /// Whether the inner problem starts from the last inner solution, in place of `v0`; a problem with a
    /// [`start`](Problem::start) starts from there in any case.
    pub warm_start: bool,
    /// Ends when the outer value was not below its best for so many steps.
    pub patience: Option<usize>,
    /// Ends when the norm of the hypergradient is at most this, without moving u any more. A constraint that holds u back is not
    /// seen by it: use `patience` there.
    pub tolerance: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { iterations: 100, warm_start: false, patience: None, tolerance: None }
    }
}

impl Options {
    /// With so many outer steps at most.
    #[must_use]
    pub fn iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// With the inner problem started from the last inner solution.
    #[must_use]
    pub fn warm_start(self) -> Self {
        Self { warm_start: true, ..self }
    }

    /// Ends when the outer value was not below its best for so many steps.
    #[must_use]
    pub fn patience(self, patience: usize) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Ends when the norm of the hypergradient is at most this.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance: Some(tolerance), ..self }
    }
}

/// One outer step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<E: Element> {
    /// Its number, from 0.
    pub iteration: usize,
    /// ‖dF/du‖ before the step.
    pub gradient_norm: f64,
    /// The inner solution that it was taken at.
    pub inner_solution: Vec<Tensor<E>>,
    /// The hypergradient's [`adjoint`](Hypergradient::adjoint).
    pub adjoint: Option<Vec<Tensor<E>>>,
    /// About the hypergradient; its outer value is the one before the step.
    pub report: Report,
}

/// A running outer loop: each `next` takes a hypergradient and moves u.
///
/// It ends after the most iterations, when its tolerance or its patience says so, or with an error, after which the state
/// is still what it was before the step that failed.
pub struct Solver<'a, E: Element> {
    problem: &'a Problem,
    data: Data<'a, E>,
    method: &'a dyn Method<E>,
    optimizer: &'a dyn Dynamics,
    options: Options,
    mover: Mover<E>,
    state: State<E>,
    done: bool,
}

impl<E: Element> std::fmt::Debug for Solver<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Solver").field("iteration", &self.state.iteration).finish_non_exhaustive()
    }
}

impl Problem {
    /// The outer loop: u moves by `optimizer`, any update rule ([`Projected`](crate::Projected) keeps it in a set), along
    /// the hypergradients of `method`.
    ///
    /// ```
    /// use autodiff::{Tensor, Value};
    /// use bilevel::{Adam, Ask, Data, GradientDescent, Options, Problem, Reverse};
    /// let problem = Problem::new(|_, v| (v[0] - 3.0).square(), |u, v| (v[0] - u[0]).square());
    /// let (u, v0) = ([Tensor::scalar(0.0)], [Tensor::scalar(0.0)]);
    /// let ask = Ask { problem: &problem, u: &u, v0: &v0, data: Data::NONE };
    /// let (method, optimizer) = (Reverse::new(GradientDescent::new(0.25), 20), Adam::new(0.3));
    /// let mut solver = problem.solve(&ask, &method, &optimizer, Options::default().iterations(200))?;
    /// for event in &mut solver {
    ///     let event = event?;
    ///     println!("{} {:.3}", event.iteration, event.report.outer_value);
    /// }
    /// assert!((solver.u()[0].item() - 3.0).abs() < 1e-2);
    /// # Ok::<(), bilevel::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if the optimiser cannot move u.
    pub fn solve<'a, E: Element>(
        &'a self,
        ask: &Ask<'a, E>,
        method: &'a dyn Method<E>,
        optimizer: &'a dyn Dynamics,
        options: Options,
    ) -> Result<Solver<'a, E>> {
        let mover = Mover::new(optimizer, ask.u)?;
        let state = State {
            u: ask.u.to_vec(),
            optimizer: mover.start(ask.u),
            v0: ask.v0.to_vec(),
            best_u: ask.u.to_vec(),
            memory: Memory::default(),
            iteration: 0,
            inner_steps: 0,
            best: f64::INFINITY,
            stale: 0,
        };
        Ok(Solver { problem: self, data: ask.data, method, optimizer, options, mover, state, done: false })
    }
}

impl<E: Element> Solver<'_, E> {
    /// Where u is now.
    pub fn u(&self) -> &[Tensor<E>] {
        &self.state.u
    }

    /// The u with the lowest outer value that was seen, and that value.
    pub fn best(&self) -> (&[Tensor<E>], f64) {
        (&self.state.best_u, self.state.best)
    }

    /// Outer steps made.
    pub fn iteration(&self) -> usize {
        self.state.iteration
    }

    /// What a saved state must have been made with.
    fn settings(&self) -> String {
        format!(
            "{} {:?}, {:?}, warm start {}, u {:?}, v0 {:?}",
            E::NAME,
            self.method,
            self.optimizer,
            self.options.warm_start,
            shapes(&self.state.u),
            shapes(&self.state.v0)
        )
    }

    /// Writes everything the loop goes on from to one file: u, the optimiser's state, the inner starting point, what the
    /// method remembers. The file that was there stays whole until the new one is.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.state.save(path.as_ref(), &self.settings())
    }

    /// Goes on from a saved state, with the same bits as if it had never stopped.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, or was saved with another method, optimiser or shapes.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let state = State::load(path, &self.settings())?;
        let fits = shapes(&state.u) == shapes(&self.state.u)
            && shapes(&state.optimizer) == shapes(&self.state.optimizer)
            && shapes(&state.v0) == shapes(&self.state.v0)
            && shapes(&state.best_u) == shapes(&self.state.u);
        if !fits {
            let reason = "arrays are missing or have other shapes".to_owned();
            return Err(Error::File { file: path.display().to_string(), reason });
        }
        self.state = state;
        self.done = false;
        Ok(())
    }

    fn warm_starts(&self) -> bool {
        self.options.warm_start && !self.state.v0.is_empty()
    }

    fn small(&self, gradient_norm: f64) -> bool {
        self.options.tolerance.is_some_and(|tolerance| gradient_norm <= tolerance)
    }

    fn advance(&mut self) -> Result<Event<E>> {
        // The memory of a step that fails is as it was before it.
        let mut memory = self.state.memory.clone();
        let mut data = self.data;
        if !self.method.counts_calls() {
            // Each outer step sees the next outer batch; inner batches go on where the inner optimiser does.
            data.first = [self.state.iteration, if self.warm_starts() { self.state.inner_steps } else { 0 }];
        }
        let ask = Ask { problem: self.problem, u: &self.state.u, v0: &self.state.v0, data };
        let Hypergradient { gradient, inner_solution, adjoint, report } =
            self.method.hypergradient(&ask, &mut memory)?;
        let (mut u, mut optimizer) = (self.state.u.clone(), self.state.optimizer.clone());
        // Where the hypergradient is as small as was asked for, u stays.
        let gradient_norm = norm(&gradient);
        if !self.small(gradient_norm) {
            self.mover.step(self.state.iteration, &mut u, &gradient, &mut optimizer)?;
        }
        if report.outer_value < self.state.best {
            self.state.best = report.outer_value;
            self.state.best_u = std::mem::replace(&mut self.state.u, u);
            self.state.stale = 0;
        } else {
            self.state.u = u;
            self.state.stale += 1;
        }
        self.state.optimizer = optimizer;
        self.state.memory = memory;
        self.state.inner_steps += report.inner_steps;
        if self.warm_starts() {
            self.state.v0 = inner_solution.clone();
        }
        let iteration = self.state.iteration;
        self.state.iteration += 1;
        Ok(Event { iteration, gradient_norm, inner_solution, adjoint, report })
    }
}

impl<E: Element> Iterator for Solver<'_, E> {
    type Item = Result<Event<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        let tired = self.options.patience.is_some_and(|patience| self.state.stale >= patience);
        if self.done || tired || self.state.iteration >= self.options.iterations {
            return None;
        }
        let event = self.advance();
        self.done = match &event {
            Ok(event) => self.small(event.gradient_norm),
            Err(_) => true,
        };
        Some(event)
    }
}
