//! Few-shot regression of sinusoids: learning where to start from.

use crate::Rng;
use crate::error::Result;
use crate::mlp::Mlp;
use crate::params::Params;
use autodiff::{Element, Tensor, Value};
use bilevel::{Problem, Symbol};
use rand_distr::{Distribution, Uniform};

/// A batch of tasks: for each, a few points to adapt to and a few to be judged by.
#[derive(Clone, Debug)]
pub struct Tasks<E: Element> {
    /// `x` and `y` to adapt to, each `[tasks, shots, 1]`.
    pub support: [Tensor<E>; 2],
    /// `x` and `y` to be judged by, each `[tasks, shots, 1]`.
    pub query: [Tensor<E>; 2],
}

/// Tasks `y = a·sin(x − φ)`, a in [0.1, 5], φ in [0, π], x in [−5, 5], as many points to adapt to as to be judged by.
/// (Finn, Abbeel, Levine: Model-agnostic meta-learning, ICML 2017, section 5.1.)
pub fn sinusoids<E: Element>(tasks: usize, shots: usize, rng: &mut Rng) -> Tasks<E> {
    let mut uniform = |low: f64, high: f64| {
        let range = Uniform::new_inclusive(low, high).expect("the limits are finite and in order");
        range.sample(&mut *rng)
    };
    let waves: Vec<(f64, f64)> = (0..tasks).map(|_| (uniform(0.1, 5.0), uniform(0.0, std::f64::consts::PI))).collect();
    let mut points = || {
        let x: Vec<f64> = (0..tasks * shots).map(|_| uniform(-5.0, 5.0)).collect();
        let at = |i: &[usize]| i[0] * shots + i[1];
        let shape = [tasks, shots, 1];
        let y = Tensor::from_fn(&shape, |i| E::from_f64(waves[i[0]].0 * (x[at(i)] - waves[i[0]].1).sin()));
        [Tensor::from_fn(&shape, |i| E::from_f64(x[at(i)])), y]
    };
    Tasks { support: points(), query: points() }
}

/// The parameters of one network as those of many: `[…]` becomes `[tasks, …]`, a bias `[n]` becomes `[tasks, 1, n]`, so that
/// [`Mlp::forward`] of a stack of points is one stack of products.
fn for_each_task<V: Value>(params: &[V], tasks: usize) -> Vec<V> {
    let one = |p: &V| {
        let shape = p.shape();
        let rows = if shape.len() == 1 { 1 } else { shape[0] };
        p.broadcast_to(&[tasks, rows, shape[shape.len() - 1]])
    };
    params.iter().map(one).collect()
}

/// Sum over tasks of the mean squared error.
fn error<'t>(mlp: &Mlp, params: &[Symbol<'t>], points: &[Symbol<'t>]) -> Symbol<'t> {
    (mlp.forward(params, &points[0]) - points[1]).square().mean(&[1, 2]).sum_all()
}

/// MAML: u is where every task starts from; the inner objective is each task's error on its support. For
/// [`Reverse`](bilevel::Reverse) (MAML) and [`FirstOrder`](bilevel::FirstOrder) of a few steps; `v0` is `&[]`.
///
/// The outer data is a batch's query, the inner data its support. The objective is the mean over tasks.
pub fn maml(mlp: &Mlp, tasks: usize) -> Problem {
    let (outer, inner) = (mlp.clone(), mlp.clone());
    Problem::with_data(
        move |_, v, data| error(&outer, v, data) / tasks as f64,
        move |_, v, data| error(&inner, v, data),
    )
    .start(move |u| for_each_task(u, tasks))
}

/// iMAML: each task's error on its support plus `λ/2·‖φ − θ‖²`, of which the adapted φ is the minimiser, however it is
/// found. For [`Implicit`](bilevel::Implicit). (Rajeswaran, Finn, Kakade, Levine, NeurIPS 2019.)
///
/// The search starts from θ; data as for [`maml`].
pub fn imaml(mlp: &Mlp, tasks: usize, lambda: f64) -> Problem {
    let (outer, inner) = (mlp.clone(), mlp.clone());
    Problem::with_data(
        move |_, v, data| error(&outer, v, data) / tasks as f64,
        move |u, v, data| {
            let start = for_each_task(u, tasks);
            let pulls = v.iter().zip(&start).map(|(v, u)| (*v - *u).square().sum_all() * (0.5 * lambda));
            pulls.fold(error(&inner, v, data), |sum, pull| sum + pull)
        },
    )
    .start(move |u| for_each_task(u, tasks))
}

/// The mean squared error on the queries after so many steps of gradient descent from the same parameters on each task's
/// support: index 0 before any step.
///
/// # Errors
/// [`Error::Bilevel`](crate::Error::Bilevel) if a number stops being finite.
pub fn adaptation<E: Element>(
    mlp: &Mlp,
    params: &Params<E>,
    tasks: &Tasks<E>,
    rate: f64,
    steps: usize,
) -> Result<Vec<f64>> {
    let count = tasks.support[0].dims()[0];
    let mut adapted = for_each_task(params.tensors(), count);
    let mut errors = Vec::with_capacity(steps + 1);
    for step in 0..=steps {
        let residual = mlp.forward(&adapted, &tasks.query[0]) - &tasks.query[1];
        let error = residual.square().mean_all().item().to_f64();
        if !error.is_finite() {
            let what = "the error on the queries";
            return Err(bilevel::Error::NonFinite { what, step, op: "the rate may be too large".to_owned() }.into());
        }
        errors.push(error);
        if step == steps {
            break;
        }
        let [x, y] = &tasks.support;
        let gradient = autodiff::grad(
            |p| (mlp.forward(p, &p[0].constant(x)) - p[0].constant(y)).square().mean(&[1, 2]).sum_all(),
            &adapted,
        )?;
        for (p, g) in adapted.iter_mut().zip(&gradient) {
            *p = &*p - g * rate;
        }
    }
    Ok(errors)
}
