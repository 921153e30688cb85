//! The outer loop: constraints, stopping, saved states and what is wrong with them, minibatches.

use autodiff::{Tensor, Value};
use bilevel::{
    Adam, Ask, Batches, Bome, Data, Error, F2sa, GradientDescent, Implicit, Inner, Method, Momentum, Mrbo, Options,
    Pbgd, Problem, Projected, Reverse, Rows, Saba, Set, StocBio,
};
use proptest::prelude::*;
use support::{N, WellPosed, relative, wave};

mod support;

fn ask<'a>(problem: &'a Problem, u: &'a [Tensor<f64>], v0: &'a [Tensor<f64>]) -> Ask<'a, f64> {
    Ask { problem, u, v0, data: Data::NONE }
}

#[test]
fn weights_on_the_simplex_stay_there() {
    let problem = Problem::new(
        |_, v| (v[0] - 5.0).square().sum_all(),
        |u, v| {
            (u[0] * (v[0] - v[0].constant(Tensor::from([1.0, 2.0, 9.0]))).square()).sum_all()
                + v[0].square().sum_all() * 0.01
        },
    );
    let (u, v0) = ([Tensor::full(&[3], 1.0 / 3.0)], [Tensor::scalar(0.0)]);
    let method = Implicit::cg(Inner::newton());
    let optimizer = Projected { dynamics: GradientDescent::new(0.01), set: Set::simplex(1.0) };
    let options = Options::default().iterations(50);
    let mut solver = problem.solve(&ask(&problem, &u, &v0), &method, &optimizer, options).unwrap();
    let mut first = None;
    while let Some(event) = solver.next() {
        let value = event.unwrap().report.outer_value;
        first.get_or_insert(value);
        let weights = solver.u()[0].data();
        approx::assert_relative_eq!(weights.iter().sum::<f64>(), 1.0, max_relative = 1e-12);
        assert!(weights.iter().all(|w| *w >= 0.0));
    }
    assert!(solver.best().1 < 0.5 * first.unwrap());
}

#[test]
fn the_outer_loop_finds_the_closed_form_and_stops() {
    let w = WellPosed::new(0.3);
    let problem = w.problem();
    let (u, v0) = ([Tensor::zeros(&[3])], [Tensor::zeros(&[N])]);
    let (method, optimizer) = (Implicit::cg(Inner::newton()), GradientDescent::new(0.3));
    let options = Options::default().iterations(1000).tolerance(1e-10).warm_start();
    let mut solver = problem.solve(&ask(&problem, &u, &v0), &method, &optimizer, options).unwrap();
    let last = solver.by_ref().map(Result::unwrap).last().unwrap();
    assert!(last.gradient_norm <= 1e-10 && solver.iteration() < 1000, "{last:?}");
    assert!(relative(&solver.u()[0], &w.solution()[0]) < 1e-9);
    // Without a tolerance, patience ends it: the value cannot fall for ever.
    let options = Options::default().iterations(100_000).patience(3);
    let mut solver = problem.solve(&ask(&problem, &u, &v0), &method, &optimizer, options).unwrap();
    let steps = solver.by_ref().map(Result::unwrap).count();
    assert!(steps < 100_000);
}

#[test]
fn an_error_leaves_the_state_before_it() {
    let problem = Problem::new(|u, v| (v[0] + u[0].sqrt()).sum_all(), |u, v| (v[0] - u[0]).square().sum_all());
    let (u, v0) = ([Tensor::from([0.25])], [Tensor::from([0.0])]);
    let (method, optimizer) = (Reverse::new(GradientDescent::new(0.5), 1), GradientDescent::new(0.1));
    let options = Options::default();
    let mut solver = problem.solve(&ask(&problem, &u, &v0), &method, &optimizer, options).unwrap();
    assert!(solver.next().unwrap().is_ok() && solver.u()[0].data()[0] > 0.0);
    let error = loop {
        match solver.next().unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::NonFinite { .. }), "{error}");
    // Nothing that was computed is lost: u is where the error was met, and the loop is over.
    let at = solver.u()[0].data()[0];
    assert!(at < 0.0 && solver.next().is_none());
    assert!(solver.best().0[0].data()[0] > 0.0);
}

