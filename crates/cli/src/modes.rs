//! `hypertape modes`.

use crate::args;
use crate::output::{Sinks, Stream};
use indicatif::{ProgressBar, ProgressStyle};
use modes::{Bench, Expression, Function, Settings, report};
use std::error::Error;

pub(crate) fn run(args: &args::Modes) -> Result<(), Box<dyn Error>> {
    if args.list {
        let mut out = Stream::new(false);
        for (name, description) in Function::list() {
            out.line(&format!("{name:<12} {description}"))?;
        }
        out.line(&format!("expressions: x, numbers, pi, e, + - * / ^, and {}", Expression::functions().join(", ")))?;
        return Ok(());
    }
    if !args.seconds.is_finite() || args.seconds < 0.0 {
        return Err(format!("--seconds {}: a number of seconds is needed, not below 0", args.seconds).into());
    }
    let sinks = Sinks::open(&args.files)?;
    let mut functions = Vec::new();
    // An expression alone is measured alone.
    let names =
        if args.expression.is_empty() || args.function != args::default_functions() { &args.function[..] } else { &[] };
    for name in names {
        functions.push(Function::named(name)?);
    }
    for text in &args.expression {
        functions.push(Function::expression(Expression::parse(text)?));
    }
    let settings =
        Settings { sizes: args.n.clone(), seconds: args.seconds, threads: args.threads, ..Settings::default() };
    let bar =
        ProgressBar::new(0).with_style(ProgressStyle::with_template("{msg:32} [{bar:40}] {pos}/{len}, {eta} left")?);
    let bench = Bench::run(&functions, &settings, |progress| {
        bar.set_length(progress.all as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("{}, n = {}", progress.function, progress.n));
    })?;
    bar.finish_and_clear();
    let mut out = sinks.write::<Box<dyn Error>>(
        || Ok(serde_json::to_string_pretty(&bench)?),
        || Ok(report::csv(&bench)?),
        || report::svg(&bench),
    )?;
    out.line(&report::table(&bench))?;
    Ok(())
}
