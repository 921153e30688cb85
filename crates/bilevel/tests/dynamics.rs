//! Update rules: closed forms of learnt rates and momenta, projections, and rules that are wrong.

use autodiff::{Tensor, Value};
use bilevel::{
    Adam, Dynamics, Error, Forward, GradientDescent, Hyper, Link, Map, Momentum, Nesterov, Problem, Projected, Reverse,
    RmsProp, Set,
};
use proptest::prelude::*;
use support::{M, N, WellPosed, assert_close, power, relative, wave};

mod support;

#[test]
fn a_learnt_rate_has_its_closed_form() {
    // v_T = c + (I − ηA)ᵀ(v0 − c): dv_T/dη = −T A (I − ηA)^{T−1} (v0 − c).
    let w = WellPosed::new(0.5);
    let (a, t) = (w.a.clone(), w.t.clone());
    let linear = wave(&[N], 0.9);
    let b = linear.clone();
    let problem = Problem::new(
        move |_, v| v[0].constant(&t).dot(&v[0]),
        move |_, v| v[0].dot(&v[0].constant(&a).matmul(&v[0])) * 0.5 - v[0].constant(&b).dot(&v[0]),
    );
    let (v0, eta, steps) = (wave(&[N], 0.2), 0.2_f64, 5);
    let c = w.a.solve(&linear);
    let m = Tensor::<f64>::eye(N) - &w.a * eta;
    let slope = w.a.matmul(&power(&m, steps - 1).matmul(&(&v0 - &c))) * -(steps as f64);
    let exact = w.t.dot(&slope).item();
    let plain = GradientDescent::new(Hyper::upper(0));
    let found = problem.hypergradient(&[Tensor::scalar(eta)], &[v0.clone()], &Reverse::new(&plain, steps)).unwrap();
    approx::assert_relative_eq!(found.gradient[0].item(), exact, max_relative = 1e-12);
    let found = problem.hypergradient(&[Tensor::scalar(eta)], &[v0.clone()], &Forward::new(&plain, steps)).unwrap();
    approx::assert_relative_eq!(found.gradient[0].item(), exact, max_relative = 1e-12);
    // Through a link: d/dx at η = eˣ is η·d/dη; the rate as an element of an array.
    let links = [
        (Link::Exp, eta.ln(), eta),
        (Link::Sigmoid, (eta / (1.0 - eta)).ln(), eta * (1.0 - eta)),
        (Link::Softplus, eta.exp_m1().ln(), 1.0 - (-eta).exp()),
    ];
    for (link, x, factor) in links {
        let rule = GradientDescent::new(Hyper::upper_element(0, 1).link(link));
        let u = Tensor::from([7.0, x]);
        let found = problem.hypergradient(&[u], &[v0.clone()], &Reverse::new(rule, steps)).unwrap();
        approx::assert_relative_eq!(found.gradient[0].data()[1], exact * factor, max_relative = 1e-12);
        assert_eq!(found.gradient[0].data()[0], 0.0);
    }
}

#[test]
fn heavy_ball_has_its_closed_form() {
    // W = [(1+β)I − ηA, −βI; I, 0]: v_T = c + top(Wᵀ[v0 − c; v0 − c]), dv_T/du = (I − (Wᵀ)₁₁ − (Wᵀ)₁₂) A⁻¹Bᵀ.
    let w = WellPosed::new(0.5);
    let (eta, beta, steps) = (0.15, 0.6, 8);
    let eye = Tensor::<f64>::eye(N);
    let zero = Tensor::<f64>::zeros(&[N, N]);
    let row = |a: &Tensor<f64>, b: &Tensor<f64>| Tensor::concat(&[a, b], 1);
    let top = row(&(&eye * (1.0 + beta) - &w.a * eta), &(&eye * -beta));
    let big = power(&Tensor::concat(&[&top, &row(&eye, &zero)], 0), steps);
    let block = |j: usize| big.slice_axis(0, 0..N).slice_axis(1, j * N..(j + 1) * N);
    let (u, v0) = (wave(&[M], 0.3), wave(&[N], 0.4));
    let c = w.a.solve(&u.matmul(&w.b));
    let vt = &c + (block(0) + block(1)).matmul(&(&v0 - &c));
    let jacobian = (&eye - block(0) - block(1)).matmul(&w.a.solve(&w.b.transpose()));
    let exact = &u * w.rho + jacobian.transpose().matmul(&(&vt - &w.t));
    let found = w.problem().hypergradient(&[u], &[v0], &Reverse::new(Momentum::new(eta, beta), steps)).unwrap();
    assert_close(&found.inner_solution[0], &vt);
    assert_close(&found.gradient[0], &exact);
}

