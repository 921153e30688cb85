//! Where the examples of `hypertape reweight` come from.

use crate::args;
use autodiff::Element;
use nn::data::{Dataset, LabelColumn, Schema, Standardize, csv, digits, idx, imbalance, npy_pair, npy_shape};
use nn::{Rng, rng};
use std::path::{Path, PathBuf};

type Failure = Box<dyn std::error::Error>;

/// The examples of one seed.
pub(super) struct Examples<E: Element> {
    pub(super) train: Dataset<E>,
    pub(super) trusted: Dataset<E>,
    /// `None`: accuracy is measured on the trusted ones.
    pub(super) test: Option<Dataset<E>>,
    /// The true label of each training example, where the noise was made here.
    pub(super) truth: Option<Vec<usize>>,
    /// For each training example, its row in the source, from 0.
    pub(super) rows: Vec<usize>,
}

/// What is the same for all seeds.
pub(super) struct Source<E: Element> {
    kind: Loaded<E>,
    pub(super) schema: Schema,
    pub(super) standardize: Standardize,
    /// The side of square pictures, if the features are one.
    pub(super) side: Option<usize>,
    /// What it is, in words.
    pub(super) name: String,
}

enum Loaded<E: Element> {
    /// Training, trusted and test sets.
    Files(Box<Examples<E>>),
    /// Split anew for each seed; the test set, if it is given.
    Named { all: Dataset<E>, test: Option<Dataset<E>>, sizes: [usize; 2] },
}

impl<E: Element> Source<E> {
    pub(super) fn load(args: &args::Reweight) -> Result<Self, Failure> {
        match (&args.train, &args.clean) {
            (Some(train), Some(clean)) => Self::files(args, train, clean),
            _ => Self::named(args),
        }
    }

    fn files(args: &args::Reweight, train: &Path, clean: &Path) -> Result<Self, Failure> {
        if !args.sizes.is_empty() || !args.classes.is_empty() {
            return Err("--sizes and --classes are for --data; files are taken whole".into());
        }
        let files = [Some(train), Some(clean), args.test.as_deref()];
        if args.label.is_some() && files.into_iter().flatten().any(|file| arrays(file).is_some()) {
            return Err("--label is for comma-separated files; of arrays, the second one holds the labels".into());
        }
        let label: LabelColumn = args.label.as_deref().unwrap_or_default().parse()?;
        let label = if args.label.is_none() { LabelColumn::Guess } else { label };
        let (noisy, schema) = read::<E>(train, &label, None)?;
        if schema.classes.len() < 2 {
            return Err(
                format!("{}: all labels are `{}`; nothing can be learnt", train.display(), schema.classes[0]).into()
            );
        }
        // The column that was found, so that files without a header agree.
        let label = if schema.header { label } else { LabelColumn::Index(schema.label) };
        let standardize = Standardize::fit(&noisy);
        let ready = |path: &PathBuf| -> Result<Dataset<E>, Failure> {
            Ok(standardize.apply(&read::<E>(path, &label, Some(&schema))?.0)?)
        };
        let examples = Examples {
            trusted: ready(&clean.to_path_buf())?,
            test: args.test.as_ref().map(ready).transpose()?,
            rows: (0..noisy.len()).collect(),
            train: standardize.apply(&noisy)?,
            truth: None,
        };
        let side = match arrays(train) {
            Some([features, _]) => side(&npy_shape(&features)?),
            None => None,
        };
        let name = train.display().to_string();
        Ok(Self { kind: Loaded::Files(Box::new(examples)), schema, standardize, side, name })
    }

    fn named(args: &args::Reweight) -> Result<Self, Failure> {
        let name = args.data.as_deref().unwrap_or_default();
        let (all, test, default) = match name {
            "digits" => (digits::<E>()?, None, [1000, 100]),
            "mnist" => {
                let Some(dir) = &args.dir else {
                    return Err("--data mnist needs --dir, the folder with its files".into());
                };
                let part = |images: &str, labels: &str| -> Result<Dataset<E>, Failure> {
                    Ok(idx::<E>(&found(dir, images)?, &found(dir, labels)?, 10)?)
                };
                let train = part("train-images-idx3-ubyte", "train-labels-idx1-ubyte")?;
                (train, Some(part("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")?), [5000, 1000])
            }
            "" => return Err("no data: give --train and --clean, or --data digits".into()),
            other => return Err(format!("--data {other}: there is digits, and mnist with --dir").into()),
        };
        let sizes = match args.sizes[..] {
            [] => default,
            [train, trusted] => [train, trusted],
            _ => return Err("--sizes takes two numbers: examples to train on, examples to trust".into()),
        };
        let only = |set: Dataset<E>| -> Result<Dataset<E>, Failure> {
            let [first, second] = args.classes[..] else { return Ok(set) };
            let kept: Vec<usize> = (0..set.len()).filter(|&i| [first, second].contains(&set.labels()[i])).collect();
            let labels = kept.iter().map(|&i| usize::from(set.labels()[i] == second)).collect();
            let inputs = set.select(&kept).inputs().clone();
            Ok(Dataset::new(inputs, labels, 2)?)
        };
        let mut classes: Vec<String> = (0..10).map(|c| c.to_string()).collect();
        match args.classes[..] {
            [] => {}
            [a, b] if a < 10 && b < 10 && a != b => classes = vec![a.to_string(), b.to_string()],
            _ => return Err("--classes takes two different classes below 10: 4,9".into()),
        }
        let (all, test) = (only(all)?, test.map(only).transpose()?);
        let features = all.inputs().dims()[1];
        let side = features.isqrt();
        Ok(Self {
            schema: Schema {
                features: (0..features).map(|i| format!("pixel{i}")).collect(),
                classes,
                label: features,
                header: false,
            },
            standardize: Standardize::identity(features),
            side: (side * side == features).then_some(side),
            name: name.to_owned(),
            kind: Loaded::Named { all, test, sizes },
        })
    }

