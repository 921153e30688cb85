//! What methods say of their own error, beside the error; and what they leave out when nobody asks.

use autodiff::{Tensor, Value};
use bilevel::{
    Amigo, Ask, AugmentedLagrangian, Bome, Data, ErrorEstimate, F2sa, FiniteDifference, FirstOrder, FixedPoint,
    Forward, GradientDescent, Hypergradient, Implicit, Inner, LinearSolver, Memory, Method, Mrbo, Online, Pbgd,
    Penalty, Problem, Reverse, Reversible, Saba, Soba, StocBio, VirtualStep,
};
use support::{M, N, Quadratic, WellPosed, wave};

mod support;

fn distance(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    (a - b).square().sum_all().item().sqrt()
}

/// The last of so many calls at the same u.
fn after(
    problem: &Problem,
    u: &[Tensor<f64>],
    v0: &[Tensor<f64>],
    method: &dyn Method<f64>,
    calls: usize,
) -> Hypergradient<f64> {
    let (ask, mut memory) = (Ask { problem, u, v0, data: Data::NONE }, Memory::default());
    let mut all = (0..calls).map(|_| method.hypergradient(&ask, &mut memory).unwrap());
    all.next_back().unwrap()
}

#[test]
fn methods_that_solve_for_no_adjoint_know_about_how_wrong_they_are() {
    let (general, posed) = (Quadratic::new(1.7), WellPosed::new(0.3));
    let problems = [general.problem(), posed.problem()];
    let (u, v0) = ([wave(&[M], 0.2)], [wave(&[N], 0.1)]);
    let v = posed.a.solve(&u[0].matmul(&posed.b));
    let exact = [general.hypergradient(&u[0]), &u[0] * posed.rho + posed.b.matmul(&posed.a.solve(&(&v - &posed.t)))];
    let methods: [(&dyn Method<f64>, usize); 12] = [
        (&Implicit::new(Inner::newton(), LinearSolver::Identity { rate: 0.5 }), 1),
        // Before anything moved, and on the way.
        (&Soba { rate: 0.2 }, 1),
        (&Soba { rate: 0.2 }, 12),
        (&Saba { rate: 0.2 }, 12),
        (&StocBio { rate: 0.2, steps: 3, neumann_rate: 0.2, terms: 8 }, 2),
        (&Amigo { rate: 0.2, steps: 3, adjoint_rate: 0.2, adjoint_steps: 3 }, 1),
        (&Amigo { rate: 0.2, steps: 3, adjoint_rate: 0.2, adjoint_steps: 3 }, 4),
        (&Mrbo { rate: 0.2, momentum: 0.5, neumann_rate: 0.2, terms: 8 }, 6),
        (&F2sa::new(0.2, 10.0, 40), 2),
        (&F2sa::new(0.2, 1e3, 40), 2),
        (&Pbgd { rate: 0.2, gamma: 100.0, steps: 20 }, 40),
        (&Bome { rate: 0.2, rate_v: 0.01, eta: 0.5, steps: 20 }, 400),
    ];
    for (method, calls) in methods {
        for (problem, exact) in problems.iter().zip(&exact) {
            let found = after(problem, &u, &v0, method, calls);
            let error = distance(&found.gradient[0], exact);
            let estimate = found.report.error.unwrap_or_else(|| panic!("{}", method.name()));
            let ratio = estimate.value() / error;
            assert!(error > 1e-6 && ratio > 0.3 && ratio < 30.0, "{}: {estimate} {error}", method.name());
            assert!(!estimate.is_bound());
        }
    }
}

#[test]
fn a_difference_is_bounded_by_the_product_that_it_stands_for() {
    // Not quadratic, so that the difference is not exact.
    let problem = Problem::new(
        |_, v| (v[0] - 0.3).square().sum_all(),
        |u, v| (u[0] * v[0]).sin().sum_all() + v[0].square().sum_all(),
    );
    let (u, v0) = ([wave(&[3], 0.4)], [wave(&[3], 1.4)]);
    let exact = problem.hypergradient(&u, &v0, &Reverse::new(GradientDescent::new(0.1), 1)).unwrap();
    let method = FiniteDifference { rate: 0.1, epsilon: 0.3 };
    let found = problem.hypergradient(&u, &v0, &method).unwrap();
    let (error, bound) = (distance(&found.gradient[0], &exact.gradient[0]), found.report.error.unwrap());
    assert!(error > 1e-6 && bound.is_bound() && (bound.value() / error - 1.0).abs() < 1e-6, "{bound} {error}");
}

#[test]
fn a_difference_sees_what_flows_on_into_the_initial_point() {
    // Proximal: u is in the step and in the initial point.
    let problem = Problem::new(
        |_, v| (v[0] - 1.0).square().sum_all() * 0.5,
        |u, v| ((v[0] - u[0]).square() * 0.5 + v[0].sin()).sum_all(),
    )
    .start(|u| u.to_vec());
    let u = [wave(&[3], 0.4)];
    let exact = problem.hypergradient(&u, &[], &Reverse::new(GradientDescent::new(0.1), 1)).unwrap();
    let found = problem.hypergradient(&u, &[], &FiniteDifference { rate: 0.1, epsilon: 0.3 }).unwrap();
    let (error, bound) = (distance(&found.gradient[0], &exact.gradient[0]), found.report.error.unwrap());
    assert!(error > 1e-6 && bound.is_bound() && (bound.value() / error - 1.0).abs() < 1e-6, "{bound} {error}");
}

