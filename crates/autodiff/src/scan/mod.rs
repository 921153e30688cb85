//! Loops whose body is recorded once: `stateₜ₊₁ = step(stateₜ, parameters, itemₜ)`.

mod run;
mod storage;

pub use run::{CompiledScan, ScanGradient, ScanRun};
pub use storage::Storage;

use crate::abstract_value::Abstract;
use crate::compile::CompileOptions;
use crate::error::{Error, Result};
use crate::program::{Disconnected, Program};
use crate::scalar::Element;
use crate::shape::Shape;
use crate::value::Value;
use crate::var::Var;

/// A loop over any number of steps, recorded as its step: `stateₜ₊₁ = step(stateₜ, parameters, itemₜ)`.
///
/// The step is recorded, differentiated and compiled once, however many steps there are: compiling takes no longer for
/// a million of them, and memory is counted in states (see [`Storage`]), not in operations. What a loop should give out
/// on its way, it sums up in its state.
///
/// ```
/// use autodiff::{CompileOptions, Scan, Storage, Tensor};
/// // x ← x + h·a·x, 1,000 times: e^a, nearly.
/// let scan = Scan::record(&[&[]], &[&[]], &[], |x, a, _| vec![x[0] + x[0] * a[0] * 1e-3])?;
/// let mut scan = scan.compile::<f64>(1000, Storage::All, CompileOptions::default())?;
/// let end = scan.forward(&[Tensor::scalar(1.0)], &[Tensor::scalar(0.5)], &[])?;
/// assert!((end.state()[0].item() - 0.5_f64.exp()).abs() < 1e-3);
/// let gradient = end.backward(&[Tensor::scalar(1.0)])?;
/// assert!((gradient.params[0].item() - 0.5_f64.exp()).abs() < 1e-3);
/// # Ok::<(), autodiff::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scan {
    step: Program,
    states: usize,
    params: usize,
}

type Vars<'a, 't> = &'a [Var<'t, Abstract>];

impl Scan {
    /// Records a step `(state, parameters, item) ↦ next state` for these shapes. Items differ from step to step; a loop
    /// without them takes none.
    ///
    /// # Errors
    /// [`Error::Count`] without a state, [`Error::Count`] or [`Error::Input`] if the next state is not like the state.
    ///
    /// # Panics
    /// Where the closure's shapes do not fit, with the op, the shapes and the caller's line.
    pub fn record<F>(states: &[&[usize]], params: &[&[usize]], items: &[&[usize]], step: F) -> Result<Self>
    where
        F: for<'a, 't> FnOnce(Vars<'a, 't>, Vars<'a, 't>, Vars<'a, 't>) -> Vec<Var<'t, Abstract>>,
    {
        let (n, m) = (states.len(), params.len());
        let program =
            Program::record_many(&[states, params, items].concat(), |x| step(&x[..n], &x[n..n + m], &x[n + m..]))?;
        Self::new(program, n, m)
    }

    /// A loop whose step is a program: its first `states` inputs are the state, the next `params` the parameters, the
    /// rest the item; its outputs are the next state.
    ///
    /// # Errors
    /// [`Error::Count`] without a state, [`Error::Count`] or [`Error::Input`] if the outputs are not like the state.
    pub fn new(step: Program, states: usize, params: usize) -> Result<Self> {
        let (inputs, outputs) = (step.input_shapes(), step.output_shapes());
        if states == 0 {
            return Err(Error::Count { what: "states of a loop (at least one)", expected: 1, given: 0 });
        }
        if inputs.len() < states + params {
            let (expected, given) = (states + params, inputs.len());
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
        Ok(Self { step, states, params })
    }

    /// The step.
    pub fn step(&self) -> &Program {
        &self.step
    }

    /// The shapes of state, parameters and item.
    pub fn shapes(&self) -> (Vec<Shape>, Vec<Shape>, Vec<Shape>) {
        let mut states = self.step.input_shapes();
        let mut params = states.split_off(self.states);
        let items = params.split_off(self.params);
        (states, params, items)
    }

    /// The loop over any carrier, step after step: the last state. Each of `items` holds one item a row, one row a step.
    ///
    /// On a tape this records every step; [`compile`](Scan::compile) does not.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if state, parameters or items do not fit.
    pub fn unroll<V: Value>(&self, steps: usize, state: &[V], params: &[V], items: &[V]) -> Result<Vec<V>> {
        self.check(steps, state, params, items)?;
        let mut state = state.to_vec();
        for t in 0..steps {
            let inputs: Vec<V> =
                [&state, params].concat().into_iter().chain(items.iter().map(|x| x.at(0, t))).collect();
            state = self.step.run(&inputs)?;
        }
        Ok(state)
    }

    fn check<V: Value>(&self, steps: usize, state: &[V], params: &[V], items: &[V]) -> Result<()> {
        let (states, parameters, mut rows) = self.shapes();
        rows.iter_mut().for_each(|shape| shape.insert(0, steps));
        let groups = [
            ("states of a loop", "state of a loop", states, state),
            ("parameters of a loop", "parameter of a loop", parameters, params),
            ("items of a loop", "items of a loop", rows, items),
        ];
        for (all, one, expected, given) in groups {
            if expected.len() != given.len() {
                return Err(Error::Count { what: all, expected: expected.len(), given: given.len() });
            }
            for (index, (expected, given)) in expected.into_iter().zip(given).enumerate() {
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
        let (n, m) = (self.states, self.params);
        let wrt: Vec<usize> = (0..n + m).collect();
        let jvp = self.step.jvp_with(&wrt, Disconnected::Zeros)?;
        let (states, params, items) = self.shapes();
        let shapes = [&states[..], &states, &params, &params, &items].concat();
        let program = Program::record_shapes(&shapes, |x| {
            let (x, item) = x.split_at(2 * (n + m));
            let ((v, dv), (p, dp)) = (x[..2 * n].split_at(n), x[2 * n..].split_at(m));
            jvp.eval(&[v, p, item, dv, dp].concat())
        })?;
        Self::new(program.simplify(), 2 * n, 2 * m)
    }

    /// Compiles the step and its pullback, for so many steps.
    ///
    /// Time: that of compiling two programs, whatever the number of steps. Memory: as [`Storage`] says, allocated here.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if a parameter does not reach the next state, or no state does.
    pub fn compile<E: Element>(
        &self,
        steps: usize,
        storage: Storage,
        options: CompileOptions,
    ) -> Result<CompiledScan<E>> {
        CompiledScan::new(self, steps, storage, options)
    }
}
