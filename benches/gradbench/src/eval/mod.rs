//! The functions of the benchmark, one file each.

mod ba;
mod descent;
mod det;
mod gmm;
mod hello;
mod ht;
mod kmeans;
mod llsq;
mod lse;
mod lstm;
mod ode;
mod particle;
mod saddle;

use crate::Result;
use crate::task::Task;
use serde_json::Value;

/// Their names.
pub const MODULES: [&str; 12] =
    ["hello", "gmm", "ba", "lstm", "ht", "kmeans", "llsq", "lse", "det", "ode", "particle", "saddle"];

/// A function of a module on an input.
///
/// # Errors
/// If there is no such function, or the input does not fit it.
pub fn task(module: &str, function: &str, input: &Value) -> Result<Box<dyn Task>> {
    let unknown = || format!("module {module:?} has no function {function:?}");
    let primal = match (module, function) {
        ("particle", "ff" | "fr" | "rf" | "rr") => return particle::task(function, input),
        ("saddle", "ff" | "fr" | "rf" | "rr") => return saddle::task(function, input),
        (_, "objective" | "cost" | "primal" | "square") => true,
        (_, "jacobian" | "dir" | "gradient" | "double") => false,
        _ => return Err(unknown().into()),
    };
    match module {
        "hello" => hello::task(primal, input),
        "gmm" => gmm::task(primal, input),
        "ba" => ba::task(primal, input),
        "lstm" => lstm::task(primal, input),
        "ht" => ht::task(primal, input),
        "kmeans" => kmeans::task(primal, input),
        "llsq" => llsq::task(primal, input),
        "lse" => lse::task(primal, input),
        "det" => det::task(primal, input),
        "ode" => ode::task(primal, input),
        _ => Err(unknown().into()),
    }
}
