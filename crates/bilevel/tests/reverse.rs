//! Reverse-mode hypergradients, whole, truncated and checkpointed, against closed forms and finite differences.

use autodiff::{Tensor, Value};
use bilevel::{
    Data, Error, ErrorEstimate, Forward, GradientDescent, Implicit, Inner, Keep, Map, Method, Momentum, Problem,
    Reverse, Reversible,
};
use proptest::prelude::*;
use support::{M, N, Quadratic, Ridge, assert_close, power, relative, wave};

mod support;

#[test]
fn the_general_quadratic_has_its_closed_form() {
    for salt in [0.3, 1.1, 2.9] {
        let quadratic = Quadratic::new(salt);
        let problem = quadratic.problem();
        let (u, v0) = (wave(&[M], salt + 8.0), wave(&[N], salt + 9.0));
        for steps in [1, 2, 10, 200] {
            let eta = 0.15;
            let method = Reverse::new(GradientDescent::new(eta), steps);
            let found = problem.hypergradient(&[u.clone()], &[v0.clone()], &method).unwrap();
            let (vt, gradient) = quadratic.exact(&u, &v0, eta, steps);
            assert_close(&found.inner_solution[0], &vt);
            assert_close(&found.gradient[0], &gradient);
            // One for each step, one for f, and one for the report.
            assert_eq!((found.report.counts.gradients, found.report.counts.vjps), (steps + 2, steps));
            assert_eq!(found.report.diagnostic_counts.gradients, 1);
            assert_eq!(found.report.trajectory_bytes, steps * N * 8);
        }
    }
}

#[test]
fn one_step_is_f_u_minus_eta_c_f_v() {
    let quadratic = Quadratic::new(0.7);
    let (u, v0, eta) = (wave(&[M], 1.0), wave(&[N], 2.0), 0.2);
    let method = Reverse::new(GradientDescent::new(eta), 1);
    let found = quadratic.problem().hypergradient(&[u.clone()], &[v0], &method).unwrap();
    let v1 = &found.inner_solution[0];
    let f_v = quadratic.f.matmul(v1) + u.matmul(&quadratic.k) + &quadratic.p;
    let f_u = quadratic.h.matmul(&u) + quadratic.k.matmul(v1) + &quadratic.q;
    assert_close(&found.gradient[0], &(f_u - quadratic.c.matmul(&f_v) * eta));
}

#[test]
fn the_scalar_teaching_case() {
    // g = (a/2)(v − u)², f = ½(v − c)²: v_T = u + ρᵀ(v0 − u), dF/du = (v_T − c)(1 − ρᵀ).
    let (a, c, u, v0, eta, steps) = (0.8, 3.0, 1.5, -2.0, 0.3, 7);
    let problem = Problem::new(move |_, v| (v[0] - c).square() * 0.5, move |u, v| (v[0] - u[0]).square() * (0.5 * a));
    let method = Reverse::new(GradientDescent::new(eta), steps);
    let found = problem.hypergradient(&[Tensor::scalar(u)], &[Tensor::scalar(v0)], &method).unwrap();
    let rho = (1.0 - eta * a).powi(7);
    let vt = u + rho * (v0 - u);
    approx::assert_relative_eq!(found.gradient[0].item(), (vt - c) * (1.0 - rho), max_relative = 1e-13);
    let low = problem.hypergradient(&[Tensor::scalar(u as f32)], &[Tensor::scalar(v0 as f32)], &method).unwrap();
    approx::assert_relative_eq!(f64::from(low.gradient[0].item()), found.gradient[0].item(), max_relative = 1e-6);
}

