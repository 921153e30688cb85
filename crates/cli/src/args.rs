//! The command line.

use clap::Parser;
use nn::data::Noise;
use std::path::PathBuf;

/// Learn which labels to trust.
///
/// Trains a network on 1,000 handwritten digits of which many have a wrong label, in four ways: plainly, on 100 clean
/// digits only, with each example weighted by learning to reweight (L2RW), and on the correctly labelled examples only
/// (the oracle). Prints the test accuracies, the learnt weights and the most suspicious labels.
#[derive(Debug, Parser)]
#[command(name = "hypertape", version)]
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
