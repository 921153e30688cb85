//! The `hypertape` command: trains on digits with wrong labels, and learns which to trust; compares hypergradient methods;
//! measures modes of differentiation; shows programs and pages about them.
#![forbid(unsafe_code)]

mod args;
mod compare;
mod demo;
mod explore;
mod graph;
mod interrupt;
mod measure;
mod modes;
mod output;
mod picture;
mod predict;
mod reweight;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let result = match &cli.command {
        Some(args::Command::Modes(args)) => modes::run(args),
        Some(args::Command::Compare(args)) => compare::run(args),
        Some(args::Command::Reweight(args)) => reweight::run(args),
        Some(args::Command::Predict(args)) => predict::run(args),
        Some(args::Command::Explore(args)) => explore::run(args),
        Some(args::Command::Graph(args)) => graph::run(args),
        None => run(&cli.demo),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hypertape: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &args::Args) -> Result<(), Box<dyn std::error::Error>> {
    // A file that cannot be written should be known before the work, not after.
    let json = args.json.as_deref().map(output::Sink::open).transpose()?;
    let outcome = demo::run(args)?;
    // The file first: a closed pipe must not lose what was computed.
    let to_stdout = json.as_ref().is_some_and(output::Sink::is_stdout);
    if let Some(json) = json {
        json.write(&output::json(args, &outcome).to_string())?;
    }
    let mut out = output::Stream::new(to_stdout);
    output::table(&mut out, &outcome)?;
    output::suspicious(&mut out, &outcome)?;
    Ok(())
}
