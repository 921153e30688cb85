//! Data, losses, optimisers and training.

use autodiff::{Tensor, Value};
use nn::data::{Dataset, Noise, digits};
use nn::optim::{Adam, Optimizer, Sgd};
use nn::train::{CrossEntropy, Schedule, Settings, evaluate, fit};
use nn::{Activation, Error, Init, Mlp, Params, loss, rng};
use std::ops::ControlFlow;

#[test]
fn the_digits_are_whole() {
    let data = digits::<f32>().unwrap();
    assert_eq!((data.inputs().dims(), data.classes()), (&[1797, 64][..], 10));
    // The class counts that the data set's documentation gives.
    let counts: Vec<usize> = (0..10).map(|c| data.labels().iter().filter(|&&l| l == c).count()).collect();
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert!(data.inputs().data().iter().all(|&p| (0.0..=1.0).contains(&p)));
    assert_eq!(
        data.inputs().row(0).data()[..8].iter().map(|p| p * 16.0).collect::<Vec<_>>(),
        [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]
    );
}

#[test]
fn splits_are_disjoint_and_seeded() {
    let data = Dataset::new(Tensor::<f64>::arange(20).with_shape(&[20, 1]).unwrap(), vec![0; 20], 1).unwrap();
    let [a, b] = data.split([12, 8], &mut rng(5)).unwrap();
    let mut all: Vec<f64> = a.inputs().data().iter().chain(b.inputs().data()).copied().collect();
    assert_eq!(data.split([12, 8], &mut rng(5)).unwrap(), [a.clone(), b]);
    assert_ne!(data.split([12, 8], &mut rng(6)).unwrap()[0], a);
    all.sort_by(f64::total_cmp);
    assert_eq!(all, data.inputs().data());
    assert!(matches!(data.split([15, 6], &mut rng(0)), Err(Error::Configuration { setting: "split", .. })));
}

#[test]
fn noise_keeps_its_convention() {
    let labels: Vec<usize> = (0..1000).map(|i| i % 10).collect();
    let wrong = |noisy: &[usize]| noisy.iter().zip(&labels).filter(|(a, b)| a != b).count();
    let noisy = Noise::UniformOther(0.4).apply(&labels, 10, &mut rng(1)).unwrap();
    assert_eq!(wrong(&noisy), 400);
    // Where the wrong labels go is uniform over the other nine: each about 400/9 · 1/10 per true class.
    let to_next = noisy.iter().zip(&labels).filter(|(a, b)| **a == (**b + 1) % 10).count();
    assert!((25..65).contains(&to_next), "{to_next}");
    let uniform = wrong(&Noise::Uniform(0.4).apply(&labels, 10, &mut rng(1)).unwrap());
    assert!((300..420).contains(&uniform), "{uniform} of 360 expected");
    let flipped = Noise::Flip { rate: 0.5, to: 3 }.apply(&labels, 10, &mut rng(1)).unwrap();
    assert!(flipped.iter().zip(&labels).all(|(a, b)| a == b || *a == 3) && wrong(&flipped) > 350);
    let next = Noise::Next(0.5).apply(&labels, 10, &mut rng(1)).unwrap();
    assert!(next.iter().zip(&labels).all(|(a, b)| a == b || *a == (*b + 1) % 10));
    assert!((420..580).contains(&wrong(&next)), "{} of 500 expected", wrong(&next));
    assert!(Noise::Uniform(1.5).apply(&labels, 10, &mut rng(1)).is_err());
    assert!(Noise::Flip { rate: 0.5, to: 10 }.apply(&labels, 10, &mut rng(1)).is_err());
    assert!(Noise::UniformOther(0.5).apply(&[0], 1, &mut rng(1)).is_err());
    for text in ["uniform:0.4", "uniform-other:0.25", "flip:0.5", "flip:0.5:3"] {
        assert_eq!(text.parse::<Noise>().unwrap().to_string(), text);
    }
    assert_eq!("0.3".parse::<Noise>().unwrap(), Noise::UniformOther(0.3));
    for text in ["", "uniform", "uniform:2", "uniform:x", "flip:1.5", "other:0.5", "-0.1", "nan"] {
        assert!(text.parse::<Noise>().is_err(), "{text}");
    }
}

#[test]
fn losses_and_accuracy() {
    let logits = Tensor::from_rows([[2.0, 0.0], [0.0, 1.0]]);
    let targets = loss::one_hot::<f64>(&[0, 0], 2).unwrap();
    let expected = [(1.0 + (-2.0_f64).exp()).ln(), (1.0 + 1.0_f64.exp()).ln()];
    approx::assert_relative_eq!(loss::cross_entropy(&logits, &targets), Tensor::from(expected), max_relative = 1e-14);
    assert_eq!(loss::mean_squared_error(&logits, &targets).item(), (1.0 + 0.0 + 1.0 + 1.0) / 4.0);
    assert_eq!(loss::accuracy(&logits, &[0, 0]), 0.5);
    assert_eq!(loss::predictions(&Tensor::from_rows([[1.0, 1.0]])), [0]);
    assert!(loss::one_hot::<f64>(&[2], 2).is_err());
}

