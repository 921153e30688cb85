//! Implicit hypergradient of logistic regression with 2,000 log-penalties, by conjugate gradients (W5).

use super::{Job, shapes};
use crate::Result;
use crate::inputs::Inputs;
use crate::values::Values;
use autodiff::{CompileOptions, Element, Program, Tensor, Value};
use bilevel::{Data, GradientDescent, Inner, LinearSolver, Problem, Symbol};

/// Mean logistic loss of rows with labels ±1.
fn logistic_loss<'t>(w: &Symbol<'t>, data: &[Symbol<'t>]) -> Symbol<'t> {
    (-data[1] * data[0].matmul(w)).softplus().mean_all()
}

pub(super) struct Implicit<E: Element> {
    solve_only: bool,
    problem: Problem,
    method: bilevel::Implicit,
    u: [Tensor<E>; 1],
    v: [Tensor<E>; 1],
    inner: [Tensor<E>; 2],
    outer: [Tensor<E>; 2],
}

impl<E: Element> Implicit<E> {
    pub(super) fn new(inputs: &Inputs, option: &str, threads: usize) -> Result<Self> {
        let u = [inputs.array::<E>("lam5")?];
        let inner = [inputs.array("X5train")?, inputs.signs("y5train")?];
        let outer = [inputs.array("X5val")?, inputs.signs("y5val")?];
        let problem = Problem::with_data(
            |_, w, data| logistic_loss(&w[0], data),
            |u, w, data| logistic_loss(&w[0], data) + (u[0].exp() * w[0].square()).sum_all() * 0.5,
        );
        // Gradient descent until the gradient is small; of the answer only its w is of interest.
        let rate = 1.0 / smoothness(&u[0], &inner[0])?;
        let tolerance = if E::NAME == "f64" { 1e-11 } else { 1e-5 };
        let solve = Inner::steps(GradientDescent::new(rate), 5000).tolerance(tolerance);
        let solve = bilevel::Implicit::new(solve, LinearSolver::Identity { rate }).accept();
        let mut job = Self {
            solve_only: option == "solve",
            problem: problem.threads(threads).diagnostics(false),
            method: solve,
            v: [Tensor::zeros(u[0].dims())],
            u,
            inner,
            outer,
        };
        if !job.solve_only {
            job.v = [job.hypergradient()?.inner_solution.swap_remove(0)];
            let iterations = inputs.setting("W5", "cg_iters")? as usize;
            job.method = bilevel::Implicit::cg(Inner::given()).iterations(iterations);
        }
        Ok(job)
    }

    fn hypergradient(&self) -> Result<bilevel::Hypergradient<E>> {
        let data = Data::new(&self.outer, &self.inner);
        Ok(self.problem.hypergradient_on(&self.u, &self.v, data, &self.method)?)
    }
}

/// A bound on the Hessian: a quarter of the largest eigenvalue of XᵀX/N, by power iteration, and the largest penalty.
fn smoothness<E: Element>(log_penalties: &Tensor<E>, x: &Tensor<E>) -> Result<f64> {
    let arrays = [Tensor::ones(&[x.dims()[1]]), x.clone()];
    let rows = x.dims()[0] as f64;
    let product = Program::record_shapes(&shapes(&arrays), |x| {
        let image = x[1].matmul_with(&x[1].matmul(&x[0]), true, false);
        vec![image / rows]
    })?;
    let mut product = product.compile::<E>(CompileOptions::default());
    let mut inputs = arrays;
    let mut largest = 0.0;
    for _ in 0..200 {
        let image = product.run(&inputs)?.swap_remove(0);
        largest = image.square().sum_all().item().to_f64().sqrt();
        inputs[0] = image.map(|x| x / E::from_f64(largest));
    }
    let penalty = log_penalties.data().iter().map(|x| x.to_f64().exp()).fold(0.0, f64::max);
    Ok(0.25 * largest * 1.001 + penalty)
}

impl<E: Element> Job<E> for Implicit<E> {
    fn run(&mut self) -> Result<Values<E>> {
        let found = self.hypergradient()?;
        if self.solve_only {
            return Ok(vec![("w", found.inner_solution)]);
        }
        let value = Tensor::scalar(E::from_f64(found.report.outer_value));
        Ok(vec![("F", vec![value]), ("hyper", found.gradient), ("q", found.adjoint.unwrap_or_default())])
    }

    fn explain(&mut self) -> Result<String> {
        Ok(format!("{}\n", self.hypergradient()?.report))
    }
}