    /// The examples of a seed: split, made imbalanced and noisy as was asked for.
    pub(super) fn examples(&self, args: &args::Reweight, seed: u64) -> Result<Examples<E>, Failure> {
        let mut rng = rng(seed);
        let mut examples = match &self.kind {
            Loaded::Files(files) => Examples {
                train: files.train.clone(),
                trusted: files.trusted.clone(),
                test: files.test.clone(),
                truth: None,
                rows: files.rows.clone(),
            },
            Loaded::Named { all, test, sizes } => split(all, test.as_ref(), *sizes, &mut rng)?,
        };
        if let Some(ratio) = args.imbalance {
            let kept = imbalance(&examples.train, ratio, &mut rng)?;
            examples.train = examples.train.select(&kept);
            examples.rows = kept.iter().map(|&i| examples.rows[i]).collect();
        }
        if let Some(noise) = &args.noise {
            let truth = examples.train.labels().to_vec();
            let labels = noise.apply(&truth, examples.train.classes(), &mut rng)?;
            examples.train = examples.train.with_labels(labels)?;
            examples.truth = Some(truth);
        }
        Ok(examples)
    }
}

/// Examples from a comma-separated file, or from two of NumPy's.
fn read<E: Element>(
    path: &Path,
    label: &LabelColumn,
    schema: Option<&Schema>,
) -> Result<(Dataset<E>, Schema), Failure> {
    Ok(match arrays(path) {
        Some([features, labels]) => npy_pair(&features, &labels, schema)?,
        None if path.extension().is_some_and(|e| e == "npy") => {
            let path = path.display();
            return Err(format!("{path}: two arrays are needed: FEATURES.npy,LABELS.npy").into());
        }
        None => csv(path, label, schema)?,
    })
}

/// `FEATURES.npy,LABELS.npy`, apart.
fn arrays(path: &Path) -> Option<[PathBuf; 2]> {
    let text = path.to_str()?;
    let end = text.find(".npy,")? + ".npy".len();
    Some([PathBuf::from(&text[..end]), PathBuf::from(&text[end + 1..])])
}

/// The side of square pictures: arrays `[examples, side, side]`, or with one channel.
fn side(shape: &[usize]) -> Option<usize> {
    match *shape {
        [_, a, b] | [_, 1, a, b] | [_, a, b, 1] if a == b => Some(a),
        _ => None,
    }
}

fn split<E: Element>(
    all: &Dataset<E>,
    test: Option<&Dataset<E>>,
    [train, trusted]: [usize; 2],
    rng: &mut Rng,
) -> Result<Examples<E>, Failure> {
    if train == 0 || trusted == 0 || train + trusted > all.len() {
        return Err(format!("--sizes {train},{trusted}: there are {} examples to divide", all.len()).into());
    }
    let [trusted, others] = all.draw_evenly(trusted, rng)?;
    let (rows, rest) = others.split_at(train);
    let test = match test {
        Some(test) => Some(test.clone()),
        None if rest.is_empty() => None,
        None => Some(all.select(rest)),
    };
    Ok(Examples { train: all.select(rows), trusted: all.select(&trusted), test, truth: None, rows: rows.to_vec() })
}

/// A file by its name, or its name with `.gz`, or the older name with a dot before `idx`.
fn found(dir: &Path, name: &str) -> Result<PathBuf, Failure> {
    let names =
        [name.to_owned(), format!("{name}.gz"), name.replace("-idx", ".idx"), name.replace("-idx", ".idx") + ".gz"];
    let path = names.iter().map(|name| dir.join(name)).find(|path| path.is_file());
    path.ok_or_else(|| format!("{}: there is no {name}, gzipped or not", dir.display()).into())
}
