//! Training loops: epochs of shuffled minibatches, an objective that gives gradients, an optimiser that uses them.

use crate::data::{Dataset, shuffled};
use crate::error::{Error, Result, configuration};
use crate::mlp::Mlp;
use crate::optim::Optimizer;
use crate::params::Params;
use crate::{Rng, loss};
use autodiff::{Element, Program, Tensor, Value};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// The learning rate over the epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// The same throughout.
    Constant(f64),
    /// A rate, divided by ten for the last fifth of the epochs.
    LastFifth(f64),
    /// From a rate down to none along half a cosine: `½·rate·(1 + cos(π·epoch/epochs))`. (Loshchilov, Hutter, ICLR 2017,
    /// without restarts.)
    Cosine(f64),
}

impl Schedule {
    /// The rate in an epoch, counted from 0.
    pub fn at(&self, epoch: usize, epochs: usize) -> f64 {
        match *self {
            Self::Constant(rate) => rate,
            Self::LastFifth(rate) if 5 * epoch >= 4 * epochs => rate / 10.0,
            Self::LastFifth(rate) => rate,
            Self::Cosine(rate) => {
                0.5 * rate * (1.0 + (std::f64::consts::PI * epoch as f64 / epochs.max(1) as f64).cos())
            }
        }
    }
}

/// How long and in what pieces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Passes over the data.
    pub epochs: usize,
    /// Examples in a step; the last step of an epoch may have fewer.
    pub batch: usize,
    /// The learning rate.
    pub rate: Schedule,
}

/// What is minimised: a gradient for each minibatch.
pub trait Objective<E: Element> {
    /// The number of examples.
    fn len(&self) -> usize;

    /// Whether there are no examples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The loss and its gradient on some of the examples. `rate` is the learning rate that the step will have.
    ///
    /// # Errors
    /// What keeps the gradient from being right.
    fn gradient(&mut self, params: &[Tensor<E>], batch: &[usize], rate: f64) -> Result<(f64, Vec<Tensor<E>>)>;
}

/// What an observer is told after each epoch.
#[derive(Debug)]
pub struct Epoch<'a, E: Element> {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The mean of the steps' losses.
    pub loss: f64,
    /// The parameters after it.
    pub params: &'a [Tensor<E>],
}

/// Trains: for each epoch, shuffles the examples and steps through them. The observer may stop it.
///
/// # Errors
/// [`Error::NonFinite`] if the loss stops being finite, [`Error::Configuration`] for settings that cannot work, and what
/// the objective reports.
pub fn fit<E: Element>(
    params: &mut Params<E>,
    objective: &mut impl Objective<E>,
    optimizer: &mut impl Optimizer<E>,
    settings: &Settings,
    rng: &mut Rng,
    mut observe: impl FnMut(Epoch<'_, E>) -> ControlFlow<()>,
) -> Result<()> {
    if settings.batch == 0 || objective.is_empty() {
        return configuration("training", "a batch size of at least 1 and at least one example are needed");
    }
    for epoch in 0..settings.epochs {
        let rate = settings.rate.at(epoch, settings.epochs);
        let order = shuffled(objective.len(), rng);
        let (mut total, mut steps) = (0.0, 0);
        for (step, batch) in order.chunks(settings.batch).enumerate() {
            let (loss, gradient) = objective.gradient(params.tensors(), batch, rate)?;
            if !loss.is_finite() {
                return Err(Error::NonFinite { what: "the training loss", epoch, step });
            }
            optimizer.step(params.tensors_mut(), &gradient, rate);
            total += loss;
            steps += 1;
        }
        if observe(Epoch { epoch, loss: total / f64::from(steps), params: params.tensors() }).is_break() {
            break;
        }
    }
    Ok(())
}

/// `(params, x, targets, weights) ↦ Σ wᵢ ℓᵢ` and its gradient in the parameters, recorded once per batch size.
#[derive(Clone, Debug)]
pub(crate) struct WeightedLoss {
    mlp: Mlp,
    programs: HashMap<usize, Program>,
}

impl WeightedLoss {
    pub(crate) fn new(mlp: &Mlp) -> Self {
        Self { mlp: mlp.clone(), programs: HashMap::new() }
    }

    pub(crate) fn gradient<E: Element>(
        &mut self,
        params: &[Tensor<E>],
        [x, targets, weights]: [Tensor<E>; 3],
    ) -> Result<(f64, Vec<Tensor<E>>)> {
        let n = params.len();
        let inputs = [params, &[x, targets, weights]].concat();
        let size = inputs[n].dims()[0];
        if !self.programs.contains_key(&size) {
            let shapes: Vec<_> = inputs.iter().map(Value::shape).collect();
            let loss = Program::record_shapes(&shapes, |x| {
                vec![loss::weighted_cross_entropy(&self.mlp.forward(&x[..n], &x[n]), &x[n + 1], &x[n + 2])]
            })?;
            let program = loss.value_and_grad(&(0..n).collect::<Vec<_>>())?.simplify();
            self.programs.insert(size, program);
        }
        let mut outputs = self.programs[&size].run(&inputs)?;
        let gradient = outputs.split_off(1);
        Ok((outputs[0].item().to_f64(), gradient))
    }
}

/// Mean softmax cross-entropy of a network on a data set.
#[derive(Clone, Debug)]
pub struct CrossEntropy<E: Element> {
    inputs: Tensor<E>,
    targets: Tensor<E>,
    loss: WeightedLoss,
}

impl<E: Element> CrossEntropy<E> {
    /// For a network with one output per class.
    ///
    /// # Errors
    /// [`Error::Configuration`] if inputs or classes do not fit the network.
    pub fn new(mlp: &Mlp, data: &Dataset<E>) -> Result<Self> {
        check_fit(mlp, data)?;
        let targets = loss::one_hot(data.labels(), data.classes())?;
        Ok(Self { inputs: data.inputs().clone(), targets, loss: WeightedLoss::new(mlp) })
    }
}

impl<E: Element> Objective<E> for CrossEntropy<E> {
    fn len(&self) -> usize {
        self.inputs.dims()[0]
    }

    fn gradient(&mut self, params: &[Tensor<E>], batch: &[usize], _rate: f64) -> Result<(f64, Vec<Tensor<E>>)> {
        let weights = Tensor::full(&[batch.len()], E::from_f64(1.0 / batch.len() as f64));
        self.loss.gradient(params, [self.inputs.take_rows(batch), self.targets.take_rows(batch), weights])
    }
}

pub(crate) fn check_fit<E: Element>(mlp: &Mlp, data: &Dataset<E>) -> Result<()> {
    let (features, sizes) = (data.inputs().dims()[1], mlp.sizes());
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    if first != features || last != data.classes() {
        let classes = data.classes();
        return configuration(
            "network",
            format!("{first} inputs and {last} outputs for {features} features and {classes} classes"),
        );
    }
    Ok(())
}

/// The fraction of a data set that a network gets right.
///
/// # Panics
/// If the parameters do not fit the network.
pub fn evaluate<E: Element>(mlp: &Mlp, params: &[Tensor<E>], data: &Dataset<E>) -> f64 {
    loss::accuracy(&mlp.forward(params, data.inputs()), data.labels())
}