#[test]
fn optimisers_take_the_published_steps() {
    let g = [Tensor::from([2.0])];
    let mut p = [Tensor::from([1.0])];
    let mut sgd = Sgd::new(0.5).weight_decay(0.1);
    sgd.step(&mut p, &g, 0.1);
    let first = 1.0 - 0.1 * 2.1;
    approx::assert_relative_eq!(p[0].item(), first, max_relative = 1e-15);
    sgd.step(&mut p, &g, 0.1);
    approx::assert_relative_eq!(p[0].item(), first - 0.1 * (0.5 * 2.1 + 2.0 + 0.1 * first), max_relative = 1e-15);

    // Adam by its definition, moments corrected before the division.
    let (mut x, mut m, mut v) = (1.0_f64, 0.0_f64, 0.0_f64);
    let mut p = [Tensor::from([1.0])];
    let mut adam = Adam::new();
    for step in 1..=5 {
        let g = f64::from(step).sin();
        adam.step(&mut p, &[Tensor::from([g])], 0.01);
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        x -= 0.01 * (m / (1.0 - 0.9_f64.powi(step))) / ((v / (1.0 - 0.999_f64.powi(step))).sqrt() + 1e-8);
        approx::assert_relative_eq!(p[0].item(), x, max_relative = 1e-12);
    }
}

#[test]
#[should_panic(expected = "its state belongs to other parameters")]
fn an_optimiser_serves_one_set_of_parameters() {
    let mut sgd = Sgd::new(0.9);
    sgd.step(&mut [Tensor::from([1.0])], &[Tensor::from([1.0])], 0.1);
    sgd.step(&mut [Tensor::from([1.0, 2.0])], &[Tensor::from([1.0, 1.0])], 0.1);
}

#[test]
fn parameters_have_names_and_order() {
    let params = Mlp::new(&[3, 4, 2], Activation::Relu).unwrap().init::<f32>(Init::Glorot, &mut rng(0));
    assert_eq!(params.names(), ["layer0.weight", "layer0.bias", "layer1.weight", "layer1.bias"]);
    assert_eq!((params.count(), params.get("layer1.weight").unwrap().dims()), (3 * 4 + 4 + 4 * 2 + 2, &[4, 2][..]));
    assert!(params.get("layer2.weight").is_none());
    let limit = (6.0_f32 / 7.0).sqrt();
    assert!(params.tensors()[0].data().iter().all(|w| w.abs() <= limit));
    assert!(Params::new([("a".into(), Tensor::scalar(1.0)), ("a".into(), Tensor::scalar(2.0))]).is_err());
    assert!(Mlp::new(&[3], Activation::Relu).is_err() && Mlp::new(&[3, 0, 2], Activation::Relu).is_err());
}

#[test]
fn schedules_go_where_they_say() {
    use nn::train::Schedule;
    let rates = |schedule: Schedule| (0..10).map(|epoch| schedule.at(epoch, 10)).collect::<Vec<_>>();
    assert_eq!(rates(Schedule::Constant(0.3)), [0.3; 10]);
    assert_eq!(rates(Schedule::LastFifth(0.3)), [[0.3; 8].as_slice(), &[0.3 / 10.0; 2]].concat());
    let cosine = rates(Schedule::Cosine(0.4));
    // Its values at 0, a third and a half of the way; and it is odd about the middle.
    assert!((cosine[0] - 0.4).abs() < 1e-15 && (cosine[5] - 0.2).abs() < 1e-15);
    assert!((Schedule::Cosine(0.4).at(2, 6) - 0.3).abs() < 1e-15);
    (1..5).for_each(|i| assert!((cosine[i] + cosine[10 - i] - 0.4).abs() < 1e-15));
}

#[test]
fn training_is_seeded_and_learns() {
    let [train, test] = digits::<f32>().unwrap().split([600, 300], &mut rng(0)).unwrap();
    let mlp = Mlp::new(&[64, 32, 10], Activation::Relu).unwrap();
    let run = |epochs: usize| {
        let mut rng = rng(7);
        let mut params = mlp.init(Init::He, &mut rng);
        let settings = Settings { epochs, batch: 128, rate: Schedule::LastFifth(0.1) };
        let mut losses = Vec::new();
        let mut objective = CrossEntropy::new(&mlp, &train).unwrap();
        fit(&mut params, &mut objective, &mut Sgd::new(0.9), &settings, &mut rng, |e| {
            losses.push(e.loss);
            if e.epoch == 14 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        (params, losses)
    };
    let (params, losses) = run(20);
    assert_eq!(losses.len(), 15);
    assert!(losses[14] < 0.1 * losses[0]);
    assert!(evaluate(&mlp, params.tensors(), &test) > 0.9);
    assert_eq!(run(20).0, params);
    assert_eq!((Schedule::LastFifth(0.1).at(79, 100), Schedule::LastFifth(0.1).at(80, 100)), (0.1, 0.1 / 10.0));
}

#[test]
fn what_cannot_work_is_said() {
    let data = digits::<f32>().unwrap();
    let mlp = Mlp::new(&[64, 10], Activation::Relu).unwrap();
    assert!(CrossEntropy::new(&Mlp::new(&[63, 10], Activation::Relu).unwrap(), &data).is_err());
    assert!(CrossEntropy::new(&Mlp::new(&[64, 9], Activation::Relu).unwrap(), &data).is_err());
    assert!(Dataset::new(Tensor::<f32>::zeros(&[3, 2]), vec![0; 2], 1).is_err());
    assert!(Dataset::new(Tensor::<f32>::zeros(&[2, 2]), vec![0, 3], 2).is_err());
    let mut params = mlp.init::<f32>(Init::He, &mut rng(0));
    let mut train = |rate: f64, batch: usize| {
        let settings = Settings { epochs: 50, batch, rate: Schedule::Constant(rate) };
        let mut objective = CrossEntropy::new(&mlp, &data).unwrap();
        fit(&mut params, &mut objective, &mut Sgd::new(0.9), &settings, &mut rng(0), |_| ControlFlow::Continue(()))
    };
    assert!(matches!(train(0.1, 0), Err(Error::Configuration { .. })));
    assert!(matches!(train(f64::INFINITY, 1797), Err(Error::NonFinite { epoch: 1, step: 0, .. })));
}
