//! `Batched<V>`: a value with a mapped axis, `vmap`.

use crate::op::{Op, Padding, Range, SmallList};
use crate::shape::{Axes, Shape};
use crate::tensor::Constant;
use crate::value::Value;

/// Many values of one shape, worked on together: the program sees one of them, the carrier all.
///
/// The mapped axis stands first inside. A value that is the same for all (a weight matrix, a constant) has none, and
/// stays that way through every op that meets only such values.
///
/// ```
/// use autodiff::{Batched, Tensor, Value};
/// // Three dot products with one vector, written for one.
/// let x = Batched::mapped(Tensor::from_rows([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), 0);
/// let w = Batched::shared(Tensor::from([2.0, 3.0]));
/// assert_eq!(x.dot(&w).into_value(0, 3).data(), [2.0, 3.0, 5.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Batched<V> {
    value: V,
    mapped: bool,
}

impl<V: Value> Batched<V> {
    /// A value mapped over one of its axes.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn mapped(value: V, axis: usize) -> Self {
        let rank = value.shape().len();
        assert!(axis < rank, "batch: axis {axis} does not exist, the rank is {rank}");
        if axis == 0 {
            return Self { value, mapped: true };
        }
        let order: Axes = [axis].into_iter().chain((0..rank).filter(|&i| i != axis)).collect();
        Self { value: value.permute(&order), mapped: true }
    }

    /// A value that is the same for all.
    pub fn shared(value: V) -> Self {
        Self { value, mapped: false }
    }

    /// Whether it has a mapped axis.
    pub fn is_mapped(&self) -> bool {
        self.mapped
    }

    /// The value with its mapped axis, of length `size`, put at `axis`; a shared value is repeated.
    ///
    /// # Panics
    /// If the axis is beyond the rank.
    #[track_caller]
    pub fn into_value(self, axis: usize, size: usize) -> V {
        let value = self.front(size);
        let rank = value.shape().len();
        assert!(axis < rank, "batch: the mapped axis cannot stand at {axis}, the rank is {rank}");
        let order: Axes = (1..=axis).chain([0]).chain(axis + 1..rank).collect();
        value.permute(&order)
    }

    /// With the mapped axis in front.
    #[track_caller]
    fn front(&self, size: usize) -> V {
        if self.mapped {
            return self.value.clone();
        }
        let shape: Shape = [size].into_iter().chain(self.value.shape()).collect();
        self.value.broadcast_to(&shape)
    }

    fn size(&self) -> Option<usize> {
        self.mapped.then(|| self.value.shape()[0])
    }
}

/// Axes as the program counts them, behind the mapped one.
fn shifted(axes: &[usize]) -> Axes {
    axes.iter().map(|axis| axis + 1).collect()
}

fn with_front(first: usize, shape: &[usize]) -> Shape {
    [first].into_iter().chain(shape.iter().copied()).collect()
}

impl<V: Value> Value for Batched<V> {
    type Inline = ();
    type Slot<W: Value> = Option<W>;

    fn to_inline(&self) {}

