//! Products and solves for any rank: reduces what a user writes to the ops' stacks of matrices.

use crate::op::Op;
use crate::shape::{Shape, broadcast, size};
use crate::value::Value;

/// `A·B` over the last two axes, with vectors and leading axes as NumPy treats them.
#[track_caller]
pub(crate) fn matmul<V: Value>(a: &V, b: &V, ta: bool, tb: bool) -> V {
    let (sa, sb) = (a.shape(), b.shape());
    let op = Op::MatMul { ta, tb };
    match (sa.len(), sb.len()) {
        (0, _) | (_, 0) => V::apply(&op, &[a, b]),
        (1, 1) => {
            let product =
                V::apply(&Op::MatMul { ta: false, tb: false }, &[&a.reshape(&[1, sa[0]]), &b.reshape(&[sb[0], 1])]);
            product.reshape(&[])
        }
        (1, _) => {
            let row = matmul(&a.reshape(&[1, sa[0]]), b, false, tb);
            let shape = row.shape();
            row.reshape(&crate::shape::without(&shape, &[shape.len() - 2]))
        }
        (_, 1) => {
            let column = matmul(a, &b.reshape(&[sb[0], 1]), ta, false);
            let shape = column.shape();
            column.reshape(&shape[..shape.len() - 1])
        }
        (ra, rb) if sa[..ra - 2] == sb[..rb - 2] => V::apply(&op, &[a, b]),
        // A stack times one matrix is one tall product.
        (ra, 2) if !ta => {
            let tall = V::apply(&op, &[&a.reshape(&[size(&sa[..ra - 1]), sa[ra - 1]]), b]);
            let columns = tall.shape()[1];
            tall.reshape(&[&sa[..ra - 1], &[columns]].concat())
        }
        (ra, rb) => {
            let Some(lead) = broadcast(&sa[..ra - 2], &sb[..rb - 2]) else { return V::apply(&op, &[a, b]) };
            let full = |s: &[usize]| -> Shape { lead.iter().chain(&s[s.len() - 2..]).copied().collect() };
            V::apply(&op, &[&a.broadcast_to(&full(&sa)), &b.broadcast_to(&full(&sb))])
        }
    }
}

/// `A⁻¹·b` for a matrix or a vector `b`.
#[track_caller]
pub(crate) fn solve<V: Value>(op: &Op, a: &V, b: &V) -> V {
    let (sa, sb) = (a.shape(), b.shape());
    if sa.len() == sb.len() + 1 {
        let column: Shape = sb.iter().copied().chain([1]).collect();
        return V::apply(op, &[a, &b.reshape(&column)]).reshape(&sb);
    }
    V::apply(op, &[a, b])
}
