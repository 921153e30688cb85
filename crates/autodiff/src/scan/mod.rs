//! Loops whose body is recorded once: `stateₜ₊₁ = step(stateₜ, parameters, data, itemₜ)`.

mod run;
mod storage;

pub use run::{CompiledScan, ScanGradient, ScanRun};
pub use storage::{Storage, next_kept};

use crate::abstract_value::Abstract;
use crate::compile::CompileOptions;
use crate::error::{Error, Result};
use crate::program::{Disconnected, Program};
use crate::scalar::Element;
use crate::shape::Shape;
use crate::value::Value;
use crate::var::Var;

/// What a loop works on: shapes when it is recorded, variables inside its step, arrays when it runs.
#[derive(Debug)]
pub struct ScanInputs<'a, T> {
    /// Carried from step to step, and differentiated by.
    pub state: &'a [T],
    /// The same for all steps, and differentiated by.
    pub params: &'a [T],
    /// The same for all steps, not differentiated by.
    pub data: &'a [T],
    /// One a step, not differentiated by: the step sees a row of what the loop is given.
    pub items: &'a [T],
}

// Not derived: a list of references is copied, whatever it refers to.
impl<T> Clone for ScanInputs<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ScanInputs<'_, T> {}

impl<T> Default for ScanInputs<'_, T> {
    fn default() -> Self {
        Self { state: &[], params: &[], data: &[], items: &[] }
    }
}

impl<'a, T> ScanInputs<'a, T> {
    fn groups(&self) -> [&'a [T]; 4] {
        [self.state, self.params, self.data, self.items]
    }
}

/// A loop over any number of steps, recorded as its step: `stateₜ₊₁ = step(stateₜ, parameters, data, itemₜ)`.
///
/// The step is recorded, differentiated and compiled once, however many steps there are: compiling takes no longer for
/// a million of them, and memory is counted in states (see [`Storage`]), not in operations. What a loop should give out
/// on its way, it sums up in its state.
///
/// ```
/// use autodiff::{CompileOptions, Scan, ScanInputs, Storage, Tensor};
/// // x ← x + h·a·x, 1,000 times: e^a, nearly.
/// let shapes = ScanInputs { state: &[&[][..]], params: &[&[][..]], ..Default::default() };
/// let scan = Scan::record(shapes, |s| vec![s.state[0] + s.state[0] * s.params[0] * 1e-3])?;
/// let mut scan = scan.compile::<f64>(1000, Storage::All, CompileOptions::default())?;
/// let (state, params) = ([Tensor::scalar(1.0)], [Tensor::scalar(0.5)]);
/// let end = scan.forward(ScanInputs { state: &state, params: &params, ..Default::default() })?;
/// assert!((end.state()[0].item() - 0.5_f64.exp()).abs() < 1e-3);
/// let gradient = end.backward(&[Tensor::scalar(1.0)])?;
/// assert!((gradient.params[0].item() - 1.0005_f64.powi(999)).abs() < 1e-12);
/// # Ok::<(), autodiff::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scan {
    step: Program,
    /// How many inputs of the step are state, parameters, data; the rest are items.
    counts: [usize; 3],
}

