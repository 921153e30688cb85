//! Compiled training against the objectives it compiles, and what it promises on real digits.

use autodiff::{Element, Tensor, Value, grad};
use nn::data::{Dataset, Noise, digits, shuffled};
use nn::optim::{Optimizer, Sgd};
use nn::reweight::{Kind, L2rw, Setup, Training, example_weight};
use nn::train::{CrossEntropy, Objective, Schedule, Settings, evaluate};
use nn::{Activation, Init, Mlp, loss, rng};
use std::path::Path;

fn setup(kind: Kind, seed: u64) -> Setup {
    Setup {
        mlp: Mlp::new(&[64, 12, 10], Activation::Tanh).unwrap(),
        init: Init::Glorot,
        kind,
        settings: Settings { epochs: 5, batch: 32, rate: Schedule::LastFifth(0.3) },
        trusted_batch: 40,
        momentum: 0.9,
        decay: 1e-3,
        seed,
    }
}

fn sets() -> [Dataset<f64>; 2] {
    let mut rng = rng(7);
    let [noisy, trusted] = digits::<f64>().unwrap().split([100, 40], &mut rng).unwrap();
    let labels = Noise::UniformOther(0.4).apply(noisy.labels(), 10, &mut rng).unwrap();
    [noisy.with_labels(labels).unwrap(), trusted]
}

