//! Literals inside ops: an `f64` compared and hashed by its bits.

use std::fmt;
use std::hash::{Hash, Hasher};

/// An `f64` that is part of an op, equal and hashed by its bits.
///
/// `0.0` and `-0.0` are different literals and a NaN equals itself, so two ops compare equal exactly when they
/// compute the same bits.
#[derive(Clone, Copy)]
pub struct Literal(pub f64);

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Literal {}

impl Hash for Literal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
