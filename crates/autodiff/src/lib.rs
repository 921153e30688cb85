#![doc = include_str!("../README.md")]

pub mod check;
pub mod debug;
pub mod op;
pub mod shape;
pub mod sparse;

mod abstract_value;
mod batched;
mod checkpoint;
mod compile;
mod derivative;
mod dual;
mod dual_n;
mod error;
mod interop;
mod kernel;
mod matmul;
mod operators;
#[cfg(feature = "parallel")]
mod pool;
mod program;
mod rules;
mod scalar;
mod scan;
mod slot;
mod tape;
mod tensor;
mod value;
mod var;

pub use abstract_value::Abstract;
pub use batched::Batched;
pub use checkpoint::checkpoint;
pub use compile::{CompileOptions, Executable, Profile};
pub use derivative::{
    Failure, Nested, derivative, grad, grad_or_zeros, hessian, hvp, jacobian, jvp, nth_derivative, try_derivative,
    try_grad, try_hessian, try_hvp, try_jacobian, try_jvp, try_nth_derivative, try_value_and_grad, try_vjp,
    value_and_grad, vjp,
};
pub use dual::Dual;
pub use dual_n::DualN;
pub use error::{Error, Result};
pub use op::{Call, Compare, Custom, Op};
pub use program::{Counts, Disconnected, Kind, Node, Program, SourceLine};
pub use scalar::Element;
pub use scan::{CompiledScan, Scan, ScanGradient, ScanInputs, ScanRun, Storage, next_kept};
pub use shape::{Axes, Shape};
pub use tape::Tape;
pub use tensor::{Constant, Tensor};
pub use value::Value;
pub use var::Var;
