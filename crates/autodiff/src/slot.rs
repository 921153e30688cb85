//! What holds a tangent that may be structurally zero.

use crate::value::Value;
use std::fmt::Debug;

/// How a carrier stores a tangent that may be structurally zero.
///
/// Arrays store `Option`, so that an absent tangent costs nothing. Plain scalars store the number itself, zero for
/// absent: a branch per operation would cost more than the arithmetic.
#[doc(hidden)]
pub trait Slot<V>: Clone + Debug {
    fn absent() -> Self;
    fn present(value: V) -> Self;
    fn get(&self) -> Option<&V>;
}

impl<V: Clone + Debug> Slot<V> for Option<V> {
    fn absent() -> Self {
        None
    }
    fn present(value: V) -> Self {
        Some(value)
    }
    fn get(&self) -> Option<&V> {
        self.as_ref()
    }
}

/// A scalar's slot: always there, zero when it was not given.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Plain<V>(pub V);

impl<V: Value> Slot<V> for Plain<V> {
    #[inline(always)]
    fn absent() -> Self {
        Self(
            V::literal(0.0).expect("plain slots are used by scalars only, and a scalar needs no context for a literal"),
        )
    }
    #[inline(always)]
    fn present(value: V) -> Self {
        Self(value)
    }
    #[inline(always)]
    fn get(&self) -> Option<&V> {
        Some(&self.0)
    }
}
