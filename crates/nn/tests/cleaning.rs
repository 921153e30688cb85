//! Hyper-cleaning on real digits, with every family of hypergradients.

use autodiff::Tensor;
use bilevel::{Adam, GradientDescent, Implicit, Inner, Method, Reverse};
use nn::cleaning::{HyperCleaning, detection};
use nn::data::{Dataset, Noise, digits};
use nn::train::{CrossEntropy, Objective, evaluate};
use nn::{Activation, Mlp, rng};
use std::ops::ControlFlow;

/// F1 of finding what is corrupted, and test accuracies without and with cleaning.
struct Found {
    f1: f64,
    accuracy: f64,
    plain: f64,
}

/// 600 digits of which a part has a wrong label, 600 trusted ones, 597 to test; softmax regression, 100 steps of gradient
/// descent at rate 1 from zero inside, 100 of Adam at 0.3 outside.
fn run(method: &dyn Method<f32>, noise: f64, seed: u64) -> Found {
    let mut rng = rng(seed);
    let [train, trusted, test] = digits::<f32>().unwrap().split([600, 600, 597], &mut rng).unwrap();
    let labels = Noise::UniformOther(noise).apply(train.labels(), train.classes(), &mut rng).unwrap();
    let corrupted: Vec<bool> = labels.iter().zip(train.labels()).map(|(a, b)| a != b).collect();
    let noisy = train.with_labels(labels).unwrap();
    let mlp = Mlp::new(&[64, 10], Activation::Relu).unwrap();
    let start = vec![Tensor::zeros(&[64, 10]), Tensor::zeros(&[10])];
    let cleaning =
        HyperCleaning { mlp: &mlp, decay: 1e-3, method, optimizer: &Adam::new(0.3), steps: 100, state: None };
    let learnt = cleaning.run(&noisy, &trusted, &start, |_| ControlFlow::Continue(())).unwrap();
    let params = descend(&mlp, &noisy, &start);
    Found {
        f1: detection(&learnt.flagged(), &corrupted).unwrap().f1,
        accuracy: evaluate(&mlp, &learnt.params, &test),
        plain: evaluate(&mlp, &params, &test),
    }
}

/// A hundred steps of gradient descent at rate 1 on the mean loss.
fn descend(mlp: &Mlp, set: &Dataset<f32>, start: &[Tensor<f32>]) -> Vec<Tensor<f32>> {
    let mut objective = CrossEntropy::new(mlp, set).unwrap();
    let all: Vec<usize> = (0..set.len()).collect();
    let mut params = start.to_vec();
    for _ in 0..100 {
        let (_, gradient) = objective.gradient(&params, &all, 1.0).unwrap();
        params.iter_mut().zip(&gradient).for_each(|(p, g)| *p = &*p - g);
    }
    params
}

/// Means over three seeds.
fn mean(method: &dyn Method<f32>, noise: f64) -> Found {
    let found: Vec<Found> = (0..3).map(|seed| run(method, noise, seed)).collect();
    let mean = |f: fn(&Found) -> f64| found.iter().map(f).sum::<f64>() / 3.0;
    Found { f1: mean(|f| f.f1), accuracy: mean(|f| f.accuracy), plain: mean(|f| f.plain) }
}

#[test]
fn wrong_labels_are_found_by_whole_and_by_truncated_trajectories() {
    let reverse = Reverse::new(GradientDescent::new(1.0), 100);
    let whole = mean(&reverse, 0.5);
    assert!(whole.f1 >= 0.94, "F1 {}", whole.f1);
    assert!(whole.accuracy >= whole.plain + 0.07, "{} instead of {}", whole.accuracy, whole.plain);
    for k in [1, 20] {
        let truncated = mean(&reverse.clone().last(k), 0.5);
        assert!(truncated.f1 >= whole.f1 - 0.03, "K = {k}: {} instead of {}", truncated.f1, whole.f1);
    }
}

#[test]
fn wrong_labels_are_found_by_the_implicit_hypergradient() {
    let implicit = Implicit::cg(Inner::steps(GradientDescent::new(1.0), 100)).iterations(20);
    // F1 .882, .956 and .958 in the experiment's reference, by other seeds.
    for (noise, f1) in [(0.25, 0.85), (0.5, 0.92), (0.75, 0.92)] {
        let found = mean(&implicit, noise);
        assert!(found.f1 >= f1 && found.accuracy >= found.plain, "{noise}: {} {}", found.f1, found.accuracy);
        if noise == 0.5 {
            assert!(found.accuracy >= found.plain + 0.07, "{} {}", found.accuracy, found.plain);
        }
    }
}

