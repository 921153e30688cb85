//! A training run in compiled steps: advanced epoch by epoch, saved and resumed with the same bits.

use super::step::{Kind, Steps};
use crate::data::{Dataset, shuffled};
use crate::error::{Error, Result, configuration};
use crate::loss;
use crate::mlp::{Init, Mlp};
use crate::train::{Settings, check_fit};
use autodiff::{Element, Executable, Shape, Tensor};
use bilevel::Archive;
use rand::seq::SliceRandom;
use std::collections::HashMap;
use std::path::Path;

/// What a run is told beside its data.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The network.
    pub mlp: Mlp,
    /// How its parameters begin.
    pub init: Init,
    /// How examples are weighted.
    pub kind: Kind,
    /// Epochs, batch size, learning rate.
    pub settings: Settings,
    /// Trusted examples for each step, drawn anew; all of them if there are no more.
    pub trusted_batch: usize,
    /// μ of `m ← μ·m + g + λ·θ`, `θ ← θ − α·m`.
    pub momentum: f64,
    /// λ.
    pub decay: f64,
    /// Where all random numbers come from.
    pub seed: u64,
}

/// A training run.
///
/// A step is one executable; nothing is allocated between steps but the batches' order. All random numbers of an epoch come
/// from the seed and the number of the epoch, so that a run that was killed goes on with the same bits.
///
/// Time of a step: L2RW and Meta-Weight-Net about three to four times the plain one. Memory: the data, one executable for each
/// of the (at most two) batch sizes, two numbers for each example.
///
/// ```
/// use nn::data::{Noise, digits};
/// use nn::reweight::{Kind, Setup, Training};
/// use nn::train::{Schedule, Settings};
/// use nn::{Activation, Init, Mlp, rng};
///
/// let mut rng = rng(0);
/// let [noisy, trusted] = digits::<f32>()?.split([300, 50], &mut rng)?;
/// let noisy = noisy.with_labels(Noise::UniformOther(0.4).apply(noisy.labels(), 10, &mut rng)?)?;
/// let setup = Setup {
///     mlp: Mlp::new(&[64, 32, 10], Activation::Relu)?,
///     init: Init::He,
///     kind: Kind::L2rw,
///     settings: Settings { epochs: 2, batch: 100, rate: Schedule::Constant(0.1) },
///     trusted_batch: 50,
///     momentum: 0.9,
///     decay: 0.0,
///     seed: 0,
/// };
/// let mut run = Training::new(setup, &noisy, &trusted)?;
/// while !run.is_done() {
///     println!("loss {:.3}", run.epoch()?);
/// }
/// assert_eq!(run.weights().len(), 300);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Debug)]
pub struct Training<'d, E: Element> {
    setup: Setup,
    steps: Steps,
    data: [&'d Dataset<E>; 2],
    /// One-hot targets of both sets.
    targets: [Tensor<E>; 2],
    /// θ, velocity, Θ and its moments.
    state: Vec<Tensor<E>>,
    compiled: HashMap<usize, Compiled<E>>,
    /// Epochs that are done, steps that are done.
    epochs: usize,
    count: usize,
    /// For each example, the sum of its weights and how often it was drawn, in the window.
    sums: Tensor<E>,
    draws: Tensor<E>,
}

/// The executable of one batch size, with its inputs and outputs.
#[derive(Debug)]
struct Compiled<E: Element> {
    executable: Executable<E>,
    inputs: Vec<Tensor<E>>,
    outputs: Vec<Tensor<E>>,
}

