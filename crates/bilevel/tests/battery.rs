//! The regression battery: things that real libraries and reference codes get wrong, a test each. The fifteenth line, that
//! corrupted labels differ from the true ones, is tested in `nn`.

use autodiff::{Tensor, Value};
use bilevel::{
    Adam, Ask, AugmentedLagrangian, Data, Dynamics, Error, Forward, GradientDescent, Implicit, Inner, Method, Momentum,
    Online, Options, Penalty, Problem, Reverse, RmsProp, Schedule,
};
use proptest::prelude::*;
use support::{M, N, Quadratic, WellPosed, assert_close, relative, wave};

mod support;

fn ask<'a>(problem: &'a Problem, u: &'a [Tensor<f64>], v0: &'a [Tensor<f64>]) -> Ask<'a, f64> {
    Ask { problem, u, v0, data: Data::NONE }
}

#[test]
fn line_01_one_step_and_a_window_of_one() {
    let quadratic = Quadratic::new(0.7);
    let (u, v0, eta) = (wave(&[M], 1.0), wave(&[N], 2.0), 0.2);
    let one = Reverse::new(GradientDescent::new(eta), 1);
    let found = quadratic.problem().hypergradient(&[u.clone()], &[v0.clone()], &one).unwrap();
    let (f_u, f_v) = quadratic.outer(&u, &found.inner_solution[0]);
    assert_close(&found.gradient[0], &(f_u - quadratic.c.matmul(&f_v) * eta));
    // K = 1 of T = 5: the last step's term, −ηC f_v at v_T.
    let last = Reverse::new(GradientDescent::new(eta), 5).last(1);
    let found = quadratic.problem().hypergradient(&[u.clone()], &[v0], &last).unwrap();
    let (f_u, f_v) = quadratic.outer(&u, &found.inner_solution[0]);
    assert_close(&found.gradient[0], &(f_u - quadratic.c.matmul(&f_v) * eta));
    let none = Reverse::new(GradientDescent::new(eta), 5).last(0);
    let error = quadratic.problem().hypergradient(&[u], &[wave(&[N], 2.0)], &none).unwrap_err();
    assert!(matches!(error, Error::Configuration { setting: "window", .. }));
}

#[test]
fn line_02_a_multiple_of_the_identity_takes_one_iteration() {
    let c = 3.5;
    let problem = Problem::new(
        |_, v| v[0].exp().sum_all(),
        move |u, v| v[0].square().sum_all() * (0.5 * c) - (u[0] * v[0]).sum_all(),
    );
    let u = wave(&[4], 0.3);
    let given = [&u / c];
    let found = problem.hypergradient(&[u.clone()], &given, &Implicit::cg(Inner::given())).unwrap();
    assert_eq!(found.report.counts.hvps, 1);
    assert_close(&found.gradient[0], &((&u / c).exp() / c));
}

#[test]
fn line_03_two_unknowns_to_twelve_digits() {
    for salt in 0..20 {
        let salt = f64::from(salt);
        let b = wave(&[2, 2], salt);
        let a = b.matmul_with(&b, false, true) + Tensor::<f64>::eye(2) * 0.3;
        let inner = a.clone();
        let problem = Problem::new(
            |_, v| v[0].exp().sum_all(),
            move |u, v| v[0].dot(&v[0].constant(&inner).matmul(&v[0])) * 0.5 - u[0].dot(&v[0]),
        );
        let u = wave(&[2], salt + 0.5);
        let v = a.solve(&u);
        let method = Implicit::cg(Inner::given()).tolerance(1e-13);
        let found = problem.hypergradient(&[u], &[v.clone()], &method).unwrap();
        assert!(relative(&found.gradient[0], &a.solve(&v.exp())) < 1e-12);
        assert!(found.report.counts.hvps <= 4, "two, but for rounding");
    }
}

