//! `hypertape reweight`.

mod files;
mod method;
mod report;
mod run;
mod source;
mod summary;

use crate::args;
use crate::interrupt;
use crate::output::Stream;
use autodiff::Element;
use indicatif::{ProgressBar, ProgressStyle};
use method::{Method, On, Way};
use nn::{Activation, Mlp};
use run::{Record, Run};
use source::{Examples, Source};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

/// All runs of a method.
struct Results<E: Element> {
    method: Method,
    /// One for each seed.
    records: Vec<Record<E>>,
    seconds: f64,
}

pub(crate) fn run(args: &args::Reweight) -> Result<(), Failure> {
    check(args)?;
    match args.precision.as_str() {
        "f64" => train::<f64>(args),
        _ => train::<f32>(args),
    }
}

/// What can be known to be wrong before anything is read.
fn check(args: &args::Reweight) -> Result<(), Failure> {
    let positive = [("--rate", args.rate), ("--meta-rate", args.meta_rate), ("--inner-rate", args.inner_rate)];
    if let Some((name, value)) = positive.iter().find(|(_, x)| !(x.is_finite() && *x > 0.0)) {
        return Err(format!("{name} {value}: a positive number is needed").into());
    }
    let counts = [("--batch", args.batch), ("--clean-batch", args.clean_batch), ("--inner-steps", args.inner_steps)];
    if let Some((name, _)) = counts.iter().find(|(_, x)| *x == 0) {
        return Err(format!("{name} 0: at least one is needed").into());
    }
    if !(0.0..1.0).contains(&args.momentum) {
        return Err(format!("--momentum {}: a number from 0 to below 1 is needed", args.momentum).into());
    }
    for (name, value) in [("--decay", args.decay), ("--damping", args.damping)] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(format!("{name} {value}: it must not be negative").into());
        }
    }
    Ok(())
}

fn methods(args: &args::Reweight) -> Result<Vec<Method>, Failure> {
    let methods: Vec<Method> =
        args.methods.iter().map(|name| Method::parse(name, args.meta_rate)).collect::<Result<_, _>>()?;
    for (i, method) in methods.iter().enumerate() {
        if methods[..i].contains(method) {
            return Err(format!("--methods: `{}` is there twice", method.name).into());
        }
        if method.way == Way::Steps(On::Right, nn::reweight::Kind::Uniform) && args.noise.is_none() {
            return Err("--methods oracle: the right labels are known only with --noise".into());
        }
    }
    if args.refit && !methods.iter().any(|m| matches!(m.way, Way::HyperCleaning(_))) {
        return Err("--refit is for hyper-cleaning, which is not among --methods".into());
    }
    Ok(methods)
}

/// The widths of the network.
fn network(args: &args::Reweight, features: usize, classes: usize) -> Result<Mlp, Failure> {
    let hidden: Vec<usize> = match args.hidden.as_str() {
        "none" | "" => Vec::new(),
        text => text
            .split(',')
            .map(|w| w.trim().parse().ok().filter(|w| *w > 0))
            .collect::<Option<_>>()
            .ok_or_else(|| format!("--hidden {text}: widths like 128 or 256,128 are needed, or none"))?,
    };
    Ok(Mlp::new(&[&[features], &hidden[..], &[classes]].concat(), Activation::Relu)?)
}

fn train<E: Element>(args: &args::Reweight) -> Result<(), Failure> {
    let methods = methods(args)?;
    let source = Source::<E>::load(args)?;
    let mlp = network(args, source.schema.features.len(), source.schema.classes.len())?;
    let seeds: Vec<u64> = (args.seed..).take(args.seeds as usize).collect();
    // Every seed's examples before the first run: what is wrong with them should be known now.
    let all: Vec<Examples<E>> = seeds.iter().map(|&seed| source.examples(args, seed)).collect::<Result<_, _>>()?;
    let folder = files::Folder::open(args, &methods)?;
    let stop = interrupt::stop()?;

    let total = methods.len() as u64 * u64::from(args.seeds) * u64::from(args.epochs);
    let bar = if args.quiet { ProgressBar::hidden() } else { ProgressBar::new(total) };
    bar.set_style(ProgressStyle::with_template("{msg:34} [{bar:30}] {pos}/{len} epochs, {eta} left")?);
    let mut results: Vec<Results<E>> =
        methods.iter().map(|m| Results { method: m.clone(), records: Vec::new(), seconds: 0.0 }).collect();
    for (i, (&seed, examples)) in seeds.iter().zip(&all).enumerate() {
        for (m, results) in results.iter_mut().enumerate() {
            let method = results.method.clone();
            bar.set_message(format!("seed {seed}, {}", method.name));
            let before = ((i * methods.len() + m) as u64) * u64::from(args.epochs);
            let file = run::file(folder.state(), &method.name, seed);
            let one = Run { args, mlp: &mlp, examples, method: &method, seed, file };
            let clock = Instant::now();
            let record = one.train(&mut |epoch| {
                bar.set_position(before + epoch as u64);
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            let Some(record) = record else {
                bar.abandon_with_message("stopped");
                return Err(format!("stopped; go on with --resume: {} holds what there is", args.out.display()).into());
            };
            results.seconds += clock.elapsed().as_secs_f64();
            results.records.push(record);
        }
    }
    bar.finish_and_clear();

    let summary = summary::Summary::new(args, &source, &mlp, &seeds, &all, &results);
    folder.write(args, &source, &mlp, &summary, &all, &results)?;
    if args.json {
        Stream::new(false).line(&summary.json.to_string())?;
    }
    if !args.quiet {
        let mut out = Stream::new(args.json);
        summary.table(&mut out)?;
        out.line(&format!(
            "\nwritten to {}: weights.csv, model.safetensors, results.json, report.html",
            args.out.display()
        ))?;
    }
    Ok(())
}