/// Gradient descent with decay, a user's own update rule.
fn decaying() -> Map {
    Map::new(|s| {
        let moved = s.point.iter().zip(s.gradient);
        moved.map(|(v, g)| *v - *g * s.hyper[0] - *v * s.hyper[1]).collect()
    })
    .hyper([0.1, 0.01])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn nonlinear_problems_agree_with_finite_differences(salt in 0.0..6.0_f64, steps in 1..6_usize) {
        let x = wave(&[5, 3], salt);
        let y = wave(&[5], salt + 1.0);
        let data = [x, y];
        let problem = Problem::with_data(
            |u, v, data| (data[0].matmul(&v[0]) + v[1] - data[1]).square().mean_all() + u[0].sin().sum_all(),
            |u, v, data| {
                let residual = (data[0].matmul(&v[0]).tanh() + v[1] - data[1]).square();
                (residual * u[1].sigmoid()).sum_all() + (u[0].exp() * v[0].square()).sum_all() * 0.5
            },
        );
        let u = [wave(&[3], salt + 2.0) * 0.3, wave(&[5], salt + 3.0)];
        let v0 = [wave(&[3], salt + 4.0), Tensor::scalar(0.1)];
        let both = Data::new(&data, &data);
        let method = Reverse::new(decaying(), steps);
        let at = |u: &[Tensor<f64>]| problem.hypergradient_on(u, &v0, both, &method).unwrap();
        let found = at(&u);
        for i in 0..2 {
            let t = wave(u[i].dims(), 0.4);
            let outer = |h: f64| {
                let mut moved = u.clone();
                moved[i] = &moved[i] + &t * h;
                at(&moved).report.outer_value
            };
            let h = 1e-3;
            let difference = (8.0 * (outer(h) - outer(-h)) - (outer(2.0 * h) - outer(-2.0 * h))) / (12.0 * h);
            let directional = found.gradient[i].dot(&t).item();
            prop_assert!((difference - directional).abs() < 1e-8 * (1.0 + difference.abs()), "{difference} {directional}");
        }
    }
}

#[test]
fn the_outer_objective_need_not_use_u() {
    let direct = Problem::new(|_, v| v[0].sum_all(), |u, v| (v[0] * u[0]).sum_all());
    let method = Reverse::new(GradientDescent::new(0.5), 3);
    let one = [Tensor::from([1.0])];
    assert_eq!(direct.hypergradient(&one, &one, &method).unwrap().gradient[0].data(), [-1.5]);
}

#[test]
fn an_inner_variable_may_serve_the_inner_objective_only() {
    // g couples v₀ to a nuisance v₁ that f does not see: after two steps the coupling is felt.
    let problem = Problem::new(
        |_, v| v[0].square().sum_all(),
        |u, v| ((v[0] - v[1]).square() + (v[1] - u[0]).square()).sum_all() * 0.5,
    );
    let at = |u: f64| {
        let method = Reverse::new(GradientDescent::new(0.3), 2);
        problem.hypergradient(&[Tensor::scalar(u)], &[Tensor::scalar(0.4), Tensor::scalar(0.1)], &method).unwrap()
    };
    let difference = (at(1.001).report.outer_value - at(0.999).report.outer_value) / 0.002;
    approx::assert_relative_eq!(at(1.0).gradient[0].item(), difference, max_relative = 1e-10);
}

#[test]
fn what_is_not_connected_is_an_error_not_a_zero() {
    let method = Reverse::new(GradientDescent::new(0.1), 2);
    let one = [Tensor::from([1.0])];
    let detached = Problem::new(|_, v| v[0].sum_all(), |u, v| (v[0].square() * u[0].stop_gradient()).sum_all());
    assert!(matches!(detached.hypergradient(&one, &one, &method), Err(Error::Detached { name, .. }) if name == "u[0]"));
    let second = Problem::new(|_, v| v[0].sum_all(), |u, v| (v[0].square() * u[0]).sum_all());
    let two = [one[0].clone(), one[0].clone()];
    assert!(matches!(second.hypergradient(&two, &one, &method), Err(Error::Detached { name, .. }) if name == "u[1]"));
    let unused = Problem::new(|u, _| u[0].sum_all(), |u, v| (v[0].square() * u[0]).sum_all());
    assert!(matches!(unused.hypergradient(&one, &one, &method), Err(Error::Unused)));
    // Linear in v and u apart: the step does not feel u.
    let apart = Problem::new(|_, v| v[0].sum_all(), |u, v| v[0].square().sum_all() + u[0].sum_all());
    assert!(matches!(apart.hypergradient(&one, &one, &method), Err(Error::Detached { name, .. }) if name == "u[0]"));
}