#[test]
fn line_04_the_outer_objective_with_and_without_u() {
    let quadratic = Quadratic::new(1.1);
    let (u, v0) = (wave(&[M], 1.0), wave(&[N], 2.0));
    // With: f_u is there (the closed form has it).
    let found = quadratic.problem().hypergradient(&[u.clone()], &[v0], &Implicit::cg(Inner::newton())).unwrap();
    assert!(relative(&found.gradient[0], &quadratic.hypergradient(&u)) < 1e-10);
    // Without: v* = u, F = Σ eᵘ.
    let without = Problem::new(|_, v| v[0].exp().sum_all(), |u, v| (v[0] - u[0]).square().sum_all());
    let methods: [&dyn Method<f64>; 5] = [
        &Implicit::cg(Inner::newton()),
        &Reverse::new(GradientDescent::new(0.5), 1),
        &Forward::new(GradientDescent::new(0.5), 1),
        &AugmentedLagrangian::new(1.0),
        &Penalty::new(1e9),
    ];
    for method in methods {
        let found = without.hypergradient(&[u.clone()], &[Tensor::zeros(&[M])], method).unwrap();
        assert!(relative(&found.gradient[0], &u.exp()) < 1e-7, "{}", method.name());
    }
}

#[test]
fn line_05_u_that_is_not_used_in_g_is_detached() {
    let problem = Problem::new(|_, v| v[0].sum_all(), |u, v| v[0].square().sum_all() + u[0].stop_gradient().sum_all())
        .named(["log decay"], ["weights"]);
    let (u, v0) = ([Tensor::from([1.0])], [Tensor::from([1.0])]);
    let rule = GradientDescent::new(0.1);
    let methods: [&dyn Method<f64>; 6] = [
        &Reverse::new(rule.clone(), 3),
        &Reverse::new(rule.clone(), 3).last(1),
        &Forward::new(rule.clone(), 3),
        &Implicit::cg(Inner::newton()),
        &Penalty::new(10.0),
        &AugmentedLagrangian::new(1.0),
    ];
    for method in methods {
        let error = problem.hypergradient(&u, &v0, method).unwrap_err();
        assert!(matches!(&error, Error::Detached { name, .. } if name == "log decay"), "{}: {error}", method.name());
    }
}

/// An MLP's regression loss, with a decay for each tensor as u.
fn network() -> (Problem, [Tensor<f64>; 2], Vec<Tensor<f64>>) {
    let (x, y) = (wave(&[6, 2], 0.3), wave(&[6, 1], 1.9));
    let (x2, y2) = (wave(&[6, 2], 5.3), wave(&[6, 1], 6.9));
    fn loss<'t>(v: &[bilevel::Symbol<'t>], x: &Tensor<f64>, y: &Tensor<f64>) -> bilevel::Symbol<'t> {
        let hidden = (v[0].constant(x).matmul(&v[0]) + v[1]).tanh();
        (hidden.matmul(&v[2]) - y).square().mean_all()
    }
    let problem = Problem::new(
        move |_, v| loss(v, &x2, &y2),
        move |u, v| {
            let decay = |i: usize| v[i].square().sum_all() * u[0].at(0, i).exp();
            loss(v, &x, &y) * u[1].square() + decay(0) + decay(1) + decay(2)
        },
    );
    let v0 = vec![wave(&[2, 3], 0.7), wave(&[3], 0.8), wave(&[3, 1], 0.9)];
    (problem, [wave(&[3], 0.1) - 3.0, Tensor::scalar(1.1)], v0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn line_06_forward_and_reverse_are_each_others_transpose(salt in 0.0..6.0_f64, steps in 1..8_usize, rule in 0..4_usize) {
        // ⟨J x, y⟩ = ⟨x, Jᵀ y⟩ for v_T(u), with f = ⟨y, v⟩: forward mode gives Jx for all unit x.
        let (problem, mut u, mut v0) = network();
        u[0] = &u[0] + wave(&[3], salt) * 0.1;
        v0[0] = &v0[0] + wave(&[2, 3], salt) * 0.1;
        let rules: [Box<dyn Dynamics>; 4] = [
            Box::new(Momentum::new(0.1, 0.9)),
            // A small ε makes the first step a sign, whose derivative is a difference of large numbers.
            Box::new(Adam { epsilon: 1e-2.into(), ..Adam::new(0.05) }),
            Box::new(bilevel::Nesterov::new(0.1, 0.8)),
            Box::new(RmsProp { epsilon: 1e-2.into(), ..RmsProp::new(0.05) }),
        ];
        let forward = problem.hypergradient(&u, &v0, &Forward::new(&rules[rule], steps)).unwrap();
        let reverse = problem.hypergradient(&u, &v0, &Reverse::new(&rules[rule], steps)).unwrap();
        for (a, b) in forward.gradient.iter().zip(&reverse.gradient) {
            prop_assert!(relative(a, b) < 1e-12, "{a} {b}");
        }
        prop_assert_eq!(forward.report.counts.jvps, 4 * steps);
    }
}

