//! Implicit hypergradients against closed forms.

use autodiff::{Tensor, Value};
use bilevel::{
    Error, FiniteDifference, FixedPoint, FixedPointSolver, GradientDescent, Implicit, Inner, LinearSolver, Map, Method,
    Problem, Reverse,
};
use support::{M, N, Quadratic, Ridge, assert_close, relative, wave};

mod support;

#[test]
fn every_solver_finds_the_closed_form() {
    let quadratic = Quadratic::new(0.6);
    let (u, v0) = (wave(&[M], 1.0), wave(&[N], 2.0));
    let exact = quadratic.hypergradient(&u);
    let solvers = [
        (LinearSolver::Cg, 1e-12),
        (LinearSolver::Gmres { restart: 10 }, 1e-12),
        (LinearSolver::BiCgStab, 1e-12),
        (LinearSolver::Neumann { rate: 0.2 }, 1e-12),
    ];
    for (solver, tolerance) in solvers {
        let method = Implicit::new(Inner::newton(), solver).tolerance(tolerance);
        let method = Implicit { iterations: 10_000, ..method };
        let found = quadratic.problem().hypergradient(&[u.clone()], &[v0.clone()], &method).unwrap();
        assert!(relative(&found.gradient[0], &exact) < 1e-11, "{solver:?}: {} {exact}", found.gradient[0]);
        assert_close(&found.inner_solution[0], &quadratic.minimum(&u));
        assert!(found.report.linear_residual.unwrap() <= tolerance);
    }
    // All columns and little damping: the whole inverse.
    let nystrom = Implicit::nystrom(Inner::newton(), N, 1e-9);
    let found = quadratic.problem().hypergradient(&[u], &[v0], &nystrom).unwrap();
    assert!(relative(&found.gradient[0], &exact) < 1e-6);
}

#[test]
fn ridge_regression_by_conjugate_gradients() {
    let ridge = Ridge::new(30, 20, 5, 0.1);
    let u = wave(&[5], 0.4);
    let given = [ridge.solution(&u)];
    let exact = ridge.hypergradient(&u);
    let found = ridge.problem().hypergradient(&[u.clone()], &given, &Implicit::cg(Inner::given())).unwrap();
    assert!(relative(&found.gradient[0], &exact) < 1e-9);
    // What it says of the curvature is inside the spectrum, and of its error, near.
    let (low, high) = found.report.curvature.unwrap();
    let trace: f64 = (0..5).map(|i| ridge.hessian(&u).data()[6 * i]).sum();
    assert!(low > 0.0 && low < high && high < trace);
    assert!(found.report.error.unwrap().value() < 1e-8);
}

#[test]
fn the_error_estimate_of_an_unsolved_inner_problem_is_no_less_than_the_error() {
    let quadratic = Quadratic::new(1.7);
    let (u, v0) = (wave(&[M], 0.2), wave(&[N], 0.1));
    let exact = quadratic.hypergradient(&u);
    for steps in [3, 10, 30] {
        let method = Implicit::cg(Inner::steps(GradientDescent::new(0.3), steps)).verify();
        let found = quadratic.problem().hypergradient(&[u.clone()], &[v0.clone()], &method).unwrap();
        let error = (&found.gradient[0] - &exact).square().sum_all().item().sqrt();
        let bound = found.report.error.unwrap();
        assert!(bound.is_bound() && error <= bound.value() * (1.0 + 1e-9), "{error} > {bound}");
        // Frobenius norms are at most √4 of the others, three of them: not a bound of anything.
        assert!(bound.value() < 100.0 * error, "{bound} for {error}");
        let plain = Implicit::cg(Inner::steps(GradientDescent::new(0.3), steps));
        let found = quadratic.problem().hypergradient(&[u.clone()], &[v0.clone()], &plain).unwrap();
        let estimate = found.report.error.unwrap();
        assert!(!estimate.is_bound() && estimate.value() > 0.3 * error && estimate.value() < 30.0 * error);
    }
    // Not quadratic in v: nothing to verify, so no bound is claimed.
    let quartic = Problem::new(|_, v| v[0].sum_all(), |u, v| ((v[0] - u[0]).square() + v[0].powi(4)).sum_all());
    let method = Implicit::cg(Inner::newton()).verify();
    let found = quartic.hypergradient(&[Tensor::from([0.5])], &[Tensor::from([0.1])], &method).unwrap();
    assert!(!found.report.error.unwrap().is_bound());
}

