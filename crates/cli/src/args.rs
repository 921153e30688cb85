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
    /// Weights for the examples of your own noisy data, a model, and a report
    Reweight(Box<Reweight>),
    /// Classes for the rows of a file, by a model that `reweight` has learnt
    Predict(Predict),
    /// Pages on which one can see a hypergradient, in a browser
    Explore(Explore),
    /// An expression as a program, its gradient, and its graph
    Graph(Graph),
}

/// Serves six pages, each with sliders, on this machine alone: a program walked along, forward against reverse, truncation, the
/// landscape of an outer objective, what is kept in memory, which examples deserve trust.
#[derive(Debug, clap::Args)]
pub(crate) struct Explore {
    /// The port; 0 takes any that is free
    #[arg(long, default_value_t = 8888)]
    pub(crate) port: u16,

    /// Write the pages into DIR instead, each with the engine inside
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,

    /// The engine for --write: teach.wasm, gzipped, in base64
    #[arg(long, value_name = "FILE", requires = "write")]
    pub(crate) engine: Option<PathBuf>,
}

/// Records an expression in the array x as a program, and prints it, its gradient and its graph in DOT.
#[derive(Debug, clap::Args)]
pub(crate) struct Graph {
    /// The expression: "sum(sin(x)^2 * exp(-x))"
    pub(crate) expression: String,

    /// The length of x
    #[arg(long, default_value_t = 3)]
    pub(crate) n: usize,

    /// Print the graph alone, for dot -Tsvg
    #[arg(long)]
    pub(crate) dot: bool,

    /// With --dot: the graph of the gradient
    #[arg(long, requires = "dot")]
    pub(crate) gradient: bool,
}

/// Learns how far to trust each example of a noisy data set, from a few that are trusted, and compares with plain training.
///
/// Into the output folder go weights.csv (every example, its weight and rank of suspicion), model.safetensors (for
/// `hypertape predict`), results.json and report.html (one file with pictures). A run that was stopped goes on with --resume.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct Reweight {
    /// Data that is known by name: digits (built in) or mnist (IDX files in --dir), in place of --train and --clean
    #[arg(long, conflicts_with_all = ["train", "clean", "test"])]
    pub(crate) data: Option<String>,

    /// The folder with the IDX files of --data mnist: train and t10k images and labels, gzipped or not
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Noisy examples: comma-separated numbers and a label; or two arrays of NumPy, FEATURES.npy,LABELS.npy
    #[arg(long, value_name = "FILE", requires = "clean")]
    pub(crate) train: Option<PathBuf>,

    /// Trusted examples, in the same columns
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(crate) clean: Option<PathBuf>,

    /// Examples to measure accuracy on; without them, it is measured on the trusted ones
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(crate) test: Option<PathBuf>,

    /// The label's column: its name, or its position from 0; guessed if not given
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,

    /// Examples to train on and to trust, of named data [default: 1000,100; mnist 5000,1000]
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "TRAIN,TRUSTED")]
    pub(crate) sizes: Vec<usize>,

    /// Two classes of named data, in place of all: 4,9
    #[arg(long, value_delimiter = ',', value_name = "CLASS,CLASS")]
    pub(crate) classes: Vec<usize>,

    /// Add label noise, to experiment: uniform:RATE (over all classes), uniform-other:RATE (over the others), flip:RATE (to the
    /// next class), flip:RATE:CLASS, asym:FILE (probabilities as comma-separated numbers, a line for each class)
    #[arg(long)]
    pub(crate) noise: Option<Noise>,

    /// Make the training set imbalanced, to experiment: the largest class over the smallest
    #[arg(long, value_name = "RATIO")]
    pub(crate) imbalance: Option<f64>,

    /// Ways to train, separated by commas: plain, clean-only, clean-and-noisy, oracle, l2rw, meta-weight-net, hyper-cleaning or
    /// hyper-cleaning:METHOD with truncated:K, reverse, checkpointed, implicit-cg, penalty, augmented-lagrangian
    #[arg(long, value_delimiter = ',', default_value = "plain,l2rw")]
    pub(crate) methods: Vec<String>,

    /// Seed of the first run; the others follow
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,

    /// Number of runs of each method
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seeds: u32,

    /// Widths of the hidden layers, separated by commas; none for a linear model
    #[arg(long, default_value = "128")]
    pub(crate) hidden: String,

    /// Passes over the data; outer steps of hyper-cleaning
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) epochs: u32,

    /// Examples in a step
    #[arg(long, default_value_t = 100)]
    pub(crate) batch: usize,

    /// Trusted examples in a step
    #[arg(long, default_value_t = 100)]
    pub(crate) clean_batch: usize,

    /// Learning rate; meta-weight-net likes a fifth of it
    #[arg(long, default_value_t = 0.1)]
    pub(crate) rate: f64,

    /// The rate over the epochs: divided by ten for the last fifth of them, constant, or down to none along half a cosine
    #[arg(long, default_value = "last-fifth", value_parser = ["last-fifth", "constant", "cosine"])]
    pub(crate) schedule: String,

    /// Learning rate of Meta-Weight-Net's own network
    #[arg(long, default_value_t = 1e-3)]
    pub(crate) meta_rate: f64,

    /// Momentum
    #[arg(long, default_value_t = 0.9)]
    pub(crate) momentum: f64,

    /// Weight decay
    #[arg(long, default_value_t = 0.0)]
    pub(crate) decay: f64,

    /// Inner steps of hyper-cleaning
    #[arg(long, default_value_t = 100)]
    pub(crate) inner_steps: usize,

    /// Inner step size of hyper-cleaning
    #[arg(long, default_value_t = 1.0)]
    pub(crate) inner_rate: f64,

    /// What is added to the inner Hessian by hyper-cleaning:implicit-cg; more of it for hidden layers
    #[arg(long, default_value_t = 1e-3)]
    pub(crate) damping: f64,

    /// After hyper-cleaning, train anew, as plain training does, on the examples whose weight is at least a half and the trusted ones
    #[arg(long)]
    pub(crate) refit: bool,

    /// f32 or f64
    #[arg(long, default_value = "f32", value_parser = ["f32", "f64"])]
    pub(crate) precision: String,

    /// The output folder
    #[arg(long, value_name = "DIR", default_value = "reweighted")]
    pub(crate) out: PathBuf,

    /// Go on with a run of the same settings that was stopped
    #[arg(long)]
    pub(crate) resume: bool,

    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,

    /// Also print results.json to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads rows in the columns of the training set (with or without the label) and prints `row,predicted,probability`.
#[derive(Debug, clap::Args)]
pub(crate) struct Predict {
    /// The model: model.safetensors of `hypertape reweight`
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,

    /// The rows: comma-separated numbers, or an array of NumPy
    #[arg(value_name = "FILE")]
    pub(crate) rows: PathBuf,
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

    /// Label noise: uniform:RATE, uniform-other:RATE, flip:RATE, flip:RATE:CLASS, asym:FILE, or a RATE for uniform-other
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
