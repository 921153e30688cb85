//! `hypertape compare`.

mod methods;
mod picture;
mod problems;

use crate::args;
use crate::output::{Sinks, Stream};
use bilevel::{Ask, Data, GradientDescent, Inner, Method, Reference};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::error::Error;

pub(crate) fn run(args: &args::Compare) -> Result<(), Box<dyn Error>> {
    if args.list {
        let mut out = Stream::new(false);
        out.line("problems")?;
        for (name, description) in problems::LIST {
            out.line(&format!("  {name:<24} {description}"))?;
        }
        out.line("methods")?;
        for (name, description) in methods::LIST {
            out.line(&format!("  {name:<24} {description}"))?;
        }
        return Ok(());
    }
    if args.inner_steps == 0 {
        return Err("--inner-steps 0: at least one inner step is needed".into());
    }
    let sinks = Sinks::open(&args.files)?;
    let name = args.named.as_deref().or(args.problem.as_deref()).unwrap_or("quadratic");
    let named = problems::named(name, args.seed)?;
    let methods: Vec<Box<dyn Method<f64>>> =
        args.methods.iter().map(|text| methods::parse(text, &named, args.inner_steps)).collect::<Result<_, _>>()?;

    let ask = Ask {
        problem: &named.problem,
        u: &named.u,
        v0: &named.v0,
        data: Data::new(&named.outer_data, &named.inner_data),
    };
    let reference = match &named.exact {
        Some(exact) => Reference::ClosedForm(exact.clone()),
        None => Reference::FiniteDifferences(Inner::steps(GradientDescent::new(named.rate), args.inner_steps)),
    };
    let bar = ProgressBar::new(methods.len() as u64)
        .with_style(ProgressStyle::with_template("{msg:28} [{bar:40}] {pos}/{len}, {elapsed}")?);
    bar.set_message("the reference");
    let plain: Vec<&dyn Method<f64>> = methods.iter().map(|m| &**m).collect();
    let mut comparison = named.problem.compare_with(&ask, &plain, &reference, |index| {
        bar.set_position(index as u64);
        bar.set_message(args.methods.get(index).cloned().unwrap_or_default());
    })?;
    bar.finish_and_clear();
    // The names by which they were asked for.
    for (row, text) in comparison.methods.iter_mut().zip(&args.methods) {
        row.method.clone_from(text);
    }
    let mut out = sinks.write::<Box<dyn Error>>(
        || {
            let mut all = comparison.json()?;
            all["problem"] = json!(name);
            all["inner_steps"] = json!(args.inner_steps);
            all["seed"] = json!(args.seed);
            Ok(all.to_string())
        },
        || Ok(comparison.csv()?),
        || picture::svg(name, &comparison),
    )?;
    out.line(&format!("{name}: {}", named.description))?;
    out.line(&format!(
        "dim u = {}, dim v = {}, {} inner steps at rate {:.3}",
        named.u.iter().map(autodiff::Tensor::len).sum::<usize>(),
        named.started.unwrap_or_else(|| named.v0.iter().map(autodiff::Tensor::len).sum()),
        args.inner_steps,
        named.rate
    ))?;
    out.line(&comparison.to_string())?;
    Ok(())
}
