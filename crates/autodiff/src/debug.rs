//! Where the first NaN or infinity came from: the op and the caller's line.

use crate::error::Result;
use crate::op::Op;
use crate::program::SourceLine;
use crate::shape::Shape;
use crate::tape::{Source, Tape};
use crate::tensor::Constant;
use crate::value::Value;
use crate::var::Var;
use std::fmt;

/// A carrier whose every operation is kept with its line, scalars too; otherwise it is what it wraps.
#[derive(Clone, Debug)]
pub struct Traced<V>(V);

impl<V> Traced<V> {
    /// The value.
    pub fn into_value(self) -> V {
        self.0
    }
}

impl<V: Value> Value for Traced<V> {
    type Inline = ();
    type Slot<W: Value> = Option<W>;

    fn to_inline(&self) {}

    fn from_inline((): ()) -> Option<Self> {
        None
    }

    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self {
        Self(V::apply(op, &args.iter().map(|x| &x.0).collect::<Vec<_>>()))
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }

    #[track_caller]
    fn lift(&self, constant: &Constant) -> Self {
        Self(self.0.lift(constant))
    }

    fn literal(c: f64) -> Option<Self> {
        V::literal(c).map(Self)
    }

    fn is_finite(&self) -> bool {
        self.0.is_finite()
    }
}

/// What became NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The result of the op.
    Value,
    /// A cotangent that the op's derivative passed on, while all values were finite.
    Derivative,
}

/// The first place where a number stopped being finite.
#[derive(Clone, Debug)]
pub struct NonFinite {
    /// The op, or `input` or `constant` for a number that was not finite to begin with.
    pub op: String,
    /// Value or derivative.
    pub what: What,
    /// The line that called the op.
    pub line: SourceLine,
    /// The op's arguments, printed.
    pub args: Vec<String>,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Value => "the value",
            What::Derivative => "the derivative",
        };
        write!(f, "{what} of `{}` at {} is not finite", self.op, self.line)?;
        if !self.args.is_empty() {
            write!(f, "; its arguments: {}", self.args.join(", "))?;
        }
        Ok(())
    }
}

/// Looks for the first NaN or infinity in the value of a scalar function and, if there is none, in its gradient.
///
/// ```
/// use autodiff::{Value, debug::{What, first_non_finite}};
/// let found = first_non_finite(|x| (x[0] - x[1]).sqrt() * 2.0, &[1.0, 1.0])?.expect("√ has an infinite slope at 0");
/// assert_eq!((found.op.as_str(), found.what), ("sqrt", What::Derivative));
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// Time: that of an eager gradient over arrays, and one look at every number; for debugging, not for loops.
///
/// # Errors
/// None of its own.
pub fn first_non_finite<V: Value, F>(f: F, x: &[V]) -> Result<Option<NonFinite>>
where
    F: for<'t> FnOnce(&[Var<'t, Traced<V>>]) -> Var<'t, Traced<V>>,
{
    Tape::scope(|tape| {
        let inputs: Vec<Var<'_, Traced<V>>> = x.iter().map(|x| tape.var(Traced(x.clone()))).collect();
        let y = f(&inputs);
        let describe = |place: usize, what: What| {
            tape.with_entries(|entries| {
                let entry = &entries[place];
                let op = match &entry.source {
                    Source::Leaf => "input".to_owned(),
                    Source::Constant(_) => "constant".to_owned(),
                    Source::Op(op) => op.to_string(),
                };
                let args = entry.args.iter().map(|&a| format!("{:?}", entries[a as usize].value.0)).collect();
                let line = SourceLine { file: entry.location.file().to_owned(), line: entry.location.line() };
                NonFinite { op, what, line, args }
            })
        };
        let value = tape.with_entries(|entries| entries.iter().position(|entry| !entry.value.is_finite()));
        if let Some(place) = value {
            return Ok(Some(describe(place, What::Value)));
        }
        let mut found = None;
        let one = y.value().ones_like();
        let wrt: Vec<u32> = inputs.iter().map(Var::index).collect();
        tape.reverse(&[(y.index(), one)], &wrt, &mut |place, part| {
            if found.is_none() && !part.is_finite() {
                found = Some(place);
            }
        });
        Ok(found.map(|place| describe(place as usize, What::Derivative)))
    })
}
