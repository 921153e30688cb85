//! Gradients, Jacobians, Hessians and higher derivatives of closures.
//!
//! `cargo run --release --example gradients`

use autodiff::check::Check;
use autodiff::{Tensor, Value, derivative, grad, hessian, jacobian, nth_derivative};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("d/dx sin(x)·eˣ at 1:        {}", derivative(|x| x.sin() * x.exp(), 1.0)?);
    println!("its tenth derivative:       {}", nth_derivative(|x| x.sin() * x.exp(), 1.0, 10)?);

    // Rosenbrock's valley, in as many dimensions as you like.
    let rosenbrock = [1.2, 1.0, 0.8];
    let g = grad(
        |x| x.windows(2).map(|w| (1.0 - w[0]).square() + 100.0 * (w[1] - w[0].square()).square()).sum(),
        &rosenbrock,
    )?;
    println!("gradient of Rosenbrock:     {g:.2?}");
    let h = hessian(|x| (1.0 - x[0]).square() + 100.0 * (x[1] - x[0].square()).square(), &[1.0, 1.0])?;
    println!("Hessian at the minimum:     {h:?}");
    let j = jacobian(|x| vec![x[0] * x[1].cos(), x[0] * x[1].sin()], &[2.0, 0.5])?;
    println!("Jacobian of polar to plane: {j:.3?}");

    // Arrays: the softmax's loss, and a check of it to third order.
    let x = Tensor::from_rows([[1.0, -0.5, 0.2], [0.1, 0.4, -1.0]]);
    let g = grad(|v| (v[0].logsumexp(&[1]) - v[0].at(1, 0)).mean_all(), &[x.clone()])?;
    println!("gradient of cross-entropy:\n{:.4}", g[0]);
    let report = Check::new().order(3).closure(|v| vec![(v[0].logsumexp(&[1]) - v[0].at(1, 0)).mean_all()], &[x])?;
    println!("{report}");
    Ok(())
}
