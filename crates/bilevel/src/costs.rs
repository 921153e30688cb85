//! What each primitive of a problem costs on this machine.

use crate::clock::Clock;
use crate::dynamics::Dynamics;
use crate::error::Result;
use crate::method::Ask;
use crate::method::directions;
use crate::session::{Penalty, Session};
use crate::vector::zeros;
use autodiff::{Element, Tensor};

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
    /// g, g_u, g_v.
    pub inner_both: f64,
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

/// Measures, each primitive so often, one after another: as loops meet them, with what they read in the cache.
///
/// # Errors
/// What keeps a primitive from being evaluated.
pub fn costs<E: Element>(ask: &Ask<'_, E>, dynamics: &dyn Dynamics, repeats: usize) -> Result<Costs> {
    measure(ask, dynamics, repeats, false)
}

/// Measures, all primitives in turn, so often: as methods meet them that evaluate each once, with the other objective's data
/// in the cache.
///
/// # Errors
/// What keeps a primitive from being evaluated.
pub fn costs_in_turn<E: Element>(ask: &Ask<'_, E>, dynamics: &dyn Dynamics, repeats: usize) -> Result<Costs> {
    measure(ask, dynamics, repeats, true)
}

type Run<'r, 'a, E> = Box<dyn FnMut(&mut Session<'a, E>) -> Result<()> + 'r>;

fn measure<E: Element>(ask: &Ask<'_, E>, dynamics: &dyn Dynamics, repeats: usize, in_turn: bool) -> Result<Costs> {
    let mut session = ask.session(Some(dynamics))?;
    let state = session.initial(ask.v0)?;
    let v = state[..session.m].to_vec();
    let du = directions(ask.u);
    let m = du[0].dims()[0];
    let ds: Vec<Tensor<E>> = state.iter().map(|x| Tensor::zeros(&[&[m], x.dims()].concat())).collect();
    let penalty = Penalty { multipliers: zeros(&v), gamma: 1.0 };
    let mut hessian = session.hessian(&v, 0)?;
    let mut penalised = session.penalised_hessian(&v, &penalty, false);
    let mut primitives: [Run<'_, '_, E>; 11] = [
        Box::new(|s| s.outer(&v, 0, 0).map(drop)),
        Box::new(|s| s.inner(&v, 0, 0).map(drop)),
        Box::new(|s| s.mixed(&v, &v, 0).map(drop)),
        Box::new(|s| s.hessian(&v, 0).map(drop)),
        Box::new(|s| s.hvp(&mut hessian, &v).map(drop)),
        Box::new(|s| s.inner_both(&v, 0, 0).map(drop)),
        Box::new(|s| s.step(1, &state).map(drop)),
        Box::new(|s| s.step_vjp(1, &state, &state).map(drop)),
        Box::new(|s| s.step_jvp(1, &state, &du, &ds).map(drop)),
        Box::new(|s| s.penalised(&v, &penalty, 0).map(drop)),
        Box::new(|s| s.hvp(&mut penalised, &v).map(drop)),
    ];
    // The first runs compile.
    for run in &mut primitives {
        run(&mut session)?;
    }
    let mut samples = vec![Vec::with_capacity(repeats); primitives.len()];
    let repeats = repeats.max(1);
    let (rounds, at_once) = if in_turn { (repeats, 1) } else { (1, repeats) };
    for _ in 0..rounds {
        for (run, samples) in primitives.iter_mut().zip(&mut samples) {
            for _ in 0..at_once {
                let clock = Clock::now();
                run(&mut session)?;
                samples.push(clock.seconds());
            }
        }
    }
    drop(primitives);
    let mut medians = samples.into_iter().map(|mut samples| {
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    });
    let mut next = || medians.next().expect("a median for each primitive");
    Ok(Costs {
        outer: next(),
        inner: next(),
        mixed: next(),
        hessian: next(),
        hvp: next(),
        inner_both: next(),
        step: next(),
        step_vjp: next(),
        step_jvp: next(),
        penalised: next(),
        penalised_hvp: next(),
    })
}
