//! Running a compiled loop, there and back.

use super::storage::{Storage, next_kept};
use super::{Scan, ScanInputs, split};
use crate::compile::{Arena, CompileOptions, Executable};
use crate::error::{Error, Result};
use crate::program::{Disconnected, Program};
use crate::scalar::Element;
use crate::shape::size;
use crate::tensor::Tensor;
use crate::value::Value;

/// A [`Scan`] compiled for a number of steps and an element type; made by [`Scan::compile`].
///
/// Its memory is kept from run to run: a run allocates its results and a few short lists, however many steps it has.
#[derive(Clone)]
pub struct CompiledScan<E: Element> {
    scan: Scan,
    steps: usize,
    /// `(state…, parameters…, data…, item…) ↦ next state…`
    step: Executable<E>,
    /// `(state…, parameters…, data…, item…, cotangent of the next state…, sum of the parameters' cotangents…) ↦
    /// (cotangent of the state…, larger sum…)`
    pullback: Executable<E>,
    /// Elements of each part of the state, and of each parameter.
    lens: [Vec<usize>; 2],
    /// The position of the first item among the inputs of the step, and of the first cotangent among the pullback's.
    first: [usize; 2],
    /// States that are kept, each of `state` elements: the initial one first.
    kept: Arena<E>,
    /// Two states, from one to the other and back.
    walk: [Arena<E>; 2],
    /// Cotangents of state and parameters, from one to the other and back.
    cotangents: [Arena<E>; 2],
}

impl<E: Element> std::fmt::Debug for CompiledScan<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { steps, step, pullback, .. } = self;
        write!(f, "CompiledScan of {steps} steps: step {step:?}; pullback {pullback:?}")
    }
}

/// The gradient of a loop.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanGradient<E: Element> {
    /// By the initial state.
    pub state: Vec<Tensor<E>>,
    /// By the parameters, summed over all steps.
    pub params: Vec<Tensor<E>>,
    /// How often the step was evaluated, forward run included; the pullback was evaluated once a step.
    pub evaluations: usize,
}

/// A loop that has run to its end, and can be reversed.
#[derive(Debug)]
pub struct ScanRun<'a, E: Element> {
    compiled: &'a mut CompiledScan<E>,
    params: Vec<Tensor<E>>,
    /// Kept alive: the executables point to it.
    _data: Vec<Tensor<E>>,
    items: Vec<Tensor<E>>,
    state: Vec<Tensor<E>>,
    /// The steps whose states are kept.
    kept: Vec<usize>,
    evaluations: usize,
}

impl<E: Element> CompiledScan<E> {
    pub(super) fn new(scan: &Scan, steps: usize, storage: Storage, options: CompileOptions) -> Result<Self> {
        let [n, m, k] = scan.counts;
        let wrt: Vec<usize> = (0..n + m).collect();
        for param in n..n + m {
            if matches!(scan.step.vjp(&[param]), Err(Error::Disconnected { .. })) {
                return Err(Error::Disconnected { inputs: vec![param], output: 0 });
            }
        }
        let vjp = scan.step.vjp_with(&wrt, Disconnected::Zeros)?;
        let inputs = scan.step.input_shapes();
        let ScanInputs { state: states, params, .. } = split(&inputs, scan.counts);
        let pullback = Program::record_shapes(&[&inputs[..], states, params].concat(), |x| {
            let (inputs, sums) = x.split_at(x.len() - m);
            let mut parts = vjp.eval(inputs);
            parts[n..].iter_mut().zip(sums).for_each(|(part, &sum)| *part += sum);
            parts
        })?;
        let lens = [states, params].map(|shapes| shapes.iter().map(|s| size(s)).collect::<Vec<_>>());
        let first = [n + m + k, inputs.len()];
        let state: usize = lens[0].iter().sum();
        let both = state + lens[1].iter().sum::<usize>();
        let slots = match storage {
            Storage::All => steps,
            // Each state, and which one it is.
            Storage::Bytes(bytes) => (bytes / (state * size_of::<E>() + size_of::<usize>())).min(steps),
            Storage::Recompute => 1,
        };
        Ok(Self {
            scan: scan.clone(),
            steps,
            step: scan.step.compile(options),
            pullback: pullback.compile(options),
            lens,
            first,
            kept: Arena::new(slots.max(1) * state),
            walk: [Arena::new(state), Arena::new(state)],
            cotangents: [Arena::new(both), Arena::new(both)],
        })
    }

