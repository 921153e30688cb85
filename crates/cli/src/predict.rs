//! `hypertape predict`.

use crate::args;
use autodiff::{Element, Tensor, Value};
use bilevel::Archive;
use nn::data::{Standardize, npy, numbers};
use nn::{Activation, Mlp, loss};

type Failure = Box<dyn std::error::Error>;

pub(crate) fn run(args: &args::Predict) -> Result<(), Failure> {
    // The element type is the file's: the one that fits reads it.
    match Archive::<f32>::load(&args.model) {
        Ok(archive) => predict(args, &archive),
        Err(first) => match Archive::<f64>::load(&args.model) {
            Ok(archive) => predict(args, &archive),
            Err(_) => Err(first.into()),
        },
    }
}

fn predict<E: Element>(args: &args::Predict, archive: &Archive<E>) -> Result<(), Failure> {
    let file = args.model.display();
    let text = |name: &str| {
        let found = archive.texts.get(name).map(String::as_str);
        found.ok_or_else(|| format!("{file}: no model of `hypertape reweight`: `{name}` is missing"))
    };
    let features: Vec<String> = serde_json::from_str(text("features")?)?;
    let classes: Vec<String> = serde_json::from_str(text("classes")?)?;
    let layers: Vec<usize> = serde_json::from_str(text("layers")?)?;
    let standardize = Standardize {
        mean: serde_json::from_str(text("mean")?)?,
        deviation: serde_json::from_str(text("deviation")?)?,
    };
    let label: usize = text("label_column")?.parse()?;
    let mlp = Mlp::new(&layers, Activation::Relu)?;
    let mut params = Vec::new();
    for (layer, sizes) in layers.windows(2).enumerate() {
        for (kind, shape) in [("weight", &[sizes[0], sizes[1]][..]), ("bias", &[sizes[1]])] {
            let name = format!("layer{layer}.{kind}");
            let found = archive.tensors.get(&name).filter(|x| x.dims() == shape);
            params.push(found.ok_or_else(|| format!("{file}: `{name}` of shape {shape:?} is missing"))?.clone());
        }
    }
    let rows: Tensor<E> = if args.rows.extension().is_some_and(|e| e == "npy") {
        let rows = npy::<E>(&args.rows)?;
        let width: usize = rows.dims().iter().skip(1).product();
        if rows.rank() < 2 || width != features.len() {
            let (rows, shape) = (args.rows.display(), rows.dims());
            return Err(format!("{rows}: shape {shape:?} for examples of {} features", features.len()).into());
        }
        if rows.is_empty() {
            return Err(format!("{}: there are no rows", args.rows.display()).into());
        }
        rows.reshape(&[rows.dims()[0], width])
    } else {
        numbers(&args.rows, &features, label)?
    };
    let rows = standardize.rows(&rows)?;
    let logits = mlp.forward(&params, &rows);
    let probabilities = logits.softmax(&[1]);
    let mut out = csv::Writer::from_writer(std::io::stdout().lock());
    out.write_record(["row", "predicted", "probability"])?;
    for (row, class) in loss::predictions(&logits).into_iter().enumerate() {
        let probability = probabilities.data()[row * classes.len() + class].to_f64();
        out.write_record([&row.to_string(), &classes[class], &format!("{probability:.6}")])?;
    }
    out.flush()?;
    Ok(())
}
