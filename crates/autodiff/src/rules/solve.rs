//! Linear systems: implicit differentiation of `A·X = B`.
//!
//! Differentiating both sides gives `Ȧ·X + A·Ẋ = Ḃ`, so `Ẋ = A⁻¹(Ḃ − Ȧ·X)`; transposing that, with `W = A⁻ᵀ·X̄`,
//! gives `B̄ = W` and `Ā = −W·Xᵀ`. Nothing of the factorisation is differentiated. (Giles 2008, section 2.3.1.)

use super::Parts;
use crate::op::Op;
use crate::value::Value;
use smallvec::smallvec;

/// `(S + Sᵀ)/2`.
#[track_caller]
fn symmetric_part<V: Value>(s: &V) -> V {
    s.plus(&s.transpose()).scale(0.5)
}

/// The tangent of the solution.
#[track_caller]
pub(crate) fn jvp<V: Value>(op: &Op, a: &V, x: &V, ta: Option<&V>, tb: Option<&V>) -> Option<V> {
    let moved = ta.map(|ta| match op {
        Op::Solve { transpose } => ta.matmul_with(x, *transpose, false),
        _ => symmetric_part(ta).matmul(x),
    });
    let right = match (tb, moved) {
        (Some(tb), Some(moved)) => tb.minus(&moved),
        (Some(tb), None) => tb.clone(),
        (None, Some(moved)) => -moved,
        (None, None) => return None,
    };
    Some(V::apply(op, &[a, &right]))
}

/// The cotangents of `A` and `B`.
#[track_caller]
pub(crate) fn vjp<V: Value>(op: &Op, a: &V, x: &V, ct: &V, wanted: &[bool]) -> Parts<V> {
    let adjoint = match op {
        Op::Solve { transpose } => Op::Solve { transpose: !transpose },
        other => other.clone(),
    };
    let w = V::apply(&adjoint, &[a, ct]);
    let a_bar = wanted[0].then(|| match op {
        Op::Solve { transpose: false } => -w.matmul_with(x, false, true),
        Op::Solve { transpose: true } => -x.matmul_with(&w, false, true),
        _ => symmetric_part(&-w.matmul_with(x, false, true)),
    });
    smallvec![a_bar, wanted[1].then_some(w)]
}