    /// The number of steps.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Bytes that a run uses beside its arguments and results: kept states and which they are, the two executables, and a
    /// state and its cotangents twice.
    pub fn peak_bytes(&self) -> usize {
        let arrays = [&self.kept].into_iter().chain(&self.walk).chain(&self.cotangents);
        let elements: usize = arrays.map(|array| Arena::<E>::allocated(array.len())).sum();
        let kept = self.slots().min(self.steps + 1) * size_of::<usize>();
        elements * size_of::<E>() + kept + self.step.peak_bytes() + self.pullback.peak_bytes()
    }

    /// The compiled step.
    pub fn step(&self) -> &Executable<E> {
        &self.step
    }

    /// The compiled pullback of the step.
    pub fn pullback(&self) -> &Executable<E> {
        &self.pullback
    }

    /// Runs all steps. Each of the items holds one a row, one row a step.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if the inputs do not fit.
    pub fn forward(&mut self, inputs: ScanInputs<'_, Tensor<E>>) -> Result<ScanRun<'_, E>> {
        self.scan.check(self.steps, inputs)?;
        let ScanInputs { state, params, data, items } = inputs;
        let mut start = 0;
        for part in state {
            self.kept[start..start + part.len()].copy_from_slice(part.data());
            start += part.len();
        }
        for (i, array) in params.iter().chain(data).enumerate() {
            self.step.set_input(state.len() + i, array.data());
            self.pullback.set_input(state.len() + i, array.data());
        }
        let mut kept = Vec::with_capacity(self.slots().min(self.steps + 1));
        kept.push(0);
        self.keep_until(self.steps, &mut kept, items);
        let last = kept[kept.len() - 1];
        // Keeping moved to the state of the last kept step; from there to the end.
        let evaluations = last + self.walk_on(kept.len() - 1, last, self.steps, items);
        let mut rest = if last == self.steps { &self.kept[(kept.len() - 1) * start..] } else { &self.walk[0][..] };
        let state = state.iter().map(|like| {
            let (part, after) = rest.split_at(like.len());
            rest = after;
            Tensor::from_parts(like.shape(), part.to_vec())
        });
        let state = state.collect();
        let (params, _data, items) = (params.to_vec(), data.to_vec(), items.to_vec());
        Ok(ScanRun { compiled: self, params, _data, items, state, kept, evaluations })
    }

    fn state_len(&self) -> usize {
        self.walk[0].len()
    }

    /// States that can be kept.
    fn slots(&self) -> usize {
        self.kept.len().checked_div(self.state_len()).unwrap_or(usize::MAX)
    }

    /// From the last kept state on towards `to`, keeping states on the way.
    fn keep_until(&mut self, to: usize, kept: &mut Vec<usize>, items: &[Tensor<E>]) -> usize {
        let mut evaluations = 0;
        let len = self.state_len();
        while let Some(&from) = kept.last()
            && let Some(next) = next_kept(from, to, self.slots() - kept.len())
        {
            let slot = kept.len();
            if next == from + 1 {
                let (before, after) = self.kept.split_at_mut(slot * len);
                let (from_state, to_state) = (&before[(slot - 1) * len..], &mut after[..len]);
                bind(&mut self.step, &self.lens[0], from_state, to_state);
                bind_items(&mut self.step, self.first[0], from, items);
                self.step.run_bound();
            } else {
                self.walk_on(slot - 1, from, next, items);
                self.kept[slot * len..(slot + 1) * len].copy_from_slice(&self.walk[0]);
            }
            evaluations += next - from;
            kept.push(next);
        }
        evaluations
    }

    /// From the state in a slot to the one of step `to`, which is in `walk[0]` afterwards, unless there is no way to go.
    fn walk_on(&mut self, slot: usize, from: usize, to: usize, items: &[Tensor<E>]) -> usize {
        let len = self.state_len();
        for t in from..to {
            let [here, there] = &mut self.walk;
            let source = if t == from { &self.kept[slot * len..(slot + 1) * len] } else { &here[..] };
            bind(&mut self.step, &self.lens[0], source, there);
            bind_items(&mut self.step, self.first[0], t, items);
            self.step.run_bound();
            self.walk.swap(0, 1);
        }
        to - from
    }
}

/// Points a step to its state and its next state.
fn bind<E: Element>(step: &mut Executable<E>, lens: &[usize], mut from: &[E], mut to: &mut [E]) {
    for (i, &len) in lens.iter().enumerate() {
        let (part, after) = from.split_at(len);
        step.set_input(i, part);
        from = after;
        let (part, after) = to.split_at_mut(len);
        step.set_output(i, part);
        to = after;
    }
}

/// Points a step to its item.
fn bind_items<E: Element>(executable: &mut Executable<E>, first: usize, t: usize, items: &[Tensor<E>]) {
    for (i, item) in items.iter().enumerate() {
        let len = size(&item.dims()[1..]);
        executable.set_input(first + i, &item.data()[t * len..(t + 1) * len]);
    }
}

impl<E: Element> ScanRun<'_, E> {
    /// The last state.
    pub fn state(&self) -> &[Tensor<E>] {
        &self.state
    }

