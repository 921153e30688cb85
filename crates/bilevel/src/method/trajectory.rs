//! The states of an inner optimiser, kept in full, with residuals beside, or recomputed from checkpoints.

use crate::error::{Result, configuration};
use crate::programs::COSTLY;
use crate::session::Session;
use crate::vector;
use autodiff::{Element, Tensor, next_kept};

/// What of the trajectory is kept for the way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keep {
    /// All states that are differentiated.
    #[default]
    All,
    /// As many states as fit in so many bytes beside the one at hand and the next, the others recomputed from them: with `s`
    /// kept and at most `r` evaluations of each step, `(s + r)! / (s! r!)` steps. (Griewank, Walther: Revolve, ACM TOMS 26,
    /// 2000.)
    Bytes(usize),
    /// `2√T` states: about one more forward pass.
    SquareRoot,
    /// All states that are differentiated and, for as many of the last steps as fit in so many bytes more, residuals: results
    /// that the step's VJP needs, whatever its cotangent, and that take 256 operations an element or more, such as products
    /// with a large matrix (as [`Program::split_costly`](autodiff::Program::split_costly) counts them). The VJPs of other
    /// steps compute them again. Where products with the data are all the work, a step and its VJP are five of them and four
    /// with residuals. The hypergradient is the same up to rounding.
    ///
    /// Beside the bytes, the compiled step and VJP that keep residuals have memory of their own, as large as those that do
    /// not. The report says [how many steps](crate::Report::residual_steps) had residuals, and why if none had.
    Residuals(usize),
}

/// A function of the step, the state before it and, if there are any, the step's residuals, called last step first; it says
/// whether to go on.
pub(super) type Visit<'f, 's, E> =
    dyn FnMut(&mut Session<'s, E>, usize, &[Tensor<E>], Option<&[Tensor<E>]>) -> Result<bool> + 'f;

/// The last steps of a trajectory, to be walked back over.
pub(super) struct Trajectory<E: Element> {
    kept: Vec<(usize, Vec<Tensor<E>>)>,
    /// Of the last steps, as far as the way there has come.
    residuals: Vec<Vec<Tensor<E>>>,
    residual_bytes: usize,
    /// The first step whose residuals are kept.
    first_with_residuals: usize,
    steps: std::ops::Range<usize>,
    places: usize,
    /// Whether the state at hand and the next are beside those that are kept.
    recomputes: bool,
    /// The state before the last step, from the way there: the way back begins with it.
    before_last: Option<Vec<Tensor<E>>>,
    /// Why there are no residuals, where some were asked for.
    pub(super) note: Option<String>,
}

impl<E: Element> Trajectory<E> {
    /// Runs `steps` steps from a state; gives what is needed to walk back over the last `window`, and the last state.
    pub(super) fn run(
        session: &mut Session<'_, E>,
        start: Vec<Tensor<E>>,
        steps: usize,
        window: usize,
        keep: Keep,
    ) -> Result<(Self, Vec<Tensor<E>>)> {
        let (window, size) = (window.min(steps), vector::bytes(&start).max(1));
        let places = match keep {
            Keep::All | Keep::Residuals(_) => window,
            Keep::Bytes(bytes) => (bytes / size).saturating_sub(2).min(window),
            Keep::SquareRoot => (2.0 * (window as f64).sqrt()).ceil() as usize,
        };
        if places == 0 {
            return configuration(
                "storage",
                format!("three states are the least: one kept, two at hand, {} bytes", 3 * size),
            );
        }
        let first = steps - window;
        let mut state = start;
        for step in 0..first {
            state = session.step(step, &state)?;
        }
        let (mut with_residuals, mut note) = (0, None);
        if let Keep::Residuals(bytes @ 1..) = keep {
            let each = session.residual_bytes(steps - 1, &state)?;
            with_residuals = bytes.checked_div(each).unwrap_or(0);
            note = match each {
                0 => Some(format!("no residuals: no result of a step takes {COSTLY} operations an element")),
                _ if with_residuals == 0 => Some(format!("no residuals: those of one step take {each} bytes")),
                _ => None,
            };
        }
        let mut trajectory = Self {
            kept: vec![(first, state)],
            residuals: Vec::new(),
            residual_bytes: 0,
            first_with_residuals: first.max(steps.saturating_sub(with_residuals)),
            steps: first..steps,
            places,
            recomputes: matches!(keep, Keep::Bytes(_) | Keep::SquareRoot),
            before_last: None,
            note,
        };
        let before_last = trajectory.state(session, steps - 1)?;
        let last = trajectory.step(session, steps - 1, &before_last)?;
        trajectory.before_last = Some(before_last);
        Ok((trajectory, last))
    }

    /// The state before a step, from the last one that is kept; on the way, states are kept where the schedule says.
    fn state(&mut self, session: &mut Session<'_, E>, step: usize) -> Result<Vec<Tensor<E>>> {
        // States that lie behind are free again.
        while self.kept.last().is_some_and(|(kept, _)| *kept > step) {
            self.kept.pop();
        }
        let (mut here, mut state) = self.kept.last().cloned().expect("the first state is always kept");
        let size = vector::bytes(&state);
        let mut next = next_kept(here, step + 1, self.places - self.kept.len());
        while here < step {
            state = self.step(session, here, &state)?;
            here += 1;
            if next == Some(here) {
                self.kept.push((here, state.clone()));
                next = next_kept(here, step + 1, self.places - self.kept.len());
            }
            session.alive(self.bytes(size));
        }
        session.alive(self.bytes(size));
        Ok(state)
    }

    /// One step on the way there.
    fn step(&mut self, session: &mut Session<'_, E>, step: usize, state: &[Tensor<E>]) -> Result<Vec<Tensor<E>>> {
        if step < self.first_with_residuals {
            return session.step(step, state);
        }
        let (next, residuals) = session.step_keeping(step, state)?;
        self.residual_bytes += vector::bytes(&residuals);
        self.residuals.push(residuals);
        session.alive(self.bytes(vector::bytes(state)));
        Ok(next)
    }

    /// What is alive, where a state has so many bytes.
    fn bytes(&self, state: usize) -> usize {
        (self.kept.len() + if self.recomputes { 2 } else { 0 }) * state + self.residual_bytes
    }

    /// Walks back, last step first, until the visitor has seen enough.
    pub(super) fn walk_back<'s>(mut self, session: &mut Session<'s, E>, visit: &mut Visit<'_, 's, E>) -> Result<()> {
        for step in self.steps.clone().rev() {
            let state = match self.before_last.take() {
                Some(state) => state,
                None => self.state(session, step)?,
            };
            let residuals = self.residuals.pop();
            self.residual_bytes -= residuals.as_deref().map_or(0, vector::bytes);
            if !visit(session, step, &state, residuals.as_deref())? {
                break;
            }
        }
        Ok(())
    }
}