#[test]
fn contractions_that_are_no_gradient_steps() {
    // v = tanh(W v + B u): (I − A) is not symmetric. The closed form by a dense solve.
    let (w, b) = (wave(&[N, N], 0.3) * 0.3, wave(&[N, M], 1.3));
    let (wc, bc) = (w.clone(), b.clone());
    let rule = Map::new(move |s| {
        let (v, u) = (s.point[0], s.upper[0]);
        vec![(v.constant(&wc).matmul(&v) + v.constant(&bc).matmul(&u)).tanh()]
    });
    let problem = Problem::new(|_, v| v[0].exp().sum_all(), |_, v| v[0].square().sum_all());
    let u = wave(&[M], 0.9);
    let mut v = Tensor::zeros(&[N]);
    for _ in 0..300 {
        v = (w.matmul(&v) + b.matmul(&u)).tanh();
    }
    let slope = v.square().map(|x| 1.0 - x).reshape(&[N, 1]);
    let transposed = Tensor::<f64>::eye(N) - (&slope * &w).transpose();
    let exact = (&slope * &b).transpose().matmul(&transposed.solve(&v.exp()));
    let solvers = [FixedPointSolver::Iteration, FixedPointSolver::Gmres(10), FixedPointSolver::BiCgStab];
    for solver in solvers {
        let method = FixedPoint { tolerance: 1e-13, ..FixedPoint::new(rule.clone(), 300).solver(solver) };
        let found = problem.hypergradient(&[u.clone()], &[Tensor::zeros(&[N])], &method).unwrap();
        assert!(relative(&found.gradient[0], &exact) < 1e-11, "{solver:?}");
    }
    let hasty = FixedPoint::new(rule, 2).inner_tolerance(1e-9);
    let error = problem.hypergradient(&[u], &[Tensor::zeros(&[N])], &hasty).unwrap_err();
    assert!(matches!(error, Error::InnerNotConverged { .. }), "{error}");
}

#[test]
fn warm_starts_need_fewer_products() {
    let ridge = Ridge::new(40, 20, 8, 0.1);
    let problem = ridge.problem();
    let mut memory = bilevel::Memory::default();
    let method = Implicit::cg(Inner::newton()).warm_start();
    let mut counts = Vec::new();
    for u in [wave(&[8], 0.4), wave(&[8], 0.4) + 1e-7] {
        let (u, v0) = ([u], [Tensor::zeros(&[8])]);
        let ask = bilevel::Ask { problem: &problem, u: &u, v0: &v0, data: bilevel::Data::NONE };
        let found = method.hypergradient(&ask, &mut memory).unwrap();
        assert!(relative(&found.gradient[0], &ridge.hypergradient(&u[0])) < 1e-8);
        let newton = Implicit::cg(Inner::newton()).iterations(0);
        let newton: bilevel::Hypergradient<f64> = newton.hypergradient(&ask, &mut bilevel::Memory::default()).unwrap();
        counts.push(found.report.counts.hvps - newton.report.counts.hvps);
    }
    assert!(counts[1] < counts[0], "{counts:?}");
}

