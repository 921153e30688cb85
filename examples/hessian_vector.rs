//! A Hessian times a vector, four ways, and what each costs beside the gradient.
//!
//! `cargo run --release --example hessian_vector`

use autodiff::{CompileOptions, Dual, Element, Program, Tensor, Value, grad, hvp, jvp};
use nn::{Activation, Init, Mlp, loss, rng};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The loss of a network on 100 examples, as a function of its 17,226 parameters.
    let mlp = Mlp::new(&[64, 128, 64, 10], Activation::Tanh)?;
    let x = nn::normal::<f64>(&[100, 64], 1.0, &mut rng(1));
    let y = loss::one_hot::<f64>(&(0..100).map(|i| i % 10).collect::<Vec<_>>(), 10)?;
    let params = mlp.init::<f64>(Init::Glorot, &mut rng(0));
    let params = params.tensors();
    let v: Vec<Tensor<f64>> = params.iter().map(|p| nn::normal(p.dims(), 1.0, &mut rng(2))).collect();

    // Forward over reverse: the gradient's tangent along v. One sweep, no Hessian.
    let first = hvp(|p| objective(&mlp, p, &x, &y), params, &v)?;
    // The same said in two words: the jvp of the gradient.
    let (_, second) = jvp(|p| grad(|p| objective(&mlp, p, &x, &y), p).expect("every parameter matters"), params, &v)?;
    // Reverse over reverse: the gradient of ⟨∇ℓ, v⟩.
    let third = grad(
        |p| {
            let g = grad(|p| objective(&mlp, p, &x, &y), p).expect("every parameter matters");
            g.iter().zip(&v).map(|(g, v)| (g * g.constant(v)).sum_all()).sum()
        },
        params,
    )?;
    // A difference of two gradients: no second derivative, half of the digits.
    let step = 1e-5;
    let at = |sign: f64| -> Vec<_> { params.iter().zip(&v).map(|(p, v)| p + v * (sign * step)).collect() };
    let slope = |p: Vec<_>| grad(|p| objective(&mlp, p, &x, &y), &p);
    let (above, below) = (slope(at(1.0))?, slope(at(-1.0))?);
    let fourth: Vec<_> = above.iter().zip(&below).map(|(a, b)| (a - b) / (2.0 * step)).collect();

    println!("relative difference from forward over reverse");
    for (name, other) in [("jvp of grad", &second), ("grad of ⟨grad, v⟩", &third), ("differences", &fourth)] {
        println!("  {name:<18} {:.1e}", difference(other, &first));
    }

    // Recorded once and compiled: what each costs, in gradients.
    let shapes: Vec<&[usize]> = params.iter().map(Tensor::dims).collect();
    let program = Program::record(&shapes, |p| objective(&mlp, p, &x, &y))?;
    let wrt: Vec<usize> = (0..params.len()).collect();
    let both = [params, &v].concat();
    let reverse_twice = {
        let gradient = program.grad(&wrt)?;
        let shapes = [&shapes[..], &shapes].concat();
        let inner = Program::record(&shapes, |a| {
            let (p, v) = a.split_at(wrt.len());
            gradient.eval(p).iter().zip(v).map(|(g, v)| (*g * *v).sum_all()).sum()
        })?;
        inner.grad(&wrt)?
    };
    let one = seconds(&program.grad(&wrt)?, params)?;
    println!("compiled, on one thread\n  gradient           {:.2} ms", 1e3 * one);
    for (name, program) in [("hvp", &program.hvp(&wrt)?), ("grad of ⟨grad, v⟩", &reverse_twice)] {
        println!("  {name:<18} {:.2} gradients", seconds(program, &both)? / one);
    }

    // Forward mode of a recorded gradient needs no transform either: run it on dual numbers.
    let duals: Vec<_> = params.iter().zip(&v).map(|(p, v)| Dual::new(p.clone(), v.clone())).collect();
    let last: Vec<_> = program.grad(&wrt)?.run(&duals)?.iter().map(|g| g.tangent().clone()).collect();
    println!("a recorded gradient run on dual numbers: {:.1e}", difference(&last, &first));
    Ok(())
}

fn objective<V: Value>(mlp: &Mlp, p: &[V], x: &Tensor<f64>, y: &Tensor<f64>) -> V {
    let (x, y) = (p[0].constant(x), p[0].constant(y));
    loss::mean_cross_entropy(&mlp.forward(p, &x), &y)
}

fn difference<E: Element>(a: &[Tensor<E>], b: &[Tensor<E>]) -> f64 {
    let norm = |x: Vec<Tensor<E>>| x.iter().map(|x| x.square().sum_all().item().to_f64()).sum::<f64>().sqrt();
    norm(a.iter().zip(b).map(|(a, b)| a - b).collect()) / norm(b.to_vec())
}

/// The least time of twenty runs.
fn seconds(program: &Program, inputs: &[Tensor<f64>]) -> autodiff::Result<f64> {
    let mut executable = program.compile::<f64>(CompileOptions::default().threads(1));
    let mut outputs = executable.run(inputs)?;
    let mut least = f64::INFINITY;
    for _ in 0..20 {
        let clock = Instant::now();
        executable.run_into(inputs, &mut outputs)?;
        least = least.min(clock.elapsed().as_secs_f64());
    }
    Ok(least)
}
