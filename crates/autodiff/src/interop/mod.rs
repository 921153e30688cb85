//! Bridges to other crates, each behind a feature of its name.

#[cfg(feature = "nalgebra")]
mod nalgebra;
#[cfg(feature = "ndarray")]
mod ndarray;
#[cfg(feature = "num-traits")]
mod num_traits;
#[cfg(feature = "serde")]
mod serde;