    fn from_inline((): ()) -> Option<Self> {
        None
    }

    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self {
        let Some(size) = args.iter().find_map(|x| x.size()) else {
            return Self::shared(V::apply(op, &args.iter().map(|x| &x.value).collect::<Vec<_>>()));
        };
        for other in args.iter().filter_map(|x| x.size()) {
            assert!(other == size, "batch: {op} meets mapped axes of length {size} and {other}");
        }
        // The op's own complaint, about the shapes that the program sees.
        let shapes: Vec<Shape> = args.iter().map(|x| x.shape()).collect();
        let out = match op.infer_shape(&shapes.iter().map(|s| &s[..]).collect::<Vec<_>>()) {
            Ok(shape) => shape,
            Err(error) => panic!("{error}"),
        };
        let one = |op: Op| V::apply(&op, &[&args[0].value]);
        let all = |op: &Op| {
            let fronts: Vec<V> = args.iter().map(|x| x.front(size)).collect();
            V::apply(op, &fronts.iter().collect::<Vec<_>>())
        };
        let value = match op {
            Op::Unary(_) => one(op.clone()),
            Op::Binary(_) | Op::Select | Op::Solve { .. } | Op::CholeskySolve => all(op),
            Op::Reshape(shape) => one(Op::Reshape(with_front(size, shape))),
            Op::Permute(axes) => one(Op::Permute(with_front(0, &shifted(axes)))),
            Op::Broadcast(shape) => {
                // New axes come between the mapped one and the old ones.
                let x = &args[0].value;
                let old = &shapes[0];
                let ones: Shape = std::iter::repeat_n(1, shape.len() - old.len()).chain(old.iter().copied()).collect();
                x.reshape(&with_front(size, &ones)).broadcast_to(&with_front(size, shape))
            }
            Op::Sum(axes) => one(Op::Sum(shifted(axes))),
            Op::Slice(ranges) => {
                let whole = Range { start: 0, stop: size, step: 1 };
                one(Op::Slice([whole].into_iter().chain(ranges.iter().copied()).collect()))
            }
            Op::Pad(pads) => {
                let none: SmallList<Padding> = [Padding::default()].into_iter().chain(pads.iter().copied()).collect();
                one(Op::Pad(none))
            }
            Op::Concat(axis) => all(&Op::Concat(axis + 1)),
            Op::Stack(axis) => all(&Op::Stack(axis + 1)),
            Op::CumSum { axis, reverse } => one(Op::CumSum { axis: axis + 1, reverse: *reverse }),
            Op::Flip(axes) => one(Op::Flip(shifted(axes))),
            Op::Reduce(reduce, axes) => one(Op::Reduce(*reduce, shifted(axes))),
            Op::MatMul { ta, tb } => matmul(args[0], args[1], *ta, *tb, size),
            // One set of indices for all: the indexed axis just stands one further back.
            Op::Gather(axis) if !args[1].mapped => V::apply(&Op::Gather(axis + 1), &[&args[0].value, &args[1].value]),
            Op::ScatterAdd { axis, len } if !args[1].mapped => {
                V::apply(&Op::ScatterAdd { axis: axis + 1, len: *len }, &[&args[0].value, &args[1].value])
            }
            Op::Call(call) => {
                let mapped: Vec<bool> = args.iter().map(|x| x.mapped).collect();
                let batched = call.batch(size, &mapped).unwrap_or_else(|error| panic!("batch: {error}"));
                V::apply(&Op::Call(batched), &args.iter().map(|x| &x.value).collect::<Vec<_>>())
            }
            // Indices of their own, or a user's op that knows nothing of batches: example by example.
            Op::Gather(_) | Op::ScatterAdd { .. } | Op::Custom(_) => {
                let fronts: Vec<V> = args.iter().map(|x| x.front(size)).collect();
                let results: Vec<V> = (0..size)
                    .map(|b| {
                        let example: Vec<V> = fronts.iter().map(|x| x.at(0, b)).collect();
                        V::apply(op, &example.iter().collect::<Vec<_>>())
                    })
                    .collect();
                if results.is_empty() {
                    fronts[0].sum_all().zeros_like().broadcast_to(&with_front(0, &out))
                } else {
                    V::stack(&results.iter().collect::<Vec<_>>(), 0)
                }
            }
        };
        debug_assert_eq!(value.shape(), with_front(size, &out), "batch rule of {op}");
        Self { value, mapped: true }
    }

    fn shape(&self) -> Shape {
        let shape = self.value.shape();
        if self.mapped { Shape::from_slice(&shape[1..]) } else { shape }
    }

    #[track_caller]
    fn lift(&self, constant: &Constant) -> Self {
        Self::shared(self.value.lift(constant))
    }

    fn literal(c: f64) -> Option<Self> {
        V::literal(c).map(Self::shared)
    }

    fn is_finite(&self) -> bool {
        self.value.is_finite()
    }
}

/// A product with a mapped side; a shared right side makes it one tall product.
#[track_caller]
fn matmul<V: Value>(a: &Batched<V>, b: &Batched<V>, ta: bool, tb: bool, size: usize) -> V {
    let rank = a.shape().len();
    if a.mapped && !b.mapped && rank == 2 {
        return a.value.matmul_with(&b.value, ta, tb);
    }
    V::apply(&Op::MatMul { ta, tb }, &[&a.front(size), &b.front(size)])
}