#[test]
fn what_the_report_cannot_see_is_no_error() {
    // One step leads to where g is not finite; f is.
    let problem = Problem::new(|_, v| v[0].square(), |u, v| u[0] * v[0] - v[0].ln());
    let (u, v0) = ([Tensor::scalar(2.0)], [Tensor::scalar(1.0)]);
    let method = Reverse::new(GradientDescent::new(3.0), 1);
    let found = problem.hypergradient(&u, &v0, &method).unwrap();
    // v₁ = 1 − 3·(2 − 1) = −2, dv₁/du = −3: dF/du = 2·(−2)·(−3).
    assert_eq!(found.gradient[0].item(), 12.0);
    assert!(found.report.inner_value.is_none() && found.report.warnings.len() == 1, "{}", found.report);
}

/// Every task starts at u.
fn started() -> Problem {
    let a = Tensor::from_fn(&[3, 3], |i| if i[0] == i[1] { 1.0 + i[0] as f64 } else { 0.2 });
    Problem::new(
        |_, v| (v[0] - 0.7).square().sum_all(),
        move |_, v| v[0].dot(&v[0].constant(&a).matmul(&v[0])) * 0.5 - v[0].sum_all(),
    )
    .start(|u| u.to_vec())
}

#[test]
fn first_order_maml_knows_about_what_it_leaves_out() {
    let (problem, u) = (started(), [wave(&[3], 0.5)]);
    for (rate, steps) in [(0.01, 1), (0.01, 5), (0.1, 3)] {
        let rule = GradientDescent::new(rate);
        let exact = problem.hypergradient(&u, &[], &Reverse::new(rule.clone(), steps)).unwrap();
        let found = problem.hypergradient(&u, &[], &FirstOrder::new(rule, steps)).unwrap();
        let (error, estimate) = (distance(&found.gradient[0], &exact.gradient[0]), found.report.error.unwrap());
        let ratio = estimate.value() / error;
        assert!(error > 1e-3 && ratio > 0.99 && ratio < 2.0, "{rate} {steps}: {estimate} {error}");
    }
}

#[test]
fn real_time_forward_mode_is_exact_until_u_moves() {
    let quadratic = Quadratic::new(0.4);
    let (problem, rule) = (quadratic.problem(), GradientDescent::new(0.2));
    let (u, v0) = ([wave(&[M], 0.2)], [wave(&[N], 0.1)]);
    let (online, mut memory) = (Online::new(rule.clone(), 3), Memory::default());
    let mut at = |u: &[Tensor<f64>]| {
        let ask = Ask { problem: &problem, u, v0: &v0, data: Data::NONE };
        online.hypergradient(&ask, &mut memory).unwrap()
    };
    for calls in 1..=3 {
        let (found, forward) = (at(&u), Forward::new(rule.clone(), 3 * calls));
        let forward = problem.hypergradient(&u, &v0, &forward).unwrap();
        assert_eq!(found.gradient[0].data(), forward.gradient[0].data());
        assert_eq!(found.report.error, Some(ErrorEstimate::Bound(0.0)));
    }
    let moved = [&u[0] + 0.1];
    for _ in 0..3 {
        let found = at(&moved);
        let error = distance(&found.gradient[0], &quadratic.hypergradient(&moved[0]));
        let estimate = found.report.error.unwrap();
        let ratio = estimate.value() / error;
        assert!(!estimate.is_bound() && ratio > 0.3 && ratio < 30.0, "{estimate} {error}");
    }
}

#[test]
fn without_diagnostics_the_answer_has_the_same_bits_and_nothing_is_evaluated_beside_it() {
    let quadratic = Quadratic::new(1.1);
    let (problem, lean) = (quadratic.problem(), quadratic.problem().diagnostics(false));
    let (u, v0) = ([wave(&[M], 0.2)], [wave(&[N], 0.1)]);
    let rule = GradientDescent::new(0.2);
    let inner = Inner::steps(rule.clone(), 30);
    let methods: [&dyn Method<f64>; 21] = [
        &Reverse::new(rule.clone(), 20),
        &Reverse::new(rule.clone(), 20).last(3),
        &Reversible::new(0.05, (9, 10), 20),
        &Forward::new(rule.clone(), 20),
        &Online::new(rule.clone(), 3),
        &Implicit::cg(inner.clone()),
        &Implicit::neumann(inner.clone(), 0.2, 20),
        &Implicit::new(inner.clone(), LinearSolver::Gmres { restart: 3 }),
        &Implicit::new(inner.clone(), LinearSolver::BiCgStab),
        &Implicit::nystrom(inner.clone(), 2, 0.1),
        &Implicit::new(inner, LinearSolver::Identity { rate: 0.5 }),
        &FixedPoint::new(rule, 20),
        &FiniteDifference::new(0.1),
        &VirtualStep::new(0.1),
        &Penalty::new(1e3),
        &AugmentedLagrangian::new(1.0),
        &F2sa::new(0.2, 100.0, 5),
        &Pbgd { rate: 0.2, gamma: 10.0, steps: 5 },
        &Bome { rate: 0.2, rate_v: 0.1, eta: 0.5, steps: 5 },
        &Soba { rate: 0.2 },
        &Amigo { rate: 0.2, steps: 3, adjoint_rate: 0.2, adjoint_steps: 3 },
    ];
    for method in methods {
        let full = problem.hypergradient(&u, &v0, method).unwrap();
        let without = lean.hypergradient(&u, &v0, method).unwrap();
        let name = method.name();
        assert_eq!(full.gradient[0].data(), without.gradient[0].data(), "{name}");
        assert_eq!(full.report.counts - full.report.diagnostic_counts, without.report.counts, "{name}");
        assert_eq!(without.report.diagnostic_counts, Default::default(), "{name}");
        assert!(full.report.error.is_some() && full.report.inner_value.is_some(), "{name}");
        assert!(full.report.inner_grad_norm.is_some(), "{name}");
    }
}