impl<'d, E: Element> Training<'d, E> {
    /// Ready for the first epoch.
    ///
    /// # Errors
    /// [`Error::Configuration`] if a data set does not fit the network, is empty where it must not be, or a setting cannot
    /// work.
    pub fn new(setup: Setup, train: &'d Dataset<E>, trusted: &'d Dataset<E>) -> Result<Self> {
        check_fit(&setup.mlp, train)?;
        if setup.settings.batch == 0 || train.is_empty() {
            return configuration("training", "a batch size of at least 1 and at least one example are needed");
        }
        if setup.kind.needs_trusted() {
            check_fit(&setup.mlp, trusted)?;
            if trusted.is_empty() || setup.trusted_batch == 0 {
                return configuration("trusted set", "at least one trusted example for each step is needed");
            }
        }
        for (setting, value) in [("momentum", setup.momentum), ("weight decay", setup.decay)] {
            if !(value.is_finite() && value >= 0.0) {
                return configuration(setting, format!("{value} must not be negative"));
            }
        }
        let mut rng = crate::rng(setup.seed);
        let params = setup.mlp.init::<E>(setup.init, &mut rng);
        let zeros: Vec<Tensor<E>> = params.tensors().iter().map(|p| Tensor::zeros(p.dims())).collect();
        let state = [params.tensors(), &zeros, &setup.kind.meta_state(&mut rng)].concat();
        let targets = |set: &Dataset<E>| loss::one_hot(set.labels(), set.classes());
        let steps = Steps { mlp: setup.mlp.clone(), kind: setup.kind, momentum: setup.momentum, decay: setup.decay };
        Ok(Self {
            steps,
            data: [train, trusted],
            targets: [targets(train)?, targets(trusted)?],
            state,
            compiled: HashMap::new(),
            epochs: 0,
            count: 0,
            sums: Tensor::zeros(&[train.len()]),
            draws: Tensor::zeros(&[train.len()]),
            setup,
        })
    }

    /// Epochs that are done.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Whether all are.
    pub fn is_done(&self) -> bool {
        self.epochs >= self.setup.settings.epochs
    }

    /// The parameters of the network.
    pub fn params(&self) -> &[Tensor<E>] {
        &self.state[..2 * (self.setup.mlp.sizes().len() - 1)]
    }

    /// Θ of Meta-Weight-Net; empty for other kinds. See [`example_weight`](super::example_weight).
    pub fn meta_params(&self) -> &[Tensor<E>] {
        let p = self.params().len();
        &self.state[2 * p..self.state.len().min(2 * p + 4)]
    }

    /// For each example, the mean of the weights that it was given in the last fifth of the epochs (until then, so far);
    /// NaN for one that was not drawn in that time. L2RW: 1 is the average over a minibatch. Meta-Weight-Net: V.
    pub fn weights(&self) -> Vec<f64> {
        self.sums.data().iter().zip(self.draws.data()).map(|(sum, draws)| sum.to_f64() / draws.to_f64()).collect()
    }