#[test]
fn line_07_damping_solves_the_damped_system() {
    let w = WellPosed::new(0.4);
    let problem = w.problem();
    let u = wave(&[3], 0.3);
    let v = w.a.solve(&u.matmul(&w.b));
    let f_v = &v - &w.t;
    let eye = Tensor::<f64>::eye(N);
    for d in [1e-3, 1e-1, 1.0] {
        let method = Implicit::cg(Inner::given()).damping(d).tolerance(1e-13);
        let found = problem.hypergradient(&[u.clone()], &[v.clone()], &method).unwrap();
        // C = −B, so h = f_u + B w.
        let damped = (&w.a + &eye * d).solve(&f_v);
        assert!(relative(&found.gradient[0], &(&u * w.rho + w.b.matmul(&damped))) < 1e-12);
        // ‖w_d − w‖ ≤ d/(μ(μ+d)) ‖f_v‖; A = I + 0.2 BBᵀ has μ ≥ 1.
        let norm = |x: &Tensor<f64>| x.square().sum_all().item().sqrt();
        let mu = 1.0;
        assert!(norm(&(&damped - w.a.solve(&f_v))) <= d / (mu * (mu + d)) * norm(&f_v));
        // The report's residual is that of the damped system; its error estimate knows of the damping.
        let exact = &u * w.rho + w.b.matmul(&w.a.solve(&f_v));
        let error = norm(&(&found.gradient[0] - &exact));
        let estimate = found.report.error.unwrap().value();
        assert!(estimate > 0.5 * error && estimate < 20.0 * error, "{estimate} {error}");
    }
}

#[test]
fn line_08_adam_and_rmsprop_where_nothing_has_moved() {
    // The second coordinate's gradient is exactly zero, and so are all its moments.
    let problem = Problem::new(
        |_, v| v[0].sum_all(),
        |u, v| ((v[0] - u[0]).square() * v[0].constant(Tensor::from([1.0, 0.0]))).sum_all(),
    );
    let (u, v0) = ([Tensor::from([1.0, 2.0])], [Tensor::from([0.5, 2.0])]);
    let (rate, epsilon) = (0.1, 1e-2);
    let adam = Adam { epsilon: epsilon.into(), ..Adam::new(rate) };
    let rms = RmsProp { epsilon: epsilon.into(), ..RmsProp::new(rate) };
    for (rule, steps) in [(&adam as &dyn Dynamics, 1), (&adam, 5), (&rms, 1), (&rms, 5)] {
        let found = problem.hypergradient(&u, &v0, &Reverse::new(rule, steps)).unwrap();
        assert!(found.gradient[0].is_finite() && found.gradient[0].data()[0] != 0.0);
        assert_eq!(found.gradient[0].data()[1], 0.0);
        let forward = problem.hypergradient(&u, &v0, &Forward::new(rule, steps)).unwrap();
        assert_close(&forward.gradient[0], &found.gradient[0]);
    }
    // A coordinate that is at its minimum, but feels u: dv/du = α/ε · 2 for the first step of Adam.
    let at = Problem::new(|_, v| v[0].sum_all(), |u, v| (v[0] - u[0]).square().sum_all());
    let one = [Tensor::from([0.5])];
    let found = at.hypergradient(&one, &one, &Reverse::new(&adam, 1)).unwrap();
    approx::assert_relative_eq!(found.gradient[0].data()[0], rate / epsilon * 2.0, max_relative = 1e-12);
}

