#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod data;
mod dynamics;
mod error;
mod estimate;
mod inner;
mod krylov;
mod method;
mod minimize;
mod mover;
mod problem;
mod programs;
mod report;
mod session;
mod vector;

pub use data::{Batches, Data, Rows, Source};
pub use dynamics::{
    Adam, Dynamics, GradientDescent, Hyper, Link, Map, Momentum, Nesterov, Projected, RmsProp, Set, Step, Upper,
};
pub use error::{Error, Result};
pub use inner::{How, Inner};
pub use method::{
    Amigo, Ask, AugmentedLagrangian, Bome, Descent, F2sa, FiniteDifference, FixedPoint, FixedPointSolver, Forward,
    Hypergradient, Implicit, Keep, Memory, Method, Mrbo, MultiplierStep, Online, Pbgd, Penalty, Reverse, Reversible, Saba,
    Saddle, Schedule, Soba, Solver, StocBio, VirtualStep, Window, example_weights,
};
pub use problem::{Problem, Symbol};
pub use report::{Counts, ErrorEstimate, Report};