#[test]
fn rules_make_the_steps_their_papers_say() {
    // g = ½(v − u)²: by hand, two steps.
    let problem = Problem::new(|_, v| v[0], |u, v| (v[0] - u[0]).square() * 0.5);
    let (u, v0, rate) = (2.0, 0.5, 0.1);
    let two = |rule: &dyn Dynamics| {
        let found = problem.hypergradient(&[Tensor::scalar(u)], &[Tensor::scalar(v0)], &Reverse::new(rule, 2)).unwrap();
        found.inner_solution[0].item()
    };
    let g = |v: f64| v - u;
    // Nesterov from its look-ahead: y = v + βm is the point, m ← βm − αg(y).
    let beta = 0.7;
    let (mut y, mut m) = (v0, 0.0);
    for _ in 0..2 {
        let slope = g(y);
        m = beta * m - rate * slope;
        y += beta * m - rate * slope;
    }
    approx::assert_relative_eq!(two(&Nesterov::new(rate, beta)), y, max_relative = 1e-14);
    let (mut v, mut s) = (v0, 0.0);
    for _ in 0..2 {
        s = 0.9 * s + 0.1 * g(v) * g(v);
        v -= rate * g(v) / (s.sqrt() + 1e-8);
    }
    approx::assert_relative_eq!(two(&RmsProp::new(rate)), v, max_relative = 1e-14);
    for decay in [0.0, 0.05] {
        let (mut v, mut m, mut s) = (v0, 0.0, 0.0);
        for t in 1..=2 {
            m = 0.9 * m + (1.0 - 0.9) * g(v);
            s = 0.999 * s + (1.0 - 0.999) * g(v) * g(v);
            let (mh, sh) = (m / (1.0 - 0.9_f64.powi(t)), s / (1.0 - 0.999_f64.powi(t)));
            v -= rate * mh / (sh.sqrt() + 1e-8) + rate * decay * v;
        }
        approx::assert_relative_eq!(two(&Adam::new(rate).weight_decay(decay)), v, max_relative = 1e-13);
    }
    // A schedule, and a rate for each tensor.
    let scheduled = GradientDescent::new(Hyper::schedule(|t| 0.1 / (t + 1) as f64));
    let v1 = v0 - 0.1 * g(v0);
    approx::assert_relative_eq!(two(&scheduled), v1 - 0.05 * g(v1), max_relative = 1e-14);
    let pair = Problem::new(|_, v| v[0] + v[1], |u, v| u[0] * (v[0] + v[1]));
    let rule = GradientDescent::per_tensor([0.1, 0.5]);
    let zeros = [Tensor::scalar(0.0), Tensor::scalar(0.0)];
    let found = pair.hypergradient(&[Tensor::scalar(1.0)], &zeros, &Reverse::new(rule, 1)).unwrap();
    assert_eq!([found.inner_solution[0].item(), found.inner_solution[1].item()], [-0.1, -0.5]);
}