#[test]
fn saved_states_of_others_are_refused() {
    let w = WellPosed::new(0.3);
    let problem = w.problem();
    let (u, v0) = ([wave(&[3], 0.1)], [wave(&[N], 0.2)]);
    let path = std::env::temp_dir().join(format!("hypertape-solve-{}", std::process::id()));
    let (method, adam) = (Implicit::cg(Inner::newton()), Adam::new(0.1));
    let options = Options::default();
    let mut solver = problem.solve(&ask(&problem, &u, &v0), &method, &adam, options).unwrap();
    solver.next().unwrap().unwrap();
    solver.save(&path).unwrap();
    let momentum = Momentum::new(0.1, 0.9);
    let mut other = problem.solve(&ask(&problem, &u, &v0), &method, &momentum, options).unwrap();
    let error = other.resume(&path).unwrap_err();
    assert!(matches!(&error, Error::File { reason, .. } if reason.contains("Adam") && reason.contains("Momentum")));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(solver.resume(&path), Err(Error::File { .. })), "cut short");
    std::fs::write(&path, b"not a state").unwrap();
    assert!(matches!(solver.resume(&path), Err(Error::File { .. })), "not a state");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(solver.resume(&path), Err(Error::File { .. })), "not there");
    assert!(matches!(solver.save(path.join("no").join("where")), Err(Error::File { .. })));
}

/// Least squares on rows, with a decay as u.
fn rows_problem() -> (Problem, [Tensor<f64>; 2], [Tensor<f64>; 2]) {
    let problem = Problem::with_data(
        |_, v, data| (data[0].matmul(&v[0]) - data[1]).square().mean_all() * 0.5,
        |u, v, data| {
            let fit = (data[0].matmul(&v[0]) - data[1]).square().mean_all() * 0.5;
            fit + (v[0].square() * u[0].exp()).sum_all() * 0.5
        },
    );
    let truth = wave(&[3], 0.2);
    let train = wave(&[24, 3], 0.3);
    let train_y = train.matmul(&truth) + wave(&[24], 1.3) * 0.5;
    let val = wave(&[12, 3], 2.3);
    let val_y = val.matmul(&truth);
    (problem, [val, val_y], [train, train_y])
}

