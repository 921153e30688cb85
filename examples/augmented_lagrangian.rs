//! The multiplier of the inner condition is minus the adjoint of implicit differentiation.
//!
//! Where ∇_v g(u, v) = 0 is a constraint, the Lagrangian f + ⟨λ, ∇_v g⟩ is stationary in v at λ* = −H⁻¹f_v: what implicit
//! differentiation solves a linear system for. The augmented Lagrangian finds it by updates λ ← λ + γ·∇_v g; a penalty alone
//! reaches it only as γ grows. Each round is minimised by Newton's method here, so that all the error is that of λ; by
//! `Descent::steps` of any update rule, no system is solved at all.
//!
//! `cargo run --release --example augmented_lagrangian`

use autodiff::{Tensor, Value};
use bilevel::{Ask, AugmentedLagrangian, Data, Descent, Implicit, Inner, Method, Penalty, Problem, Schedule};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Inner: logistic regression on eight points with a learnt penalty. Outer: its loss on four others.
    let x = Tensor::from_rows([
        [1.0, 0.2, -0.5],
        [0.4, 1.1, 0.3],
        [-0.9, 0.5, 0.8],
        [-1.2, -0.4, 0.1],
        [0.7, -1.0, 0.6],
        [0.2, 0.3, -1.1],
        [-0.3, -0.8, -0.7],
        [1.3, 0.9, 0.4],
    ]);
    let y = Tensor::from([1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0]);
    let x_val = Tensor::from_rows([[0.9, -0.1, 0.2], [-0.8, 0.3, 0.5], [0.5, 0.8, -0.6], [-0.6, -0.9, 0.2]]);
    let y_val = Tensor::from([1.0, -1.0, 1.0, -1.0]);
    let problem = Problem::new(
        move |_, v| (-(v[0].constant(&x_val).matmul(&v[0]) * v[0].constant(&y_val))).softplus().mean_all(),
        move |u, v| {
            let margin = v[0].constant(&x).matmul(&v[0]) * v[0].constant(&y);
            (-margin).softplus().mean_all() + (u[0].exp() * v[0].square()).sum_all() * 0.5
        },
    );
    let (u, v0) = ([Tensor::from([-2.0, -1.0, -3.0])], [Tensor::zeros(&[3])]);
    let ask = Ask { problem: &problem, u: &u, v0: &v0, data: Data::NONE };

    // What it should be: Newton's method to the inner minimiser, then H·w = f_v.
    let exact = problem.hypergradient(&u, &v0, &Implicit::cg(Inner::newton()))?;
    let adjoint = exact.adjoint.as_deref().unwrap_or_default();
    println!("implicit: dF/du = {:.8}\n          −w    = {:.8}\n", exact.gradient[0], -&adjoint[0]);

    let distance = |a: &Tensor<f64>, b: &Tensor<f64>| (a - b).square().sum_all().item().sqrt();
    let show = |name: &str, method: &dyn Method<f64>| -> bilevel::Result<()> {
        let h = ask.problem.hypergradient(&u, &v0, method)?;
        let w = h.adjoint.as_deref().unwrap_or_default();
        let g = h.report.inner_grad_norm.unwrap_or(f64::NAN);
        let lambda = distance(&w[0], &adjoint[0]);
        println!("{name:<24} {g:>9.1e} {lambda:>9.1e} {:>11.1e}", distance(&h.gradient[0], &exact.gradient[0]));
        Ok(())
    };
    println!("{:<24} {:>9} {:>9} {:>11}", "", "‖∇_v g‖", "‖λ − λ*‖", "error");
    for rounds in [1, 2, 3, 5, 8] {
        show(
            &format!("γ = 10, {rounds} rounds of λ"),
            &AugmentedLagrangian { accept: true, ..AugmentedLagrangian::new(10.0).constant(rounds) },
        )?;
    }
    println!();
    for gamma in [10.0, 100.0, 1000.0, 10_000.0] {
        let penalty =
            Penalty { gamma, factor: 1.0, schedule: Schedule::Stages(1), descent: Descent::Newton(100), accept: true };
        show(&format!("penalty, γ = {gamma}"), &penalty)?;
    }
    Ok(())
}
