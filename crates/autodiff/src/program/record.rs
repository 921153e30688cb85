//! Recording closures.

use super::{Kind, Node, Program};
use crate::abstract_value::Abstract;
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tape::{Source, Tape};
use crate::value::Value;
use crate::var::Var;
use std::convert::Infallible;
use std::error::Error as StdError;

impl Program {
    /// Records a closure with one output for inputs of these shapes. Nothing is computed.
    ///
    /// Time and memory: linear in the number of ops.
    ///
    /// # Errors
    /// [`Error::Count`] without inputs.
    ///
    /// # Panics
    /// Where the closure's shapes do not fit, with the op, the shapes and the caller's line.
    pub fn record<F>(shapes: &[&[usize]], f: F) -> Result<Self>
    where
        F: for<'t> FnOnce(&[Var<'t, Abstract>]) -> Var<'t, Abstract>,
    {
        Self::record_many(shapes, |x| vec![f(x)])
    }

    /// [`record`](Program::record) for a closure with several outputs.
    ///
    /// # Errors
    /// [`Error::Count`] without inputs.
    pub fn record_many<F>(shapes: &[&[usize]], f: F) -> Result<Self>
    where
        F: for<'t> FnOnce(&[Var<'t, Abstract>]) -> Vec<Var<'t, Abstract>>,
    {
        let shapes: Vec<Shape> = shapes.iter().map(|s| Shape::from_slice(s)).collect();
        Self::record_shapes(&shapes, f)
    }

    /// [`record_many`](Program::record_many) with owned shapes.
    ///
    /// # Errors
    /// [`Error::Count`] without inputs.
    pub fn record_shapes<F>(shapes: &[Shape], f: F) -> Result<Self>
    where
        F: for<'t> FnOnce(&[Var<'t, Abstract>]) -> Vec<Var<'t, Abstract>>,
    {
        Self::try_record_shapes(shapes, |x| Ok::<_, Infallible>(f(x)))
    }

    /// [`record_shapes`](Program::record_shapes) for a closure that can fail.
    ///
    /// # Errors
    /// [`Error::Count`] without inputs, [`Error::Closure`] if the closure fails.
    pub fn try_record_shapes<F, E>(shapes: &[Shape], f: F) -> Result<Self>
    where
        F: for<'t> FnOnce(&[Var<'t, Abstract>]) -> std::result::Result<Vec<Var<'t, Abstract>>, E>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        if shapes.is_empty() {
            return Err(Error::Count {
                what: "inputs of a program (at least one, to record on)",
                expected: 1,
                given: 0,
            });
        }
        Tape::scope(|tape| {
            let inputs: Vec<_> = shapes.iter().map(|shape| tape.var(Abstract::new(shape))).collect();
            let outputs = f(&inputs).map_err(|e| closure_error(e.into()))?;
            Ok(freeze(tape, &inputs, &outputs))
        })
    }
}

/// The closure's error; one of ours is passed on as it is.
pub(crate) fn closure_error(error: Box<dyn StdError + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => *ours,
        Err(theirs) => Error::Closure(theirs),
    }
}

/// What is on the tape, as a program, without what no output needs.
fn freeze<'t>(tape: Tape<'t, Abstract>, inputs: &[Var<'t, Abstract>], outputs: &[Var<'t, Abstract>]) -> Program {
    tape.with_entries(|entries| {
        let nodes = entries.iter().enumerate().map(|(i, entry)| Node {
            kind: match &entry.source {
                Source::Constant(constant) => Kind::Constant(constant.clone()),
                Source::Op(op) => Kind::Op(op.clone()),
                // The inputs were put on the tape first, in order.
                Source::Leaf if i < inputs.len() => Kind::Input(i),
                Source::Leaf => panic!("record: a shape without data is no constant; use `constant` with an array"),
            },
            args: entry.args.clone(),
            shape: entry.value.shape(),
            location: Some(entry.location),
        });
        let program = Program {
            nodes: nodes.collect(),
            inputs: inputs.iter().map(Var::index).collect(),
            outputs: outputs.iter().map(Var::index).collect(),
        };
        program.without_dead_code()
    })
}
