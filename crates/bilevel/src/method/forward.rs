//! Forward-mode differentiation of the inner trajectory (FMD).

use super::{Ask, Hypergradient, Memory, Method};
use crate::dynamics::Dynamics;
use crate::error::{Result, configuration};
use crate::report::ErrorEstimate;
use crate::vector;
use autodiff::{Element, Tensor, Value};

/// Forward-mode hypergradient of `T` steps of the inner optimiser.
///
/// `Z_{t+1} = Z_t A_{t+1} + B_{t+1}` with `A = ∂Φ/∂s`, `B = ∂Φ/∂u`, all `m = dim u` directions at once, beside the iterate;
/// `dF/du = f_u + Z_T f_v`. (Franceschi, Donini, Frasconi, Pontil, ICML 2017.)
///
/// Time: `T` inner gradients and `T·m` JVPs, the products of all directions as one. Memory: `2·m·dim s` numbers and the
/// `m²` of the directions, whatever `T` is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forward<D> {
    /// The update rule Φ.
    pub dynamics: D,
    /// The number of inner steps `T`, at least 1.
    pub steps: usize,
}

impl<D> Forward<D> {
    /// `steps` steps of an update rule.
    pub fn new(dynamics: D, steps: usize) -> Self {
        Self { dynamics, steps }
    }
}

/// The unit vectors of u: for each tensor, all directions along a first axis.
pub(crate) fn directions<E: Element>(u: &[Tensor<E>]) -> Vec<Tensor<E>> {
    let m = vector::count(u);
    let mut before = 0;
    let one = |x: &Tensor<E>| {
        let shape = [&[m], x.dims()].concat();
        let mut all = Tensor::zeros(&shape);
        for i in 0..x.len() {
            all.data_mut()[(before + i) * x.len() + i] = E::from_f64(1.0);
        }
        before += x.len();
        all
    };
    u.iter().map(one).collect()
}

/// The tangents of the initial state: those of the initial point, and zeros.
pub(super) fn initial_tangents<E: Element>(
    start: Option<Vec<Tensor<E>>>,
    state: &[Tensor<E>],
    m: usize,
) -> Vec<Tensor<E>> {
    let mut tangents = start.unwrap_or_default();
    let rest = state.iter().skip(tangents.len());
    tangents.extend(rest.map(|x| Tensor::zeros(&[&[m], x.dims()].concat())));
    tangents
}

/// `f_u + Z f_v`
pub(super) fn contract<E: Element>(by_u: &[Tensor<E>], tangents: &[Tensor<E>], by_v: &[Tensor<E>]) -> Vec<Tensor<E>> {
    let m = vector::count(by_u);
    let mut all = Tensor::zeros(&[m]);
    for (z, f) in tangents.iter().zip(by_v) {
        all += &z.reshape(&[m, f.len()]).matmul(&f.flatten());
    }
    let mut gradient = by_u.to_vec();
    vector::axpy(1.0, &vector::unflat(all.data(), by_u), &mut gradient);
    gradient
}

impl<D: Dynamics, E: Element> Method<E> for Forward<D> {
    fn name(&self) -> String {
        "forward".to_owned()
    }

    fn hypergradient(&self, ask: &Ask<'_, E>, _: &mut Memory<E>) -> Result<Hypergradient<E>> {
        if self.steps == 0 {
            return configuration("steps", "at least one inner step is needed; without one, v does not depend on u");
        }
        let mut session = ask.session(Some(&self.dynamics))?;
        let du = directions(ask.u);
        let mut state = session.initial(ask.v0)?;
        let mut tangents = initial_tangents(session.start_jvp(&du)?, &state, vector::count(ask.u));
        for step in 0..self.steps {
            let (next, moved) = session.step_jvp(step, &state, &du, &tangents)?;
            // Old and new are alive at once.
            session.alive(vector::bytes(&tangents) + vector::bytes(&moved) + vector::bytes(&du));
            (state, tangents) = (next, moved);
        }
        state.truncate(session.m);
        let outer = session.outer(&state, 0, self.steps)?;
        let gradient = contract(&outer.by_u, &tangents, &outer.by_v);
        let look = session.look(&state, self.steps)?;
        let mut report = session.report(outer.value);
        (report.inner_value, report.inner_grad_norm) = look;
        report.inner_steps = self.steps;
        report.differentiated_steps = Some(self.steps);
        report.error = Some(ErrorEstimate::Bound(0.0));
        Ok(Hypergradient { gradient, inner_solution: state, adjoint: None, report })
    }
}
