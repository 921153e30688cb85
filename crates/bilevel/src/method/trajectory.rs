//! The states of an inner optimiser, kept in full or recomputed from checkpoints.

use crate::error::{Result, configuration};
use crate::session::Session;
use crate::vector;
use autodiff::{Element, Tensor, next_kept};

/// Which states of the trajectory are kept for the way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keep {
    /// All that are differentiated.
    #[default]
    All,
    /// As many as fit in so many bytes beside the one at hand and the next, the others recomputed from them: with `s` kept
    /// and at most `r` evaluations of each step, `(s + r)! / (s! r!)` steps. (Griewank, Walther: Revolve, ACM TOMS 26,
    /// 2000.)
    Bytes(usize),
    /// `2√T` states: about one more forward pass.
    SquareRoot,
}

/// A function of the step and the state before it, called last step first; it says whether to go on.
pub(super) type Visit<'f, 's, E> = dyn FnMut(&mut Session<'s, E>, usize, &[Tensor<E>]) -> Result<bool> + 'f;

/// The last steps of a trajectory, to be walked back over.
pub(super) struct Trajectory<E: Element> {
    kept: Vec<(usize, Vec<Tensor<E>>)>,
    steps: std::ops::Range<usize>,
    places: usize,
    /// Whether the state at hand and the next are beside those that are kept.
    recomputes: bool,
    /// The state before the last step, from the way there: the way back begins with it.
    before_last: Option<Vec<Tensor<E>>>,
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
            Keep::All => window,
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
        let kept = vec![(first, state)];
        let recomputes = keep != Keep::All;
        let mut trajectory = Self { kept, steps: first..steps, places, recomputes, before_last: None };
        let before_last = trajectory.state(session, steps - 1)?;
        let last = session.step(steps - 1, &before_last)?;
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
            state = session.step(here, &state)?;
            here += 1;
            if next == Some(here) {
                self.kept.push((here, state.clone()));
                next = next_kept(here, step + 1, self.places - self.kept.len());
            }
            session.alive((self.kept.len() + if self.recomputes { 2 } else { 0 }) * size);
        }
        session.alive((self.kept.len() + if self.recomputes { 2 } else { 0 }) * size);
        Ok(state)
    }

    /// Walks back, last step first, until the visitor has seen enough.
    pub(super) fn walk_back<'s>(mut self, session: &mut Session<'s, E>, visit: &mut Visit<'_, 's, E>) -> Result<()> {
        for step in self.steps.clone().rev() {
            let state = match self.before_last.take() {
                Some(state) => state,
                None => self.state(session, step)?,
            };
            if !visit(session, step, &state)? {
                break;
            }
        }
        Ok(())
    }
}
