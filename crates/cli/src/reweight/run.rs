//! One run: a method, a seed. Saved as it goes.

use super::method::{Method, On, Way};
use super::source::Examples;
use crate::args;
use autodiff::{Element, Tensor};
use bilevel::{Adam, Archive};
use nn::cleaning::HyperCleaning;
use nn::data::Dataset;
use nn::reweight::{Kind, Setup, Training, example_weight};
use nn::train::{Schedule, Settings, evaluate};
use nn::{Init, Mlp};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// What a run has learnt.
pub(super) struct Record<E: Element> {
    /// After each epoch.
    pub(super) accuracy: Vec<f64>,
    pub(super) params: Vec<Tensor<E>>,
    /// For each training example, where the method learns them.
    pub(super) weights: Option<Vec<f64>>,
    /// V at the losses [`LOSSES`], after some epochs.
    pub(super) curves: Vec<(usize, Vec<f64>)>,
}

/// The losses at which V is looked at.
pub(super) fn losses() -> Vec<f64> {
    (0..=40).map(|i| 0.2 * f64::from(i)).collect()
}

/// How many looks at V there are in a run, about.
const LOOKS: usize = 5;

/// No file is written more often, but at the end.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Run<'r, E: Element> {
    pub(super) args: &'r args::Reweight,
    pub(super) mlp: &'r Mlp,
    pub(super) examples: &'r Examples<E>,
    pub(super) method: &'r Method,
    pub(super) seed: u64,
    /// Where it is saved.
    pub(super) file: PathBuf,
}