#[test]
fn what_cannot_be_solved_is_a_typed_error() {
    // H = [[1, 0], [0, −1]].
    let saddle = Problem::new(
        |_, v| v[0].sum_all(),
        |u, v| (v[0].square() * v[0].constant(Tensor::from([0.5, -0.5]))).sum_all() + (u[0] * v[0]).sum_all(),
    );
    let (u, v0) = ([Tensor::from([1.0, 2.0])], [Tensor::from([0.0, 0.0])]);
    let error = saddle.hypergradient(&u, &v0, &Implicit::cg(Inner::given())).unwrap_err();
    assert!(matches!(error, Error::NotPositiveCurvature { curvature } if curvature <= 0.0), "{error}");
    // Indefinite, but invertible: GMRES does.
    let method = Implicit::new(Inner::given(), LinearSolver::Gmres { restart: 2 });
    let found = saddle.hypergradient(&u, &v0, &method).unwrap();
    assert_close(&found.gradient[0], &Tensor::from([-1.0, 1.0]));

    let ridge = Ridge::new(30, 20, 5, 0.1);
    let (u, v0) = ([wave(&[5], 0.4)], [Tensor::zeros(&[5])]);
    let early = Implicit::cg(Inner::steps(GradientDescent::new(0.1), 3).tolerance(1e-8));
    let error = ridge.problem().hypergradient(&u, &v0, &early).unwrap_err();
    assert!(matches!(error, Error::InnerNotConverged { steps: 3, .. }), "{error}");
    let accepted = ridge.problem().hypergradient(&u, &v0, &early.accept()).unwrap();
    assert!(accepted.report.warnings.iter().any(|w| w.contains("not solved")));
    let short = Implicit { iterations: 2, ..Implicit::cg(Inner::newton()) };
    let error = ridge.problem().hypergradient(&u, &v0, &short).unwrap_err();
    assert!(matches!(error, Error::NotConverged { iterations: 2, .. }), "{error}");
    let diverging = Implicit::neumann(Inner::newton(), 100.0, 50);
    let error = ridge.problem().hypergradient(&u, &v0, &diverging).unwrap_err();
    assert!(matches!(error, Error::NotConverged { .. }), "{error}");
    let undamped = Implicit::nystrom(Inner::newton(), 3, 0.0);
    let error = ridge.problem().hypergradient(&u, &v0, &undamped).unwrap_err();
    assert!(matches!(error, Error::Configuration { setting: "damping", .. }), "{error}");
}

#[test]
fn identity_and_differences_are_one_step_methods() {
    // With H = I/η the identity is exact.
    let eta = 0.25;
    let problem =
        Problem::new(|_, v| v[0].exp().sum_all(), move |u, v| (v[0] - u[0].sin()).square().sum_all() * (0.5 / eta));
    let u = wave(&[3], 0.2);
    let method = Implicit::new(Inner::newton(), LinearSolver::Identity { rate: eta });
    let found = problem.hypergradient(&[u.clone()], &[Tensor::zeros(&[3])], &method).unwrap();
    assert_close(&found.gradient[0], &(u.sin().exp() * u.cos()));
    assert!(found.report.error.unwrap().value() < 1e-10, "and its report knows");
    // The difference agrees with reverse mode of one step to its own accuracy, ε².
    let ridge = Ridge::new(30, 20, 5, 0.1);
    let (u, v0) = ([wave(&[5], 0.4)], [wave(&[5], 1.4)]);
    let exact = ridge.problem().hypergradient(&u, &v0, &Reverse::new(GradientDescent::new(0.1), 1)).unwrap();
    let found = ridge.problem().hypergradient(&u, &v0, &FiniteDifference::new(0.1)).unwrap();
    assert!(relative(&found.gradient[0], &exact.gradient[0]) < 1e-10, "g is quadratic in v: no error but rounding");
}

