//! A network trained on handwritten digits: the loss recorded once, its gradient compiled, an optimiser that uses it.
//!
//! `cargo run --release --example train_mlp`

use autodiff::{CompileOptions, Program};
use nn::data::{digits, shuffled};
use nn::optim::{Adam, Optimizer};
use nn::train::evaluate;
use nn::{Activation, Init, Mlp, loss, rng};

const BATCH: usize = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = rng(0);
    let [train, test] = digits::<f32>()?.split([1250, 547], &mut rng)?;
    let mlp = Mlp::new(&[64, 128, 10], Activation::Relu)?;
    let mut params = mlp.init::<f32>(Init::He, &mut rng);
    let n = params.tensors().len();

    // (θ…, x, y) ↦ the mean cross-entropy of a batch. Only the shapes are known here.
    let mut shapes: Vec<Vec<usize>> = params.tensors().iter().map(|p| p.dims().to_vec()).collect();
    shapes.extend([vec![BATCH, 64], vec![BATCH, 10]]);
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let loss = Program::record(&shapes, |a| loss::mean_cross_entropy(&mlp.forward(&a[..n], &a[n]), &a[n + 1]))?;
    let step = loss.value_and_grad(&(0..n).collect::<Vec<_>>())?;
    println!("the loss: {} operations; with its gradient: {}", loss.counts().ops, step.counts().ops);
    let mut step = step.compile::<f32>(CompileOptions::default());

    let mut optimizer = Adam::new();
    println!("{:>5} {:>8} {:>14}", "epoch", "loss", "test accuracy");
    for epoch in 1..=15 {
        let mut total = 0.0;
        let order = shuffled(train.len(), &mut rng);
        for batch in order.chunks_exact(BATCH) {
            let batch = train.select(batch);
            let data = [batch.inputs().clone(), loss::one_hot(batch.labels(), 10)?];
            let mut outputs = step.run(&[params.tensors(), &data].concat())?;
            let gradient = outputs.split_off(1);
            optimizer.step(params.tensors_mut(), &gradient, 2e-3);
            total += outputs[0].item();
        }
        let right = 100.0 * evaluate(&mlp, params.tensors(), &test);
        println!("{epoch:>5} {:>8.4} {right:>12.1} %", total / (train.len() / BATCH) as f32);
    }
    Ok(())
}