/// v ↦ projection of v + u, one step.
fn project(set: &Set, v: &Tensor<f64>, f: &Tensor<f64>) -> (Tensor<f64>, Tensor<f64>) {
    let f = f.clone();
    let moved = Map::new(|s| vec![s.point[0] + s.upper[0]]);
    let problem = Problem::new(move |_, v| v[0].constant(&f).dot(&v[0]), |_, v| v[0].sum_all());
    let rule = Projected { dynamics: moved, set: set.clone() };
    let found = problem.hypergradient(&[v.clone()], &[Tensor::zeros(v.dims())], &Reverse::new(rule, 1)).unwrap();
    (found.inner_solution[0].clone(), found.gradient[0].clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn projections_are_nearest_points_and_have_derivatives(
        v in prop::collection::vec(-2.0..2.0_f64, 5),
        other in prop::collection::vec(0.01..1.0_f64, 5),
        which in 0..5_usize,
    ) {
        let sets = [
            Set::between(-0.5, 0.7),
            Set::simplex(1.5),
            Set::l1_ball(1.5),
            Set::l2_ball(1.5),
            Set::soft(0.3),
        ];
        let (set, v, f) = (&sets[which], Tensor::from(v), wave(&[5], 0.3));
        let (p, gradient) = project(set, &v, &f);
        // The optimality condition of a projection: ⟨v − p, q − p⟩ ≤ 0 for every q in the set.
        let q = Tensor::from(other);
        let sum = q.sum_all().item();
        let inside = match set {
            Set::Box { .. } => &q * 1.2 - 0.5,
            Set::Simplex { .. } | Set::L1Ball { .. } => &q * (1.5 / sum),
            Set::L2Ball { .. } => &q * (1.5 / q.square().sum_all().item().sqrt()),
            _ => p.clone(),
        };
        prop_assert!((&v - &p).dot(&(&inside - &p)).item() <= 1e-12);
        if let Set::Soft { .. } = set {
            let threshold = 0.3;
            // Its own condition: v − p is a subgradient of the threshold times the norm.
            for (v, p) in v.data().iter().zip(p.data()) {
                prop_assert!((v - p).abs() <= threshold + 1e-15 && (*p == 0.0 || (v - p - threshold * p.signum()).abs() < 1e-15));
            }
        }
        // Away from the edges, the derivative is that of differences.
        let direction = wave(&[5], 1.3);
        let h = 1e-6;
        let at = |h: f64| f.dot(&project(set, &(&v + &direction * h), &f).0).item();
        let (left, right) = ((at(0.0) - at(-h)) / h, (at(h) - at(0.0)) / h);
        if (left - right).abs() < 1e-4 {
            let directional = gradient.dot(&direction).item();
            prop_assert!((0.5 * (left + right) - directional).abs() < 1e-4, "{left} {right} {directional}");
        }
    }
}

#[test]
fn rules_that_cannot_work_say_so() {
    let problem = Problem::new(|_, v| v[0].sum_all(), |u, v| (v[0] * u[0]).square().sum_all());
    let (u, v0) = ([Tensor::from([1.0, 2.0])], [Tensor::from([1.0, 2.0])]);
    let rules: [Box<dyn Dynamics>; 4] = [
        Box::new(GradientDescent::new(Hyper::upper(3))),
        Box::new(GradientDescent::new(Hyper::upper_element(0, 2))),
        Box::new(Projected { dynamics: GradientDescent::new(0.1), set: Set::between(1.0, 0.0) }),
        Box::new(Map::new(|s| vec![s.point[0].sum_all()])),
    ];
    for rule in &rules {
        let error = problem.hypergradient(&u, &v0, &Reverse::new(rule, 2)).unwrap_err();
        assert!(matches!(error, Error::Configuration { .. }), "{error}");
    }
    // A rate that comes from u cannot move u.
    let ask = bilevel::Ask { problem: &problem, u: &u, v0: &v0, data: bilevel::Data::NONE };
    let method = Reverse::new(GradientDescent::new(0.1), 2);
    let error = problem.solve(&ask, &method, &rules[0], bilevel::Options::default()).unwrap_err();
    assert!(matches!(error, Error::Configuration { .. }), "{error}");
}

#[test]
fn single_precision_agrees() {
    let w = WellPosed::new(0.5);
    let problem = w.problem();
    let (u, v0) = (wave(&[M], 0.3), wave(&[N], 0.4));
    let rule = Adam::new(0.05);
    let exact = problem.hypergradient(&[u.clone()], &[v0.clone()], &Reverse::new(&rule, 5)).unwrap();
    let found = problem.hypergradient(&[u.cast::<f32>()], &[v0.cast::<f32>()], &Reverse::new(&rule, 5)).unwrap();
    assert!(relative(&found.gradient[0].cast(), &exact.gradient[0]) < 1e-5);
}

#[test]
fn the_numbers_of_a_set_may_be_learnt() {
    // One step to a fixed point w, then the projection; f = ⟨t, v⟩. Against differences by the set's own number.
    let (w, t) = (Tensor::from([1.3, -0.7, 0.4, 2.1]), wave(&[4], 0.6));
    let sets = [
        Set::simplex(Hyper::upper(0)),
        Set::l1_ball(Hyper::upper(0)),
        Set::l2_ball(Hyper::upper(0)),
        Set::soft(Hyper::upper(0)),
        Set::between(-0.2, Hyper::upper(0)),
    ];
    for set in sets {
        let (w, t) = (w.clone(), t.clone());
        let rule = Projected { dynamics: Map::new(move |s| vec![s.point[0].constant(&w)]), set };
        let problem = Problem::new(move |_, v| v[0].constant(&t).dot(&v[0]), |_, v| v[0].sum_all());
        let at = |x: f64| {
            let found = problem.hypergradient(&[Tensor::scalar(x)], &[Tensor::zeros(&[4])], &Reverse::new(&rule, 1));
            found.unwrap()
        };
        let h = 1e-4;
        let difference = (at(0.9 + h).report.outer_value - at(0.9 - h).report.outer_value) / (2.0 * h);
        let found = at(0.9).gradient[0].item();
        assert!((found - difference).abs() < 1e-7 && difference.abs() > 1e-3, "{found} {difference}");
    }
}
