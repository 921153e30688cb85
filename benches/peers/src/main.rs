//! One workload, one JSON object: median and minimum seconds, peak memory, and the values.
#![forbid(unsafe_code)]

use autodiff::Element;
use clap::{Parser, ValueEnum};
use hypertape_peers::inputs::Inputs;
use hypertape_peers::measure::{measure, memory};
use hypertape_peers::{Result, values, workload};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Precision {
    F32,
    F64,
}

/// Runs one of the workloads that Hypertape is compared with JAX and PyTorch on.
#[derive(Debug, Parser)]
#[command(name = "hypertape-peers", version)]
struct Args {
    /// W1, W2, W3, W4, W5, W5h, W6, W7, W8 or W9
    #[arg(long)]
    workload: String,
    /// The workload's option: soft-K10, hvp-100, …
    #[arg(long, default_value = "")]
    opt: String,
    #[arg(long, value_enum, default_value = "f64")]
    dtype: Precision,
    /// The most threads to use
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// The least number of timed calls
    #[arg(long, default_value_t = 10)]
    reps: usize,
    /// The folder with the inputs and their manifest
    #[arg(long = "ref")]
    reference: PathBuf,
    /// Also print what the executables do, and where their time goes
    #[arg(long)]
    explain: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.dtype {
        Precision::F32 => run::<f32>(&args),
        Precision::F64 => run::<f64>(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hypertape-peers: {error}");
            ExitCode::from(2)
        }
    }
}

fn run<E: Element>(args: &Args) -> Result<()> {
    let inputs = Inputs::open(&args.reference)?;
    let start = Instant::now();
    let mut job = workload::job::<E>(&inputs, &args.workload, &args.opt, args.threads)?;
    let compile = start.elapsed().as_secs_f64();
    let base = memory("VmRSS");
    let start = Instant::now();
    let found = values::summary(&job.run()?);
    let first = start.elapsed().as_secs_f64();
    if args.explain {
        eprintln!("{}", job.explain()?);
    }
    let mut failed = None;
    let timing = measure(
        || {
            if let Err(error) = job.run() {
                failed.get_or_insert(error);
            }
        },
        args.reps,
    );
    if let Some(error) = failed {
        return Err(error);
    }
    let result = serde_json::json!({
        "workload": args.workload, "impl": "ours", "variant": "", "opt": args.opt, "dtype": E::NAME,
        "threads": args.threads, "compile_s": compile, "first_call_s": first, "base_mb": base, "values": found,
        "median_s": timing.median(), "min_s": timing.fastest(), "reps": timing.seconds.len(), "peak_mb": memory("VmHWM"),
    });
    println!("{result}");
    Ok(())
}
