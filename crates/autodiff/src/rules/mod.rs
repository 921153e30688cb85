//! The derivative of every op, once.
//!
//! - A pointwise op states its partials ([`pointwise`]): `ẏ = p·ẋ` and `x̄ = p·ȳ` are the same line.
//! - An op that is linear in an argument is its own tangent there, and states its transpose ([`linear`]).
//! - A reduction states its weights ([`reduction`]): `ẏ = Σ w·ẋ` and `x̄ = w·ȳ`.
//! - A solve states what implicit differentiation gives ([`solve`]).
//!
//! Everything is written in carrier operations. Tangents and cotangents are optional: an absent one is a structural
//! zero, costs nothing and stays absent, so that 0·∞ never makes a NaN out of something that was not connected.

pub(crate) mod call;
pub(crate) mod linear;
pub(crate) mod pointwise;
pub(crate) mod reduction;
pub(crate) mod solve;

use crate::op::{Op, Unary};
use crate::value::Value;
use smallvec::SmallVec;

/// One value for each argument of an op, if it has one.
pub(crate) type Parts<V> = SmallVec<[Option<V>; 2]>;

/// A pointwise partial derivative.
pub(crate) enum Partial<V> {
    /// Structurally zero.
    Zero,
    /// The same number everywhere.
    Constant(f64),
    /// Different from element to element.
    Of(V),
}

impl<V: Value> Partial<V> {
    /// `p·t`.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn times(&self, t: &V) -> Option<V> {
        match self {
            Self::Zero => None,
            Self::Constant(1.0) => Some(t.clone()),
            Self::Constant(-1.0) => Some(-t.clone()),
            Self::Constant(c) => Some(t.scale(*c)),
            Self::Of(p) => Some(V::times_tangent(p, t)),
        }
    }
}

/// `a + b` of optional values.
#[inline(always)]
#[track_caller]
pub(crate) fn add_parts<V: Value>(a: Option<V>, b: Option<V>) -> Option<V> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.plus(&b)),
        (a, b) => a.or(b),
    }
}

/// The tangent of `y = op(x)`.
#[inline(always)]
#[track_caller]
pub(crate) fn jvp_unary<V: Value>(op: Unary, x: &V, y: &V, t: &V) -> Option<V> {
    pointwise::unary(op, x, y).times(t)
}

/// The tangent of `y = op(a, b)`.
#[inline(always)]
#[track_caller]
pub(crate) fn jvp_binary<V: Value>(
    op: crate::op::Binary,
    a: &V,
    b: &V,
    y: &V,
    ta: Option<&V>,
    tb: Option<&V>,
) -> Option<V> {
    // Not closures: those are not always inlined, and the whole table would stay in them.
    let left = match ta {
        Some(t) => pointwise::binary(op, 0, a, b, y).times(t),
        None => None,
    };
    let right = match tb {
        Some(t) => pointwise::binary(op, 1, a, b, y).times(t),
        None => None,
    };
    add_parts(left, right)
}

/// The tangent of `out = op(args)` in the direction of the tangents; `None` if it is structurally zero.
#[track_caller]
pub(crate) fn jvp<V: Value>(op: &Op, args: &[&V], out: &V, tangents: &[Option<&V>]) -> Option<V> {
    if tangents.iter().all(Option::is_none) {
        return None;
    }
    match (op, args) {
        (Op::Unary(op), [x]) => jvp_unary(*op, x, out, tangents[0]?),
        (Op::Binary(op), [a, b]) => jvp_binary(*op, a, b, out, tangents[0], tangents[1]),
        (Op::Reduce(reduce, axes), [x]) => {
            Some(tangents[0]?.times(&reduction::weights(*reduce, axes, x, out)).sum(axes))
        }
        (Op::Solve { .. } | Op::CholeskySolve, [a, _]) => solve::jvp(op, a, out, tangents[0], tangents[1]),
        (Op::Custom(custom), _) => {
            let tangents: Vec<V> =
                tangents.iter().zip(args).map(|(t, x)| t.map_or_else(|| x.zeros_like(), Clone::clone)).collect();
            Some(custom.apply_jvp(args, out, &tangents))
        }
        (Op::Call(call), _) => call::jvp(call, args, tangents),
        _ => linear::jvp(op, args, tangents),
    }
}

/// The cotangents of the wanted arguments of `out = op(args)`; `None` where they are structurally zero or not wanted.
#[track_caller]
pub(crate) fn vjp<V: Value>(op: &Op, args: &[&V], out: &V, ct: &V, wanted: &[bool]) -> Parts<V> {
    let each = |f: &dyn Fn(usize) -> Option<V>| (0..args.len()).map(|i| if wanted[i] { f(i) } else { None }).collect();
    match (op, args) {
        (Op::Unary(op), &[x]) => each(&|_| pointwise::unary(*op, x, out).times(ct)),
        (Op::Binary(op), &[a, b]) => each(&|i| pointwise::binary(*op, i, a, b, out).times(ct)),
        (Op::Reduce(reduce, axes), &[x]) => each(&|_| {
            let weights = reduction::weights(*reduce, axes, x, out);
            Some(weights.times(&reduction::expand(ct, axes, &x.shape())))
        }),
        (Op::Solve { .. } | Op::CholeskySolve, [a, _]) => solve::vjp(op, a, out, ct, wanted),
        (Op::Custom(custom), _) => {
            let cotangents = custom.apply_vjp(args, out, ct);
            cotangents.into_iter().zip(wanted).map(|(c, &w)| if w { c } else { None }).collect()
        }
        (Op::Call(call), _) => call::vjp(call, args, ct, wanted),
        _ => each(&|i| linear::transpose(op, i, args, ct)),
    }
}
