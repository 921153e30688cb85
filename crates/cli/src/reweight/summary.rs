//! What all runs amount to: for the table, for results.json, for the report.

use super::source::{Examples, Source};
use super::{Results, run};
use crate::args;
use crate::measure::{balanced_accuracy, by_suspicion, confusion, number, percent, roc, weight_ratio};
use crate::output::Stream;
use autodiff::Element;
use nn::{Mlp, loss};
use serde_json::{Value, json};
use std::io;

/// One method.
pub(super) struct Entry {
    pub(super) name: String,
    /// A number for each seed.
    pub(super) accuracy: Vec<f64>,
    pub(super) balanced: Vec<f64>,
    /// Where the truth is known and weights are learnt.
    pub(super) auc: Vec<f64>,
    pub(super) ratio: Vec<f64>,
    /// Of flagging the examples whose weight is below half the mean (½ where weights are in [0, 1]).
    pub(super) f1: Vec<f64>,
    /// Accuracy after each epoch, a curve for each seed.
    pub(super) curves: Vec<Vec<f64>>,
    /// Of the first seed.
    pub(super) confusion: Vec<Vec<usize>>,
    pub(super) roc: Option<Vec<(f64, f64)>>,
    seconds: f64,
}

pub(super) struct Summary {
    pub(super) entries: Vec<Entry>,
    /// The method whose weights and model are written: the first that learns weights, else the first.
    pub(super) chosen: usize,
    /// Of the first seed and the chosen method: the most suspicious first.
    pub(super) suspects: Vec<usize>,
    /// The classes that the chosen model gives to the training examples of the first seed.
    pub(super) predicted: Vec<usize>,
    /// Labels of the first seed that are wrong, where that is known.
    pub(super) wrong: Option<Vec<bool>>,
    /// What accuracy was measured on.
    pub(super) judged: &'static str,
    pub(super) json: Value,
}

/// Which labels are wrong.
fn wrong<E: Element>(examples: &Examples<E>) -> Option<Vec<bool>> {
    let labels = examples.train.labels();
    Some(examples.truth.as_ref()?.iter().zip(labels).map(|(t, l)| t != l).collect())
}

impl Summary {
    pub(super) fn new<E: Element>(
        args: &args::Reweight,
        source: &Source<E>,
        mlp: &Mlp,
        seeds: &[u64],
        examples: &[Examples<E>],
        results: &[Results<E>],
    ) -> Self {
        let entries: Vec<Entry> = results.iter().map(|r| entry(mlp, examples, r)).collect();
        let chosen = results.iter().position(|r| r.method.weighs()).unwrap_or(0);
        let (first, record) = (&examples[0], &results[chosen].records[0]);
        let weights = record.weights.clone().unwrap_or_else(|| vec![1.0; first.train.len()]);
        let predicted = loss::predictions(&mlp.forward(&record.params, first.train.inputs()));
        let judged = if first.test.is_some() { "test" } else { "trusted" };
        let json = json!({
            "data": source.name,
            "classes": source.schema.classes,
            "examples": { "train": first.train.len(), "trusted": first.trusted.len(),
                "test": first.test.as_ref().map(nn::data::Dataset::len) },
            "noise": args.noise.as_ref().map(ToString::to_string),
            "noise_convention": args.noise.as_ref().map(convention),
            "imbalance": args.imbalance,
            "network": mlp.sizes(),
            "epochs": args.epochs,
            "batch": args.batch,
            "clean_batch": args.clean_batch,
            "rate": args.rate,
            "schedule": args.schedule,
            "meta_rate": args.meta_rate,
            "momentum": args.momentum,
            "decay": args.decay,
            "inner_steps": args.inner_steps,
            "inner_rate": args.inner_rate,
            "damping": args.damping,
            "refit": args.refit,
            "precision": args.precision,
            "seeds": seeds,
            "accuracy_on": judged,
            "weights_of": results[chosen].method.name,
            "methods": entries.iter().map(|e| (e.name.clone(), e.json())).collect::<serde_json::Map<_, _>>(),
        });
        Self { chosen, suspects: by_suspicion(&weights), predicted, wrong: wrong(first), judged, json, entries }
    }

