//! `Program`: a recorded computation, frozen. It can be run over any carrier, transformed, counted and printed.

mod count;
mod jacobian;
mod print;
mod record;
mod run;
mod simplify;
mod split;
mod transform;

pub use count::Counts;
pub(crate) use record::closure_error;
pub(crate) use simplify::places_of_needed;
pub use transform::Disconnected;

use crate::op::Op;
use crate::shape::Shape;
use crate::tensor::Constant;
use smallvec::SmallVec;
use std::fmt;

/// A place in a program.
pub(crate) type Place = u32;

/// What a node of a program is.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Kind {
    /// The input with this position.
    Input(usize),
    /// A constant array.
    Constant(Constant),
    /// The result of an op.
    Op(Op),
}

/// A line of source code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SourceLine {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One value of a program, in single-assignment form.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    kind: Kind,
    args: SmallVec<[Place; 2]>,
    shape: Shape,
    #[cfg_attr(feature = "serde", serde(skip))]
    location: Option<&'static std::panic::Location<'static>>,
}

impl Node {
    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The places of its arguments, all earlier than its own.
    pub fn args(&self) -> &[u32] {
        &self.args
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The line that recorded it, if known.
    pub fn location(&self) -> Option<SourceLine> {
        self.location.map(|l| SourceLine { file: l.file().to_owned(), line: l.line() })
    }
}

/// A recorded computation in single-assignment form: immutable, `Send + Sync`, for fixed shapes and any carrier.
///
/// A closure over [`Var`](crate::Var) is recorded once, without computing; the program then runs over any carrier, so
/// the closure has become generic: over `f64` or `Tensor` it evaluates, over `Dual` it is forward mode, over `Var`
/// reverse mode. Transforms make new programs and compose with each other.
///
/// ```
/// use autodiff::{Program, Value};
/// // x ↦ sin(x₀)·x₁
/// let f = Program::record(&[&[], &[]], |x| x[0].sin() * x[1])?;
/// assert_eq!(f.run(&[0.5, 2.0])?, [0.5_f64.sin() * 2.0]);
/// let g = f.grad(&[0, 1])?;                   // ∇f, as a program
/// assert_eq!(g.run(&[0.5, 2.0])?, [2.0 * 0.5_f64.cos(), 0.5_f64.sin()]);
/// let h = f.hvp(&[0, 1])?;                    // (x, v) ↦ ∇²f·v
/// assert_eq!(h.run(&[0.5, 2.0, 1.0, 0.0])?, [-2.0 * 0.5_f64.sin(), 0.5_f64.cos()]);
/// # Ok::<(), autodiff::Error>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Parts", into = "Parts"))]
pub struct Program {
    nodes: Vec<Node>,
    inputs: Vec<Place>,
    outputs: Vec<Place>,
}

impl Program {
    /// The shapes of the inputs.
    pub fn input_shapes(&self) -> Vec<Shape> {
        self.inputs.iter().map(|&i| self.nodes[i as usize].shape.clone()).collect()
    }

    /// The shapes of the outputs.
    pub fn output_shapes(&self) -> Vec<Shape> {
        self.outputs.iter().map(|&i| self.nodes[i as usize].shape.clone()).collect()
    }

    /// The values in order, arguments before results.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The places of the outputs among the nodes.
    pub fn outputs(&self) -> &[u32] {
        &self.outputs
    }

    /// The number of ops (inputs and constants do not count).
    pub fn len(&self) -> usize {
        self.nodes.iter().filter(|n| matches!(n.kind, Kind::Op(_))).count()
    }

    /// Whether no op is recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For each node, the place of the last node that uses it, `u32::MAX` for outputs.
    pub(crate) fn last_uses(&self) -> Vec<Place> {
        let mut last: Vec<Place> = (0..self.nodes.len() as Place).collect();
        for (i, node) in self.nodes.iter().enumerate() {
            for &arg in &node.args {
                last[arg as usize] = i as Place;
            }
        }
        for &output in &self.outputs {
            last[output as usize] = Place::MAX;
        }
        last
    }
}

/// A program as it is written down; reading it back checks it.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Parts {
    nodes: Vec<Node>,
    inputs: Vec<Place>,
    outputs: Vec<Place>,
}

#[cfg(feature = "serde")]
impl From<Program> for Parts {
    fn from(program: Program) -> Self {
        Self { nodes: program.nodes, inputs: program.inputs, outputs: program.outputs }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Parts> for Program {
    type Error = crate::error::Error;

    fn try_from(parts: Parts) -> Result<Self, Self::Error> {
        let len = parts.nodes.len();
        let missing = |index: Place| crate::error::Error::Index { what: "program node", index: index as usize, len };
        for (i, node) in parts.nodes.iter().enumerate() {
            if let Some(&late) = node.args.iter().find(|&&arg| arg as usize >= i) {
                return Err(missing(late));
            }
            let expected = match &node.kind {
                Kind::Op(op) => {
                    let shapes: Vec<&[usize]> = node.args.iter().map(|&a| &parts.nodes[a as usize].shape[..]).collect();
                    op.infer_shape(&shapes)?
                }
                Kind::Constant(constant) => constant.shape(),
                // An input stands where the list of inputs says it does.
                Kind::Input(position) if parts.inputs.get(*position) == Some(&(i as Place)) => node.shape.clone(),
                Kind::Input(position) => {
                    return Err(crate::error::Error::Index {
                        what: "program input",
                        index: *position,
                        len: parts.inputs.len(),
                    });
                }
            };
            if expected != node.shape {
                let given = node.shape.clone();
                return Err(crate::error::Error::Input { what: "program node", index: i, expected, given });
            }
        }
        // Inputs stand in order: passes number them as they come.
        if let Some(pair) = parts.inputs.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(missing(pair[1]));
        }
        if parts.inputs.is_empty() {
            return Err(crate::error::Error::Count { what: "program inputs", expected: 1, given: 0 });
        }
        if let Some(&op) = parts
            .inputs
            .iter()
            .find(|&&i| !matches!(parts.nodes.get(i as usize), Some(Node { kind: Kind::Input(_), .. })))
        {
            return Err(missing(op));
        }
        if let Some(&gone) = parts.inputs.iter().chain(&parts.outputs).find(|&&i| i as usize >= len) {
            return Err(missing(gone));
        }
        Ok(Self { nodes: parts.nodes, inputs: parts.inputs, outputs: parts.outputs })
    }
}
