//! Hyper-cleaning: half of the labels are wrong; a few hundred trusted examples say which.
//!
//! `cargo run --release --example hyper_cleaning -- [SEEDS]`: 600 handwritten digits, four ways to take the hypergradient.
//! `cargo run --release --example hyper_cleaning -- DIRECTORY [SEEDS]`: 5,000 images of the IDX files of MNIST (or its kin)
//! in a directory; a few minutes.

use bilevel::{Adam, GradientDescent, Implicit, Inner, Method, Reverse};
use nn::cleaning::{HyperCleaning, detection};
use nn::data::{Dataset, Noise, digits, idx};
use nn::train::{CrossEntropy, Objective, evaluate};
use nn::{Activation, Mlp, rng};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What is cleaned, and how long.
struct Setting {
    sizes: [usize; 2],
    rate: f64,
    steps: usize,
    outer_steps: usize,
}

/// Parameters after gradient descent on all examples with equal weights, from zero.
fn plain(mlp: &Mlp, set: &Dataset<f32>, setting: &Setting) -> Outcome<Vec<autodiff::Tensor<f32>>> {
    let mut params: Vec<_> = zeros(mlp);
    let mut objective = CrossEntropy::new(mlp, set)?;
    let all: Vec<usize> = (0..set.len()).collect();
    for _ in 0..setting.steps {
        let (_, gradient) = objective.gradient(&params, &all, setting.rate)?;
        params.iter_mut().zip(&gradient).for_each(|(p, g)| *p = &*p - g * setting.rate);
    }
    Ok(params)
}

fn zeros(mlp: &Mlp) -> Vec<autodiff::Tensor<f32>> {
    let [inputs, classes] = [mlp.sizes()[0], mlp.sizes()[1]];
    vec![autodiff::Tensor::zeros(&[inputs, classes]), autodiff::Tensor::zeros(&[classes])]
}

fn run(name: &str, all: &Dataset<f32>, test: Option<&Dataset<f32>>, setting: &Setting, seed: u64) -> Outcome<()> {
    let mut rng = rng(seed);
    let [train, trusted] = setting.sizes;
    let rest = if test.is_some() { 0 } else { all.len() - train - trusted };
    let [train, trusted, rest] = all.split([train, trusted, rest], &mut rng)?;
    let test = test.unwrap_or(&rest);
    let labels = Noise::UniformOther(0.5).apply(train.labels(), train.classes(), &mut rng)?;
    let corrupted: Vec<bool> = labels.iter().zip(train.labels()).map(|(a, b)| a != b).collect();
    let noisy = train.with_labels(labels)?;
    let mlp = Mlp::new(&[train.inputs().dims()[1], train.classes()], Activation::Relu)?;
    let accuracy = |params: &[autodiff::Tensor<f32>]| 100.0 * evaluate(&mlp, params, test);
    let right: Vec<usize> = (0..train.len()).filter(|&i| !corrupted[i]).collect();
    println!("{name}, seed {seed}: {} examples, half of them with a wrong label", train.len());
    println!("{:<14} {:>7} {:>10} {:>9}", "method", "F1", "accuracy", "seconds");
    println!("{:<14} {:>7} {:>9.1}%", "none", "", accuracy(&plain(&mlp, &noisy, setting)?));
    println!("{:<14} {:>7} {:>9.1}%", "oracle", "", accuracy(&plain(&mlp, &noisy.select(&right), setting)?));
    let rule = GradientDescent::new(setting.rate);
    let reverse = Reverse::new(rule.clone(), setting.steps);
    let (one, twenty) = (reverse.clone().last(1), reverse.clone().last(20));
    let implicit = Implicit::cg(Inner::steps(rule, setting.steps)).iterations(20);
    let methods: [&dyn Method<f32>; 4] = [&reverse, &twenty, &one, &implicit];
    for method in methods {
        let clock = Instant::now();
        let optimizer = Adam::new(0.3);
        let cleaning = HyperCleaning {
            mlp: &mlp,
            decay: 1e-3,
            method,
            optimizer: &optimizer,
            steps: setting.outer_steps,
            state: None,
        };
        let learnt = cleaning.run(&noisy, &trusted, &zeros(&mlp), |_| ControlFlow::Continue(()))?;
        let found = detection(&learnt.flagged(), &corrupted)?;
        let seconds = clock.elapsed().as_secs_f64();
        println!("{:<14} {:>7.3} {:>9.1}% {:>9.1}", method.name(), found.f1, accuracy(&learnt.params), seconds);
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let first = args.next().unwrap_or_else(|| "1".to_owned());
    if let Ok(seeds) = first.parse::<u64>() {
        let setting = Setting { sizes: [600, 600], rate: 1.0, steps: 100, outer_steps: 100 };
        let all = digits()?;
        return (0..seeds).try_for_each(|seed| run("digits", &all, None, &setting, seed));
    }
    let directory = first;
    let seeds: u64 = args.next().map_or(Ok(1), |text| text.parse())?;
    let file = |name: &str| {
        let plain = Path::new(&directory).join(name);
        if plain.exists() { plain } else { plain.with_extension("gz") }
    };
    let set =
        |part: &str| idx(&file(&format!("{part}-images-idx3-ubyte")), &file(&format!("{part}-labels-idx1-ubyte")), 10);
    let (all, test) = (set("train")?, set("t10k")?);
    let setting = Setting { sizes: [5000, 5000], rate: 0.1, steps: 200, outer_steps: 100 };
    (0..seeds).try_for_each(|seed| run("mnist", &all, Some(&test), &setting, seed))
}
