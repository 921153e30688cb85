//! Learning where to start from: sinusoids from ten points each, by MAML, first-order MAML and iMAML.
//!
//! `cargo run --release --example maml`

use bilevel::{Data, FirstOrder, GradientDescent, Implicit, Inner, LinearSolver, Method, Problem, Reverse};
use nn::few_shot::{imaml, maml, sinusoids};
use nn::optim::{Adam, Optimizer};
use nn::{Activation, Init, Mlp, rng};

const TASKS: usize = 10;
const SHOTS: usize = 10;
/// The pull of iMAML towards where it started.
const LAMBDA: f64 = 2.0;
const ITERATIONS: usize = 600;

/// Network and number of tasks to problem.
type Setup = fn(&Mlp, usize) -> Problem;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mlp = Mlp::new(&[1, 40, 40, 1], Activation::Tanh)?;
    let step = GradientDescent::new(0.02);
    let pull = GradientDescent::new(0.01);
    // Once the network bends, the inner Hessian is not positive definite everywhere: conjugate gradients would say so and
    // stop; GMRES solves what there is.
    let gmres = LinearSolver::Gmres { restart: 10 };
    let implicit = Implicit::new(Inner::steps(pull, 16), gmres).iterations(10);
    let methods: [(&str, Setup, Box<dyn Method<f32>>); 3] = [
        ("MAML", maml, Box::new(Reverse::new(step.clone(), 1))),
        ("first-order MAML", maml, Box::new(FirstOrder::new(step, 1))),
        ("iMAML", |mlp, tasks| imaml(mlp, tasks, LAMBDA), Box::new(implicit)),
    ];
    let held_out = sinusoids::<f32>(200, SHOTS, &mut rng(100));
    println!("mean squared error on 200 new sinusoids, each adapted to {SHOTS} points in the method's own way");
    println!("{:<18} {:>8} {:>8} {:>8} {:>8} {:>8}", "outer steps", 0, 150, 300, 450, 600);
    for (name, setup, method) in &methods {
        let (problem, judge) = (setup(&mlp, TASKS), setup(&mlp, 200));
        let mut rng = rng(0);
        let mut params = mlp.init::<f32>(Init::Glorot, &mut rng);
        let mut optimizer = Adam::new();
        print!("{name:<18}");
        for iteration in 0..=ITERATIONS {
            if iteration % 150 == 0 {
                let data = Data::new(&held_out.query, &held_out.support);
                let adapted = judge.hypergradient_on(params.tensors(), &[], data, &**method)?;
                print!(" {:>8.3}", adapted.report.outer_value);
            }
            let tasks = sinusoids::<f32>(TASKS, SHOTS, &mut rng);
            let data = Data::new(&tasks.query, &tasks.support);
            let h = problem.hypergradient_on(params.tensors(), &[], data, &**method)?;
            optimizer.step(params.tensors_mut(), &h.gradient, 3e-3);
        }
        println!();
    }
    Ok(())
}
