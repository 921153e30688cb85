//! GradBench's functions as a user of the library writes them, and its protocol.
//!
//! A function is a closure, recorded as a program and compiled once for the size at hand; compiling counts in the first
//! timed run. No derivative is written by hand.
#![forbid(unsafe_code)]

pub mod eval;
mod json;
pub mod protocol;
pub mod task;

/// Whatever goes wrong, in words.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
