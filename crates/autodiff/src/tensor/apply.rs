//! `Tensor` as a carrier: each op to its kernel.

use super::{Constant, Tensor, linalg, movement, pointwise, reduce};
use crate::op::{Binary, Op, Unary};
use crate::scalar::Element;
use crate::shape::Shape;
use crate::value::Value;

impl<E: Element> Value for Tensor<E> {
    type Inline = ();
    type Slot<W: Value> = Option<W>;

    fn to_inline(&self) {}

    fn from_inline((): ()) -> Option<Self> {
        None
    }

    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self {
        let shape = infer(op, args);
        match (op, args) {
            (Op::Unary(op), [x]) => pointwise::unary(*op, x),
            (Op::Binary(op), [a, b]) => pointwise::binary(*op, a, b),
            (Op::Select, [mask, a, b]) => pointwise::select(mask, a, b),
            (Op::Reshape(_), [x]) => Self { shape, data: x.data.clone(), offset: x.offset },
            (Op::Permute(axes), [x]) => movement::permute(x, axes, shape),
            (Op::Broadcast(_), [x]) => movement::broadcast(x, shape),
            (Op::Slice(ranges), [x]) => movement::slice(x, ranges, shape),
            (Op::Pad(pads), [x]) => movement::pad(x, pads, shape),
            (Op::Concat(axis), parts) => movement::concat(parts, *axis, shape),
            (Op::Stack(axis), parts) => movement::stack(parts, *axis, shape),
            (Op::Gather(axis), [x, indices]) => movement::gather(x, indices, *axis, shape),
            (Op::ScatterAdd { axis, .. }, [updates, indices]) => movement::scatter_add(updates, indices, *axis, shape),
            (Op::Flip(axes), [x]) => movement::flip(x, axes),
            (Op::Sum(axes), [x]) => reduce::sum(x, axes, shape),
            (Op::CumSum { axis, reverse }, [x]) => reduce::cumsum(x, *axis, *reverse),
            (Op::Reduce(op, axes), [x]) => reduce::reduce(*op, x, axes, shape),
            (Op::MatMul { ta, tb }, [a, b]) => linalg::matmul(a, b, *ta, *tb, shape),
            (Op::Solve { transpose }, [a, b]) => linalg::solve(a, b, *transpose),
            (Op::CholeskySolve, [a, b]) => linalg::cholesky_solve(a, b),
            (Op::Call(call), args) => {
                let inputs: Vec<Self> = args.iter().map(|&x| x.clone()).collect();
                call.program().interpret(&inputs).swap_remove(call.output())
            }
            (Op::Custom(custom), args) => custom.value(&args.iter().map(|x| x.cast()).collect::<Vec<_>>()).cast(),
            _ => unreachable!("{op}: the arity was checked with the shapes"),
        }
    }

    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn lift(&self, constant: &Constant) -> Self {
        constant.to_tensor()
    }

    fn literal(c: f64) -> Option<Self> {
        Some(Self::scalar(E::from_f64(c)))
    }

    fn is_finite(&self) -> bool {
        self.data().iter().all(Value::is_finite)
    }

    #[track_caller]
    fn unary(op: impl Fn() -> Unary + Copy, x: &Self) -> Self {
        pointwise::unary(op(), x)
    }

    #[track_caller]
    fn binary(op: impl Fn() -> Binary + Copy, a: &Self, b: &Self) -> Self {
        infer(&Op::Binary(op()), &[a, b]);
        pointwise::binary(op(), a, b)
    }
}

#[track_caller]
fn infer<E: Element>(op: &Op, args: &[&Tensor<E>]) -> Shape {
    let shapes: smallvec::SmallVec<[&[usize]; 3]> = args.iter().map(|x| x.dims()).collect();
    match op.infer_shape(&shapes) {
        Ok(shape) => shape,
        Err(error) => panic!("{error}"),
    }
}
