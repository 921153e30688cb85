//! Penalty and augmented Lagrangian against closed forms.

use autodiff::{Tensor, Value};
use bilevel::{
    Adam, Ask, AugmentedLagrangian, Data, Descent, Error, GradientDescent, Implicit, Inner, Penalty, Problem, Rows,
    Schedule,
};
use support::{N, Quadratic, WellPosed, assert_close, relative, wave};

mod support;

fn ask<'a>(problem: &'a Problem, u: &'a [Tensor<f64>], v0: &'a [Tensor<f64>]) -> Ask<'a, f64> {
    Ask { problem, u, v0, data: Data::NONE }
}

#[test]
fn the_multipliers_contract_as_the_closed_form_says() {
    let w = WellPosed::new(0.8);
    let [_, _, exact] = w.solution();
    let problem = w.problem();
    let (u, v0) = ([wave(&[3], 0.1)], [wave(&[N], 0.2)]);
    for gamma in [0.3, 2.0] {
        // λ₀ = 0.
        let mut error = -&exact;
        for rounds in 1..5 {
            error = w.contract(gamma, &error);
            let found = AugmentedLagrangian::new(gamma).constant(rounds).solve(&ask(&problem, &u, &v0)).unwrap();
            let size = exact.square().sum_all().item().sqrt();
            for (a, b) in (&found.multipliers[0] - &exact).data().iter().zip(error.data()) {
                assert!((a - b).abs() < 1e-11 * size, "γ = {gamma}, round {rounds}: {a} instead of {b}");
            }
            assert_eq!(found.trace.len(), rounds);
        }
    }
}

#[test]
fn ten_times_the_penalty_is_ten_times_closer() {
    let w = WellPosed::new(0.8);
    let [u_exact, _, multipliers] = w.solution();
    let problem = w.problem();
    let (u, v0) = ([wave(&[3], 0.1)], [wave(&[N], 0.2)]);
    let mut before: Option<f64> = None;
    for gamma in [1e3, 1e4, 1e5] {
        let found = Penalty::new(gamma).solve(&ask(&problem, &u, &v0)).unwrap();
        // γ·G = λ* − (I + γΣ)⁻¹λ*
        let expected = &multipliers - w.contract(gamma, &multipliers);
        assert!(relative(&found.multipliers[0], &expected) < 1e-8, "γ = {gamma}");
        let distance = (&found.u[0] - &u_exact).square().sum_all().item().sqrt();
        if let Some(before) = before {
            assert!((before / distance - 10.0).abs() < 0.2, "{before} {distance}");
        }
        before = Some(distance);
    }
}

#[test]
fn the_set_of_the_penalty_paper() {
    // f = ‖u‖² + ‖v‖², g = ‖1 − u − v‖²: u = v = ½, λ* = −½; the penalty path is u = v = 2γ/(1 + 4γ).
    let problem = Problem::new(
        |u, v| u[0].square().sum_all() + v[0].square().sum_all(),
        |u, v| (-u[0] - v[0] + 1.0).square().sum_all(),
    );
    let (u, v0) = ([Tensor::<f64>::zeros(&[10])], [Tensor::<f64>::zeros(&[10])]);
    // The penalty is γ/2 ‖∇_v g‖² here, ∇_v g = −2(1 − u − v): stationary at u = v = 2γ/(1 + 4γ).
    let gamma = 3.0;
    let stage = Penalty { gamma, factor: 10.0, schedule: Schedule::Stages(1), ..Penalty::new(1.0) };
    let found = stage.solve(&ask(&problem, &u, &v0)).unwrap();
    assert_close(&found.u[0], &Tensor::full(&[10], 2.0 * gamma / (1.0 + 4.0 * gamma)));
    assert_close(&found.v[0], &found.u[0]);
    let found = AugmentedLagrangian::new(1.0).solve(&ask(&problem, &u, &v0)).unwrap();
    assert!(relative(&found.u[0], &Tensor::full(&[10], 0.5)) < 1e-9);
    assert!(relative(&found.multipliers[0], &Tensor::full(&[10], -0.5)) < 1e-9);
}

