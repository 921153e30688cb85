//! `DualN<V, N>`: a value and N tangents, N directions in one evaluation.

use crate::op::{Binary, Op, Unary};
use crate::rules::{self, Partial, pointwise};
use crate::shape::Shape;
use crate::slot::Slot;
use crate::tensor::Constant;
use crate::value::Value;
use smallvec::SmallVec;
use std::array::from_fn;

/// A value and its derivatives in `N` directions at once: the value and the partials are computed once for all.
///
/// ```
/// use autodiff::{DualN, Value};
/// let [x, y] = DualN::variables([3.0, 4.0]);
/// let r = x.hypot(&y);
/// assert_eq!((r.value(), r.tangents()), (5.0, [0.6, 0.8]));
/// ```
///
/// Time: that of the value and one multiply-add per direction and operation; 4, 8 and 16 fill vector registers.
///
/// As in a [`Dual`](crate::Dual), 0 · ∞ is 0 where a tangent is exactly zero; a tangent of zero may be −0.
#[derive(Clone, Debug)]
pub struct DualN<V: Value, const N: usize> {
    value: V,
    tangents: [V::Slot<V>; N],
}

impl<V: Value + Copy, const N: usize> Copy for DualN<V, N> where V::Slot<V>: Copy {}

impl<V: Value, const N: usize> DualN<V, N> {
    /// A value with its tangents.
    ///
    /// # Panics
    /// If a tangent's shape is not that of the value.
    #[inline]
    #[track_caller]
    pub fn new(value: V, tangents: [V; N]) -> Self {
        if !V::RANK_0 {
            let shape = value.shape();
            for t in &tangents {
                assert!(t.shape() == shape, "dual: the value has shape {shape:?}, a tangent {:?}", t.shape());
            }
        }
        Self { value, tangents: tangents.map(V::Slot::present) }
    }

    /// A value with tangents of which some may be absent.
    #[inline]
    pub fn from_parts(value: V, tangents: [Option<V>; N]) -> Self {
        Self { value, tangents: tangents.map(slot) }
    }

    /// A value that does not depend on the inputs.
    #[inline(always)]
    pub fn constant_value(value: V) -> Self {
        Self { value, tangents: from_fn(|_| V::Slot::absent()) }
    }

    /// `N` inputs, each with tangent one in its own direction.
    #[inline]
    #[track_caller]
    pub fn variables(values: [V; N]) -> [Self; N] {
        // Little in the closure: what `map` does not inline goes through memory.
        let mut all = values.map(Self::constant_value);
        for (i, x) in all.iter_mut().enumerate() {
            x.tangents[i] = V::Slot::present(x.value.ones_like());
        }
        all
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> V {
        self.value.clone()
    }

    /// The tangents; zeros where they are absent.
    #[inline]
    #[track_caller]
    pub fn tangents(&self) -> [V; N] {
        from_fn(|i| self.tangents[i].get().cloned().unwrap_or_else(|| self.value.zeros_like()))
    }

    /// A tangent, if it is there.
    #[inline]
    pub fn tangent_part(&self, i: usize) -> Option<&V> {
        self.tangents[i].get()
    }
}

#[inline(always)]
fn slot<V: Value, S: Slot<V>>(part: Option<V>) -> S {
    part.map_or_else(S::absent, S::present)
}

/// The partial of a number, if it is finite in all its parts and there are directions enough for that to be worth a look:
/// a product with it may then be taken as it is, also with a tangent of zero.
#[inline(always)]
fn finite<V: Value, const N: usize>(partial: &Partial<V>) -> Option<&V> {
    match partial {
        Partial::Of(p) if N > 1 && V::SCALAR && p.is_finite() => Some(p),
        _ => None,
    }
}

/// A [`DualN`] of scalars, as a [`Var`](crate::Var) keeps it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct DualNInline<I, const N: usize>(I, [I; N]);

impl<V: Value, const N: usize> Value for DualN<V, N> {
    const SCALAR: bool = V::SCALAR;
    const RANK_0: bool = V::RANK_0;
    type Inline = DualNInline<V::Inline, N>;
    type Slot<W: Value> = V::Slot<W>;

    #[inline]
    fn to_inline(&self) -> Self::Inline {
        DualNInline(self.value.to_inline(), from_fn(|i| self.tangents[i].get().unwrap_or(&self.value).to_inline()))
    }

    #[inline]
    fn from_inline(DualNInline(value, tangents): Self::Inline) -> Option<Self> {
        let value = V::from_inline(value)?;
        if !V::SCALAR {
            return None;
        }
        Some(Self {
            tangents: tangents.map(|t| V::from_inline(t).map_or_else(V::Slot::absent, V::Slot::present)),
            value,
        })
    }

