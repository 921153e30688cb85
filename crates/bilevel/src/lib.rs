#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod archive;
mod choose;
mod clock;
mod compare;
mod costs;
mod data;
mod dynamics;
mod error;
mod estimate;
mod inner;
mod kind;
mod krylov;
mod ledger;
mod method;
mod minimize;
mod mover;
mod problem;
mod programs;
mod report;
mod session;
mod solve;
mod state;
mod vector;

pub use archive::{Archive, write_whole};
pub use choose::{Budget, Choice, choose};
pub use compare::{COORDINATES, Comparison, Reference, Row};
pub use costs::{Costs, costs, costs_in_turn};
pub use data::{Batches, Data, Rows, Source};
pub use dynamics::{
    Adam, Dynamics, GradientDescent, Hyper, Link, Map, Momentum, Nesterov, Projected, RmsProp, Set, Step, Upper,
};
pub use error::{Error, Result};
pub use inner::{How, Inner};
pub use method::{
    Amigo, Ask, AugmentedLagrangian, Bome, Descent, F2sa, FiniteDifference, FirstOrder, FixedPoint, FixedPointSolver,
    Forward, Hypergradient, Implicit, Keep, LinearSolver, Memory, Method, Mrbo, MultiplierStep, Online, Pbgd, Penalty,
    Repeated, Reverse, Reversible, Saba, Saddle, Schedule, Soba, StocBio, VirtualStep, Window, example_weights,
};
pub use problem::{Problem, Symbol};
pub use report::{Counts, ErrorEstimate, Report};
pub use solve::{Event, Options, Solver};
