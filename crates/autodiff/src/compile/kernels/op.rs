//! Ops with a kernel of their own: running sums, paddings with gaps, linear systems, users' ops.

use super::super::memory::Bases;
use crate::op::Op;
use crate::scalar::Element;
use crate::shape::{Shape, size};
use crate::tensor::{Tensor, linalg, movement, reduce};
use crate::value::Value;
use smallvec::SmallVec;

/// The op, its shapes and its buffers.
#[derive(Clone, Debug)]
pub(in super::super) struct OpKernel {
    pub(in super::super) op: Op,
    pub(in super::super) args: SmallVec<[u32; 2]>,
    shapes: SmallVec<[Shape; 2]>,
    shape: Shape,
    pub(in super::super) out: u32,
}

impl OpKernel {
    pub(in super::super) fn new(
        op: Op,
        args: SmallVec<[u32; 2]>,
        shapes: SmallVec<[Shape; 2]>,
        shape: Shape,
        out: u32,
    ) -> Self {
        Self { op, args, shapes, shape, out }
    }

    pub(super) fn flops(&self) -> u64 {
        let shapes: SmallVec<[&[usize]; 2]> = self.shapes.iter().map(|s| &s[..]).collect();
        self.op.flops(&shapes, &self.shape)
    }

    /// Elements of scratch: a factorised matrix.
    pub(super) fn scratch(&self) -> usize {
        match self.op {
            Op::Solve { .. } | Op::CholeskySolve => {
                let n = self.shapes[0].last().copied().unwrap_or(0);
                n * n
            }
            _ => 0,
        }
    }

    pub(super) fn run<E: Element>(&self, bases: &Bases<E>, scratch: &mut [E]) {
        // A view of the first elements is the buffer, as far as it goes.
        let arg = |i: usize| &bases.read_all(self.args[i])[..size(&self.shapes[i])];
        let out = bases.write(self.out, 0, size(&self.shape));
        match &self.op {
            Op::CumSum { axis, reverse } => {
                out.copy_from_slice(arg(0));
                reduce::cumsum_in_place(out, &self.shape, *axis, *reverse);
            }
            Op::Pad(pads) => movement::pad_into(arg(0), &self.shapes[0], pads, &self.shape, out),
            Op::Solve { transpose } => {
                out.copy_from_slice(arg(1));
                linalg::solve_in_place(arg(0), &self.shapes[0], out, &self.shape, *transpose, scratch);
            }
            Op::CholeskySolve => {
                out.copy_from_slice(arg(1));
                linalg::cholesky_solve_in_place(arg(0), &self.shapes[0], out, &self.shape, scratch);
            }
            // A user's op takes and gives arrays of its own.
            op => {
                let shapes = self.shapes.iter().enumerate();
                let args: Vec<Tensor<E>> =
                    shapes.map(|(i, shape)| Tensor::from_parts(shape.clone(), arg(i).to_vec())).collect();
                out.copy_from_slice(Tensor::apply(op, &args.iter().collect::<Vec<_>>()).data());
            }
        }
    }
}
