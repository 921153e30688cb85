//! Hypergradients of every family beside the cost of the primitives that they count: the difference is what the methods
//! themselves take.
//!
//! `cargo bench --bench bilevel`

use autodiff::Tensor;
use bilevel::{
    Adam, Amigo, Ask, AugmentedLagrangian, Costs, Data, Descent, F2sa, FixedPoint, FixedPointSolver, Forward,
    GradientDescent, Implicit, Inner, Keep, LinearSolver, Memory, Method, Momentum, Penalty, Reverse, Reversible,
    Schedule, Soba, VirtualStep, costs, costs_in_turn,
};
use nn::{Activation, Init, Mlp, cleaning::hyper_cleaning, data, loss, rng};
use std::time::Instant;

const STEPS: usize = 100;

/// How often a method and the sum of its primitives are measured in turn.
const TURNS: usize = 7;

/// A family's method, and what its primitives cost.
type Family<'m> = (&'m dyn Method<f64>, Box<dyn Fn(&Costs) -> f64>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let quick = std::env::args().any(|arg| arg == "--quick");
    // One thread: what is compared are sums of the same work.
    let [train, trusted] = data::digits::<f64>()?.split([600, 600], &mut rng(0))?;
    let arrays = |set: &data::Dataset<f64>| -> Result<[Tensor<f64>; 2], nn::Error> {
        Ok([set.inputs().clone(), loss::one_hot(set.labels(), 10)?])
    };
    let (inner, outer) = (arrays(&train)?, arrays(&trusted)?);
    let problem = hyper_cleaning(&Mlp::new(&[64, 10], Activation::Relu)?, 1e-2).threads(1);
    // What the reports look up beside is left out on both sides.
    let problem = problem.diagnostics(false);
    let (u, v0) = ([Tensor::zeros(&[600])], [Tensor::zeros(&[64, 10]), Tensor::zeros(&[10])]);
    let ask = Ask { problem: &problem, u: &u, v0: &v0, data: Data::new(&outer, &inner) };
    let rule = GradientDescent::new(0.5);

    let t = STEPS as f64;
    let reverse = Reverse::new(rule.clone(), STEPS);
    let (last, checkpointed) = (reverse.clone().last(10), reverse.clone().keep(Keep::SquareRoot));
    let forward = Forward::new(rule.clone(), 2);
    let implicit = Implicit { accept: true, ..Implicit::cg(Inner::steps(rule.clone(), STEPS)).iterations(20) };
    let neumann = Implicit::neumann(Inner::steps(rule.clone(), STEPS), 0.5, 20);
    let fixed =
        FixedPoint { tolerance: 1e-3, ..FixedPoint::new(rule.clone(), STEPS).solver(FixedPointSolver::Iteration) };
    let (adam, calls) = (Descent::steps(Adam::new(0.01), 50), 50.0);
    let penalty =
        Penalty { gamma: 1.0, schedule: Schedule::Stages(1), descent: adam.clone(), accept: true, ..Penalty::new(1.0) };
    let lagrangian = AugmentedLagrangian { descent: adam, accept: true, ..AugmentedLagrangian::new(1.0).constant(1) };
    let soba = Soba { rate: 0.5 };
    let amigo = Amigo { rate: 0.5, steps: 10, adjoint_rate: 0.5, adjoint_steps: 10 };
    let virtual_step = VirtualStep::new(0.5);
    let solve = |solver: LinearSolver| Implicit {
        accept: true,
        ..Implicit::new(Inner::steps(rule.clone(), STEPS), solver).iterations(20)
    };
    let (bicgstab, nystrom) =
        (solve(LinearSolver::BiCgStab), Implicit::nystrom(Inner::steps(rule.clone(), STEPS), 20, 0.1));
    let (gmres, f2sa) = (solve(LinearSolver::Gmres { restart: 20 }), F2sa::new(0.5, 10.0, STEPS));
    let reversible = Reversible::new(0.05, (9, 10), STEPS);
    let counts = |method: &dyn Method<f64>| -> Result<_, bilevel::Error> {
        Ok(method.hypergradient(&ask, &mut Memory::default())?.report.counts)
    };
    // Of some, the number of products is what it turns out to be.
    let products = counts(&fixed)?.vjps as f64;
    let (of_bicgstab, of_gmres) = (counts(&bicgstab)?.hvps as f64, counts(&gmres)?.hvps as f64);
    let solved = move |c: &Costs, hvps: f64| t * c.step + c.hessian + hvps * c.hvp + c.outer + c.mixed;
    let families: [Family<'_>; 17] = [
        (&reverse, Box::new(move |c| t * (c.step + c.step_vjp) + c.outer)),
        (&last, Box::new(move |c| t * c.step + 10.0 * c.step_vjp + c.outer)),
        (&checkpointed, Box::new(move |c| (2.0 * t - 19.0) * c.step + t * c.step_vjp + c.outer)),
        (&forward, Box::new(|c| 2.0 * c.step_jvp + c.outer)),
        (&implicit, Box::new(move |c| solved(c, 21.0))),
        (&neumann, Box::new(move |c| solved(c, 20.0))),
        (&gmres, Box::new(move |c| solved(c, of_gmres))),
        (&bicgstab, Box::new(move |c| solved(c, of_bicgstab))),
        (&nystrom, Box::new(move |c| solved(c, 20.0))),
        (&fixed, Box::new(move |c| t * c.step + products * c.step_vjp + c.outer)),
        (&penalty, Box::new(move |c| (calls + 1.0) * c.penalised + c.inner + c.outer)),
        (&lagrangian, Box::new(move |c| (calls + 1.0) * c.penalised + c.inner + c.outer)),
        (&f2sa, Box::new(move |c| 2.0 * t * c.inner + (t + 1.0) * c.outer + 2.0 * c.inner_both)),
        (&amigo, Box::new(|c| 10.0 * c.inner + c.outer + c.mixed + c.hessian + 10.0 * c.hvp)),
        (&soba, Box::new(|c| c.inner + c.outer + c.mixed + c.hessian + c.hvp)),
        (&virtual_step, Box::new(|c| c.step + c.step_vjp + c.outer)),
        (&reversible, Box::new(|_| f64::NAN)),
    ];
    // Steps with momentum cost something else.
    let momentum = Momentum { rate: 0.05.into(), momentum: 0.9.into() };
    println!("hyper-cleaning, 600 digits, f64, one thread; T = {STEPS} (forward: 2 steps of 600 directions)");
    println!("{:<22} {:>12} {:>14} {:>7}", "method", "ms", "primitives ms", "ratio");
    for (method, primitives) in families {
        method.hypergradient(&ask, &mut Memory::default())?;
        // A single-loop method meets each primitive once, with what the others read in the cache.
        let in_turn = ["soba", "virtual-step"].contains(&method.name().as_str());
        // In turns, so that both see the same machine; medians of both, and of the ratios of the turns.
        let median = |mut x: Vec<f64>| {
            x.sort_by(f64::total_cmp);
            x[x.len() / 2]
        };
        let (mut wholes, mut sums, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..if quick { 1 } else { TURNS } {
            let repeats = if quick { 3 } else { 21 };
            let sum = match method.name().as_str() {
                "reversible" => {
                    let c = costs(&ask, &momentum, repeats)?;
                    2.0 * t * c.step + t * c.step_vjp + c.outer
                }
                _ if in_turn => primitives(&costs_in_turn(&ask, &rule, repeats)?),
                _ => primitives(&costs(&ask, &rule, repeats)?),
            };
            let one = || -> Result<f64, bilevel::Error> {
                let clock = Instant::now();
                method.hypergradient(&ask, &mut Memory::default())?;
                Ok(clock.elapsed().as_secs_f64())
            };
            // As many as fit into the same time, more of the short ones.
            let runs = if quick { 1 } else { ((0.1 / sum) as usize).clamp(3, 51) };
            let whole = median((0..runs).map(|_| one()).collect::<Result<_, _>>()?);
            wholes.push(whole);
            sums.push(sum);
            ratios.push(whole / sum);
        }
        let (whole, sum, ratio) = (median(wholes), median(sums), median(ratios));
        println!("{:<22} {:>12.3} {:>14.3} {ratio:>7.2}", method.name(), whole * 1e3, sum * 1e3);
    }
    residuals(quick)
}