impl<E: Element> Run<'_, E> {
    /// Trains to the end, from where a saved run ended; `tick` is told of each epoch and may stop it: then there is no
    /// record, but a file to go on from.
    pub(super) fn train(&self, tick: &mut dyn FnMut(usize) -> ControlFlow<()>) -> Result<Option<Record<E>>, Failure> {
        match &self.method.way {
            Way::Steps(on, kind) => self.steps(*on, *kind, tick),
            Way::HyperCleaning(method) => {
                let method = method.method::<E>(self.args);
                self.hyper_cleaning(&*method, tick)
            }
        }
    }

    /// What accuracy is measured on.
    fn judge(&self) -> &Dataset<E> {
        self.examples.test.as_ref().unwrap_or(&self.examples.trusted)
    }

    fn saved(&self) -> Result<Option<Archive<E>>, Failure> {
        Ok(if self.file.exists() { Some(Archive::load(&self.file)?) } else { None })
    }

    fn setup(&self, kind: Kind) -> Setup {
        let args = self.args;
        let epochs = args.epochs as usize;
        let rate = match args.schedule.as_str() {
            "constant" => Schedule::Constant(args.rate),
            "cosine" => Schedule::Cosine(args.rate),
            _ => Schedule::LastFifth(args.rate),
        };
        Setup {
            mlp: self.mlp.clone(),
            init: Init::He,
            kind,
            settings: Settings { epochs, batch: args.batch, rate },
            trusted_batch: args.clean_batch,
            momentum: args.momentum,
            decay: args.decay,
            seed: self.seed,
        }
    }

    fn steps(
        &self,
        on: On,
        kind: Kind,
        tick: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Record<E>>, Failure> {
        let (noisy, trusted) = (&self.examples.train, &self.examples.trusted);
        let made;
        let train = match on {
            On::Noisy => noisy,
            On::Trusted => trusted,
            On::Both => {
                made = noisy.concat(trusted)?;
                &made
            }
            On::Right => {
                let truth = self.examples.truth.as_deref().unwrap_or(noisy.labels());
                let right: Vec<usize> = (0..noisy.len()).filter(|&i| truth[i] == noisy.labels()[i]).collect();
                made = noisy.select(&right);
                &made
            }
        };
        let epochs = self.args.epochs as usize;
        let mut training = Training::new(self.setup(kind), train, trusted)?;
        let mut seen = Archive::<E>::default();
        if let Some(saved) = self.saved()? {
            training.restore(&saved, &self.file)?;
            seen = saved;
        }
        let _ = tick(training.epochs());
        let mut written = Instant::now();
        while !training.is_done() {
            training.epoch()?;
            let epoch = training.epochs();
            seen.numbers.insert(name_of("accuracy", epoch), evaluate(self.mlp, training.params(), self.judge()));
            if !training.meta_params().is_empty()
                && (epoch == 1 || epoch % epochs.div_ceil(LOOKS) == 0 || epoch == epochs)
            {
                let at = Tensor::from(losses().iter().map(|&x| E::from_f64(x)).collect::<Vec<_>>());
                seen.tensors.insert(name_of("curve", epoch), example_weight(training.meta_params(), &at));
            }
            let stop = tick(epoch).is_break();
            if stop || training.is_done() || written.elapsed() > PAUSE {
                merge(training.archive(), &seen).save(&self.file)?;
                written = Instant::now();
            }
            if stop {
                return Ok(None);
            }
        }
        let weights = self.method.weighs().then(|| training.weights());
        Ok(Some(record(training.params().to_vec(), weights, &seen)))
    }

    /// The parameters of plain training on what was not flagged and what is trusted.
    fn refit(&self, flagged: &[bool]) -> Result<Vec<Tensor<E>>, Failure> {
        let (noisy, trusted) = (&self.examples.train, &self.examples.trusted);
        let kept: Vec<usize> = (0..noisy.len()).filter(|&i| !flagged[i]).collect();
        let both = noisy.select(&kept).concat(trusted)?;
        let mut training = Training::new(self.setup(Kind::Uniform), &both, trusted)?;
        while !training.is_done() {
            training.epoch()?;
        }
        Ok(training.params().to_vec())
    }

    fn hyper_cleaning(
        &self,
        method: &dyn bilevel::Method<E>,
        tick: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Record<E>>, Failure> {
        let (noisy, trusted) = (&self.examples.train, &self.examples.trusted);
        let state = self.file.with_extension("solver.safetensors");
        // Of two files, the curve is written first: it may be ahead of the solver, by steps that are made again.
        let mut seen = self.saved()?.unwrap_or_default();
        if !seen.tensors.contains_key("weights") {
            // A linear model may begin at zero; hidden layers must not.
            let mut start = self.mlp.init::<E>(Init::He, &mut nn::rng(self.seed));
            if self.mlp.sizes().len() == 2 {
                start.tensors_mut().iter_mut().for_each(|x| *x = Tensor::zeros(x.dims()));
            }
            let optimizer = Adam::new(0.3);
            let cleaning = HyperCleaning {
                mlp: self.mlp,
                decay: self.args.decay,
                method,
                optimizer: &optimizer,
                steps: self.args.epochs as usize,
                state: Some(&state),
            };
            let mut failed = Ok(());
            let mut stopped = false;
            let learnt = cleaning.run(noisy, trusted, start.tensors(), |event| {
                let accuracy = evaluate(self.mlp, &event.inner_solution, self.judge());
                seen.numbers.insert(name_of("accuracy", event.iteration + 1), accuracy);
                failed = seen.save(&self.file);
                stopped = tick(event.iteration + 1).is_break();
                if stopped || failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            failed?;
            if stopped {
                return Ok(None);
            }
            let weights: Vec<E> = learnt.weights.iter().map(|&w| E::from_f64(w)).collect();
            seen.tensors.insert("weights".into(), Tensor::from(weights));
            let params = if self.args.refit { self.refit(&learnt.flagged())? } else { learnt.params };
            seen.put("params", &params);
            seen.save(&self.file)?;
            std::fs::remove_file(&state)?;
        }
        let _ = tick(self.args.epochs as usize);
        let weights = seen.tensors["weights"].data().iter().map(|w| w.to_f64()).collect();
        let params = seen.take("params");
        Ok(Some(record(params, Some(weights), &seen)))
    }
}

fn name_of(what: &str, epoch: usize) -> String {
    format!("{what}/{epoch:08}")
}

/// What was seen along the way, into the state.
fn merge<E: Element>(mut state: Archive<E>, seen: &Archive<E>) -> Archive<E> {
    let ours = |name: &String| ["accuracy/", "curve/"].iter().any(|p| name.starts_with(p));
    state.numbers.extend(seen.numbers.iter().filter(|(k, _)| ours(k)).map(|(k, v)| (k.clone(), *v)));
    state.tensors.extend(seen.tensors.iter().filter(|(k, _)| ours(k)).map(|(k, v)| (k.clone(), v.clone())));
    state
}

fn record<E: Element>(params: Vec<Tensor<E>>, weights: Option<Vec<f64>>, seen: &Archive<E>) -> Record<E> {
    let accuracy = seen.numbers.iter().filter(|(name, _)| name.starts_with("accuracy/")).map(|(_, &x)| x).collect();
    let curves = seen.tensors.iter().filter_map(|(name, x)| {
        let epoch = name.strip_prefix("curve/")?.parse().ok()?;
        Some((epoch, x.data().iter().map(|x| x.to_f64()).collect()))
    });
    Record { accuracy, params, weights, curves: curves.collect() }
}

/// The file of a run.
pub(super) fn file(folder: &Path, method: &str, seed: u64) -> PathBuf {
    folder.join(format!("{}-{seed}.safetensors", method.replace(':', "-")))
}
