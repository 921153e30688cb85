//! How does the error of a ridge regression on new data change with its penalties? By hand in closed form, by hand through the
//! training run, by hand through the fixed point; then by the library.
//!
//! `cargo run --release --example hypergradient_by_hand`

use autodiff::{Tensor, Value, grad, hvp, vjp};
use bilevel::{GradientDescent, Implicit, Inner, Problem, Reverse};

type T = Tensor<f64>;
const RATE: f64 = 0.5;
const STEPS: usize = 200;

/// Inner: v minimises g = |Xv − y|²/2N + ½ Σ eᵘⱼ vⱼ². Outer: f = |X'v − y'|²/2M, on rows that v was not fitted to.
struct Ridge {
    x: T,
    y: T,
    x_val: T,
    y_val: T,
}

impl Ridge {
    fn inner<V: Value>(&self, u: &V, v: &V) -> V {
        let residual = v.constant(&self.x).matmul(v).minus(&v.constant(&self.y));
        let penalty = u.exp().times(&v.square()).sum_all();
        residual.square().mean_all().plus(&penalty).scale(0.5)
    }

    fn outer<V: Value>(&self, v: &V) -> V {
        v.constant(&self.x_val).matmul(v).minus(&v.constant(&self.y_val)).square().mean_all().scale(0.5)
    }

    /// ∇_v g(u, v). Here u is a constant, though it may be a variable of a derivative outside of this one.
    fn inner_gradient<V: Value>(&self, u: &V, v: &V) -> V {
        let g = grad(|v| self.inner(&v[0].tape().constant(u.clone()), &v[0]), std::slice::from_ref(v));
        g.expect("g depends on v").swap_remove(0)
    }

    /// A step of training: Φ(v, u) = v − η ∇_v g(u, v).
    fn step<V: Value>(&self, u: &V, v: &V) -> V {
        v.minus(&self.inner_gradient(u, v).scale(RATE))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (n, m, d) = (30, 20, 4);
    let wave = |shape: &[usize], salt: f64| {
        let mut i = salt;
        Tensor::from_fn(shape, |_| {
            i += 1.0;
            (i * i * 0.37).sin()
        })
    };
    let (x, x_val) = (wave(&[n, d], 0.1), wave(&[m, d], 7.3));
    let truth = Tensor::from([1.0, 0.0, -2.0, 0.0]);
    let (y, y_val) = (x.matmul(&truth) + wave(&[n], 3.0) * 0.8, x_val.matmul(&truth));
    let ridge = Ridge { x, y, x_val, y_val };
    let u = Tensor::from([-2.0, -1.0, -3.0, -2.0]);

    // In closed form: A = XᵀX/N + diag(eᵘ), v* = A⁻¹Xᵀy/N, w = A⁻¹∇f(v*), dF/duⱼ = −eᵘⱼ v*ⱼ wⱼ.
    let a = ridge.x.matmul_with(&ridge.x, true, false) / n as f64 + Tensor::<f64>::eye(d) * u.exp();
    let best = a.solve(&(ridge.x.transpose().matmul(&ridge.y) / n as f64));
    let residual = ridge.x_val.matmul(&best) - &ridge.y_val;
    let w = a.solve(&(ridge.x_val.transpose().matmul(&residual) / m as f64));
    let exact = -u.exp() * &best * w;
    println!("closed form             {exact:.6}");

    // Through the training run: forwards, keeping every iterate; backwards, a vjp of Φ a step. With α = ∇f(v_T),
    // h ← h + αᵀ ∂Φ/∂u, α ← αᵀ ∂Φ/∂v, from the last step to the first.
    let mut iterates = vec![Tensor::zeros(&[d])];
    for t in 0..STEPS {
        iterates.push(ridge.step(&u, &iterates[t]));
    }
    let v = iterates[STEPS].clone();
    let mut alpha = grad(|v| ridge.outer(&v[0]), &[v.clone()])?.swap_remove(0);
    let mut h = Tensor::zeros(&[d]);
    for v in iterates[..STEPS].iter().rev() {
        let (_, back) = vjp(|x| vec![ridge.step(&x[0], &x[1])], &[u.clone(), v.clone()], &[alpha])?;
        h += &back[0];
        alpha = back[1].clone();
    }
    println!("through the run         {h:.6}, {STEPS} iterates kept");

    // Through the fixed point ∇_v g(u, v) = 0: solve H·w = ∇f with Hessian-vector products only (here by w ← w + η(∇f − Hw)),
    // then dF/du = −∂/∂u ⟨∇_v g, w⟩.
    let target = grad(|v| ridge.outer(&v[0]), &[v.clone()])?.swap_remove(0);
    let mut w = Tensor::zeros(&[d]);
    for _ in 0..STEPS {
        let product = hvp(|v| ridge.inner(&v[0].constant(&u), &v[0]), std::slice::from_ref(&v), &[w.clone()])?;
        w = &w + (&target - &product[0]) * RATE;
    }
    let cross =
        grad(|u| -ridge.inner_gradient(&u[0], &u[0].constant(&v)).times(&u[0].constant(&w)).sum_all(), &[u.clone()])?;
    println!("through the fixed point {:.6}, nothing kept", cross[0]);

    // The library, by the same two roads; its reports say what it cost, and how wrong it may be.
    let ridge = std::sync::Arc::new(ridge);
    let same = std::sync::Arc::clone(&ridge);
    let problem = Problem::new(move |_, v| ridge.outer(&v[0]), move |u, v| same.inner(&u[0], &v[0]));
    let rule = GradientDescent::new(RATE);
    for method in
        [&Reverse::new(rule.clone(), STEPS) as &dyn bilevel::Method<f64>, &Implicit::cg(Inner::steps(rule, STEPS))]
    {
        let answer = problem.hypergradient(&[u.clone()], &[Tensor::zeros(&[d])], method)?;
        let error = (&answer.gradient[0] - &exact).square().sum_all().item().sqrt();
        println!("\n{}: {:.6}, error {error:.1e}\n{}", method.name(), answer.gradient[0], answer.report);
    }
    Ok(())
}