#[test]
fn what_stops_being_finite_names_its_step() {
    // The iterate grows to infinity.
    let diverging = Problem::new(|_, v| v[0].sum_all(), |u, v| (v[0].powi(4) * u[0]).sum_all());
    let method = Reverse::new(GradientDescent::new(10.0), 50);
    let one = [Tensor::from([1.0])];
    let error = diverging.hypergradient(&one, &one, &method).unwrap_err();
    assert!(matches!(error, Error::NonFinite { step, .. } if step < 10), "{error}");
    let nan = [Tensor::from([f64::NAN])];
    assert!(matches!(diverging.hypergradient(&nan, &one, &method), Err(Error::NonFinite { step: 0, .. })));
    let none = Reverse::new(GradientDescent::new(0.1), 0);
    assert!(matches!(diverging.hypergradient(&one, &one, &none), Err(Error::Configuration { setting: "steps", .. })));
    assert!(matches!(diverging.hypergradient(&[], &one, &method), Err(Error::Configuration { .. })));
}

#[test]
fn truncation_errs_by_exactly_what_the_closed_form_says() {
    let quadratic = Quadratic::new(1.3);
    let (u, v0, eta) = (wave(&[M], 1.0), wave(&[N], 2.0), 0.15);
    for (steps, k) in [(1, 1), (7, 1), (7, 3), (30, 10), (30, 30)] {
        let method = Reverse::new(GradientDescent::new(eta), steps);
        let whole = quadratic.problem().hypergradient(&[u.clone()], &[v0.clone()], &method).unwrap();
        let last = quadratic.problem().hypergradient(&[u.clone()], &[v0.clone()], &method.clone().last(k)).unwrap();
        // h_K − h_T = C A⁻¹ (M^K − M^T) f_v; the difference loses digits that both have.
        let error = quadratic.truncation(&u, &v0, eta, steps, k);
        let size = whole.gradient[0].square().sum_all().item().sqrt();
        for (found, exact) in (&last.gradient[0] - &whole.gradient[0]).data().iter().zip(error.data()) {
            assert!((found - exact).abs() <= 1e-12 * size, "T = {steps}, K = {k}: {found} instead of {exact}");
        }
        assert_eq!(last.report.trajectory_bytes, k * N * 8);
        assert_eq!(last.report.counts.vjps, k);
    }
}

#[test]
fn the_tail_estimate_of_a_truncated_sum_is_near_its_error() {
    // One curvature: the terms are a geometric series, and the estimate is exact.
    let problem = Problem::new(|_, v| (v[0] - 3.0).square().sum_all(), |u, v| (v[0] - u[0]).square().sum_all() * 0.5);
    let (u, v0) = ([Tensor::from([1.0, 2.0])], [Tensor::from([0.0, 0.5])]);
    let method = Reverse::new(GradientDescent::new(0.1), 60);
    let whole = problem.hypergradient(&u, &v0, &method).unwrap();
    assert_eq!(whole.report.error, Some(ErrorEstimate::Bound(0.0)));
    for k in [2, 10, 40] {
        let last = problem.hypergradient(&u, &v0, &method.clone().last(k)).unwrap();
        let error = (&last.gradient[0] - &whole.gradient[0]).square().sum_all().item().sqrt();
        let estimate = last.report.error.unwrap();
        assert!(!estimate.is_bound());
        approx::assert_relative_eq!(estimate.value(), error, max_relative = 1e-10);
    }
    // A window that finds its own length keeps its promise, and no more than it needs.
    let size = whole.gradient[0].square().sum_all().item().sqrt();
    for tolerance in [1e-1, 1e-2] {
        let found = problem.hypergradient(&u, &v0, &method.clone().until(tolerance)).unwrap();
        let k = found.report.differentiated_steps.unwrap();
        let error = (&found.gradient[0] - &whole.gradient[0]).square().sum_all().item().sqrt();
        assert!(error <= 1.2 * tolerance * size && k < 60, "K = {k}: {error} of {size}");
        let shorter = problem.hypergradient(&u, &v0, &method.clone().last(k - 2)).unwrap();
        let error = (&shorter.gradient[0] - &whole.gradient[0]).square().sum_all().item().sqrt();
        assert!(error > tolerance * size, "two steps less would have done");
    }
}

