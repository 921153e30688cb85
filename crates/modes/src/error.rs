//! Errors.

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No function has this name.
    #[error("there is no function {name:?}; there are {known}")]
    Function {
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// An expression that cannot be read.
    #[error("{text}\n{:>width$} {message}", "^", width = column)]
    Expression {
        /// The expression.
        text: String,
        /// Where, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A setting that makes no sense.
    #[error("{setting}: {reason}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Why not.
        reason: String,
    },
    /// The engine's.
    #[error(transparent)]
    Autodiff(#[from] autodiff::Error),
    /// A file that could not be written.
    #[error(transparent)]
    Csv(#[from] csv::Error),
}

/// A result.
pub type Result<T> = std::result::Result<T, Error>;
