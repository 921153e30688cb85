//! Gaussian mixture: the log-likelihood of points under components with lower-triangular precisions, and a Wishart prior.

use crate::Result;
use crate::json::{count, nested, number, tensor};
use crate::task::{Task, compiled, first};
use autodiff::{Program, Tensor, Value};
use serde_json::json;
use std::f64::consts::PI;

/// (α, μ `[d]`, q `[d]`, l `[d(d−1)/2]`, x `[n, d]`) ↦ α + Σq − ½‖Q(xᵢ − μ)‖² for each point, of one component.
fn component(n: usize, d: usize) -> autodiff::Result<Program> {
    let triangle = d * (d - 1) / 2;
    // Below the diagonal column by column.
    let places: Vec<f64> = (0..d).flat_map(|j| (j + 1..d).map(move |i| (i * d + j) as f64)).collect();
    Program::record(&[&[], &[d], &[d], &[triangle], &[n, d]], |a| {
        let [alpha, mu, q, l, x] = a else { unreachable!("five inputs were named") };
        let below =
            q.constant(Tensor::<f64>::zeros(&[d * d])).scatter_add(&q.constant(Tensor::from(&places[..])), l, 0);
        let precision = q.exp() * q.constant(Tensor::<f64>::eye(d)) + below.reshape(&[d, d]);
        let y = (*x - *mu).matmul_with(&precision, false, true);
        *alpha + q.sum_all() - y.square().sum(&[1]) * 0.5
    })
}

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let (n, d, k) = (count(input, "n")?, count(input, "d")?, count(input, "k")?);
    let (m, gamma) = (number(input, "m")?, number(input, "gamma")?);
    let triangle = d * (d - 1) / 2;
    let l = tensor(input, "l")?.with_shape(&[k, triangle])?;
    let inputs = vec![tensor(input, "alpha")?, tensor(input, "mu")?, tensor(input, "q")?, l, tensor(input, "x")?];
    let freedom = n_freedom(d, m);
    let log_gamma: f64 = (1..=d).map(|j| libm::lgamma(freedom / 2.0 + (1.0 - j as f64) / 2.0)).sum();
    let prior =
        freedom * d as f64 * (gamma.ln() - 0.5 * 2_f64.ln()) - ((d * (d - 1)) as f64 / 4.0 * PI.ln() + log_gamma);
    let constant = -((n * d) as f64) / 2.0 * (2.0 * PI).ln() + k as f64 * prior;
    let record = move || {
        let all = component(n, d)?.batch(k, &[Some(0), Some(0), Some(0), Some(0), None], &[0])?;
        let objective = Program::record(&[&[k], &[k, d], &[k, d], &[k, triangle], &[n, d]], |a| {
            let (alpha, q, l) = (a[0], a[2], a[3]);
            let likelihood = all.eval(a)[0].logsumexp(&[0]).sum_all() - alpha.logsumexp(&[0]) * n as f64;
            let prior = ((q * 2.0).exp().sum_all() + l.square().sum_all()) * (-0.5 * gamma * gamma);
            likelihood + prior + q.sum_all() * m + constant
        })?;
        if primal { Ok(objective) } else { objective.grad(&[0, 1, 2, 3]) }
    };
    if primal {
        return Ok(compiled(inputs, record, first));
    }
    Ok(compiled(
        inputs,
        record,
        |g| json!({"alpha": nested(&g[0]), "mu": nested(&g[1]), "q": nested(&g[2]), "l": nested(&g[3])}),
    ))
}

/// Degrees of freedom of the prior.
fn n_freedom(d: usize, m: f64) -> f64 {
    d as f64 + m + 1.0
}
