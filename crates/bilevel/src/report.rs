//! What a hypergradient says about itself.

use std::fmt;

/// Values, counts and memory of one hypergradient.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// f at the inner solution.
    pub outer_value: f64,
    /// Gradients of either objective.
    pub gradients: usize,
    /// Vector-Jacobian products of the inner step.
    pub vjps: usize,
    /// Bytes of the stored trajectory.
    pub trajectory_bytes: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "outer value        {:.6e}", self.outer_value)?;
        writeln!(f, "gradients          {}", self.gradients)?;
        writeln!(f, "step VJPs          {}", self.vjps)?;
        write!(f, "trajectory         {} bytes", self.trajectory_bytes)
    }
}