#[test]
fn checkpoints_change_no_bit_and_keep_their_budget() {
    let quadratic = Quadratic::new(0.9);
    let (u, v0) = (wave(&[M], 1.0), wave(&[N], 2.0));
    let rule = Momentum::new(0.1, 0.8);
    let state = 2 * N * 8;
    for steps in [1, 2, 17, 100] {
        let method = Reverse::new(rule.clone(), steps);
        let whole = quadratic.problem().hypergradient(&[u.clone()], &[v0.clone()], &method).unwrap();
        for keep in [Keep::Bytes(3 * state), Keep::Bytes(5 * state), Keep::Bytes(1000 * state), Keep::SquareRoot] {
            let found = method.clone().keep(keep);
            let found = quadratic.problem().hypergradient(&[u.clone()], &[v0.clone()], &found).unwrap();
            assert_eq!(found.gradient[0].data(), whole.gradient[0].data(), "{keep:?}, {steps} steps");
            assert_eq!(found.inner_solution[0].data(), whole.inner_solution[0].data());
            assert_eq!(found.report.counts.vjps, steps);
            if let Keep::Bytes(bytes) = keep {
                assert!(found.report.trajectory_bytes <= bytes, "{} of {bytes}", found.report.trajectory_bytes);
            } else {
                let most = (2.0 * (steps as f64).sqrt()).ceil() as usize + 2;
                assert!(found.report.trajectory_bytes <= most * state);
                assert!(found.report.counts.gradients <= 2 * steps + 2, "about one more pass");
            }
        }
    }
    let little = Reverse::new(rule, 5).keep(Keep::Bytes(2 * state));
    let error = quadratic.problem().hypergradient(&[u], &[v0], &little).unwrap_err();
    assert!(matches!(error, Error::Configuration { setting: "storage", .. }), "{error}");
}

#[test]
fn reversible_momentum_is_reverse_mode_without_a_trajectory() {
    let quadratic = Quadratic::new(0.4);
    let (u, v0, steps) = (wave(&[M], 1.0), wave(&[N], 2.0), 500);
    let problem = quadratic.problem();
    let whole = Reverse::new(Momentum::new(0.05, 0.9), steps);
    let whole = problem.hypergradient(&[u.clone()], &[v0.clone()], &whole).unwrap();
    let exact = Reversible::new(0.05, (9, 10), steps);
    let exact = problem.hypergradient(&[u.clone()], &[v0.clone()], &exact).unwrap();
    // Fixed-point numbers have 48 bits behind the point.
    assert!(relative(&exact.gradient[0], &whole.gradient[0]) < 1e-11);
    assert!(exact.report.trajectory_bytes * 50 < whole.report.trajectory_bytes);
    assert_eq!(exact.report.counts.gradients, 2 * steps + 2);
    let wrong = problem.hypergradient(&[u], &[v0], &Reversible::new(0.05, (10, 9), steps)).unwrap_err();
    assert!(matches!(wrong, Error::Configuration { setting: "momentum", .. }));
}