#[test]
fn a_singular_inner_hessian_stops_conjugate_gradients_but_not_the_others() {
    // f = ‖v‖² − (u−v)ᵀAᵀA(u−v), g = (u−v)ᵀAᵀA(u−v), A 5×10: v = 0, P_A u = 0.
    // The squares of its singular values are 0.89 and more: with γ = 10 the objective is bounded below.
    let a = Tensor::from_fn(&[5, 10], |i| (((10 * i[0] + i[1] + 1) as f64).powi(2) * 0.37 + 0.3).sin());
    let (a1, a2) = (a.clone(), a.clone());
    let problem = Problem::new(
        move |u, v| v[0].square().sum_all() - v[0].constant(&a1).matmul(&(u[0] - v[0])).square().sum_all(),
        move |u, v| v[0].constant(&a2).matmul(&(u[0] - v[0])).square().sum_all(),
    );
    let (u, v0) = ([wave(&[10], 0.7)], [wave(&[10], 1.7)]);
    let error = problem.hypergradient(&u, &v0, &Implicit::cg(Inner::given())).unwrap_err();
    assert!(matches!(error, Error::NotPositiveCurvature { curvature } if curvature.abs() < 1e-10), "{error}");
    let norm = |x: &Tensor<f64>| x.square().sum_all().item().sqrt();
    let start = norm(&a.matmul(&u[0]));
    let found = AugmentedLagrangian::new(10.0).tolerance(1e-6).solve(&ask(&problem, &u, &v0)).unwrap();
    assert!(norm(&found.v[0]) < 1e-5, "v = {}", found.v[0]);
    assert!(norm(&a.matmul(&found.u[0])) < 1e-5 * start);
    let found = Penalty::new(1e4).solve(&ask(&problem, &u, &v0)).unwrap();
    assert!(norm(&found.v[0]) < 1e-3 && norm(&a.matmul(&found.u[0])) < 1e-3 * start);
}

#[test]
fn at_a_given_u_both_tend_to_the_implicit_hypergradient() {
    let quadratic = Quadratic::new(0.6);
    let problem = quadratic.problem();
    let (u, v0) = ([wave(&[3], 1.0)], [wave(&[N], 2.0)]);
    let exact = quadratic.hypergradient(&u[0]);
    let error = |h: &Tensor<f64>| (h - &exact).square().sum_all().item().sqrt();
    let found = problem.hypergradient(&u, &v0, &Penalty::new(1e5)).unwrap();
    let actual = error(&found.gradient[0]);
    assert!(actual < 1e-4 * exact.square().sum_all().item().sqrt());
    let estimate = found.report.error.unwrap().value();
    assert!(estimate > 0.5 * actual && estimate < 2.0 * actual, "{estimate} {actual}");
    let found = problem.hypergradient(&u, &v0, &AugmentedLagrangian::new(1.0)).unwrap();
    assert!(relative(&found.gradient[0], &exact) < 1e-9);
    let rounds = AugmentedLagrangian::new(1.0).constant(6);
    let found = problem.hypergradient(&u, &v0, &rounds).unwrap();
    let (actual, estimate) = (error(&found.gradient[0]), found.report.error.unwrap().value());
    assert!(estimate > 0.3 * actual && estimate < 3.0 * actual, "{estimate} {actual}");
    let short = AugmentedLagrangian { rounds: 2, factor: None, ..AugmentedLagrangian::new(0.1) };
    let failure = problem.hypergradient(&u, &v0, &short).unwrap_err();
    assert!(matches!(failure, Error::NotConverged { iterations: 2, .. }), "{failure}");
    let taken = problem.hypergradient(&u, &v0, &AugmentedLagrangian { accept: true, ..short }).unwrap();
    assert_eq!(taken.report.warnings.len(), 1);
}

#[test]
fn the_published_algorithm_moves_both_levels_in_turns() {
    // Adam on v, one step on u, γ growing a little in each call.
    let problem = Problem::new(
        |u, v| u[0].square().sum_all() + v[0].square().sum_all(),
        |u, v| (-u[0] - v[0] + 1.0).square().sum_all(),
    );
    let method = Penalty {
        gamma: 0.1,
        factor: 1.02,
        schedule: Schedule::PerCall,
        descent: Descent::steps(Adam::new(0.01), 20),
        accept: false,
    };
    let (u, v0) = ([Tensor::<f64>::zeros(&[4])], [Tensor::<f64>::zeros(&[4])]);
    let optimizer = Adam::new(0.01);
    let options = bilevel::Options::default().iterations(300);
    let mut solver = problem.solve(&ask(&problem, &u, &v0), &method, &optimizer, options).unwrap();
    for event in &mut solver {
        event.unwrap();
    }
    for &x in solver.u()[0].data() {
        assert!((x - 0.5).abs() < 0.02, "{x}");
    }
}