/// Reverse mode through ten steps of a network on 2000 × 784 numbers, in turns: residuals of none, half, and all of them.
fn residuals(quick: bool) -> Result<(), Box<dyn std::error::Error>> {
    let (rows, features, hidden) = (2000, 784, 64);
    let mlp = Mlp::new(&[features, hidden, 10], Activation::Tanh)?;
    let v0 = mlp.init::<f64>(Init::Glorot, &mut rng(0));
    let problem = hyper_cleaning(&mlp, 1e-2).threads(1).diagnostics(false);
    let inputs = Tensor::from_fn(&[rows, features], |i| ((i[0] * 7 + i[1] * i[1] * 3) as f64).sin());
    let set = [inputs, Tensor::from_fn(&[rows, 10], |i| f64::from(u8::from(i[0] % 10 == i[1])))];
    let u = [Tensor::zeros(&[rows])];
    let ask = Ask { problem: &problem, u: &u, v0: v0.tensors(), data: Data::new(&set, &set) };
    let residual = rows * hidden * size_of::<f64>();
    let kept = [0, 5, 10];
    let mut times = [(); 3].map(|()| Vec::new());
    let mut reports = [(); 3].map(|()| None);
    for _ in 0..if quick { 1 } else { 2 * TURNS } {
        for (i, steps) in kept.iter().enumerate() {
            let method = Reverse::new(GradientDescent::new(0.5), 10).keep(Keep::Residuals(steps * residual));
            let clock = Instant::now();
            let found = method.hypergradient(&ask, &mut Memory::default())?;
            times[i].push(clock.elapsed().as_secs_f64());
            reports[i] = Some(found.report);
        }
    }
    println!(
        "\nreverse mode, 10 steps of a network of {features}, {hidden} and 10 on {rows} examples, f64, one thread"
    );
    println!("{:<22} {:>12} {:>14}", "steps with residuals", "best ms", "iterates MB");
    for (times, report) in times.iter().zip(reports.iter().flatten()) {
        let best = times.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        let (steps, bytes) = (report.residual_steps.unwrap_or(0), report.trajectory_bytes);
        println!("{steps:<22} {:>12.1} {:>14.1}", best * 1e3, bytes as f64 / 1e6);
    }
    Ok(())
}
