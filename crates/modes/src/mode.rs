//! The ways of getting a derivative.

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// The function itself.
    Value,
    /// One directional derivative.
    Directional,
    /// The gradient of a number.
    Gradient,
    /// The whole Jacobian.
    Jacobian,
    /// One Hessian-vector product.
    Hvp,
    /// One second derivative along two directions.
    Curvature,
    /// The whole Hessian.
    Hessian,
}

impl Task {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Directional => "directional",
            Self::Gradient => "gradient",
            Self::Jacobian => "jacobian",
            Self::Hvp => "hvp",
            Self::Curvature => "curvature",
            Self::Hessian => "hessian",
        }
    }
}

/// How it is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The compiled function.
    Primal,
    /// One tangent, compiled.
    Forward,
    /// A tangent for every input, all at once, compiled.
    ForwardAll,
    /// Recorded on a tape in every run, and swept back.
    ReverseTape,
    /// The gradient's program, interpreted.
    ReverseProgram,
    /// The gradient's program, compiled.
    ReverseExecutable,
    /// A cotangent for every output, all at once, compiled.
    ReverseAll,
    /// As many directions as the colouring of the pattern needs, compiled.
    Sparse,
    /// The tangent of the gradient, compiled.
    ForwardOverReverse,
    /// The gradient of the tangent, compiled.
    ReverseOverForward,
    /// The gradient of the gradient along a direction, compiled.
    ReverseOverReverse,
    /// The tangent of the tangent, compiled.
    ForwardOverForward,
}

impl Mode {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primal => "primal",
            Self::Forward => "forward, 1 tangent",
            Self::ForwardAll => "forward, n tangents",
            Self::ReverseTape => "reverse, tape",
            Self::ReverseProgram => "reverse, program",
            Self::ReverseExecutable => "reverse, executable",
            Self::ReverseAll => "reverse, m cotangents",
            Self::Sparse => "sparse, by colours",
            Self::ForwardOverReverse => "forward over reverse",
            Self::ReverseOverForward => "reverse over forward",
            Self::ReverseOverReverse => "reverse over reverse",
            Self::ForwardOverForward => "forward over forward",
        }
    }

    /// What the theory says it costs at most, in evaluations of the function, for `directions` directions.
    ///
    /// Forward mode: 1 + 1.5 a direction; reverse mode: 1.5 + 2.5 a direction, so 4 for a gradient; second derivatives:
    /// their products, of which forward over reverse is known to need no more than 10. It counts operations and moves of
    /// a machine that runs them one by one, so code that is vectorised, or waits for memory, may differ either way.
    /// (Griewank, Walther: Evaluating Derivatives, 2008, sections 3.4 and 4.5.)
    pub fn predicted(self, task: Task, directions: usize) -> Option<f64> {
        let n = directions as f64;
        match self {
            // A Hessian-vector product for each colour, or a JVP or VJP.
            Self::Sparse if task == Task::Hessian => Some(10.0 * n),
            Self::Primal => None,
            Self::Forward | Self::ForwardAll => Some(1.0 + 1.5 * n),
            Self::ReverseTape | Self::ReverseProgram | Self::ReverseExecutable => Some(4.0),
            Self::ReverseAll | Self::Sparse => Some(1.5 + 2.5 * n),
            Self::ForwardOverReverse | Self::ReverseOverForward => Some(10.0 * n),
            Self::ReverseOverReverse => Some(16.0 * n),
            Self::ForwardOverForward => Some(6.25),
        }
    }
}

impl serde::Serialize for Mode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
