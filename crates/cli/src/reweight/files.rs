//! The output folder.

use super::Results;
use super::method::Method;
use super::report;
use super::source::{Examples, Source};
use super::summary::Summary;
use crate::args;
use autodiff::Element;
use bilevel::{Archive, write_whole};
use nn::Mlp;
use std::path::{Path, PathBuf};

type Failure = Box<dyn std::error::Error>;

/// The output folder, with a folder of saved runs in it.
pub(super) struct Folder {
    out: PathBuf,
    state: PathBuf,
}

impl Folder {
    /// Makes the folder; without `--resume`, saved runs are removed. With it, they must be of the same settings.
    pub(super) fn open(args: &args::Reweight, methods: &[Method]) -> Result<Self, Failure> {
        let folder = Self { out: args.out.clone(), state: args.out.join("state") };
        let fail = |path: &Path, e: std::io::Error| format!("cannot write {}: {e}", path.display());
        if !args.resume && folder.state.exists() {
            std::fs::remove_dir_all(&folder.state).map_err(|e| fail(&folder.state, e))?;
        }
        std::fs::create_dir_all(&folder.state).map_err(|e| fail(&folder.state, e))?;
        let settings = folder.state.join("settings.txt");
        let names: Vec<&str> = methods.iter().map(|m| m.name.as_str()).collect();
        let ours = settings_of(args, &names);
        if args.resume && settings.exists() {
            let theirs = std::fs::read_to_string(&settings)?;
            if theirs != ours {
                let state = folder.state.display();
                return Err(format!("--resume: {state} was saved with other settings:\n{theirs}now:\n{ours}").into());
            }
        }
        write_whole(&settings, ours.as_bytes()).map_err(|e| fail(&settings, e))?;
        Ok(folder)
    }

    /// Where runs are saved.
    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    /// Writes everything that was learnt.
    pub(super) fn write<E: Element>(
        &self,
        args: &args::Reweight,
        source: &Source<E>,
        mlp: &Mlp,
        summary: &Summary,
        examples: &[Examples<E>],
        results: &[Results<E>],
    ) -> Result<(), Failure> {
        let write = |name: &str, bytes: &[u8]| -> Result<(), Failure> {
            let path = self.out.join(name);
            write_whole(&path, bytes).map_err(|e| format!("cannot write {}: {e}", path.display()).into())
        };
        write("weights.csv", &weights(source, summary, &examples[0], results)?)?;
        model(source, mlp, &results[summary.chosen], &self.out.join("model.safetensors"))?;
        write("results.json", format!("{:#}\n", summary.json).as_bytes())?;
        write("report.html", report::html(args, source, summary, &examples[0], results)?.as_bytes())
    }
}

/// What runs depend on beside their own setup, as lines.
fn settings_of(args: &args::Reweight, methods: &[&str]) -> String {
    let path = |p: &Option<PathBuf>| p.as_ref().map(|p| p.display().to_string());
    format!(
        "data {:?} {:?} {:?} {:?} {:?} label {:?}\nsizes {:?} classes {:?} noise {:?} imbalance {:?}\nmethods {methods:?}\n\
         seed {} seeds {} hidden {} epochs {} batch {} clean batch {} rate {} schedule {} meta rate {} momentum {} decay {}\n\
         inner steps {} inner rate {} damping {} refit {} precision {}\n",
        args.data,
        path(&args.dir),
        path(&args.train),
        path(&args.clean),
        path(&args.test),
        args.label,
        args.sizes,
        args.classes,
        args.noise,
        args.imbalance,
        args.seed,
        args.seeds,
        args.hidden,
        args.epochs,
        args.batch,
        args.clean_batch,
        args.rate,
        args.schedule,
        args.meta_rate,
        args.momentum,
        args.decay,
        args.inner_steps,
        args.inner_rate,
        args.damping,
        args.refit,
        args.precision
    )
}

/// `row,label,weight,suspicion_rank,predicted`: rows in the order of the source, ranks from 1.
fn weights<E: Element>(
    source: &Source<E>,
    summary: &Summary,
    examples: &Examples<E>,
    results: &[Results<E>],
) -> Result<Vec<u8>, Failure> {
    let record = &results[summary.chosen].records[0];
    let mut rank = vec![0; examples.train.len()];
    summary.suspects.iter().enumerate().for_each(|(place, &i)| rank[i] = place + 1);
    let mut order: Vec<usize> = (0..rank.len()).collect();
    order.sort_by_key(|&i| examples.rows[i]);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let classes = &source.schema.classes;
    writer.write_record(["row", "label", "weight", "suspicion_rank", "predicted"])?;
    for i in order {
        let weight = record.weights.as_ref().map_or(1.0, |w| w[i]);
        writer.write_record([
            examples.rows[i].to_string(),
            classes[examples.train.labels()[i]].clone(),
            format!("{weight:.6}"),
            rank[i].to_string(),
            classes[summary.predicted[i]].clone(),
        ])?;
    }
    Ok(writer.into_inner()?)
}

/// The parameters by name; preprocessing as numbers, names of features and classes as texts.
fn model<E: Element>(source: &Source<E>, mlp: &Mlp, results: &Results<E>, path: &Path) -> Result<(), Failure> {
    let mut archive = Archive::<E>::default();
    for (layer, pair) in results.records[0].params.chunks_exact(2).enumerate() {
        for (kind, tensor) in ["weight", "bias"].iter().zip(pair) {
            archive.tensors.insert(format!("layer{layer}.{kind}"), tensor.clone());
        }
    }
    let texts = [
        ("features", serde_json::to_string(&source.schema.features)?),
        ("classes", serde_json::to_string(&source.schema.classes)?),
        ("mean", serde_json::to_string(&source.standardize.mean)?),
        ("deviation", serde_json::to_string(&source.standardize.deviation)?),
        ("layers", serde_json::to_string(mlp.sizes())?),
        ("activation", "relu".to_owned()),
        ("label_column", source.schema.label.to_string()),
        ("method", results.method.name.clone()),
        ("precision", E::NAME.to_owned()),
    ];
    archive.texts.extend(texts.map(|(name, text)| (name.to_owned(), text)));
    Ok(archive.save(path)?)
}