    /// The final table.
    pub(super) fn table(&self, out: &mut Stream) -> io::Result<()> {
        let heading = format!("{} accuracy", self.judged);
        out.line(&format!(
            "{:<36} {:>5} {heading:>18} {:>18} {:>7} {:>7} {:>8}",
            "method", "seeds", "balanced", "AUC", "F1", "seconds"
        ))?;
        for e in &self.entries {
            out.line(&format!(
                "{:<36} {:>5} {:>18} {:>18} {:>7} {:>7} {:>8.1}",
                e.name,
                e.accuracy.len(),
                percent(&e.accuracy),
                percent(&e.balanced),
                number(&e.auc),
                number(&e.f1),
                e.seconds
            ))?;
        }
        if self.wrong.is_some() {
            out.line("\nAUC, F1: how well small weights find the wrong labels")?;
        }
        Ok(())
    }
}

fn entry<E: Element>(mlp: &Mlp, examples: &[Examples<E>], results: &Results<E>) -> Entry {
    let mut e = Entry {
        name: results.method.name.clone(),
        accuracy: Vec::new(),
        balanced: Vec::new(),
        auc: Vec::new(),
        ratio: Vec::new(),
        f1: Vec::new(),
        curves: Vec::new(),
        confusion: Vec::new(),
        roc: None,
        seconds: results.seconds,
    };
    for (examples, record) in examples.iter().zip(&results.records) {
        let judge = examples.test.as_ref().unwrap_or(&examples.trusted);
        let predicted = loss::predictions(&mlp.forward(&record.params, judge.inputs()));
        let table = confusion(judge.labels(), &predicted, judge.classes());
        let right: usize = table.iter().enumerate().map(|(k, row)| row[k]).sum();
        e.accuracy.push(right as f64 / judge.len() as f64);
        e.balanced.push(balanced_accuracy(&table));
        e.curves.push(record.accuracy.clone());
        if e.confusion.is_empty() {
            e.confusion = table;
        }
        if let (Some(weights), Some(wrong)) = (&record.weights, wrong(examples)) {
            let known: Vec<f64> = weights.iter().copied().filter(|w| w.is_finite()).collect();
            let half = 0.5 * known.iter().sum::<f64>() / known.len().max(1) as f64;
            let hyper = matches!(results.method.way, super::Way::HyperCleaning(_));
            let threshold = if hyper { 0.5 } else { half };
            let flagged: Vec<bool> = weights.iter().map(|w| *w < threshold).collect();
            if let Ok(detection) = nn::cleaning::detection(&flagged, &wrong) {
                e.f1.push(detection.f1);
            }
            e.ratio.push(weight_ratio(weights, &wrong));
            if let Some((points, area)) = roc(weights, &wrong) {
                e.auc.push(area);
                e.roc.get_or_insert(points);
            }
        }
    }
    e
}

impl Entry {
    fn json(&self) -> Value {
        let mut entry = json!({ "accuracy": self.accuracy, "balanced_accuracy": self.balanced, "curves": self.curves });
        for (name, values) in [("auc", &self.auc), ("weight_ratio", &self.ratio), ("f1", &self.f1)] {
            if !values.is_empty() {
                entry[name] = json!(values);
            }
        }
        entry
    }
}

/// What the noise did, in words.
fn convention(noise: &nn::data::Noise) -> &'static str {
    match noise {
        nn::data::Noise::Uniform(_) => "each label redrawn with this probability, uniformly over all classes",
        nn::data::Noise::UniformOther(_) => {
            "exactly this fraction of the labels moved to one of the other classes, uniformly"
        }
        nn::data::Noise::Asymmetric(_) => "each label redrawn by the probabilities in the row of its class",
        nn::data::Noise::Next(_) => "each label replaced by the next class with this probability",
        _ => "each label replaced by the class with this probability; labels of that class stay",
    }
}

/// V(loss) of Meta-Weight-Net, if it is among the methods: of the first seed, at [`run::losses`].
pub(super) fn learnt_curves<E: Element>(results: &[Results<E>]) -> Option<&[(usize, Vec<f64>)]> {
    let curves = results.iter().map(|r| r.records[0].curves.as_slice()).find(|c| !c.is_empty())?;
    debug_assert!(curves.iter().all(|(_, c)| c.len() == run::losses().len()));
    Some(curves)
}