#[test]
fn a_trajectory_over_minibatches_is_differentiated_as_it_went() {
    let (problem, outer, inner) = rows_problem();
    let batches = Rows::new(&inner, 8, 5).unwrap();
    let data = Data::new(&outer, &[]).inner_batches(&batches);
    let v0 = [Tensor::zeros(&[3])];
    let at = |x: f64| {
        let u = [Tensor::scalar(x)];
        let ask = Ask { problem: &problem, u: &u, v0: &v0, data };
        bilevel::Method::hypergradient(&Reverse::new(Momentum::new(0.2, 0.5), 7), &ask, &mut Default::default())
            .unwrap()
    };
    let h = 1e-3;
    let value = |h: f64| at(-1.0 + h).report.outer_value;
    let difference = (8.0 * (value(h) - value(-h)) - (value(2.0 * h) - value(-2.0 * h))) / (12.0 * h);
    approx::assert_relative_eq!(at(-1.0).gradient[0].item(), difference, max_relative = 1e-9);
    // A closure will do as well, and the batches are what the seed says, in any order.
    let closure = |step: usize| batches.batch(step);
    let u = [Tensor::scalar(-1.0)];
    let data = Data::new(&outer, &[]).inner_batches(&closure);
    let found = problem.hypergradient_on(&u, &v0, data, &Reverse::new(Momentum::new(0.2, 0.5), 7)).unwrap();
    assert_eq!(found.gradient[0].item(), at(-1.0).gradient[0].item());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn batches_hold_every_row_once_a_pass(rows in 2..20_usize, size in 1..6_usize, seed in 0..1000_u64) {
        prop_assume!(size <= rows);
        let x = Tensor::<f64>::arange(rows);
        let batches = Rows::new(&[x], size, seed).unwrap();
        let per_pass = batches.batches_in_pass();
        let pass = |number: usize| -> Vec<f64> {
            (number * per_pass..(number + 1) * per_pass).flat_map(|s| batches.batch(s)[0].data().to_vec()).collect()
        };
        let (second, first) = (pass(1), pass(0));
        for pass in [&first, &second] {
            let mut sorted = pass.clone();
            sorted.sort_by(f64::total_cmp);
            sorted.dedup();
            prop_assert_eq!(sorted.len(), per_pass * size);
        }
        prop_assert_eq!(&pass(0), &first, "the same step, the same batch");
        // The last array says which rows they are.
        let batch = batches.batch(0);
        prop_assert_eq!(batch[0].data(), batch[1].data());
        let repeating = Rows::new(&[Tensor::<f64>::arange(rows)], size, seed).unwrap().repeating();
        prop_assert_eq!(&repeating.batch(0)[0], &repeating.batch(per_pass)[0]);
        prop_assert_eq!(repeating.period(), Some(per_pass));
    }

    #[test]
    fn every_family_agrees_with_finite_differences(salt in 0.0..6.0_f64) {
        // Strongly convex inside, not quadratic; the inner problem is solved by Newton's method for the differences.
        let (a, t) = (WellPosed::new(salt).a, wave(&[N], salt + 0.7));
        let problem = Problem::new(
            move |u, v| (v[0] - &t).square().sum_all() * 0.5 + u[0].sin().sum_all() + v[0].cos().sum_all(),
            move |u, v| {
                let image = v[0].constant(&a).matmul(&v[0]);
                v[0].dot(&image) * 0.5 + (v[0] * 0.5).exp().sum_all() - (u[0].sin() * v[0]).sum_all()
            },
        );
        let (u, v0) = ([wave(&[N], salt + 1.1)], [Tensor::zeros(&[N])]);
        let rule = GradientDescent::new(0.2);
        let tight = Implicit::cg(Inner::newton()).tolerance(1e-13);
        let (reverse, forward) = (Reverse::new(rule.clone(), 400), bilevel::Forward::new(rule.clone(), 400));
        let (fixed, multipliers) = (bilevel::FixedPoint::new(rule, 400), bilevel::AugmentedLagrangian::new(1.0));
        let methods: [&dyn bilevel::Method<f64>; 5] = [&tight, &reverse, &forward, &fixed, &multipliers];
        let reference = bilevel::Reference::FiniteDifferences(Inner::newton());
        let table = problem.compare(&ask(&problem, &u, &v0), &methods, &reference).unwrap();
        for row in &table.methods {
            prop_assert!(row.relative_error.is_some_and(|e| e < 1e-7), "{row:?}");
        }
    }

    #[test]
    fn the_hypergradient_of_a_sum_of_problems_is_the_sum(salt in 0.0..6.0_f64) {
        // Two problems side by side: u, v and objectives of both.
        let (a, b) = (WellPosed::new(salt), WellPosed::new(salt + 1.0));
        let (ua, ub) = (wave(&[3], salt), wave(&[3], salt + 0.3));
        let zeros = Tensor::zeros(&[N]);
        let method = Reverse::new(Momentum::new(0.1, 0.5), 6);
        let one = |w: &WellPosed, u: &Tensor<f64>| {
            w.problem().hypergradient(&[u.clone()], &[zeros.clone()], &method).unwrap().gradient.swap_remove(0)
        };
        let [pa, pb] = [0.0, 1.0].map(|more| WellPosed::new(salt + more));
        let [ga, gb] = [0.0, 1.0].map(|more| WellPosed::new(salt + more));
        let both = Problem::new(
            move |u, v| {
                let one = |p: &WellPosed, i: usize| (v[i] - &p.t).square().sum_all() + u[i].square().sum_all() * p.rho;
                (one(&pa, 0) + one(&pb, 1)) * 0.5
            },
            move |u, v| {
                let one = |p: &WellPosed, i: usize| {
                    let image = v[i].constant(&p.a).matmul(&v[i]);
                    v[i].dot(&image) * 0.5 - u[i].dot(&u[i].constant(&p.b).matmul(&v[i]))
                };
                one(&ga, 0) + one(&gb, 1)
            },
        );
        let found = both.hypergradient(&[ua.clone(), ub.clone()], &[zeros.clone(), zeros.clone()], &method).unwrap();
        prop_assert!(relative(&found.gradient[0], &one(&a, &ua)) < 1e-13);
        prop_assert!(relative(&found.gradient[1], &one(&b, &ub)) < 1e-13);
    }
}

#[test]
fn the_nonconvex_toy_has_three_minima() {
    // g = (x+y)² + x sin²(x+y), f = cos(4y+2)/(1+e^{2−4x}) + ½ln((4x−2)²+1), x ∈ [0, 3].
    let problem = Problem::new(
        |u, v| {
            let t = u[0] * 4.0 - 2.0;
            (v[0] * 4.0 + 2.0).cos() * t.sigmoid() + (t.square() + 1.0).ln() * 0.5
        },
        |u, v| {
            let sum = u[0] + v[0];
            sum.square() + u[0] * sum.sin().square()
        },
    );
    let optimizer = Projected { dynamics: GradientDescent::new(0.02), set: Set::between(0.0, 3.0) };
    let method = Implicit::cg(Inner::newton());
    for (start, x, value) in [(0.1, 0.3824, 0.44271), (1.5, 1.2152, 0.19991), (2.7, 2.8296, 1.24346)] {
        let (u, v0) = ([Tensor::scalar(start)], [Tensor::scalar(-start)]);
        let options = Options::default().iterations(2000).tolerance(1e-9).warm_start();
        let mut solver = problem.solve(&ask(&problem, &u, &v0), &method, &optimizer, options).unwrap();
        solver.by_ref().for_each(|event| drop(event.unwrap()));
        assert!(
            (solver.u()[0].item() - x).abs() < 1e-4 && (solver.best().1 - value).abs() < 1e-5,
            "{:?}",
            solver.best()
        );
    }
}

