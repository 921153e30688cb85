//! A hypergradient against its closed form: which penalty makes ridge regression predict best?
//!
//! `cargo run --release --example hypergradient`

use autodiff::{Tensor, Value};
use bilevel::{GradientDescent, Problem, Reverse};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Inner: v minimises |Xv − y|²/2N + ½ Σ e^{uⱼ} vⱼ². Outer: |X'v − y'|²/2M.
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

    // In closed form: A = XᵀX/N + diag(eᵘ), w = A⁻¹Xᵀy/N, q = A⁻¹X'ᵀ(X'w − y')/M, ∂F/∂uⱼ = −e^{uⱼ} wⱼ qⱼ.
    let u = Tensor::from([-2.0, -1.0, -3.0, -2.0]);
    let diagonal = Tensor::<f64>::eye(d) * u.exp();
    let a = x.matmul_with(&x, true, false) / n as f64 + diagonal;
    let w = a.solve(&(x.transpose().matmul(&y) / n as f64));
    let q = a.solve(&(x_val.transpose().matmul(&(x_val.matmul(&w) - &y_val)) / m as f64));
    let exact = -u.exp() * w * q;

    let problem = Problem::new(
        move |_, v| (v[0].constant(&x_val).matmul(&v[0]) - &y_val).square().mean_all() * 0.5,
        move |u, v| {
            let error = (v[0].constant(&x).matmul(&v[0]) - &y).square().mean_all();
            error * 0.5 + (u[0].exp() * v[0].square()).sum_all() * 0.5
        },
    );
    println!("closed form        {exact:.6}\n");
    for steps in [1, 10, 100, 1000] {
        let method = Reverse::new(GradientDescent::new(0.5), steps);
        let h = problem.hypergradient(&[u.clone()], &[Tensor::zeros(&[d])], &method)?;
        let error = (&h.gradient[0] - &exact).square().sum_all().item().sqrt();
        println!("{steps} steps: {:.6}, error {error:.1e}\n{}\n", h.gradient[0], h.report);
    }
    Ok(())
}
