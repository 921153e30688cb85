//! MAML and iMAML on batches of tasks, against finite differences and each other.

use autodiff::Tensor;
use bilevel::{Ask, Data, FirstOrder, GradientDescent, Implicit, Inner, Memory, Method, Momentum, Reverse};
use nn::few_shot::{Tasks, adaptation, imaml, maml, sinusoids};
use nn::{Activation, Init, Mlp, rng};

const TASKS: usize = 3;

fn setting() -> (Mlp, Vec<Tensor<f64>>, Tasks<f64>) {
    let mut rng = rng(5);
    let mlp = Mlp::new(&[1, 6, 5, 1], Activation::Tanh).unwrap();
    let params = mlp.init::<f64>(Init::Glorot, &mut rng).tensors().to_vec();
    (mlp, params, sinusoids(TASKS, 4, &mut rng))
}

fn outer(
    problem: &bilevel::Problem,
    method: &dyn Method<f64>,
    u: &[Tensor<f64>],
    tasks: &Tasks<f64>,
) -> (f64, Vec<Tensor<f64>>) {
    let ask = Ask { problem, u, v0: &[], data: Data::new(&tasks.query, &tasks.support) };
    let found = method.hypergradient(&ask, &mut Memory::default()).unwrap();
    (found.report.outer_value, found.gradient)
}

/// Compares with differences of the outer value along one direction for each tensor.
fn check(problem: &bilevel::Problem, method: &dyn Method<f64>, tolerance: f64) {
    let (_, u, tasks) = setting();
    let (_, gradient) = outer(problem, method, &u, &tasks);
    for i in 0..u.len() {
        let mut k = 0.0;
        let direction = Tensor::from_fn(u[i].dims(), |_| {
            k += 1.3;
            f64::sin(k)
        });
        let at = |h: f64| {
            let mut moved = u.clone();
            moved[i] = &moved[i] + &direction * h;
            outer(problem, method, &moved, &tasks).0
        };
        let h = 1e-3;
        let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
        let found: f64 = gradient[i].data().iter().zip(direction.data()).map(|(a, b)| a * b).sum();
        assert!((found - difference).abs() < tolerance * (1.0 + difference.abs()), "tensor {i}: {found} {difference}");
    }
}

#[test]
fn maml_and_imaml_agree_with_finite_differences() {
    let (mlp, ..) = setting();
    check(&maml(&mlp, TASKS), &Reverse::new(GradientDescent::new(0.02), 3), 1e-7);
    check(&maml(&mlp, TASKS), &Reverse::new(Momentum::new(0.02, 0.5), 3), 1e-7);
    // The inner problem solved: then the outer value is a function of θ through the minimiser alone. λ is large enough for
    // one minimum.
    check(&imaml(&mlp, TASKS, 20.0), &Implicit::cg(Inner::newton()).tolerance(1e-12), 1e-6);
}

#[test]
fn first_order_is_maml_without_curvature() {
    let (mlp, u, tasks) = setting();
    let problem = maml(&mlp, TASKS);
    let relative = |rate: f64| {
        let (_, exact) = outer(&problem, &Reverse::new(GradientDescent::new(rate), 1), &u, &tasks);
        let (_, first) = outer(&problem, &FirstOrder::new(GradientDescent::new(rate), 1), &u, &tasks);
        let size: f64 = exact.iter().flat_map(Tensor::data).map(|x| x * x).sum();
        let error: f64 = exact
            .iter()
            .zip(&first)
            .flat_map(|(a, b)| a.data().iter().zip(b.data()))
            .map(|(a, b)| (a - b).powi(2))
            .sum();
        (error / size).sqrt()
    };
    // What is left out is α·H, so ten times smaller for a tenth of the rate.
    let (far, near) = (relative(1e-3), relative(1e-4));
    assert!(far > 1e-5 && (far / near - 10.0).abs() < 0.5, "{far} {near}");
}

#[test]
fn learning_where_to_start_learns_faster_than_starting_anywhere() {
    let mut rng = rng(1);
    let mlp = Mlp::new(&[1, 20, 20, 1], Activation::Tanh).unwrap();
    let start = mlp.init::<f32>(Init::Glorot, &mut rng);
    let problem = maml(&mlp, 10);
    let method = Reverse::new(GradientDescent::new(0.02), 1);
    let mut optimizer = nn::optim::Adam::new();
    let mut params = start.clone();
    for _ in 0..300 {
        let tasks = sinusoids::<f32>(10, 10, &mut rng);
        let data = Data::new(&tasks.query, &tasks.support);
        let h = problem.hypergradient_on(params.tensors(), &[], data, &method).unwrap();
        nn::optim::Optimizer::step(&mut optimizer, params.tensors_mut(), &h.gradient, 5e-3);
    }
    let tasks = sinusoids::<f32>(100, 10, &mut rng);
    let (before, after) =
        (adaptation(&mlp, &start, &tasks, 0.02, 5).unwrap(), adaptation(&mlp, &params, &tasks, 0.02, 5).unwrap());
    assert!(after[5] < 0.6 * before[5] && after[5] < after[0], "{before:?} {after:?}");
}
