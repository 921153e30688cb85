//! A closure recorded once: printed, differentiated, batched, counted.
//!
//! `cargo run --release --example programs`

use autodiff::{Dual, Program, Tensor, Value};

fn main() -> Result<(), autodiff::Error> {
    let f = Program::record(&[&[3], &[3]], |x| (x[0] * x[1]).sum_all().tanh())?;
    println!("{f}\n{}\n", f.counts());

    let gradient = f.grad(&[0])?.simplify();
    println!("its gradient:\n{gradient}\n{}\n", gradient.counts());

    let (w, x) = (Tensor::from([0.1, 0.2, 0.3]), Tensor::from([1.0, -1.0, 2.0]));
    println!("gradient:               {}", gradient.run(&[w.clone(), x.clone()])?[0]);
    let direction = Tensor::from([1.0, 0.0, 0.0]);
    let forward = f.run(&[Dual::new(w.clone(), direction), Dual::constant_value(x.clone())])?;
    println!("the same, forward mode: {}", forward[0].tangent());

    let rows = Tensor::stack(&[&x, &(&x * 2.0), &(&x * -1.0)], 0);
    let per_example = gradient.batch(3, &[None, Some(0)], &[0])?;
    println!("for three examples:\n{:.3}\n", per_example.run(&[w, rows])?[0]);
    println!("{}", f.to_dot());
    Ok(())
}