    #[inline]
    fn times_tangent(p: &Self, t: &Self) -> Self {
        if !V::SCALAR {
            return p.times(t);
        }
        let mut tangents = t.tangents.clone();
        for (tangent, slope) in tangents.iter_mut().zip(&p.tangents) {
            let carried = tangent.get().map(|t| V::times_tangent(&p.value, t));
            let scaled = slope.get().map(|slope| V::times_tangent(slope, &t.value));
            *tangent = slot(rules::add_parts(carried, scaled));
        }
        Self { value: V::times_tangent(&p.value, &t.value), tangents }
    }

    #[inline]
    fn times_finite(p: &Self, t: &Self) -> Self {
        let mut tangents = t.tangents.clone();
        for (tangent, slope) in tangents.iter_mut().zip(&p.tangents) {
            let carried = tangent.get().map(|t| V::times_finite(&p.value, t));
            let scaled = slope.get().map(|slope| V::times_finite(slope, &t.value));
            *tangent = slot(rules::add_parts(carried, scaled));
        }
        Self { value: V::times_finite(&p.value, &t.value), tangents }
    }

    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self {
        match (op, args) {
            (Op::Unary(op), [x]) => Self::unary(|| *op, x),
            (Op::Binary(op), [a, b]) => Self::binary(|| *op, a, b),
            _ => {
                let values: SmallVec<[&V; 4]> = args.iter().map(|x| &x.value).collect();
                let value = V::apply(op, &values);
                let tangents = from_fn(|i| {
                    let tangents: SmallVec<[Option<&V>; 4]> = args.iter().map(|x| x.tangents[i].get()).collect();
                    rules::jvp(op, &values, &value, &tangents)
                });
                Self::from_parts(value, tangents)
            }
        }
    }

    #[inline]
    fn shape(&self) -> Shape {
        self.value.shape()
    }

    #[track_caller]
    fn lift(&self, constant: &Constant) -> Self {
        Self::constant_value(self.value.lift(constant))
    }

    #[inline]
    fn literal(c: f64) -> Option<Self> {
        V::literal(c).map(Self::constant_value)
    }

    #[inline]
    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.tangents.iter().all(|t| t.get().is_none_or(Value::is_finite))
    }

    fn is_ordinary(&self) -> bool {
        self.is_finite()
            && (self.value.is_ordinary() || self.tangents.iter().any(|t| t.get().is_some_and(Value::is_ordinary)))
    }

    #[inline(always)]
    #[track_caller]
    fn unary(op: impl Fn() -> Unary + Copy, x: &Self) -> Self {
        let value = V::unary(op, &x.value);
        // One partial for all directions.
        let partial = pointwise::unary(op(), &x.value, &value);
        // A loop, not `from_fn`, which is not always inlined.
        let mut tangents = x.tangents.clone();
        // A square is mostly one of inputs, whose tangents are ones and zeros: by the rule that zero times anything is zero
        // the compiler leaves such products out, which it may not where they are taken as they are.
        if !matches!(op(), Unary::Square)
            && let Some(p) = finite::<V, N>(&partial)
        {
            for tangent in &mut tangents {
                *tangent = slot(tangent.get().map(|t| V::times_finite(p, t)));
            }
            return Self { value, tangents };
        }
        for tangent in &mut tangents {
            *tangent = slot(tangent.get().and_then(|t| partial.times(t)));
        }
        Self { value, tangents }
    }

    #[inline(always)]
    #[track_caller]
    fn binary(op: impl Fn() -> Binary + Copy, a: &Self, b: &Self) -> Self {
        let value = V::binary(op, &a.value, &b.value);
        let left = pointwise::binary(op(), 0, &a.value, &b.value, &value);
        let right = pointwise::binary(op(), 1, &a.value, &b.value, &value);
        let mut tangents = a.tangents.clone();
        if let (Some(left), Some(right)) = (finite::<V, N>(&left), finite::<V, N>(&right)) {
            for (tangent, other) in tangents.iter_mut().zip(&b.tangents) {
                let of_a = tangent.get().map(|t| V::times_finite(left, t));
                let of_b = other.get().map(|t| V::times_finite(right, t));
                *tangent = slot(rules::add_parts(of_a, of_b));
            }
            return Self { value, tangents };
        }
        for (tangent, other) in tangents.iter_mut().zip(&b.tangents) {
            let of_a = tangent.get().and_then(|t| left.times(t));
            let of_b = other.get().and_then(|t| right.times(t));
            *tangent = slot(rules::add_parts(of_a, of_b));
        }
        Self { value, tangents }
    }
}