/// The same epochs by an objective that was verified on its own, and an optimiser; and each example's weights.
fn by_objective(setup: &Setup, objective: &mut impl Objective<f64>, epochs: usize) -> Vec<Tensor<f64>> {
    let mut params = setup.mlp.init::<f64>(setup.init, &mut rng(setup.seed));
    let mut optimizer = Sgd::new(setup.momentum).weight_decay(setup.decay);
    for epoch in 0..epochs {
        let mut rng = rng(setup.seed ^ (epoch as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let rate = setup.settings.rate.at(epoch, setup.settings.epochs);
        for batch in shuffled(objective.len(), &mut rng).chunks(setup.settings.batch) {
            let (_, gradient) = objective.gradient(params.tensors(), batch, rate).unwrap();
            optimizer.step(params.tensors_mut(), &gradient, rate);
        }
    }
    params.tensors().to_vec()
}

fn assert_near(found: &[Tensor<f64>], expected: &[Tensor<f64>], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        let size = b.square().sum_all().item().sqrt();
        assert!((a - b).square().sum_all().item().sqrt() <= tolerance * size, "{a} instead of {b}");
    }
}

fn advance<E: Element>(run: &mut Training<'_, E>, epochs: usize) {
    for _ in 0..epochs {
        run.epoch().unwrap();
    }
}

#[test]
fn compiled_steps_are_those_of_the_objectives() {
    let [noisy, trusted] = sets();
    for seed in 0..3 {
        let s = setup(Kind::Uniform, seed);
        let mut run = Training::new(s.clone(), &noisy, &trusted).unwrap();
        advance(&mut run, 3);
        let mut plain = CrossEntropy::new(&s.mlp, &noisy).unwrap();
        assert_near(run.params(), &by_objective(&s, &mut plain, 3), 1e-11);
        assert!(run.weights().iter().all(|w| (w - 1.0).abs() < 1e-12));

        let s = setup(Kind::L2rw, seed);
        let mut run = Training::new(s.clone(), &noisy, &trusted).unwrap();
        advance(&mut run, 3);
        let mut l2rw = L2rw::new(&s.mlp, &noisy, &trusted).unwrap();
        assert_near(run.params(), &by_objective(&s, &mut l2rw, 3), 1e-9);
        for (found, expected) in run.weights().iter().zip(l2rw.mean_weights()) {
            // The objective keeps its record in single precision.
            assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
        }
    }
}

#[test]
fn a_step_of_meta_weight_net_is_its_formula() {
    // One full batch, so that the order does not matter.
    let [noisy, trusted] = sets();
    for normalize in [false, true] {
        meta_step(&noisy, &trusted, normalize);
    }
}

fn meta_step(noisy: &Dataset<f64>, trusted: &Dataset<f64>, normalize: bool) {
    let meta_rate = 0.01;
    let mut s = setup(Kind::MetaWeightNet { rate: meta_rate, normalize }, 4);
    s.settings = Settings { epochs: 1, batch: noisy.len(), rate: Schedule::Constant(0.3) };
    let mut run = Training::new(s.clone(), noisy, trusted).unwrap();
    let (params, theta) = (run.params().to_vec(), run.meta_params().to_vec());
    run.epoch().unwrap();
    // By hand: V's derivative by Θ of the trusted loss after θ − α Σ V(ℓᵢ; Θ) ∇ℓᵢ / n.
    let (n, alpha) = (noisy.len() as f64, 0.3);
    let y = loss::one_hot::<f64>(noisy.labels(), 10).unwrap();
    let [x_trusted, y_trusted] = [trusted.inputs().clone(), loss::one_hot(trusted.labels(), 10).unwrap()];
    let losses = loss::cross_entropy(&s.mlp.forward(&params, noisy.inputs()), &y);
    let weights = |theta: &[Tensor<f64>]| {
        let v = example_weight(theta, &losses);
        if normalize { &v / v.sum_all() } else { v / n }
    };
    let weighted = |w: &Tensor<f64>| {
        grad(
            |p| {
                loss::weighted_cross_entropy(
                    &s.mlp.forward(p, &p[0].constant(noisy.inputs())),
                    &p[0].constant(&y),
                    &p[0].constant(w),
                )
            },
            &params,
        )
        .unwrap()
    };
    let trusted_loss = |theta: &[Tensor<f64>]| {
        let moved: Vec<_> = params.iter().zip(weighted(&weights(theta))).map(|(p, g)| p - g * alpha).collect();
        loss::mean_cross_entropy(&s.mlp.forward(&moved, &x_trusted), &y_trusted).item()
    };
    // Adam's first step is −rate · sign of the derivative (to ε): finite differences tell the sign.
    let mut moved = theta.clone();
    for (t, tensor) in theta.iter().enumerate() {
        for i in 0..tensor.len() {
            let at = |h: f64| {
                let mut there = theta.clone();
                there[t].data_mut()[i] += h;
                trusted_loss(&there)
            };
            let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
            // Adam's first step: bias-corrected moments are the slope and its square.
            moved[t].data_mut()[i] -= meta_rate * slope / (slope.abs() + 1e-8);
        }
    }
    for (found, expected) in run.meta_params().iter().zip(&moved) {
        for (f, e) in found.data().iter().zip(expected.data()) {
            assert!((f - e).abs() < 1e-4 * meta_rate.max(e.abs()), "{f} instead of {e}");
        }
    }
    // Then the real step with the new weights.
    let gradient = weighted(&weights(run.meta_params()));
    let expected: Vec<_> = params.iter().zip(&gradient).map(|(p, g)| p - (g + p * s.decay) * alpha).collect();
    assert_near(run.params(), &expected, 1e-11);
}

#[test]
fn a_run_that_is_resumed_goes_on_with_the_same_bits() {
    let [noisy, trusted] = sets();
    let [noisy, trusted] =
        [&noisy, &trusted].map(|s| Dataset::new(s.inputs().cast::<f32>(), s.labels().to_vec(), 10).unwrap());
    for kind in [Kind::Uniform, Kind::L2rw, Kind::MetaWeightNet { rate: 0.01, normalize: true }] {
        // Fewer trusted ones a step than there are: they are drawn.
        let s = Setup { trusted_batch: 16, ..setup(kind, 3) };
        let mut whole = Training::new(s.clone(), &noisy, &trusted).unwrap();
        let mut first = Training::new(s.clone(), &noisy, &trusted).unwrap();
        advance(&mut first, 2);
        let path = std::env::temp_dir().join(format!("hypertape-training-{}.safetensors", std::process::id()));
        first.archive().save(&path).unwrap();
        let mut second = Training::new(s.clone(), &noisy, &trusted).unwrap();
        second.restore(&bilevel::Archive::load(&path).unwrap(), &path).unwrap();
        while !whole.is_done() {
            whole.epoch().unwrap();
        }
        while !second.is_done() {
            second.epoch().unwrap();
        }
        assert_eq!(whole.archive(), second.archive());
        let other = Setup { seed: 9, ..s };
        let error =
            Training::new(other, &noisy, &trusted).unwrap().restore(&first.archive(), Path::new("x")).unwrap_err();
        assert!(error.to_string().contains("another run"), "{error}");
        std::fs::remove_file(&path).unwrap();
    }
}

/// D3 and D4 of the experiments: 1,000 digits of which 400 have a wrong label, 100 trusted, 697 to test.
fn digits_run(kind: Kind, rate: f64, seed: u64) -> (f64, f64) {
    let mut rng = rng(seed);
    let all = digits::<f32>().unwrap();
    let [trusted, others] = all.draw_evenly(100, &mut rng).unwrap();
    let (train, test) = others.split_at(1000);
    let (train, trusted, test) = (all.select(train), all.select(&trusted), all.select(test));
    let labels = Noise::UniformOther(0.4).apply(train.labels(), 10, &mut rng).unwrap();
    let wrong: Vec<bool> = labels.iter().zip(train.labels()).map(|(a, b)| a != b).collect();
    let noisy = train.with_labels(labels).unwrap();
    let s = Setup {
        mlp: Mlp::new(&[64, 128, 10], Activation::Relu).unwrap(),
        init: Init::He,
        kind,
        settings: Settings { epochs: 100, batch: 100, rate: Schedule::LastFifth(rate) },
        trusted_batch: 100,
        momentum: 0.9,
        decay: 0.0,
        seed,
    };
    let mut run = Training::new(s.clone(), &noisy, &trusted).unwrap();
    while !run.is_done() {
        run.epoch().unwrap();
    }
    let mean = |kind: bool| {
        let of: Vec<f64> = run.weights().iter().zip(&wrong).filter(|(_, w)| **w == kind).map(|(x, _)| *x).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    (evaluate(&s.mlp, run.params(), &test), mean(true) / mean(false))
}

#[test]
fn both_methods_beat_plain_training_on_noisy_digits() {
    let mean = |kind: Kind, rate: f64| {
        let runs: Vec<(f64, f64)> = (0..3).map(|seed| digits_run(kind, rate, seed)).collect();
        (runs.iter().map(|r| r.0).sum::<f64>() / 3.0, runs.iter().map(|r| r.1).sum::<f64>() / 3.0)
    };
    let (plain, l2rw) = (mean(Kind::Uniform, 0.1), mean(Kind::L2rw, 0.1));
    assert!(l2rw.0 > plain.0 + 0.15 && l2rw.1 < 0.4, "{plain:?} {l2rw:?}");
    let meta = |rate: f64| mean(Kind::MetaWeightNet { rate, normalize: true }, 0.02);
    let (plain, learnt, too_fast) = (mean(Kind::Uniform, 0.02), meta(1e-3), meta(1e-2));
    assert!(learnt.0 > plain.0 + 0.04 && learnt.1 < 0.3, "{plain:?} {learnt:?}");
    // Ten times the rate, and V is the same for every loss before it has learnt anything: the noise is memorised.
    assert!((too_fast.0 - plain.0).abs() < 0.02 && (too_fast.1 - 1.0).abs() < 0.01, "{plain:?} {too_fast:?}");
}