#[test]
fn methods_that_remember_batches_resume_with_the_same_bits() {
    let (problem, train, held_out) = rows_problem();
    let (inner, outer) =
        (Rows::new(&train, 4, 1).unwrap().repeating(), Rows::new(&held_out, 3, 2).unwrap().repeating());
    let data = Data::NONE.inner_batches(&inner).outer_batches(&outer);
    let (u, v0) = ([Tensor::full(&[3], -1.0)], [Tensor::zeros(&[3])]);
    let methods: [&dyn Method<f64>; 6] = [
        &Saba { rate: 0.1 },
        &Mrbo { rate: 0.1, momentum: 0.5, neumann_rate: 0.1, terms: 4 },
        &StocBio { rate: 0.1, steps: 3, neumann_rate: 0.1, terms: 4 },
        &F2sa { growth: 1.1, ..F2sa::new(0.1, 2.0, 3) },
        &Pbgd { rate: 0.1, gamma: 5.0, steps: 3 },
        &Bome { rate: 0.1, rate_v: 0.05, eta: 0.5, steps: 3 },
    ];
    let optimizer = Momentum::new(0.01, 0.5);
    for (i, method) in methods.into_iter().enumerate() {
        let path = std::env::temp_dir().join(format!("hypertape-batches-{}-{i}", std::process::id()));
        let ask = Ask { problem: &problem, u: &u, v0: &v0, data };
        let start = || problem.solve(&ask, method, &optimizer, Options::default().iterations(23)).unwrap();
        let mut whole = start();
        whole.by_ref().for_each(|event| drop(event.unwrap()));
        let mut first = start();
        first.by_ref().take(9).for_each(|event| drop(event.unwrap()));
        first.save(&path).unwrap();
        let mut second = start();
        second.resume(&path).unwrap();
        second.by_ref().for_each(|event| drop(event.unwrap()));
        assert_eq!(second.u()[0].data(), whole.u()[0].data(), "{}", method.name());
        assert_eq!(second.iteration(), 23);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn every_outer_step_sees_the_next_batches() {
    let (problem, outer, inner) = rows_problem();
    let (validation, training) = (Rows::new(&outer, 4, 3).unwrap(), Rows::new(&inner, 8, 5).unwrap());
    let data = Data::NONE.outer_batches(&validation).inner_batches(&training);
    let (u, v0) = ([Tensor::scalar(-1.0)], [Tensor::zeros(&[3])]);
    let ask = Ask { problem: &problem, u: &u, v0: &v0, data };
    let (method, optimizer) = (Reverse::new(GradientDescent::new(0.2), 2), GradientDescent::new(0.1));
    let options = Options::default().iterations(4).warm_start();
    let values: Vec<f64> = problem
        .solve(&ask, &method, &optimizer, options)
        .unwrap()
        .map(|event| event.unwrap().report.outer_value)
        .collect();
    // By hand: outer batch i, inner batches 2i and 2i + 1, from where v was.
    let (mut u, mut v) = ([Tensor::scalar(-1.0)], [Tensor::zeros(&[3])]);
    for (i, value) in values.into_iter().enumerate() {
        let batch = validation.batch(i);
        let inner = |step: usize| training.batch(2 * i + step);
        let data = Data::new(&batch, &[]).inner_batches(&inner);
        let found = problem.hypergradient_on(&u, &v, data, &method).unwrap();
        assert_eq!(found.report.outer_value, value, "outer step {i}");
        u[0] = &u[0] - &found.gradient[0] * 0.1;
        v = [found.inner_solution[0].clone()];
    }
    // Newton's method solves the first inner batch: Hessian and mixed derivative are those of the same.
    let (one, by_newton) = (training.batch(0), Implicit::cg(Inner::newton()));
    let whole = problem.hypergradient_on(&u, &v0, Data::new(&outer, &one), &by_newton).unwrap();
    let batched =
        problem.hypergradient_on(&u, &v0, Data::new(&outer, &[]).inner_batches(&training), &by_newton).unwrap();
    assert_eq!(batched.gradient[0].data(), whole.gradient[0].data());
    // One objective is minimised by these: batches are refused.
    let found = problem.hypergradient_on(&u, &v, data, &bilevel::Penalty::new(10.0)).unwrap_err();
    assert!(matches!(found, Error::Configuration { setting: "minibatches", .. }), "{found}");
}