#[test]
fn with_few_trusted_examples_cleaned_data_beat_those_alone_and_those_alone_beat_everything() {
    let mlp = Mlp::new(&[64, 10], Activation::Relu).unwrap();
    let start = vec![Tensor::zeros(&[64, 10]), Tensor::zeros(&[10])];
    let mut sums = [0.0; 3];
    for seed in 0..3 {
        let mut rng = rng(seed);
        let all = digits::<f32>().unwrap();
        let [trusted, others] = all.draw_evenly(100, &mut rng).unwrap();
        let [trusted, train, test] = [&trusted[..], &others[..600], &others[600..]].map(|rows| all.select(rows));
        let labels = Noise::UniformOther(0.5).apply(train.labels(), 10, &mut rng).unwrap();
        let noisy = train.with_labels(labels).unwrap();
        let method = Reverse::new(GradientDescent::new(1.0), 100).last(20);
        let cleaning = HyperCleaning {
            mlp: &mlp,
            decay: 1e-3,
            method: &method,
            optimizer: &Adam::new(0.3),
            steps: 100,
            state: None,
        };
        let learnt = cleaning.run(&noisy, &trusted, &start, |_| ControlFlow::Continue(())).unwrap();
        let kept: Vec<usize> = (0..600).filter(|&i| !learnt.flagged()[i]).collect();
        let sets = [noisy.select(&kept).concat(&trusted).unwrap(), trusted.clone(), noisy.concat(&trusted).unwrap()];
        for (sum, set) in sums.iter_mut().zip(&sets) {
            *sum += evaluate(&mlp, &descend(&mlp, set, &start), &test) / 3.0;
        }
    }
    let [cleaned, trusted, everything] = sums;
    assert!(cleaned > trusted + 0.005 && trusted > everything + 0.005, "{cleaned} {trusted} {everything}");
}

#[test]
fn line_15_corrupted_labels_differ_and_the_positive_class_is_corrupted() {
    let labels: Vec<usize> = (0..1000).map(|i| i % 10).collect();
    let noisy = Noise::UniformOther(0.5).apply(&labels, 10, &mut rng(3)).unwrap();
    let corrupted: Vec<bool> = noisy.iter().zip(&labels).map(|(a, b)| a != b).collect();
    assert_eq!(corrupted.iter().filter(|c| **c).count(), 500, "exactly half, none of them its own class");
    // Two flags, one of them right, of three corrupted ones: precision ½, recall ⅓, F1 0.4; the other way round, precision
    // ½, recall ⅔: F1 4/7.
    let (flags, truth) = ([true, true, false, false], [true, false, true, true]);
    let found = detection(&flags, &truth).unwrap();
    assert_eq!((found.precision, found.recall), (0.5, 1.0 / 3.0));
    approx::assert_relative_eq!(found.f1, 0.4);
    assert!(detection(&flags, &[true]).is_err());
}

#[test]
fn ten_thousand_steps_of_the_softmax_model_store_iterates_not_graphs() {
    let [train, trusted] = digits::<f64>().unwrap().split([20, 20], &mut rng(1)).unwrap();
    let mlp = Mlp::new(&[64, 10], Activation::Relu).unwrap();
    let problem = nn::cleaning::hyper_cleaning(&mlp, 1e-2);
    let arrays = |set: &nn::data::Dataset<f64>| {
        [set.inputs().clone(), nn::loss::one_hot::<f64>(set.labels(), set.classes()).unwrap()]
    };
    let (inner, outer) = (arrays(&train), arrays(&trusted));
    let (u, v0) = ([Tensor::zeros(&[20])], [Tensor::zeros(&[64, 10]), Tensor::zeros(&[10])]);
    let at = |steps: usize| {
        let method = Reverse::new(GradientDescent::new(0.5), steps);
        problem.hypergradient_on(&u, &v0, bilevel::Data::new(&outer, &inner), &method).unwrap().report
    };
    let (short, long) = (at(10), at(10_000));
    assert_eq!(long.trajectory_bytes, 10_000 * 650 * 8);
    assert_eq!(long.tape_bytes, short.tape_bytes);
}