#[test]
fn line_09_the_penalty_reaches_both_levels() {
    // At (u, v): γ·C·G in u, so that the answer at v_γ is f_u + γ C G there.
    let quadratic = Quadratic::new(0.5);
    let (u, v0, gamma) = (wave(&[M], 1.0), wave(&[N], 2.0), 3.0);
    let method = Penalty { gamma, schedule: Schedule::Stages(1), ..Penalty::new(1.0) };
    let found = quadratic.problem().hypergradient(&[u.clone()], &[v0], &method).unwrap();
    let v = &found.inner_solution[0];
    let slope = quadratic.a.matmul(v) + u.matmul(&quadratic.c) + &quadratic.lin;
    let (f_u, f_v) = quadratic.outer(&u, v);
    assert_close(&found.gradient[0], &(f_u + quadratic.c.matmul(&slope) * gamma));
    // And v_γ is stationary: f_v + γ·A·G = 0.
    let rest = f_v + quadratic.a.matmul(&slope) * gamma;
    assert!(rest.data().iter().all(|x| x.abs() < 1e-12), "{rest}");
}

#[test]
fn line_10_the_multiplier_is_minus_the_adjoint() {
    let w = WellPosed::new(0.8);
    let problem = w.problem();
    let (u0, v0) = ([wave(&[3], 0.1)], [wave(&[N], 0.2)]);
    let found = AugmentedLagrangian::new(1.0).tolerance(1e-12).solve(&ask(&problem, &u0, &v0)).unwrap();
    let [u, v, multipliers] = w.solution();
    assert!(relative(&found.u[0], &u) < 1e-10 && relative(&found.v[0], &v) < 1e-10);
    assert!(relative(&found.multipliers[0], &multipliers) < 1e-10);
    // w of H w = f_v there.
    let adjoint = w.a.solve(&(&v - &w.t));
    assert!(relative(&found.multipliers[0], &-adjoint) < 1e-10);
}

#[test]
fn line_11_nan_names_the_step_and_the_line_never_zero() {
    // √ of a negative number from the third step on.
    let problem = Problem::new(|_, v| v[0].sum_all(), |u, v| (v[0].sqrt() * u[0]).sum_all());
    let (u, v0) = ([Tensor::from([1.0])], [Tensor::from([1.0])]);
    let rule = GradientDescent::new(1.0);
    let methods: [&dyn Method<f64>; 2] = [&Reverse::new(rule.clone(), 9), &Forward::new(rule.clone(), 9)];
    for method in methods {
        let error = problem.hypergradient(&u, &v0, method).unwrap_err();
        assert!(matches!(&error, Error::NonFinite { step: 2, .. }), "{error}");
    }
    let implicit = Implicit::cg(Inner::steps(rule, 9));
    let error = problem.hypergradient(&u, &v0, &implicit).unwrap_err();
    assert!(matches!(&error, Error::NonFinite { step: 2, .. }), "{error}");
    // An outer objective that is NaN at the solution names the operation and its line.
    let problem = Problem::new(|_, v| (v[0] - 2.0).ln().sum_all(), |u, v| (v[0] - u[0]).square().sum_all());
    let error = problem.hypergradient(&u, &v0, &Implicit::cg(Inner::newton())).unwrap_err();
    assert!(error.to_string().contains("`ln`") && error.to_string().contains("battery.rs"), "{error}");
}

