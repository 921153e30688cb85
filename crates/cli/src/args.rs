//! The command line.

use clap::{Parser, Subcommand};
use nn::data::Noise;
use std::path::PathBuf;

/// Learn which labels to trust.
///
/// Trains a network on 1,000 handwritten digits of which many have a wrong label, in four ways: plainly, on 100 clean
/// digits only, with each example weighted by learning to reweight (L2RW), and on the correctly labelled examples only
/// (the oracle). Prints the test accuracies, the learnt weights and the most suspicious labels.
///
/// Other commands do other things.
#[derive(Debug, Parser)]
#[command(name = "hypertape", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) demo: Args,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What each way of getting a derivative costs on this machine
    Modes(Modes),
    /// Hypergradient methods side by side on a named problem: error, cost, memory
    Compare(Compare),
}

/// Where results go beside the screen.
#[derive(Debug, clap::Args)]
pub(crate) struct Files {
    /// Write the results as JSON to FILE (- for standard output)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the results as comma-separated values to FILE (- for standard output)
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// Draw the results, into FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

/// Takes the hypergradient of a bilevel problem by many methods, and compares each with the closed form, or with finite
/// differences of the whole inner solve where there is none.
#[derive(Debug, clap::Args)]
pub(crate) struct Compare {
    /// The problem; --list shows them [default: quadratic]
    #[arg(value_name = "PROBLEM", conflicts_with = "problem")]
    pub(crate) named: Option<String>,

    /// The same, as an option
    #[arg(long)]
    pub(crate) problem: Option<String>,

    /// Names of methods, separated by commas; --list shows them
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "reverse,truncated:10,checkpointed,forward,implicit-cg,neumann,penalty,augmented-lagrangian"
    )]
    pub(crate) methods: Vec<String>,

    /// Steps of the inner optimiser
    #[arg(long, default_value_t = 100)]
    pub(crate) inner_steps: usize,

    /// Seed of the problem
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) files: Files,

    /// List the problems and the methods
    #[arg(long)]
    pub(crate) list: bool,
}

/// What is measured if nothing is named.
const DEFAULT_FUNCTIONS: &str = "rosenbrock,mlp,square,ba";

/// [`DEFAULT_FUNCTIONS`], one by one.
pub(crate) fn default_functions() -> Vec<String> {
    DEFAULT_FUNCTIONS.split(',').map(str::to_owned).collect()
}

/// Times forward and reverse mode and their nestings, on a tape, as a program and compiled, for gradients, Jacobians,
/// Hessians and Hessian-vector products; beside each stands what the theory allows, as a multiple of the function.
#[derive(Debug, clap::Args)]
pub(crate) struct Modes {
    /// Names of functions, separated by commas; --list shows them
    #[arg(long, value_delimiter = ',', default_value = DEFAULT_FUNCTIONS)]
    pub(crate) function: Vec<String>,

    /// Measure an expression in the array x as well: "sum(sin(x)^2 * exp(-x))"
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) expression: Vec<String>,

    /// Numbers of inputs, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "8,64,512")]
    pub(crate) n: Vec<usize>,

    /// Seconds for each measurement, about
    #[arg(long, default_value_t = 0.1)]
    pub(crate) seconds: f64,

    /// The most threads that compiled code may use; 0 for all
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,

    #[command(flatten)]
    pub(crate) files: Files,

    /// List the functions and what an expression may hold
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seed of the first run; the others follow
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,

    /// Number of runs, each with its own split, noise and initial network
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seeds: u32,

    /// Label noise: uniform:RATE, uniform-other:RATE, flip:RATE:CLASS, or a RATE for uniform-other
    #[arg(long, default_value = "uniform-other:0.4", value_parser = parse_noise)]
    pub(crate) noise: Noise,

    /// Passes over the data
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) epochs: u32,

    /// Write the results as JSON to FILE (- for standard output)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

fn parse_noise(text: &str) -> Result<Noise, String> {
    let noise: Noise = text.parse().map_err(|e: nn::Error| e.to_string())?;
    if let Noise::Flip { to, .. } = noise
        && to >= 10
    {
        return Err(format!("class {to} is not a digit"));
    }
    Ok(noise)
}
