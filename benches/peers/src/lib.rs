//! Nine workloads of differentiable programming and bilevel optimisation, as a user of the library writes them; the
//! same ones stand written for JAX and PyTorch beside the reference values that these are checked against.
#![forbid(unsafe_code)]

pub mod inputs;
pub mod measure;
pub mod values;
pub mod workload;

/// Whatever goes wrong, in words.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