#[test]
fn line_12_stop_and_resume_changes_no_bit() {
    let w = WellPosed::new(0.3);
    let problem = w.problem();
    let (u, v0) = ([wave(&[3], 0.1)], [wave(&[N], 0.2)]);
    let optimizer = Adam::new(0.05);
    let file = std::env::temp_dir().join(format!("hypertape-battery-{}", std::process::id()));
    let rule = Momentum::new(0.1, 0.5);
    let methods: [&dyn Method<f64>; 4] = [
        &Reverse::new(rule.clone(), 7),
        &Implicit::cg(Inner::newton()).warm_start(),
        &Online::new(rule, 3),
        &bilevel::Soba { rate: 0.1 },
    ];
    for (i, method) in methods.into_iter().enumerate() {
        let path = file.with_extension(i.to_string());
        let options = Options::default().iterations(12).warm_start();
        let mut whole = problem.solve(&ask(&problem, &u, &v0), method, &optimizer, options).unwrap();
        let values: Vec<f64> = whole.by_ref().map(|e| e.unwrap().report.outer_value).collect();
        let mut first = problem.solve(&ask(&problem, &u, &v0), method, &optimizer, options).unwrap();
        let mut pieces: Vec<f64> = first.by_ref().take(5).map(|e| e.unwrap().report.outer_value).collect();
        first.save(&path).unwrap();
        drop(first);
        let mut second = problem.solve(&ask(&problem, &u, &v0), method, &optimizer, options).unwrap();
        second.resume(&path).unwrap();
        pieces.extend(second.by_ref().map(|e| e.unwrap().report.outer_value));
        assert_eq!(pieces, values, "{}", method.name());
        assert_eq!(second.u()[0].data(), whole.u()[0].data());
        assert_eq!(second.best(), whole.best());
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn line_13_truncated_and_online_variants_leave_the_trajectory_alone() {
    let quadratic = Quadratic::new(0.2);
    let (u, v0) = (wave(&[M], 1.0), wave(&[N], 2.0));
    let problem = quadratic.problem();
    let rule = Momentum::new(0.1, 0.6);
    let whole = problem.hypergradient(&[u.clone()], &[v0.clone()], &Reverse::new(rule.clone(), 9)).unwrap();
    let methods: [&dyn Method<f64>; 4] = [
        &Reverse::new(rule.clone(), 9).last(2),
        &Reverse::new(rule.clone(), 9).until(0.5),
        &Forward::new(rule.clone(), 9),
        &Online::new(rule.clone(), 9),
    ];
    for method in methods {
        let found = problem.hypergradient(&[u.clone()], &[v0.clone()], method).unwrap();
        assert_close(&found.inner_solution[0], &whole.inner_solution[0]);
    }
    // Three calls of three online steps at one u are nine steps, and forward mode's hypergradient of them.
    let (u, v0) = ([u], [v0]);
    let mut memory = bilevel::Memory::default();
    let online = Online::new(rule, 3);
    let mut last = None;
    for _ in 0..3 {
        last = Some(online.hypergradient(&ask(&problem, &u, &v0), &mut memory).unwrap());
    }
    let last = last.unwrap();
    assert_close(&last.inner_solution[0], &whole.inner_solution[0]);
    assert_close(&last.gradient[0], &whole.gradient[0]);
}

#[test]
fn line_14_the_state_of_momentum_and_adam_is_differentiated() {
    // Finite differences of the whole trajectory; a velocity that is not differentiated fails by far.
    let (problem, u, v0) = network();
    for rule in [&Momentum::new(0.1, 0.9) as &dyn Dynamics, &Adam::new(0.05), &Adam::new(0.05).weight_decay(0.1)] {
        let at = |u: &[Tensor<f64>]| problem.hypergradient(u, &v0, &Reverse::new(rule, 6)).unwrap();
        let found = at(&u);
        for i in 0..u.len() {
            let direction = wave(u[i].dims(), 0.4);
            let value = |h: f64| {
                let mut moved = u.clone();
                moved[i] = &moved[i] + &direction * h;
                at(&moved).report.outer_value
            };
            let h = 1e-3;
            let difference = (8.0 * (value(h) - value(-h)) - (value(2.0 * h) - value(-2.0 * h))) / (12.0 * h);
            let directional = found.gradient[i].dot(&direction).item();
            assert!((difference - directional).abs() < 1e-8 * (1e-2 + directional.abs()), "{difference} {directional}");
        }
    }
}
