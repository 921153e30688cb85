//! `Abstract`: a shape and no data, to record programs without computing.

use crate::op::Op;
use crate::shape::Shape;
use crate::tensor::Constant;
use crate::value::Value;

/// A shape without data. Interpreting an op on it checks and infers shapes, nothing else.
///
/// Recording a closure over `Var<'_, Abstract>` gives its program without computing anything, with shape errors at
/// the caller's line. There is no value to look at, so a closure that branches on values cannot be recorded this way;
/// use [`Value::select`], or an eager tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abstract {
    shape: Shape,
}

impl Abstract {
    /// A value of this shape.
    pub fn new(shape: &[usize]) -> Self {
        Self { shape: Shape::from_slice(shape) }
    }
}

impl Value for Abstract {
    type Inline = ();
    type Slot<W: Value> = Option<W>;

    fn to_inline(&self) {}

    fn from_inline((): ()) -> Option<Self> {
        None
    }

    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self {
        let shapes: smallvec::SmallVec<[&[usize]; 4]> = args.iter().map(|x| &x.shape[..]).collect();
        match op.infer_shape(&shapes) {
            Ok(shape) => Self { shape },
            Err(error) => panic!("{error}"),
        }
    }

    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn lift(&self, constant: &Constant) -> Self {
        Self { shape: constant.shape() }
    }

    fn literal(_: f64) -> Option<Self> {
        Some(Self::new(&[]))
    }

    fn is_finite(&self) -> bool {
        true
    }
}