#[test]
fn the_meta_gradient_of_ridge_regression() {
    // φ*(θ) = argmin 1/(2N)‖Xφ − y‖² + (λ/2)‖φ − θ‖²: the meta-gradient is (I + H/λ)⁻¹∇L_val(φ*).
    let ridge = Ridge::new(12, 9, 4, 0.6);
    let [x, y, x_val, y_val] = ridge.data.clone();
    let (lambda, n, m) = (0.8, 12.0, 9.0);
    let h = x.matmul_with(&x, true, false) / n;
    let theta = wave(&[4], 0.9);
    let phi = (&h + Tensor::<f64>::eye(4) * lambda).solve(&(x.transpose().matmul(&y) / n + &theta * lambda));
    let slope = |phi: &Tensor<f64>| x_val.transpose().matmul(&(x_val.matmul(phi) - &y_val)) / m;
    let exact = (Tensor::<f64>::eye(4) + &h / lambda).solve(&slope(&phi));
    let (xi, yi, xo, yo) = (x.clone(), y.clone(), x_val.clone(), y_val.clone());
    let problem = Problem::new(
        move |_, v| (v[0].constant(&xo).matmul(&v[0]) - &yo).square().mean_all() * 0.5,
        move |u, v| {
            let fit = (v[0].constant(&xi).matmul(&v[0]) - &yi).square().mean_all() * 0.5;
            fit + (v[0] - u[0]).square().sum_all() * (0.5 * lambda)
        },
    )
    .start(|u| u.to_vec());
    let imaml = Implicit::cg(Inner::newton()).tolerance(1e-13);
    let found = problem.hypergradient(&[theta.clone()], &[], &imaml).unwrap();
    assert!(relative(&found.gradient[0], &exact) < 1e-12);
    assert_close(&found.inner_solution[0], &phi);
    // MAML, T plain steps: (I − αH)ᵀ∇L_val(φ_T).
    let plain = Problem::new(
        move |_, v| (v[0].constant(&x_val).matmul(&v[0]) - &y_val).square().mean_all() * 0.5,
        move |_, v| (v[0].constant(&x).matmul(&v[0]) - &y).square().mean_all() * 0.5,
    )
    .start(|u| u.to_vec());
    let (rate, steps) = (0.3, 5);
    let found = plain.hypergradient(&[theta], &[], &Reverse::new(GradientDescent::new(rate), steps)).unwrap();
    let through = support::power(&(Tensor::<f64>::eye(4) - &h * rate), steps);
    let [_, _, x_val, y_val] = &ridge.data;
    let slope = x_val.transpose().matmul(&(x_val.matmul(&found.inner_solution[0]) - y_val)) / m;
    assert_close(&found.gradient[0], &through.matmul(&slope));
}

