//! `Dual<V>`: a value and its tangent, forward mode.

use crate::op::{Binary, Op, Unary};
use crate::rules;
use crate::shape::Shape;
use crate::slot::Slot;
use crate::tensor::Constant;
use crate::value::Value;
use smallvec::SmallVec;

/// A value and the derivative of it in one direction.
///
/// Forward mode: one evaluation gives value and directional derivative, with no tape and memory that does not grow
/// with the length of the computation. Carriers nest: `Dual<Dual<f64>>` gives second derivatives.
///
/// Levels are told apart by type: inside a function that is itself run on `Dual`s, lift the outer variable with
/// [`constant_value`](Dual::constant_value) before it meets an inner one.
///
/// The tangent of an array may be absent, a structural zero that costs nothing. A plain scalar's tangent is always
/// there, and one that is exactly zero counts as structurally zero: 0 · ∞ is 0.
///
/// ```
/// use autodiff::{Dual, Value};
/// let x = Dual::variable(3.0);
/// let y = x * x + 1.0;
/// assert_eq!((y.value(), y.tangent()), (10.0, 6.0));
/// ```
///
/// Time: 2 to 3 times that of the value; memory: twice.
#[derive(Clone, Debug)]
pub struct Dual<V: Value> {
    value: V,
    tangent: V::Slot<V>,
}

impl<V: Value + Copy> Copy for Dual<V> where V::Slot<V>: Copy {}

impl<V: Value> Dual<V> {
    /// A value with a tangent.
    ///
    /// # Panics
    /// If their shapes differ.
    #[inline]
    #[track_caller]
    pub fn new(value: V, tangent: V) -> Self {
        if !V::RANK_0 {
            let (v, t) = (value.shape(), tangent.shape());
            assert!(v == t, "dual: the value has shape {v:?}, the tangent {t:?}");
        }
        Self { value, tangent: V::Slot::present(tangent) }
    }

    /// A value that does not depend on the input.
    #[inline]
    pub fn constant_value(value: V) -> Self {
        Self { value, tangent: V::Slot::absent() }
    }

    /// The input itself: tangent one.
    #[inline]
    #[track_caller]
    pub fn variable(value: V) -> Self {
        let one = value.ones_like();
        Self::new(value, one)
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> V {
        self.value.clone()
    }

    /// The tangent; zeros if it is absent.
    #[inline]
    #[track_caller]
    pub fn tangent(&self) -> V {
        self.tangent.get().cloned().unwrap_or_else(|| self.value.zeros_like())
    }

    /// The tangent, if it is there. A plain scalar's always is.
    #[inline]
    pub fn tangent_part(&self) -> Option<&V> {
        self.tangent.get()
    }

    /// A value with a tangent that may be absent.
    ///
    /// # Panics
    /// If their shapes differ.
    #[track_caller]
    pub fn from_parts(value: V, tangent: Option<V>) -> Self {
        match tangent {
            Some(tangent) => Self::new(value, tangent),
            None => Self::constant_value(value),
        }
    }

    /// [`from_parts`](Dual::from_parts) for what a rule gave.
    #[inline(always)]
    fn from_rule(value: V, tangent: Option<V>) -> Self {
        Self { value, tangent: tangent.map_or_else(V::Slot::absent, V::Slot::present) }
    }
}

/// A [`Dual`] of scalars, as a [`Var`](crate::Var) keeps it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct DualInline<I>(I, I);

impl<V: Value> Value for Dual<V> {
    const SCALAR: bool = V::SCALAR;
    const RANK_0: bool = V::RANK_0;
    type Inline = DualInline<V::Inline>;
    type Slot<W: Value> = V::Slot<W>;

    #[inline]
    fn to_inline(&self) -> Self::Inline {
        DualInline(self.value.to_inline(), self.tangent.get().unwrap_or(&self.value).to_inline())
    }

    #[inline]
    fn from_inline(DualInline(value, tangent): Self::Inline) -> Option<Self> {
        // Other carriers' tangents may be absent, which is not kept.
        if !V::SCALAR {
            return None;
        }
        Some(Self { value: V::from_inline(value)?, tangent: V::Slot::present(V::from_inline(tangent)?) })
    }

    #[inline]
    fn times_tangent(p: &Self, t: &Self) -> Self {
        let Some(t1) = t.tangent.get() else { return p.times(t) };
        let Some(p1) = p.tangent.get() else { return p.times(t) };
        let tangent = V::times_tangent(&p.value, t1).plus(&V::times_tangent(p1, &t.value));
        Self { value: V::times_tangent(&p.value, &t.value), tangent: V::Slot::present(tangent) }
    }

    #[inline]
    fn times_finite(p: &Self, t: &Self) -> Self {
        let (Some(p1), Some(t1)) = (p.tangent.get(), t.tangent.get()) else { return Self::times_tangent(p, t) };
        let tangent = V::times_finite(&p.value, t1).plus(&V::times_finite(p1, &t.value));
        Self { value: V::times_finite(&p.value, &t.value), tangent: V::Slot::present(tangent) }
    }

    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self {
        let values: SmallVec<[&V; 4]> = args.iter().map(|x| &x.value).collect();
        let tangents: SmallVec<[Option<&V>; 4]> = args.iter().map(|x| x.tangent.get()).collect();
        let value = V::apply(op, &values);
        let tangent = rules::jvp(op, &values, &value, &tangents);
        Self::from_rule(value, tangent)
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
        self.value.is_finite() && self.tangent.get().is_none_or(Value::is_finite)
    }

    fn is_ordinary(&self) -> bool {
        self.is_finite() && (self.value.is_ordinary() || self.tangent.get().is_some_and(Value::is_ordinary))
    }

    #[inline]
    #[track_caller]
    fn unary(op: impl Fn() -> Unary + Copy, x: &Self) -> Self {
        let value = V::unary(op, &x.value);
        let tangent = match x.tangent.get() {
            Some(t) => rules::jvp_unary(op(), &x.value, &value, t),
            None => None,
        };
        Self::from_rule(value, tangent)
    }

    #[inline]
    #[track_caller]
    fn binary(op: impl Fn() -> Binary + Copy, a: &Self, b: &Self) -> Self {
        let value = V::binary(op, &a.value, &b.value);
        let tangent = rules::jvp_binary(op(), &a.value, &b.value, &value, a.tangent.get(), b.tangent.get());
        Self::from_rule(value, tangent)
    }
}
