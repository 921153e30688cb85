//! A recorded program as one op.

use crate::error::Error;
use crate::program::{Disconnected, Program};
use crate::shape::Shape;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// One output of a recorded program, as an op: nothing inside is kept for the reverse pass, which runs the program again.
///
/// Made by [`checkpoint`](crate::checkpoint).
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Parts", into = "Parts"))]
pub struct Call {
    inner: Arc<Inner>,
    output: usize,
}

struct Inner {
    program: Program,
    /// The programs of tangents, by which arguments have one.
    tangents: Mutex<HashMap<Vec<bool>, Arc<Tangent>>>,
}

/// A program's JVP, and which of its outputs any of the given tangents reaches.
struct Tangent {
    inner: Arc<Inner>,
    connected: Vec<bool>,
}

impl Tangent {
    fn of(program: &Program, present: &[bool]) -> Self {
        let wrt: Vec<usize> = (0..present.len()).filter(|&i| present[i]).collect();
        let jvp = program
            .jvp_with(&wrt, Disconnected::Zeros)
            .unwrap_or_else(|error| unreachable!("tangents of a checkpoint: {error}"));
        let reached = |&output: &u32| {
            let one = program.with_outputs(vec![output]);
            !matches!(one.jvp(&wrt), Err(Error::Disconnected { .. }))
        };
        Self { inner: Inner::new(jvp), connected: program.outputs().iter().map(reached).collect() }
    }
}

impl Inner {
    fn new(program: Program) -> Arc<Self> {
        Arc::new(Self { program, tangents: Mutex::default() })
    }
}

impl Call {
    /// One op for each output of the program.
    pub fn outputs(program: Program) -> Vec<Self> {
        let count = program.outputs().len();
        let inner = Inner::new(program);
        (0..count).map(|output| Self { inner: Arc::clone(&inner), output }).collect()
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.inner.program
    }

    /// Which of its outputs the op is.
    pub fn output(&self) -> usize {
        self.output
    }

    pub(crate) fn arity(&self) -> usize {
        self.program().input_shapes().len()
    }

    pub(crate) fn infer_shape(&self, args: &[&[usize]]) -> crate::error::Result<Shape> {
        let len = self.program().outputs().len();
        if self.output >= len {
            return Err(Error::Index { what: "output of a checkpoint", index: self.output, len });
        }
        for (index, (expected, given)) in self.program().input_shapes().into_iter().zip(args).enumerate() {
            if expected[..] != **given {
                let given = Shape::from_slice(given);
                return Err(Error::Input { what: "input of a checkpoint", index, expected, given });
            }
        }
        Ok(self.program().output_shapes().swap_remove(self.output))
    }

    pub(crate) fn flops(&self) -> u64 {
        self.program().counts().flops
    }

    /// The op that gives the tangent, from the arguments and the tangents that are there; `None` if it is zero.
    pub(crate) fn tangent(&self, present: &[bool]) -> Option<Self> {
        let cached = self.inner.tangents.lock().unwrap_or_else(PoisonError::into_inner).get(present).cloned();
        let tangent = cached.unwrap_or_else(|| {
            let tangent = Arc::new(Tangent::of(self.program(), present));
            let mut cache = self.inner.tangents.lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert(present.to_vec(), Arc::clone(&tangent));
            tangent
        });
        let output = self.program().outputs().len() + self.output;
        tangent.connected[self.output].then(|| Self { inner: Arc::clone(&tangent.inner), output })
    }

    /// The op over a batch.
    pub(crate) fn batch(&self, size: usize, mapped: &[bool]) -> crate::error::Result<Self> {
        let in_axes: Vec<Option<usize>> = mapped.iter().map(|&m| m.then_some(0)).collect();
        let out_axes = vec![0; self.program().outputs().len()];
        let program = self.program().batch(size, &in_axes, &out_axes)?;
        Ok(Self { inner: Inner::new(program), output: self.output })
    }
}

/// A call as it is written down.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Parts {
    program: Program,
    output: usize,
}

#[cfg(feature = "serde")]
impl From<Call> for Parts {
    fn from(call: Call) -> Self {
        Self { program: call.program().clone(), output: call.output }
    }
}

#[cfg(feature = "serde")]
impl From<Parts> for Call {
    fn from(parts: Parts) -> Self {
        Self { inner: Inner::new(parts.program), output: parts.output }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call(output {} of {} ops)", self.output, self.program().len())
    }
}

/// Two calls are equal if they are the same output of the same recording.
impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) && self.output == other.output
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.inner).hash(state);
        self.output.hash(state);
    }
}
