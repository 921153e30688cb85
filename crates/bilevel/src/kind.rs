//! The primitives that methods evaluate, by name.

/// How far the cotangents of a step flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// To u and to the state before the step.
    Whole,
    /// To u only: where the initial point is given, nothing flows on to it.
    First,
    /// As `Whole`, where the way back ends before the initial point: u must reach the step itself.
    Later,
}

/// A primitive. Inputs are u, v (or the whole state s = v and the rule's slots), data, and what is named beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// f, f_u, f_v
    Outer,
    /// f
    OuterValue,
    /// g
    InnerValue,
    /// g, g_v
    InnerGradient,
    /// g, g_u, g_v
    InnerBoth,
    /// What `Hvp` needs, whatever the vector.
    HvpFixed,
    /// p, fixed… ↦ ∇²_vv g·p
    Hvp,
    /// p ↦ ∇²_uv g·p
    Mixed,
    /// hyper, count ↦ Φ(s)
    Step,
    /// The same, and ∇_v g before the step.
    StepSeen,
    /// hyper, count, cotangent of Φ ↦ cotangents of u and, as it reaches, of s
    StepVjp(Reach),
    /// hyper, count ↦ Φ(s), residuals: what is costly of that which the VJP needs, whatever the cotangent
    StepKeeping(Reach),
    /// As `StepVjp`, with residuals beside.
    StepVjpKept(Reach),
    /// hyper, count, du, ds, with so many directions ↦ Φ(s), its tangents
    StepJvp(usize),
    /// u ↦ v₀
    Start,
    /// u, cotangent of v₀ ↦ cotangent of u
    StartVjp,
    /// The same, where nothing else is differentiated: u must reach the initial point.
    StartOnlyVjp,
    /// u, du ↦ tangents of v₀
    StartJvp(usize),
    /// inner data, λ, γ ↦ L, L_u, L_v for L = f + ⟨λ, g_v⟩ + γ/2 ‖g_v‖²
    Penalised,
    /// inner data, λ, γ ↦ L
    PenalisedValue,
    /// inner data, λ, γ, p ↦ ∇²_vv L·p
    PenalisedHvp,
    /// inner data, λ, γ, p ↦ ∇² L·p by (u, v)
    PenalisedJointHvp,
}

impl Kind {
    /// Whether the update rule takes part.
    pub(crate) fn uses_dynamics(self) -> bool {
        matches!(
            self,
            Self::Step
                | Self::StepSeen
                | Self::StepVjp(_)
                | Self::StepKeeping(_)
                | Self::StepVjpKept(_)
                | Self::StepJvp(_)
        )
    }
}
