//! What a hypergradient says about itself.

use std::fmt;

/// How often each primitive was evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Values of either objective, without a gradient.
    pub values: usize,
    /// Gradients of either objective, by u, v or both; a step of the inner optimiser is one, and so is what Hessian-vector
    /// products at one point share.
    pub gradients: usize,
    /// Hessian-vector products `∇²_vv g·p`, and those of penalised objectives.
    pub hvps: usize,
    /// Jacobian-vector products of the inner step and of the initial point, one for each direction.
    pub jvps: usize,
    /// Vector-Jacobian products: of the inner step, of the initial point, and `∇²_uv g·p`.
    pub vjps: usize,
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            values: self.values.saturating_sub(other.values),
            gradients: self.gradients.saturating_sub(other.gradients),
            hvps: self.hvps.saturating_sub(other.hvps),
            jvps: self.jvps.saturating_sub(other.jvps),
            vjps: self.vjps.saturating_sub(other.vjps),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (self.gradients, "gradients"),
            (self.values, "values"),
            (self.hvps, "HVPs"),
            (self.jvps, "JVPs"),
            (self.vjps, "VJPs"),
        ];
        let counted = all.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = counted.map(|(count, name)| format!("{count} {name}")).collect();
        f.write_str(&if words.is_empty() { "none".to_owned() } else { words.join(", ") })
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.values += other.values;
        self.gradients += other.gradients;
        self.hvps += other.hvps;
        self.jvps += other.jvps;
        self.vjps += other.vjps;
    }
}

/// A statement about `‖h − ∇F‖`, the distance of a hypergradient `h` from what it stands for.
///
/// For methods that differentiate a trajectory, `F(u) = f(u, v_T(u))` with the trajectory's own `v_T`; for the others
/// `F(u) = f(u, v*(u))` with the minimiser `v*`. `docs/error-estimates.md` says how each is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ErrorEstimate {
    /// The distance is at most this, up to rounding: the assumptions were verified.
    Bound(f64),
    /// The distance is about this: the assumptions (a Hessian that changes little, constants seen along the way) are
    /// plausible, but were not verified.
    Estimate(f64),
}

impl ErrorEstimate {
    /// The number.
    pub fn value(self) -> f64 {
        match self {
            Self::Bound(value) | Self::Estimate(value) => value,
        }
    }

    /// Whether it is a bound.
    pub fn is_bound(self) -> bool {
        matches!(self, Self::Bound(_))
    }
}

impl fmt::Display for ErrorEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound(value) => write!(f, "≤ {value:.1e} (bound)"),
            Self::Estimate(value) => write!(f, "≈ {value:.1e} (estimate)"),
        }
    }
}

/// Values, quality, counts and memory of one hypergradient.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// f at the inner solution.
    pub outer_value: f64,
    /// g at the inner solution, where the method looked.
    pub inner_value: Option<f64>,
    /// ‖∇_v g‖ at the inner solution, where the method looked.
    pub inner_grad_norm: Option<f64>,
    /// Inner steps or iterations.
    pub inner_steps: usize,
    /// Steps that were differentiated, for methods that differentiate a trajectory.
    pub differentiated_steps: Option<usize>,
    /// Those of them that had residuals, with [`Keep::Residuals`](crate::Keep::Residuals).
    pub residual_steps: Option<usize>,
    /// ‖b − A·w‖ / ‖b‖ of the linear system that an implicit method solved.
    pub linear_residual: Option<f64>,
    /// The smallest and largest curvature of the inner problem that were met: Ritz values of the Hessian.
    pub curvature: Option<(f64, f64)>,
    /// How far from the truth, where the method can tell.
    pub error: Option<ErrorEstimate>,
    /// Evaluations.
    pub counts: Counts,
    /// Those of them that were made for this report alone; see [`Problem::diagnostics`](crate::Problem::diagnostics).
    pub diagnostic_counts: Counts,
    /// The most bytes of iterates, residuals, tangents, adjoints or multipliers kept at once from one step or iteration to the
    /// next. What lives within a step (a gradient, an answer) comes on top: a handful of vectors, however many steps there
    /// are.
    pub trajectory_bytes: usize,
    /// Bytes of the largest compiled derivative program that was run for the answer.
    pub tape_bytes: usize,
    /// Wall time, recording and compiling included where this call was the first; without that of the diagnostics.
    pub seconds: f64,
    /// Wall time of the diagnostics.
    pub diagnostic_seconds: f64,
    /// What the caller chose to accept, in words.
    pub warnings: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "outer value        {:.6e}", self.outer_value)?;
        if let Some(value) = self.inner_value {
            writeln!(f, "inner value        {value:.6e}")?;
        }
        if let Some(norm) = self.inner_grad_norm {
            writeln!(f, "inner gradient     {norm:.2e}")?;
        }
        match self.differentiated_steps {
            Some(kept) if kept < self.inner_steps => {
                writeln!(f, "inner steps        {}, the last {kept} differentiated", self.inner_steps)?;
            }
            _ => writeln!(f, "inner steps        {}", self.inner_steps)?,
        }
        if let Some(steps) = self.residual_steps {
            writeln!(f, "residuals          of the last {steps} steps")?;
        }
        if let Some(residual) = self.linear_residual {
            writeln!(f, "linear residual    {residual:.2e}")?;
        }
        if let Some((low, high)) = self.curvature {
            writeln!(f, "curvature seen     {low:.2e} to {high:.2e}")?;
        }
        if let Some(error) = self.error {
            writeln!(f, "error              {error}")?;
        }
        writeln!(f, "evaluations        {}", self.counts)?;
        if self.diagnostic_counts != Counts::default() {
            writeln!(f, "  for this report  {}", self.diagnostic_counts)?;
        }
        writeln!(f, "memory             {} B of iterates, {} B of tape", self.trajectory_bytes, self.tape_bytes)?;
        write!(f, "time               {:.3} ms", self.seconds * 1e3)?;
        for warning in &self.warnings {
            write!(f, "\nnote               {warning}")?;
        }
        Ok(())
    }
}
