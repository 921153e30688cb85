//! What each primitive of a problem costs on this machine.

use crate::dynamics::Dynamics;
use crate::error::Result;
use crate::method::Ask;
use crate::method::directions;
use crate::session::{Penalty, Session};
use crate::vector::zeros;
use autodiff::{Element, Tensor};
use std::time::Instant;

/// Seconds for one evaluation of each primitive, compiled: medians.
///
/// A hypergradient takes the sum of what it counts, and a little: `benches/bilevel.rs` prints both.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Costs {
    /// f, f_u, f_v.
    pub outer: f64,
    /// g, g_v.
    pub inner: f64,
    /// One inner step.
    pub step: f64,
    /// The VJP of an inner step.
    pub step_vjp: f64,
    /// The JVP of an inner step for all directions of u, with the step.
    pub step_jvp: f64,
    /// What Hessian-vector products at one point share.
    pub hessian: f64,
    /// One Hessian-vector product, without that.
    pub hvp: f64,
    /// `∇²_uv g·p`.
    pub mixed: f64,
    /// The penalised objective and its gradient.
    pub penalised: f64,
    /// The product with its Hessian by v.
    pub penalised_hvp: f64,
}

/// Measures, each primitive so often.
///
/// # Errors
/// What keeps a primitive from being evaluated.
pub fn costs<E: Element>(ask: &Ask<'_, E>, dynamics: &dyn Dynamics, repeats: usize) -> Result<Costs> {
    let mut session = ask.session(Some(dynamics))?;
    let state = session.initial(ask.v0)?;
    let v = state[..session.m].to_vec();
    let du = directions(ask.u);
    let m = du[0].dims()[0];
    let ds: Vec<Tensor<E>> = state.iter().map(|x| Tensor::zeros(&[&[m], x.dims()].concat())).collect();
    let penalty = Penalty { multipliers: zeros(&v), gamma: 1.0 };
    let mut hessian = session.hessian(&v, 0)?;
    let mut penalised = session.penalised_hessian(&v, &penalty, false);
    let mut time = |run: &mut dyn FnMut(&mut Session<'_, E>) -> Result<()>| -> Result<f64> {
        // The first compiles.
        run(&mut session)?;
        let mut samples = Vec::with_capacity(repeats);
        for _ in 0..repeats.max(1) {
            let clock = Instant::now();
            run(&mut session)?;
            samples.push(clock.elapsed().as_secs_f64());
        }
        samples.sort_by(f64::total_cmp);
        Ok(samples[samples.len() / 2])
    };
    Ok(Costs {
        outer: time(&mut |s| s.outer(&v, 0, 0).map(drop))?,
        inner: time(&mut |s| s.inner(&v, 0, 0).map(drop))?,
        step: time(&mut |s| s.step(1, &state).map(drop))?,
        step_vjp: time(&mut |s| s.step_vjp(1, &state, &state).map(drop))?,
        step_jvp: time(&mut |s| s.step_jvp(1, &state, &du, &ds).map(drop))?,
        hessian: time(&mut |s| s.hessian(&v, 0).map(drop))?,
        hvp: time(&mut |s| s.hvp(&mut hessian, &v).map(drop))?,
        mixed: time(&mut |s| s.mixed(&v, &v, 0).map(drop))?,
        penalised: time(&mut |s| s.penalised(&v, &penalty, 0, 0).map(drop))?,
        penalised_hvp: time(&mut |s| s.hvp(&mut penalised, &v).map(drop))?,
    })
}
