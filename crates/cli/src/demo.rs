//! The demonstration: four ways to train on digits with wrong labels.

use crate::args::Args;
use crate::interrupt;
use crate::measure::{by_suspicion, weight_ratio};
use autodiff::Tensor;
use indicatif::{ProgressBar, ProgressStyle};
use nn::data::{Dataset, digits};
use nn::optim::Sgd;
use nn::reweight::L2rw;
use nn::train::{CrossEntropy, Objective, Schedule, Settings, evaluate, fit};
use nn::{Activation, Init, Mlp, Rng, rng};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

/// Training and clean examples; all others are to test.
const TRAIN: usize = 1000;
const CLEAN: usize = 100;
const BATCH: usize = 100;
const RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;

/// A way to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Plain,
    CleanOnly,
    L2rw,
    Oracle,
}

impl Method {
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::CleanOnly, Self::L2rw, Self::Oracle];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::CleanOnly => "clean-only",
            Self::L2rw => "l2rw",
            Self::Oracle => "oracle",
        }
    }
}

/// What one method reached, a number for each finished seed.
#[derive(Debug)]
pub(crate) struct Scores {
    pub(crate) method: Method,
    pub(crate) accuracy: Vec<f64>,
    /// Mean weight of the corrupted examples over that of the clean ones, in the last fifth of the epochs.
    pub(crate) weight_ratio: Vec<f64>,
    pub(crate) seconds: f64,
}

/// An example whose label looks wrong.
#[derive(Debug)]
pub(crate) struct Suspect {
    pub(crate) pixels: Vec<f32>,
    pub(crate) label: usize,
    pub(crate) truth: usize,
    /// Its mean weight in training; 1 is the average.
    pub(crate) weight: f64,
}

/// Everything that was found out.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) scores: Vec<Scores>,
    /// The most suspicious training examples of the first seed.
    pub(crate) suspects: Vec<Suspect>,
    pub(crate) interrupted: bool,
}

/// The data of one seed.
struct Setting {
    noisy: Dataset<f32>,
    clean: Dataset<f32>,
    test: Dataset<f32>,
    truth: Vec<usize>,
    /// Training examples whose label is wrong.
    wrong: Vec<bool>,
    /// Where the random numbers go on from: every method begins with the same network and the same batches.
    rng: Rng,
}

impl Setting {
    fn new(all: &Dataset<f32>, args: &Args, seed: u64) -> Result<Self, Failure> {
        let mut rng = rng(seed);
        let [clean, others] = all.draw_evenly(CLEAN, &mut rng)?;
        let (train, test) = others.split_at(TRAIN);
        let (train, clean, test) = (all.select(train), all.select(&clean), all.select(test));
        let truth = train.labels().to_vec();
        let labels = args.noise.apply(&truth, train.classes(), &mut rng)?;
        let wrong = labels.iter().zip(&truth).map(|(l, t)| l != t).collect();
        Ok(Self { noisy: train.with_labels(labels)?, clean, test, truth, wrong, rng })
    }
}

struct Run<'a> {
    mlp: Mlp,
    settings: Settings,
    setting: &'a Setting,
    bar: &'a ProgressBar,
    stop: &'a AtomicBool,
}

impl Run<'_> {
    /// The test accuracy after training, or `None` if it was interrupted.
    fn train(&self, objective: &mut impl Objective<f32>, rng: &mut Rng) -> Result<Option<f64>, Failure> {
        let mut params = self.mlp.init::<f32>(Init::He, rng);
        fit(&mut params, objective, &mut Sgd::new(MOMENTUM), &self.settings, rng, |_| {
            self.bar.inc(1);
            if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Ok(Some(evaluate(&self.mlp, params.tensors(), &self.setting.test)))
    }
}

/// Runs the demonstration.
pub(crate) fn run(args: &Args) -> Result<Outcome, Failure> {
    let stop = interrupt::stop()?;
    let all = digits::<f32>()?;
    let scores = Method::ALL.map(|method| Scores { method, accuracy: vec![], weight_ratio: vec![], seconds: 0.0 });
    let mut outcome = Outcome { scores: scores.into(), suspects: Vec::new(), interrupted: false };
    let total = u64::from(args.seeds) * u64::from(args.epochs) * Method::ALL.len() as u64;
    let bar = ProgressBar::new(total)
        .with_style(ProgressStyle::with_template("{msg:24} [{bar:40}] {pos}/{len} epochs, {eta} left")?);
    let epochs = args.epochs as usize;
    let settings = Settings { epochs, batch: BATCH, rate: Schedule::LastFifth(RATE) };
    let mlp = Mlp::new(&[64, 128, 10], Activation::Relu)?;
    for seed in (args.seed..).take(args.seeds as usize) {
        let setting = Setting::new(&all, args, seed)?;
        for (method, scores) in Method::ALL.into_iter().zip(&mut outcome.scores) {
            bar.set_message(format!("seed {seed}, {}", method.name()));
            let started = Instant::now();
            let run = Run { mlp: mlp.clone(), settings, setting: &setting, bar: &bar, stop: &stop };
            let mut rng = setting.rng.clone();
            let accuracy = match method {
                Method::Plain => run.train(&mut CrossEntropy::new(&mlp, &setting.noisy)?, &mut rng)?,
                Method::CleanOnly => run.train(&mut CrossEntropy::new(&mlp, &setting.clean)?, &mut rng)?,
                Method::Oracle => {
                    let right: Vec<usize> = (0..setting.wrong.len()).filter(|&i| !setting.wrong[i]).collect();
                    run.train(&mut CrossEntropy::new(&mlp, &setting.noisy.select(&right))?, &mut rng)?
                }
                Method::L2rw => {
                    let mut objective = L2rw::new(&mlp, &setting.noisy, &setting.clean)?;
                    let accuracy = run.train(&mut objective, &mut rng)?;
                    if accuracy.is_some() {
                        let weights = objective.mean_weights();
                        scores
                            .weight_ratio
                            .push(weight_ratio(&objective.recent_weights((epochs / 5).max(1)), &setting.wrong));
                        if seed == args.seed {
                            outcome.suspects = suspects(&weights, &setting);
                        }
                    }
                    accuracy
                }
            };
            let Some(accuracy) = accuracy else {
                bar.abandon_with_message("interrupted");
                outcome.interrupted = true;
                return Ok(outcome);
            };
            scores.accuracy.push(accuracy);
            scores.seconds += started.elapsed().as_secs_f64();
        }
    }
    bar.finish_and_clear();
    Ok(outcome)
}

/// The ten training examples with the least weight.
fn suspects(weights: &[f64], setting: &Setting) -> Vec<Suspect> {
    let suspect = |&i: &usize| Suspect {
        pixels: Vec::from(Tensor::row(setting.noisy.inputs(), i)),
        label: setting.noisy.labels()[i],
        truth: setting.truth[i],
        weight: weights[i],
    };
    by_suspicion(weights).iter().take(10).map(suspect).collect()
}
