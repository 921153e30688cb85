//! What can go wrong with a bilevel problem; never answered with a zero.

/// Everything that `bilevel` returns as an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The outer objective does not depend on `u`, neither by itself nor through the inner solution.
    #[error(
        "upper variable {index} reaches neither the outer objective nor the inner step: its hypergradient does not exist; \
         check that the inner closure uses it, and that nothing on the way is detached"
    )]
    Detached {
        /// The position among the upper variables.
        index: usize,
    },
    /// The outer objective does not depend on any inner variable.
    #[error("no inner variable reaches the outer objective; check that the outer closure uses them")]
    Unused,
    /// A number stopped being finite.
    #[error("{what} is not finite at inner step {step}; lower the step size, or look with `autodiff::debug`")]
    NonFinite {
        /// Which quantity.
        what: &'static str,
        /// The inner step, from 0; the number of steps for what happens at the end.
        step: usize,
    },
    /// A setting that cannot work.
    #[error("{setting}: {reason}")]
    Configuration {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What `autodiff` reports: shapes, missing inputs.
    #[error(transparent)]
    Autodiff(#[from] autodiff::Error),
}

/// `Result` with this crate's [`Error`](enum@Error).
pub type Result<T> = std::result::Result<T, Error>;