#[test]
fn a_stationary_point_of_the_penalty_that_is_none_of_g_is_an_error() {
    // g = v³/3 + v: ∇g = v² + 1 has no zero, but its square has a minimum.
    let problem = Problem::new(|_, v| v[0].square().sum_all(), |u, v| (v[0].powi(3) / 3.0 + v[0] * u[0]).sum_all());
    let (u, v0) = ([Tensor::from([1.0])], [Tensor::from([0.4])]);
    let method = Penalty::new(1e4);
    let error = problem.hypergradient(&u, &v0, &method).unwrap_err();
    assert!(matches!(error, Error::NotConverged { .. }) && error.to_string().contains("does not fall"), "{error}");
    let taken = problem.hypergradient(&u, &v0, &Penalty { accept: true, ..method }).unwrap();
    assert_eq!(taken.report.warnings.len(), 1);
}

#[test]
fn a_penalised_objective_that_is_not_minimised_is_an_error() {
    let quadratic = Quadratic::new(0.6);
    let (u, v0) = ([wave(&[3], 1.0)], [wave(&[N], 2.0)]);
    let hasty = Descent::steps(Adam::new(0.01), 5);
    let one = Penalty { descent: hasty.clone(), schedule: Schedule::Stages(1), ..Penalty::new(1.0) };
    let error = quadratic.problem().hypergradient(&u, &v0, &one).unwrap_err();
    assert!(matches!(error, Error::NotConverged { .. }) && error.to_string().contains("∇_v L"), "{error}");
    let taken = quadratic.problem().hypergradient(&u, &v0, &Penalty { accept: true, ..one }).unwrap();
    assert_eq!(taken.report.warnings.len(), 1);
    let rounds = AugmentedLagrangian { descent: hasty, ..AugmentedLagrangian::new(1.0).constant(1) };
    assert!(matches!(quadratic.problem().hypergradient(&u, &v0, &rounds), Err(Error::NotConverged { .. })));
}

#[test]
fn minibatches_are_refused_since_their_noise_would_be_minimised() {
    let problem = Problem::with_data(
        |_, v, data| (data[0] - v[0]).square().mean_all(),
        |u, v, data| (u[0] * (data[0] - v[0]).square()).mean_all(),
    );
    let rows = [Tensor::from([1.0, 2.0, 3.0, 4.0])];
    let batches = Rows::new(&rows, 2, 1).unwrap();
    let (u, v0) = ([Tensor::scalar(1.0)], [Tensor::scalar(0.0)]);
    let data = Data::new(&rows, &[]).inner_batches(&batches);
    let methods: [&dyn bilevel::Method<f64>; 2] = [&Penalty::new(10.0), &AugmentedLagrangian::new(1.0)];
    for method in methods {
        let error = problem.hypergradient_on(&u, &v0, data, method).unwrap_err();
        assert!(matches!(error, Error::Configuration { setting: "minibatches", .. }), "{error}");
    }
}

#[test]
fn the_multiplier_is_the_adjoint() {
    // λ* = −w, by three methods and in closed form.
    let quadratic = Quadratic::new(0.6);
    let problem = quadratic.problem();
    let (u, v0) = ([wave(&[3], 1.0)], [wave(&[N], 2.0)]);
    let (_, f_v) = quadratic.outer(&u[0], &quadratic.minimum(&u[0]));
    let exact = quadratic.a.solve(&f_v);
    let adjoint = |method: &dyn bilevel::Method<f64>| {
        problem.hypergradient(&u, &v0, method).unwrap().adjoint.unwrap().swap_remove(0)
    };
    assert!(relative(&adjoint(&Implicit::cg(Inner::newton())), &exact) < 1e-9);
    assert!(relative(&adjoint(&AugmentedLagrangian::new(1.0)), &exact) < 1e-8);
    assert!(relative(&adjoint(&Penalty::new(1e6)), &exact) < 1e-4);
    // Of a fixed point of gradient steps, I − A is η·H.
    let eta = 0.3;
    let fixed = bilevel::FixedPoint::new(GradientDescent::new(eta), 400);
    assert!(relative(&(adjoint(&fixed) * eta), &exact) < 1e-8);
}