impl Scan {
    /// Records a step, from state, parameters, data and item to the next state, for these shapes. The shape of an item
    /// is that of one step.
    ///
    /// # Errors
    /// [`Error::Count`] without a state, [`Error::Count`] or [`Error::Input`] if the next state is not like the state.
    ///
    /// # Panics
    /// Where the closure's shapes do not fit, with the op, the shapes and the caller's line.
    pub fn record<F>(shapes: ScanInputs<'_, &[usize]>, step: F) -> Result<Self>
    where
        F: for<'a, 't> FnOnce(ScanInputs<'a, Var<'t, Abstract>>) -> Vec<Var<'t, Abstract>>,
    {
        let groups = shapes.groups();
        let counts = [groups[0].len(), groups[1].len(), groups[2].len()];
        let program = Program::record_many(&groups.concat(), |x| step(split(x, counts)))?;
        Self::new(program, counts)
    }

    /// A loop whose step is a program: its inputs are so many arrays of state, so many parameters, so much data, and
    /// the item; its outputs are the next state.
    ///
    /// # Errors
    /// [`Error::Count`] without a state, [`Error::Count`] or [`Error::Input`] if the outputs are not like the state.
    pub fn new(step: Program, counts: [usize; 3]) -> Result<Self> {
        let (inputs, outputs) = (step.input_shapes(), step.output_shapes());
        let [states, ..] = counts;
        if states == 0 {
            return Err(Error::Count { what: "states of a loop (at least one)", expected: 1, given: 0 });
        }
        if inputs.len() < counts.iter().sum() {
            let (expected, given) = (counts.iter().sum(), inputs.len());
            return Err(Error::Count { what: "inputs of a loop's step", expected, given });
        }
        if outputs.len() != states {
            return Err(Error::Count { what: "outputs of a loop's step", expected: states, given: outputs.len() });
        }
        for (index, (expected, given)) in inputs.iter().zip(&outputs).enumerate() {
            if expected != given {
                let (expected, given) = (expected.clone(), given.clone());
                return Err(Error::Input { what: "next state of a loop", index, expected, given });
            }
        }
        Ok(Self { step, counts })
    }

    /// The step.
    pub fn step(&self) -> &Program {
        &self.step
    }

    /// The loop over any carrier, step after step: the last state. Each of the items holds one a row, one row a step.
    ///
    /// On a tape this records every step; [`compile`](Scan::compile) does not.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if the inputs do not fit.
    pub fn unroll<V: Value>(&self, steps: usize, inputs: ScanInputs<'_, V>) -> Result<Vec<V>> {
        self.check(steps, inputs)?;
        let mut state = inputs.state.to_vec();
        for t in 0..steps {
            let item: Vec<V> = inputs.items.iter().map(|x| x.at(0, t)).collect();
            state = self.step.run(&[&state, inputs.params, inputs.data, &item].concat())?;
        }
        Ok(state)
    }

    fn check<V: Value>(&self, steps: usize, inputs: ScanInputs<'_, V>) -> Result<()> {
        let shapes = self.step.input_shapes();
        let expected = split(&shapes, self.counts);
        let names = [
            ("states of a loop", "state of a loop"),
            ("parameters of a loop", "parameter of a loop"),
            ("data of a loop", "data of a loop"),
            ("items of a loop", "items of a loop"),
        ];
        for (group, (all, one)) in names.into_iter().enumerate() {
            let (expected, given) = (expected.groups()[group], inputs.groups()[group]);
            if expected.len() != given.len() {
                return Err(Error::Count { what: all, expected: expected.len(), given: given.len() });
            }
            for (index, (expected, given)) in expected.iter().zip(given).enumerate() {
                let rows = if group == 3 { Some(steps) } else { None };
                let expected: Shape = rows.into_iter().chain(expected.iter().copied()).collect();
                if given.shape() != expected {
                    return Err(Error::Input { what: one, index, expected, given: given.shape() });
                }
            }
        }
        Ok(())
    }

    /// The loop of the tangents beside the values: states and parameters come twice, values first, then tangents.
    ///
    /// Compiled and reversed, this is forward over reverse: Hessian-vector products of a loop.
    ///
    /// # Errors
    /// Those of [`Program::jvp`].
    pub fn jvp(&self) -> Result<Self> {
        let [n, m, k] = self.counts;
        let wrt: Vec<usize> = (0..n + m).collect();
        let jvp = self.step.jvp_with(&wrt, Disconnected::Zeros)?;
        let shapes = self.step.input_shapes();
        let s = split(&shapes, self.counts);
        let program = Program::record_shapes(&[s.state, s.state, s.params, s.params, s.data, s.items].concat(), |x| {
            let s = split(x, [2 * n, 2 * m, k]);
            let ((v, dv), (p, dp)) = (s.state.split_at(n), s.params.split_at(m));
            jvp.eval(&[v, p, s.data, s.items, dv, dp].concat())
        })?;
        Self::new(program.simplify(), [2 * n, 2 * m, k])
    }

    /// Compiles the step and its pullback, for so many steps.
    ///
    /// Time: that of compiling two programs, whatever the number of steps. Memory: as [`Storage`] says, allocated here.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if a parameter does not reach the next state.
    pub fn compile<E: Element>(
        &self,
        steps: usize,
        storage: Storage,
        options: CompileOptions,
    ) -> Result<CompiledScan<E>> {
        CompiledScan::new(self, steps, storage, options)
    }
}

/// The inputs of a step by their groups.
fn split<T>(all: &[T], [states, params, data]: [usize; 3]) -> ScanInputs<'_, T> {
    let (state, rest) = all.split_at(states);
    let (params, rest) = rest.split_at(params);
    let (data, items) = rest.split_at(data);
    ScanInputs { state, params, data, items }
}
