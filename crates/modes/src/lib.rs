//! What each way of getting a derivative costs: forward and reverse mode and their nestings, on a tape, as a program,
//! compiled; for gradients, Jacobians, Hessians and Hessian-vector products of functions of any size.
//!
//! ```
//! use modes::{Bench, Function, Settings};
//! let settings = Settings { sizes: vec![4, 8], seconds: 1e-4, ..Settings::default() };
//! let bench = Bench::run(&[Function::named("rosenbrock")?], &settings, |_| ())?;
//! let gradient = bench.rows.iter().find(|r| r.mode.name() == "reverse, executable").expect("it was measured");
//! assert!(gradient.multiple > 0.0 && gradient.predicted == Some(4.0));
//! # Ok::<(), modes::Error>(())
//! ```
#![forbid(unsafe_code)]

mod bench;
mod error;
mod expression;
mod function;
mod measure;
mod mode;
pub mod report;

pub use bench::{Bench, Crossing, Progress, Row, Settings};
pub use error::{Error, Result};
pub use expression::Expression;
pub use function::Function;
pub use measure::Timing;
pub use mode::{Mode, Task};