#[test]
fn the_initial_point_may_be_the_upper_variable() {
    // MAML: dv_T/dv₀ = Mᵀ, so dF/dv₀ = Mᵀ f_v.
    let quadratic = Quadratic::new(2.2);
    let (a, f, p) = (quadratic.a.clone(), quadratic.f.clone(), quadratic.p.clone());
    let problem = Problem::new(
        move |_, v| v[0].dot(&v[0].constant(&f).matmul(&v[0])) * 0.5 + v[0].constant(&p).dot(&v[0]),
        move |_, v| v[0].dot(&v[0].constant(&a).matmul(&v[0])) * 0.5,
    )
    .start(|u| u.to_vec());
    let (u, eta, steps) = (wave(&[N], 0.3), 0.2, 6);
    let m = Tensor::<f64>::eye(N) - &quadratic.a * eta;
    let vt = power(&m, steps).matmul(&u);
    let exact = power(&m, steps).matmul(&(quadratic.f.matmul(&vt) + &quadratic.p));
    let rule = GradientDescent::new(eta);
    let methods: [&dyn Method<f64>; 3] = [
        &Reverse::new(rule.clone(), steps),
        &Reverse::new(rule.clone(), steps).keep(Keep::SquareRoot),
        &Forward::new(rule.clone(), steps),
    ];
    for method in methods {
        let found = problem.hypergradient(&[u.clone()], &[], method).unwrap();
        assert_close(&found.gradient[0], &exact);
    }
    // The implicit equation does not know where the inner problem began: that is said, not answered with zero.
    let implicit = Implicit::cg(Inner::steps(rule, steps));
    let error = problem.hypergradient(&[u.clone()], &[], &implicit).unwrap_err();
    assert!(matches!(&error, Error::Detached { name, .. } if name == "u[0]"), "{error}");
    let twice = problem.hypergradient(&[u.clone()], &[u], &Reverse::new(GradientDescent::new(eta), 1)).unwrap_err();
    assert!(matches!(twice, Error::Configuration { setting: "v0", .. }));
}

#[test]
fn ten_thousand_steps_store_iterates_not_graphs() {
    let ridge = Ridge::new(20, 10, 3, 0.2);
    let (u, v0, steps) = (wave(&[3], 0.5), Tensor::zeros(&[3]), 10_000);
    let method = Reverse::new(GradientDescent::new(0.3), steps);
    let found = ridge.problem().hypergradient(&[u.clone()], &[v0.clone()], &method).unwrap();
    assert_eq!(found.report.trajectory_bytes, steps * 3 * 8);
    let one = ridge.problem().hypergradient(&[u.clone()], &[v0], &Reverse::new(GradientDescent::new(0.3), 1)).unwrap();
    // One more program, where a state's cotangent flows on; what is on the tape does not grow with the steps.
    assert!(found.report.tape_bytes <= 2 * one.report.tape_bytes + 1024);
    assert!(relative(&found.gradient[0], &ridge.hypergradient(&u)) < 1e-12);
}

#[test]
fn memory_is_counted_exactly() {
    let quadratic = Quadratic::new(0.9);
    let problem = quadratic.problem();
    let at = |method: &dyn Method<f64>| {
        let (u, v0) = ([wave(&[M], 1.0)], [wave(&[N], 2.0)]);
        problem.hypergradient(&u, &v0, method).unwrap().report.trajectory_bytes
    };
    let rule = Momentum::new(0.1, 0.5);
    for steps in [5, 500] {
        // Old and new tangents of v and velocity and the directions, whatever T is; iterates of v and velocity; v, ∇_v g, and
        // b, w, r, p, Hp of conjugate gradients.
        assert_eq!(at(&Forward::new(rule.clone(), steps)), 2 * M * 2 * N * 8 + M * M * 8);
        assert_eq!(at(&Reverse::new(rule.clone(), steps).last(3)), 3 * 2 * N * 8);
        assert_eq!(at(&Reverse::new(rule.clone(), steps)), steps * 2 * N * 8);
        assert_eq!(at(&Implicit::cg(Inner::steps(rule.clone(), steps))), 7 * N * 8);
    }
}