    /// The gradient by the initial state and the parameters, for cotangents of the last state.
    ///
    /// Time: one pullback a step, and the evaluations of the step that [`Storage`] asks for.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if the cotangents do not fit the state.
    pub fn backward(mut self, cotangents: &[Tensor<E>]) -> Result<ScanGradient<E>> {
        if cotangents.len() != self.state.len() {
            let (expected, given) = (self.state.len(), cotangents.len());
            return Err(Error::Count { what: "cotangents of a loop's state", expected, given });
        }
        let len = self.compiled.state_len();
        let mut start = 0;
        for (index, (given, expected)) in cotangents.iter().zip(&self.state).enumerate() {
            if given.dims() != expected.dims() {
                let (expected, given) = (expected.shape(), given.shape());
                return Err(Error::Input { what: "cotangent of a loop's state", index, expected, given });
            }
            self.compiled.cotangents[0][start..start + given.len()].copy_from_slice(given.data());
            start += given.len();
        }
        self.compiled.cotangents[0][len..].fill(E::from_f64(0.0));
        for step in (0..self.compiled.steps).rev() {
            // States that lie behind are free again.
            while self.kept.last().is_some_and(|&kept| kept > step) {
                self.kept.pop();
            }
            self.evaluations += self.compiled.keep_until(step + 1, &mut self.kept, &self.items);
            let (slot, last) = (self.kept.len() - 1, self.kept[self.kept.len() - 1]);
            self.evaluations += self.compiled.walk_on(slot, last, step, &self.items);
            self.pull_back(slot, last == step, step);
        }
        let c = self.compiled;
        let mut rest = &c.cotangents[0][..];
        let mut take = |like: &Tensor<E>| {
            let (part, after) = rest.split_at(like.len());
            rest = after;
            Tensor::from_parts(like.shape(), part.to_vec())
        };
        let state = self.state.iter().map(&mut take).collect();
        let params = self.params.iter().map(&mut take).collect();
        Ok(ScanGradient { state, params, evaluations: self.evaluations })
    }

    /// One step back, from the state in a slot or the one that was walked to.
    fn pull_back(&mut self, slot: usize, is_kept: bool, step: usize) {
        let c = &mut *self.compiled;
        let len = c.state_len();
        let ([states, params], [item, cotangent]) = (&c.lens, c.first);
        let mut state = if is_kept { &c.kept[slot * len..(slot + 1) * len] } else { &c.walk[0][..] };
        let [given, made] = &mut c.cotangents;
        let (mut given, mut made) = (&given[..], &mut made[..]);
        for (i, &len) in states.iter().chain(params).enumerate() {
            if i < states.len() {
                let (part, after) = state.split_at(len);
                c.pullback.set_input(i, part);
                state = after;
            }
            let (part, after) = given.split_at(len);
            c.pullback.set_input(cotangent + i, part);
            given = after;
            let (part, after) = std::mem::take(&mut made).split_at_mut(len);
            c.pullback.set_output(i, part);
            made = after;
        }
        bind_items(&mut c.pullback, item, step, &self.items);
        c.pullback.run_bound();
        c.cotangents.swap(0, 1);
    }
}