    /// One epoch; gives the mean loss of its steps.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the loss stops being finite: an [`archive`](Training::archive) of before is what to go back to.
    pub fn epoch(&mut self) -> Result<f64> {
        let (epoch, settings) = (self.epochs, self.setup.settings);
        if 5 * epoch >= 4 * settings.epochs && 5 * epoch < 4 * settings.epochs + 5 {
            (self.sums, self.draws) = (Tensor::zeros(self.sums.dims()), Tensor::zeros(self.draws.dims()));
        }
        let mut rng = crate::rng(self.setup.seed ^ (epoch as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let order = shuffled(self.data[0].len(), &mut rng);
        let trusted = self.data[1].len();
        let at_once = if self.setup.kind.needs_trusted() { self.setup.trusted_batch } else { trusted };
        let all_trusted = trusted <= at_once;
        let mut chosen: Vec<usize> = (0..trusted).collect();
        let rate = settings.rate.at(epoch, settings.epochs);
        let (mut total, mut steps) = (0.0, 0);
        for (step, batch) in order.chunks(settings.batch).enumerate() {
            let drawn = if all_trusted { &chosen[..] } else { chosen.partial_shuffle(&mut rng, at_once).0 };
            let loss = self.step(batch, drawn, rate)?;
            if !loss.is_finite() {
                return Err(Error::NonFinite { what: "the training loss", epoch, step });
            }
            total += loss;
            steps += 1;
        }
        self.epochs += 1;
        Ok(total / f64::from(steps))
    }

    fn step(&mut self, batch: &[usize], drawn: &[usize], rate: f64) -> Result<f64> {
        let s = self.state.len();
        let drawn = if self.setup.kind.needs_trusted() { drawn } else { &[] };
        if !self.compiled.contains_key(&batch.len()) {
            let compiled = self.compile(batch.len(), drawn.len())?;
            self.compiled.insert(batch.len(), compiled);
        }
        let c = self.compiled.get_mut(&batch.len()).expect("it was put there just now");
        self.count += 1;
        // The state moves in, and out again after the step: no copies.
        for (input, state) in c.inputs.iter_mut().zip(&mut self.state) {
            std::mem::swap(input, state);
        }
        let mut at = s;
        for ((set, targets), rows) in self.data.iter().zip(&self.targets).zip([batch, drawn]) {
            if rows.is_empty() {
                continue;
            }
            gather(set.inputs(), rows, &mut c.inputs[at]);
            gather(targets, rows, &mut c.inputs[at + 1]);
            at += 2;
        }
        c.inputs[at].data_mut()[0] = E::from_f64(rate);
        c.inputs[at + 1].data_mut()[0] = E::from_f64(self.count as f64);
        c.executable.run_into(&c.inputs, &mut c.outputs)?;
        for (output, state) in c.outputs.iter_mut().zip(&mut self.state) {
            std::mem::swap(output, state);
        }
        let (sums, draws) = (self.sums.data_mut(), self.draws.data_mut());
        for (&i, &w) in batch.iter().zip(c.outputs[s + 1].data()) {
            sums[i] += w;
            draws[i] += E::from_f64(1.0);
        }
        Ok(c.outputs[s].item().to_f64())
    }

    fn compile(&self, batch: usize, drawn: usize) -> Result<Compiled<E>> {
        let shapes: Vec<Shape> = self.state.iter().map(|x| Shape::from_slice(x.dims())).collect();
        let (features, classes) = (self.data[0].inputs().dims()[1], self.data[0].classes());
        let rows: Vec<usize> = [batch, drawn].into_iter().filter(|&n| n > 0).collect();
        let data: Vec<Shape> =
            rows.iter().flat_map(|&n| [[n, features], [n, classes]]).map(|d| Shape::from_slice(&d)).collect();
        let executable = self.steps.compile::<E>(&shapes, &data)?;
        let inputs = [&shapes[..], &data, &[Shape::new(), Shape::new()]].concat();
        let inputs = inputs.iter().map(|d| Tensor::zeros(d)).collect();
        let outputs = executable.output_shapes().iter().map(|d| Tensor::zeros(d)).collect();
        Ok(Compiled { executable, inputs, outputs })
    }

    /// Everything that the run goes on from.
    pub fn archive(&self) -> Archive<E> {
        let mut archive = Archive::default();
        archive.put("state", &self.state);
        archive.numbers.insert("epochs".into(), self.epochs as f64);
        archive.numbers.insert("steps".into(), self.count as f64);
        archive.put("weights", &[self.sums.clone(), self.draws.clone()]);
        archive.texts.insert("setup".into(), self.setup_text());
        archive
    }

    fn setup_text(&self) -> String {
        format!("{} {:?}, {} and {} examples", E::NAME, self.setup, self.data[0].len(), self.data[1].len())
    }

    /// Goes on from an [`archive`](Training::archive), which may hold more than the run put there.
    ///
    /// # Errors
    /// [`Error::Configuration`] if it was made by a run with another setup.
    pub fn restore(&mut self, archive: &Archive<E>, file: &Path) -> Result<()> {
        let mut archive = archive.clone();
        let saved = archive.texts.remove("setup").unwrap_or_default();
        let expected = self.setup_text();
        if saved != expected {
            let reason =
                format!("{} was saved by another run:\n  saved   {saved}\n  running {expected}", file.display());
            return configuration("resume", reason);
        }
        let state = archive.take("state");
        let weights = archive.take("weights");
        let number = |name: &str| archive.numbers.get(name).map(|&x| x as usize);
        let fits = state.len() == self.state.len()
            && state.iter().zip(&self.state).all(|(a, b)| a.dims() == b.dims())
            && weights.len() == 2
            && weights.iter().all(|w| w.dims() == self.sums.dims());
        let (true, Some(epochs), Some(count)) = (fits, number("epochs"), number("steps")) else {
            return configuration("resume", format!("{} is not whole", file.display()));
        };
        (self.state, self.epochs, self.count) = (state, epochs, count);
        let [sums, draws] = <[Tensor<E>; 2]>::try_from(weights).unwrap_or_else(|_| unreachable!("there are two"));
        (self.sums, self.draws) = (sums, draws);
        Ok(())
    }
}

/// Rows of a matrix into another.
fn gather<E: Element>(from: &Tensor<E>, rows: &[usize], into: &mut Tensor<E>) {
    let width = from.dims()[1];
    let (from, into) = (from.data(), into.data_mut());
    for (&row, into) in rows.iter().zip(into.chunks_exact_mut(width)) {
        into.copy_from_slice(&from[row * width..(row + 1) * width]);
    }
}
