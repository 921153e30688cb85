//! What can go wrong with a bilevel problem; never answered with a zero.

/// Everything that `bilevel` returns as an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An upper variable is not connected to what the method differentiates.
    #[error(
        "upper variable `{name}` reaches neither the outer objective nor {through}: its hypergradient does not exist; \
         check that the closures use it, and that nothing on the way is detached"
    )]
    Detached {
        /// The upper variable.
        name: String,
        /// What the method would have differentiated.
        through: &'static str,
    },
    /// The outer objective does not depend on any inner variable.
    #[error("no inner variable reaches the outer objective; check that the outer closure uses them")]
    Unused,
    /// The inner Hessian has a direction along which it does not curve upwards.
    #[error(
        "the inner Hessian is not positive definite: pᵀHp/pᵀp = {curvature:.3e} along a search direction; \
         add damping, or use a method that does not invert the Hessian"
    )]
    NotPositiveCurvature {
        /// The Rayleigh quotient that was met.
        curvature: f64,
    },
    /// The inner problem was not solved to its tolerance.
    #[error(
        "the inner problem is not solved: ‖∇_v g‖ = {grad_norm:.3e} after {steps} steps, {tolerance:.1e} was asked for; \
         give it more steps, or take what there is with `accept`"
    )]
    InnerNotConverged {
        /// The norm that was reached.
        grad_norm: f64,
        /// The norm that was asked for.
        tolerance: f64,
        /// The steps taken.
        steps: usize,
    },
    /// An iteration stopped short of its tolerance.
    #[error(
        "{solver} did not converge: residual {residual:.3e} after {iterations} iterations, {tolerance:.1e} was asked for; \
         allow more iterations, add damping, or take what there is with `accept`"
    )]
    NotConverged {
        /// The iteration.
        solver: &'static str,
        /// What is left, in the units of the tolerance.
        residual: f64,
        /// What was asked for.
        tolerance: f64,
        /// The iterations made.
        iterations: usize,
    },
    /// A number stopped being finite.
    #[error("{what} is not finite at inner step {step}: {op}; lower the step size, or mend that operation")]
    NonFinite {
        /// Which quantity.
        what: &'static str,
        /// The inner step, from 0; the number of steps for what happens at the end.
        step: usize,
        /// The operation that made the first such number, and its line.
        op: String,
    },
    /// A setting that cannot work.
    #[error("{setting}: {reason}")]
    Configuration {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it, and what would do.
        reason: String,
    },
    /// A tensor of another shape than the others ask for.
    #[error("`{name}` has shape {given:?}, but {expected:?} is needed")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        given: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A saved state that cannot be read or written.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// What `autodiff` reports: shapes, missing inputs.
    #[error(transparent)]
    Autodiff(#[from] autodiff::Error),
}

/// `Result` with this crate's [`Error`](enum@Error).
pub type Result<T> = std::result::Result<T, Error>;

/// A setting that cannot work.
pub(crate) fn configuration<T>(setting: &'static str, reason: impl Into<String>) -> Result<T> {
    Err(Error::Configuration { setting, reason: reason.into() })
}
