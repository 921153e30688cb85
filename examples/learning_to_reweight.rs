//! Learning to reweight (Ren et al. 2018): the weights of one minibatch by hand, then a whole run in compiled steps.
//!
//! `cargo run --release --example learning_to_reweight`

use autodiff::{Program, Shape, Tensor, Value};
use nn::data::{Dataset, Noise, digits};
use nn::reweight::{Kind, Setup, Training};
use nn::train::{Schedule, Settings, evaluate};
use nn::{Activation, Init, Mlp, loss, rng};

const RATE: f64 = 0.1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1,000 digits of which 400 have a wrong label; 100 that are trusted; the rest to test.
    let mut rng = rng(0);
    let all = digits::<f32>()?;
    let [trusted, others] = all.draw_evenly(100, &mut rng)?;
    let (train, test) = others.split_at(1000);
    let (train, trusted, test) = (all.select(train), all.select(&trusted), all.select(test));
    let labels = Noise::UniformOther(0.4).apply(train.labels(), 10, &mut rng)?;
    let wrong: Vec<bool> = labels.iter().zip(train.labels()).map(|(a, b)| a != b).collect();
    let noisy = train.with_labels(labels)?;
    let mlp = Mlp::new(&[64, 128, 10], Activation::Relu)?;

    println!(
        "weights of the first 12 examples, before and after five epochs of plain training ('x': the label is wrong)"
    );
    let twelve: Vec<usize> = (0..12).collect();
    let mark: Vec<&str> = wrong[..12].iter().map(|w| if *w { "x" } else { "." }).collect();
    println!("  {}", mark.iter().map(|m| format!("{m:>5}")).collect::<String>());
    let setup = |kind, epochs| Setup {
        mlp: mlp.clone(),
        init: Init::He,
        kind,
        settings: Settings { epochs, batch: 100, rate: Schedule::LastFifth(RATE) },
        trusted_batch: 100,
        momentum: 0.9,
        decay: 0.0,
        seed: 0,
    };
    let mut short = Training::new(setup(Kind::Uniform, 5), &noisy, &trusted)?;
    for _ in 0..2 {
        let weights = weights(&mlp, short.params(), &noisy.select(&twelve), &trusted)?;
        println!("  {}", weights.data().iter().map(|w| format!("{w:>5.2}")).collect::<String>());
        while !short.is_done() {
            short.epoch()?;
        }
    }

    println!(
        "\n{:>5} {:>8} {:>8}   mean weight of wrong labels over that of right ones, so far (from 80 on: since then)",
        "epoch", "plain", "L2RW"
    );
    let mut plain = Training::new(setup(Kind::Uniform, 100), &noisy, &trusted)?;
    let mut learnt = Training::new(setup(Kind::L2rw, 100), &noisy, &trusted)?;
    while !learnt.is_done() {
        plain.epoch()?;
        learnt.epoch()?;
        if learnt.epochs() % 10 == 0 {
            let right = |run: &Training<'_, f32>| 100.0 * evaluate(&mlp, run.params(), &test);
            let ratio = mean(&learnt.weights(), &wrong, true) / mean(&learnt.weights(), &wrong, false);
            println!("{:>5} {:>6.1} % {:>6.1} %   {ratio:.2}", learnt.epochs(), right(&plain), right(&learnt));
        }
    }
    Ok(())
}

/// With θ̂(ε) = θ − α ∇_θ Σ εᵢ ℓᵢ(θ): wᵢ = max(0, −∂L_trusted(θ̂(ε))/∂εᵢ) at ε = 0, divided by their sum.
fn weights(
    mlp: &Mlp,
    params: &[Tensor<f32>],
    batch: &Dataset<f32>,
    trusted: &Dataset<f32>,
) -> autodiff::Result<Tensor<f32>> {
    let p = params.len();
    let targets = |set: &Dataset<f32>| loss::one_hot::<f32>(set.labels(), 10).expect("labels are below 10");
    // (θ, ε) ↦ Σ εᵢ ℓᵢ, and its gradient by θ.
    let shapes: Vec<_> = params.iter().map(Value::shape).chain([Shape::from_slice(&[batch.len()])]).collect();
    let weighted = Program::record_shapes(&shapes, |a| {
        let (x, y) = (a[0].constant(batch.inputs()), a[0].constant(targets(batch)));
        vec![(a[p] * loss::cross_entropy(&mlp.forward(&a[..p], &x), &y)).sum_all()]
    })?;
    let by_params = weighted.grad(&(0..p).collect::<Vec<_>>())?;
    // (θ, ε) ↦ the trusted loss after the virtual step, and its gradient by ε.
    let ahead = Program::record_shapes(&shapes, |a| {
        let gradient = by_params.eval(a);
        let moved: Vec<_> = a[..p].iter().zip(gradient).map(|(p, g)| *p - g * RATE).collect();
        let (x, y) = (a[0].constant(trusted.inputs()), a[0].constant(targets(trusted)));
        vec![loss::mean_cross_entropy(&mlp.forward(&moved, &x), &y)]
    })?;
    let zeros = Tensor::zeros(&[batch.len()]);
    let hypergradient = ahead.grad(&[p])?.run(&[params, &[zeros]].concat())?.swap_remove(0);
    let helpful = (-hypergradient).relu();
    let sum = helpful.sum_all().item();
    // Where no example helps, all weights are zero.
    Ok(if sum > 0.0 { helpful / f64::from(sum) } else { helpful })
}

fn mean(weights: &[f64], wrong: &[bool], which: bool) -> f64 {
    let chosen: Vec<f64> = weights.iter().zip(wrong).filter(|(_, w)| **w == which).map(|(x, _)| *x).collect();
    chosen.iter().sum::<f64>() / chosen.len() as f64
}
