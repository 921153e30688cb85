//! Hypergradients: min over `u` of `F(u) = f(u, v(u))`, where `v(u)` comes from minimising `g(u, ·)`.
//!
//! A [`Problem`] holds the outer objective `f` and the inner one `g` as closures. A method says how `v(u)` is found and
//! how `dF/du` is taken; [`Reverse`] differentiates the trajectory of the inner optimiser, whose update rule is a
//! [`Dynamics`].
//!
//! ```
//! use autodiff::{Tensor, Value};
//! use bilevel::{GradientDescent, Problem, Reverse};
//!
//! // Inner: v(u) minimises ½(v − u)². Outer: ½(v − 3)².
//! let problem = Problem::new(
//!     |_u, v| (v[0] - 3.0).square().sum_all() * 0.5,
//!     |u, v| (v[0] - u[0]).square().sum_all() * 0.5,
//! );
//! let (u, v0) = ([Tensor::from([1.0])], [Tensor::from([0.0])]);
//! let h = problem.hypergradient(&u, &v0, &Reverse::new(GradientDescent { rate: 0.5 }, 20))?;
//! // v_T = 1 − 2⁻²⁰, and dF/du = (v_T − 3)·(1 − 2⁻²⁰).
//! let vt = 1.0 - 0.5_f64.powi(20);
//! assert!((h.gradient[0].data()[0] - (vt - 3.0) * vt).abs() < 1e-12);
//! # Ok::<(), bilevel::Error>(())
//! ```
#![forbid(unsafe_code)]

mod dynamics;
mod error;
mod method;
mod problem;
mod report;

pub use dynamics::{Dynamics, GradientDescent};
pub use error::{Error, Result};
pub use method::{Hypergradient, Method, Reverse};
pub use problem::{Data, Problem, Recorded};
pub use report::Report;
