//! What can go wrong with data, settings and training.

/// Everything that `nn` returns as an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that cannot work.
    #[error("{setting}: {reason}")]
    Configuration {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it, and what would do.
        reason: String,
    },
    /// A data file that cannot be read, or a line of it.
    #[error("{file}{}: {reason}", match line { 0 => String::new(), line => format!(", line {line}") })]
    Data {
        /// The file.
        file: String,
        /// The line, from 1; 0 if it is not one line's fault.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A number stopped being finite during training.
    #[error("{what} is not finite in epoch {epoch}, step {step}; lower the learning rate")]
    NonFinite {
        /// Which quantity.
        what: &'static str,
        /// The epoch, from 0.
        epoch: usize,
        /// The step in the epoch, from 0.
        step: usize,
    },
    /// What `bilevel` reports.
    #[error(transparent)]
    Bilevel(#[from] bilevel::Error),
    /// What `autodiff` reports.
    #[error(transparent)]
    Autodiff(#[from] autodiff::Error),
}

/// `Result` with this crate's [`Error`](enum@Error).
pub type Result<T> = std::result::Result<T, Error>;

/// A setting that cannot work.
pub(crate) fn configuration<T>(setting: &'static str, reason: impl Into<String>) -> Result<T> {
    Err(Error::Configuration { setting, reason: reason.into() })
}