#[test]
fn the_two_dimensional_toy_of_truncation() {
    // f = ‖w‖² + 10‖sin w‖², g = ½(w−λ)ᵀG(w−λ), G = diag(1, ½), T = 100: K-RMD gives (I − (I−ηG)^K) f_w.
    let problem = Problem::new(
        |_, w| w[0].square().sum_all() + w[0].sin().square().sum_all() * 10.0,
        |l, w| ((w[0] - l[0]).square() * w[0].constant(Tensor::from([0.5, 0.25]))).sum_all(),
    );
    let (l, w0, eta) = ([Tensor::from([0.8, -1.3])], [Tensor::from([2.0, 2.0])], 0.1);
    for k in [1, 5, 30, 100] {
        let found = problem.hypergradient(&l, &w0, &Reverse::new(GradientDescent::new(eta), 100).last(k)).unwrap();
        let w = &found.inner_solution[0];
        let slope = w * 2.0 + (w * 2.0).sin() * 10.0;
        let kept = Tensor::from([1.0, 0.5]).map(|g: f64| 1.0 - (1.0 - eta * g).powi(k as i32));
        assert_close(&found.gradient[0], &(slope * kept));
    }
}

#[test]
fn what_acts_on_the_initial_point_only_is_never_a_silent_zero() {
    // Where f depends on u as well, what it says of u alone would be a part of the truth.
    let problems = [
        Problem::new(|_, v| v[0].square().sum_all(), |_, v| (v[0].square() * 0.5).sum_all()),
        Problem::new(|u, v| (v[0].square() + u[0].square()).sum_all(), |_, v| (v[0].square() * 0.5).sum_all()),
    ];
    for problem in problems {
        let problem = problem.start(|u| u.to_vec());
        let u = [wave(&[N], 0.3)];
        let rule = GradientDescent::new(0.1);
        let blind: [&dyn Method<f64>; 4] = [
            &Implicit::cg(Inner::steps(rule.clone(), 5)),
            &bilevel::Penalty::new(10.0),
            &bilevel::F2sa::new(0.1, 10.0, 5),
            &bilevel::Soba { rate: 0.1 },
        ];
        for method in blind {
            let error = problem.hypergradient(&u, &[], method).unwrap_err();
            assert!(matches!(error, Error::Detached { .. }), "{}: {error}", method.name());
        }
        // A window that does not reach the start, and a fixed point.
        let blind: [&dyn Method<f64>; 2] =
            [&Reverse::new(rule.clone(), 5).last(2), &bilevel::FixedPoint::new(rule.clone(), 50)];
        for method in blind {
            let error = problem.hypergradient(&u, &[], method).unwrap_err();
            assert!(matches!(error, Error::Detached { .. }), "{}: {error}", method.name());
        }
        // A window that finds its own length goes to the start.
        let found = problem.hypergradient(&u, &[], &Reverse::new(rule.clone(), 5).until(0.1)).unwrap();
        let whole = problem.hypergradient(&u, &[], &Reverse::new(rule, 5)).unwrap();
        assert_eq!(found.gradient[0].data(), whole.gradient[0].data());
    }
    // The rate is u, and f has a prior on it: the implicit equation does not see the rate.
    let learnt = GradientDescent::new(bilevel::Hyper::upper(0));
    let prior = Problem::new(|u, v| v[0].square().sum_all() + u[0].square(), |_, v| v[0].square().sum_all());
    let method = Implicit::cg(Inner::steps(learnt, 3));
    let error = prior.hypergradient(&[Tensor::scalar(0.1)], &[wave(&[N], 0.2)], &method).unwrap_err();
    assert!(matches!(error, Error::Detached { .. }), "{error}");
    // Additive in g: the inner gradient does not feel it, and neither do first-order methods.
    let apart = Problem::new(|_, v| v[0].sum_all(), |u, v| v[0].square().sum_all() + u[0].sum_all());
    let one = [Tensor::from([1.0])];
    let methods: [&dyn Method<f64>; 2] = [&bilevel::F2sa::new(0.1, 10.0, 3), &bilevel::FiniteDifference::new(0.1)];
    for method in methods {
        let error = apart.hypergradient(&one, &one, method).unwrap_err();
        assert!(matches!(error, Error::Detached { .. }), "{}: {error}", method.name());
    }
}
