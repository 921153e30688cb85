//! Ops that are linear in an argument: their transposes. Their tangent is the op itself.

use super::reduction::expand;
use crate::op::{Op, Padding, Range, SmallList};
use crate::shape::inverse_permutation;
use crate::value::Value;

/// The tangent of a linear or bilinear op: the op applied to the tangents.
#[track_caller]
pub(crate) fn jvp<V: Value>(op: &Op, args: &[&V], tangents: &[Option<&V>]) -> Option<V> {
    match (op, args) {
        // Linear in each argument by itself: one term for each tangent.
        (Op::MatMul { .. }, [a, b]) => {
            super::add_parts(tangents[0].map(|ta| V::apply(op, &[ta, b])), tangents[1].map(|tb| V::apply(op, &[a, tb])))
        }
        // Linear in the first argument; the second holds indices.
        (Op::Gather(_) | Op::ScatterAdd { .. }, [_, indices]) => Some(V::apply(op, &[tangents[0]?, indices])),
        // Linear in the last two together; the mask has no derivative.
        (Op::Select, [mask, a, b]) => {
            if tangents[1..].iter().all(Option::is_none) {
                return None;
            }
            let or_zeros = |t: Option<&V>, x: &V| t.map_or_else(|| x.zeros_like(), Clone::clone);
            Some(V::apply(op, &[mask, &or_zeros(tangents[1], a), &or_zeros(tangents[2], b)]))
        }
        // Linear in all arguments together.
        _ => {
            let parts: Vec<V> =
                tangents.iter().zip(args).map(|(t, x)| t.map_or_else(|| x.zeros_like(), Clone::clone)).collect();
            Some(V::apply(op, &parts.iter().collect::<Vec<_>>()))
        }
    }
}

/// The transpose of `args[i] ↦ op(args)`, applied to a cotangent; `None` if the op does not depend on that argument
/// smoothly (masks and indices).
#[track_caller]
pub(crate) fn transpose<V: Value>(op: &Op, i: usize, args: &[&V], ct: &V) -> Option<V> {
    let shape = args[i].shape();
    Some(match op {
        Op::Reshape(_) => ct.reshape(&shape),
        Op::Permute(axes) => ct.permute(&inverse_permutation(axes)),
        Op::Broadcast(_) => ct.sum_to(&shape),
        Op::Sum(axes) => expand(ct, axes, &shape),
        Op::Slice(ranges) => ct.pad(&padding_of(ranges, &shape)),
        Op::Pad(pads) => ct.slice(&ranges_of(pads, &shape)),
        Op::Concat(axis) => {
            let start: usize = args[..i].iter().map(|a| a.shape()[*axis]).sum();
            ct.slice_axis(*axis, start..start + shape[*axis])
        }
        Op::Stack(axis) => ct.at(*axis, i),
        Op::Gather(axis) if i == 0 => V::apply(&Op::ScatterAdd { axis: *axis, len: shape[*axis] }, &[ct, args[1]]),
        Op::ScatterAdd { axis, .. } if i == 0 => ct.gather(args[1], *axis),
        Op::CumSum { axis, reverse } => V::apply(&Op::CumSum { axis: *axis, reverse: !reverse }, &[ct]),
        Op::Flip(axes) => ct.flip(axes),
        Op::Select if i == 1 => V::apply(op, &[args[0], ct, &ct.zeros_like()]),
        Op::Select if i == 2 => V::apply(op, &[args[0], &ct.zeros_like(), ct]),
        Op::MatMul { ta, tb } => {
            let product = |a: &V, b: &V, ta: bool, tb: bool| V::apply(&Op::MatMul { ta, tb }, &[a, b]);
            // C = A·B: Ā = C̄·Bᵀ and B̄ = Aᵀ·C̄; an argument that was read as transposed gets the transpose of that.
            match (i, ta, tb) {
                (0, false, _) => product(ct, args[1], false, !tb),
                (0, true, _) => product(args[1], ct, *tb, true),
                (_, _, false) => product(args[0], ct, !ta, false),
                (_, _, true) => product(ct, args[0], true, *ta),
            }
        }
        Op::Select | Op::Gather(_) | Op::ScatterAdd { .. } => return None,
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Reduce(..)
        | Op::Solve { .. }
        | Op::CholeskySolve
        | Op::Call(_)
        | Op::Custom(_) => {
            unreachable!("{op} is not linear: its rule stands elsewhere in the table")
        }
    })
}

/// The padding that puts a slice's elements back where they were.
fn padding_of(ranges: &[Range], shape: &[usize]) -> SmallList<Padding> {
    ranges
        .iter()
        .zip(shape)
        .map(|(range, &n)| match range.len() {
            0 => Padding { low: 0, high: n, interior: 0 },
            len => {
                let last = range.start + (len - 1) * range.step;
                Padding { low: range.start, high: n - 1 - last, interior: range.step - 1 }
            }
        })
        .collect()
}

/// The slice that takes a padding's elements out again.
fn ranges_of(pads: &[Padding], shape: &[usize]) -> SmallList<Range> {
    pads.iter()
        .zip(shape)
        .map(|(pad, &n)| {
            let stop = if n == 0 { pad.low } else { pad.low + (n - 1) * (pad.interior + 1) + 1 };
            Range { start: pad.low, stop, step: pad.interior + 1 }
        })
        .collect()
}