#[test]
fn the_weighted_mean_and_weighted_softmax_regression() {
    // v* = Σ sᵢyᵢ/Σs, f = ½(v* − c)²: ∂F/∂sᵢ = (v* − c)(yᵢ − v*)/Σs.
    let (y, c) = (wave(&[5], 0.3), 0.4);
    let targets = y.clone();
    let problem = Problem::new(
        move |_, v| (v[0] - c).square() * 0.5,
        move |s, v| (s[0] * (v[0] - v[0].constant(&targets)).square()).sum_all() * 0.5,
    );
    let s = Tensor::from([0.2, 1.0, 0.5, 0.7, 0.1]);
    let total = s.sum_all().item();
    let mean = s.dot(&y).item() / total;
    let found = problem.hypergradient(&[s], &[Tensor::scalar(0.0)], &Implicit::cg(Inner::newton())).unwrap();
    assert_close(&found.gradient[0], &((y - mean) * ((mean - c) / total)));

    // ∂F/∂xᵢ = −sᵢ(1 − sᵢ)⟨Pᵢ − Yᵢ, (XZ)ᵢ⟩/N with HZ = ∇_W f.
    let (n, d, k, decay) = (12, 3, 4, 0.05);
    let data = |salt: f64| {
        let x = Tensor::from_fn(&[n, d], |i| (((3 * i[0] + i[1] + 1) as f64).powi(2) * 0.37 + salt).sin());
        let y = Tensor::from_fn(&[n, k], |i| if (i[0] * 7 + salt as usize) % k == i[1] { 1.0 } else { 0.0 });
        [x, y]
    };
    let (inner, outer) = (data(0.1), data(3.1));
    fn losses<'t>(w: &bilevel::Symbol<'t>, data: &[bilevel::Symbol<'t>]) -> bilevel::Symbol<'t> {
        let logits = data[0].matmul(w);
        logits.logsumexp(&[1]) - (logits * data[1]).sum(&[1])
    }
    let problem = Problem::with_data(
        |_, w, data| losses(&w[0], data).mean_all(),
        move |u, w, data| (u[0].sigmoid() * losses(&w[0], data)).mean_all() + w[0].square().sum_all() * (0.5 * decay),
    );
    let u = wave(&[n], 0.5);
    let method = Implicit::cg(Inner::newton()).tolerance(1e-13);
    let data = bilevel::Data::new(&outer, &inner);
    let found = problem.hypergradient_on(&[u.clone()], &[Tensor::zeros(&[d, k])], data, &method).unwrap();
    // By a dense Hessian: H V = Xᵀ[S·(P∘(XV) − P·rowsum(P∘XV))]/N + cV, column by column.
    let w = &found.inner_solution[0];
    let [x, y] = &inner;
    let (p, s) = (x.matmul(w).softmax(&[1]), u.sigmoid());
    let column = s.reshape(&[n, 1]);
    let product = |v: &Tensor<f64>| {
        let xv = x.matmul(v);
        let rows = (&p * &xv).sum_keep(&[1]);
        x.transpose().matmul(&(&column * (&p * &xv - &p * rows))) / n as f64 + v * decay
    };
    let mut dense = Tensor::zeros(&[d * k, d * k]);
    for j in 0..d * k {
        let unit = Tensor::from_fn(&[d, k], |i| if i[0] * k + i[1] == j { 1.0 } else { 0.0 });
        for (i, value) in product(&unit).data().iter().enumerate() {
            dense.data_mut()[i * d * k + j] = *value;
        }
    }
    let [x_val, y_val] = &outer;
    let slope = x_val.transpose().matmul(&(x_val.matmul(w).softmax(&[1]) - y_val)) / n as f64;
    let z = dense.solve(&slope.flatten()).reshape(&[d, k]);
    let exact = -(&s * s.sub_from(1.0)) * ((&p - y) * x.matmul(&z)).sum(&[1]) / n as f64;
    assert!(relative(&found.gradient[0], &exact) < 1e-10);
}

#[test]
fn a_piecewise_objective_gets_no_bound() {
    // Its second derivatives are zero in structure, but it is not quadratic: a kink between v and v* would break a bound.
    let problem = Problem::new(|_, v| (v[0] - 3.0).abs().sum_all(), |u, v| (v[0] - u[0]).square().sum_all() * 0.5);
    let (u, v0) = ([Tensor::from([2.9])], [Tensor::from([3.1])]);
    let found = problem.hypergradient(&u, &v0, &Implicit::cg(Inner::given()).verify()).unwrap();
    assert!(!found.report.error.is_some_and(bilevel::ErrorEstimate::is_bound), "{:?}", found.report.error);
}

#[test]
fn an_estimate_that_cannot_be_made_costs_no_hypergradient() {
    // The step that the estimate takes leaves the domain of the logarithm.
    let problem = Problem::new(|_, v| v[0].ln().sum_all(), |u, v| (v[0] + u[0]).square().sum_all() * 0.5);
    let found =
        problem.hypergradient(&[Tensor::from([1.0])], &[Tensor::from([0.1])], &Implicit::cg(Inner::given())).unwrap();
    assert_close(&found.gradient[0], &Tensor::from([-10.0]));
    assert!(found.report.error.is_none() && found.report.warnings.iter().any(|w| w.contains("the report knows less")));
}

#[test]
fn single_precision_reaches_its_own_rounding() {
    let ridge = Ridge::new(30, 20, 5, 0.1);
    let exact = ridge.hypergradient(&wave(&[5], 0.4));
    let (u, v0) = ([wave(&[5], 0.4).cast::<f32>()], [Tensor::<f32>::zeros(&[5])]);
    let rule = GradientDescent::new(0.3);
    let methods: [&dyn Method<f32>; 6] = [
        &Implicit::cg(Inner::newton()),
        &Implicit::cg(Inner::newton()).iterations(50),
        &Implicit::new(Inner::newton(), LinearSolver::Gmres { restart: 10 }),
        &Implicit::new(Inner::newton(), LinearSolver::BiCgStab),
        &FixedPoint::new(rule.clone(), 300),
        &bilevel::AugmentedLagrangian::new(1.0),
    ];
    for method in methods {
        let found = ridge.problem().hypergradient(&u, &v0, method).unwrap_or_else(|e| panic!("{}: {e}", method.name()));
        let error = relative(&found.gradient[0].cast(), &exact);
        assert!(error < 1e-3, "{}: {error}", method.name());
    }
}

#[test]
fn the_residual_is_that_of_the_answer() {
    // κ = 10⁹: the residual that conjugate gradients update goes on falling where the true one does not.
    let curvature = Tensor::from_fn(&[30], |i| 10_f64.powf(-9.0 * i[0] as f64 / 29.0));
    let diagonal = curvature.clone();
    let problem = Problem::new(
        |_, v| v[0].sum_all(),
        move |u, v| (v[0].square() * v[0].constant(&diagonal)).sum_all() * 0.5 - (u[0] * v[0]).sum_all(),
    );
    let (u, v) = (wave(&[30], 0.3), Tensor::zeros(&[30]));
    let method = Implicit { accept: true, ..Implicit::cg(Inner::given()).tolerance(1e-12) };
    let found = problem.hypergradient(&[u], &[v], &method).unwrap();
    // h = w here: C = −1, f_u = 0.
    let rest = (&found.gradient[0] * &curvature).map(|x| 1.0 - x);
    let relative = (rest.square().sum_all().item() / 30.0).sqrt();
    approx::assert_relative_eq!(found.report.linear_residual.unwrap(), relative, max_relative = 1e-6);
}

#[test]
fn every_solver_knows_about_how_wrong_it_is() {
    let quadratic = Quadratic::new(1.7);
    let problem = quadratic.problem();
    let (u, v0) = ([wave(&[M], 0.2)], [wave(&[N], 0.1)]);
    let exact = quadratic.hypergradient(&u[0]);
    let rule = GradientDescent::new(0.3);
    let inner = |steps: usize| Inner::steps(rule.clone(), steps);
    let methods: [&dyn Method<f64>; 7] = [
        // The system short of its solution, the inner problem short of its own, both.
        &Implicit::neumann(Inner::newton(), 0.3, 6),
        &Implicit::neumann(inner(8), 0.3, 8),
        &Implicit::cg(Inner::newton()).iterations(2),
        &Implicit::new(Inner::newton(), LinearSolver::Gmres { restart: 2 }).iterations(2),
        &Implicit::new(inner(8), LinearSolver::BiCgStab),
        &Implicit::nystrom(Inner::newton(), N, 0.05),
        &FixedPoint::new(rule.clone(), 8),
    ];
    for method in methods {
        let found = problem.hypergradient(&u, &v0, method).unwrap();
        let error = (&found.gradient[0] - &exact).square().sum_all().item().sqrt();
        let estimate = found.report.error.unwrap_or_else(|| panic!("{}", method.name())).value();
        assert!(
            error > 1e-6 && estimate > 0.3 * error && estimate < 30.0 * error,
            "{}: {estimate} {error}",
            method.name()
        );
    }
}
