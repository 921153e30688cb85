//! What can go wrong with data, shapes and connections; programmer errors in an operator panic with the same texts.

use crate::shape::Shape;
use std::error::Error as StdError;

/// Everything that `autodiff` returns as an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The arguments' shapes do not fit an op.
    #[error("{op}: {reason} (shapes {})", shape_list(.shapes))]
    Shape {
        /// The op's name.
        op: String,
        /// The arguments' shapes.
        shapes: Vec<Shape>,
        /// What does not fit, and what would.
        reason: String,
    },
    /// The number of elements does not match a shape.
    #[error("shape {shape:?} holds {} elements, but {len} were given", shape.iter().map(|&n| n as f64).product::<f64>())]
    Length {
        /// The shape asked for.
        shape: Shape,
        /// The number of elements given.
        len: usize,
    },
    /// An input does not reach the output, so it has no derivative there (which is not the same as a derivative of zero).
    #[error(
        "input {inputs:?} does not reach output {output}: there is no derivative, not even zero; \
         ask for zeros on purpose with `Disconnected::Zeros`, or check that the closure uses the input"
    )]
    Disconnected {
        /// Positions of the inputs.
        inputs: Vec<usize>,
        /// Position of the output.
        output: usize,
    },
    /// The output to differentiate is not a scalar.
    #[error(
        "a gradient needs a scalar output, but output {output} has shape {shape:?}; reduce it (`sum_all`, `mean_all`) or use `vjp`"
    )]
    NotScalar {
        /// Position of the output.
        output: usize,
        /// Its shape.
        shape: Shape,
    },
    /// The wrong number of inputs, tangents, cotangents or axes.
    #[error("{what}: {expected} expected, {given} given")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        given: usize,
    },
    /// An input has another shape than the program was recorded for.
    #[error("{what} {index} has shape {given:?}; the program was recorded for {expected:?}")]
    Input {
        /// Input, tangent or cotangent.
        what: &'static str,
        /// Its position.
        index: usize,
        /// The recorded shape.
        expected: Shape,
        /// The shape given.
        given: Shape,
    },
    /// An index names something that is not there.
    #[error("{what} {index} does not exist: there are {len}")]
    Index {
        /// What was indexed.
        what: &'static str,
        /// The index.
        index: usize,
        /// The number of things.
        len: usize,
    },
    /// The same thing is named twice where it can be named once.
    #[error("{what} {index} is named twice")]
    Repeated {
        /// What was named.
        what: &'static str,
        /// Its index.
        index: usize,
    },
    /// The user's closure failed.
    #[error("the differentiated closure failed: {0}")]
    Closure(#[source] Box<dyn StdError + Send + Sync>),
}

fn shape_list(shapes: &[Shape]) -> String {
    shapes.iter().map(|s| format!("{s:?}")).collect::<Vec<_>>().join(", ")
}

/// `Result` with this crate's [`Error`](enum@Error).
pub type Result<T> = std::result::Result<T, Error>;
