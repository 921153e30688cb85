//! Reverse mode with residuals of the last steps, against reverse mode without, and forward mode.

use autodiff::{Tensor, Value};
use bilevel::{
    Data, Error, Forward, GradientDescent, Hyper, Hypergradient, Keep, Link, Method, Momentum, Problem, Reverse,
};
use support::{M, N, Quadratic, assert_close, relative, wave};

mod support;

/// A weight for each of 40 examples of a nonlinear regression on 200 features, where products with the data are costly.
fn costly(start: bool) -> (Problem, [Tensor<f64>; 2]) {
    let problem = Problem::with_data(
        |u, v, data| (data[0].matmul(&v[0]).tanh() - data[1]).square().sum_all() + u[0].square().sum_all() * 0.1,
        |u, v, data| ((data[0].matmul(&v[0]).tanh() - data[1]).square() * u[0].sigmoid()).mean(&[0]).sum_all(),
    );
    let problem =
        if start { problem.start(|u| vec![u[0].sum_all() * u[0].constant(wave(&[200, 3], 0.4))]) } else { problem };
    (problem, [wave(&[40, 200], 1.3) * 0.1, wave(&[40, 3], 2.3)])
}

#[test]
fn residuals_keep_what_fits_and_change_only_rounding() {
    let residual = 40 * 3 * 8;
    let state = 2 * 200 * 3 * 8;
    for (start, steps, window) in [(false, 1, 1), (true, 1, 1), (false, 6, 6), (true, 6, 6), (false, 6, 4)] {
        let (problem, data) = costly(start);
        let u = [wave(&[40, 1], 0.7)];
        let v0 = if start { vec![] } else { vec![wave(&[200, 3], 1.9) * 0.3] };
        let at = |method: &dyn Method<f64>| problem.hypergradient_on(&u, &v0, Data::new(&data, &data), method).unwrap();
        let reverse = Reverse::new(Momentum::new(0.3, 0.5), steps).last(window);
        let all = at(&reverse);
        for (bytes, kept) in [(0, 0), (residual - 1, 0), (residual, 1), (3 * residual + 1, 3), (1 << 20, 6)] {
            let found = at(&reverse.clone().keep(Keep::Residuals(bytes)));
            assert!(relative(&found.gradient[0], &all.gradient[0]) < 1e-13, "{start} {steps} {bytes}");
            assert!(relative(&found.inner_solution[0], &all.inner_solution[0]) < 1e-14);
            assert_eq!(found.report.counts, all.report.counts);
            assert_eq!(found.report.trajectory_bytes, window * state + window.min(kept) * residual);
            assert_eq!(found.report.residual_steps, Some(window.min(kept)));
            assert_eq!(found.report.warnings.len(), usize::from(bytes == residual - 1), "{:?}", found.report.warnings);
        }
        if window == steps {
            let forward = at(&Forward::new(Momentum::new(0.3, 0.5), steps));
            assert!(relative(&all.gradient[0], &forward.gradient[0]) < 1e-12);
        }
    }
}

#[test]
fn residuals_follow_batches_schedules_tolerances_and_precision() {
    let (problem, data) = costly(false);
    let low = |tensors: &[Tensor<f64>]| tensors.iter().map(Tensor::cast::<f32>).collect::<Vec<_>>();
    let (u, v0) = ([wave(&[40, 1], 0.7)], [wave(&[200, 3], 1.9) * 0.3]);
    let batches = |step: usize| vec![&data[0] * (1.0 + 0.1 * step as f64), data[1].clone()];
    let batched = Data::new(&data, &data).inner_batches(&batches);
    let schedule = GradientDescent::new(Hyper::schedule(|step| 0.3 / (1.0 + step as f64)));
    let whole = Reverse::new(schedule, 5);
    let all = problem.hypergradient_on(&u, &v0, batched, &whole).unwrap();
    for steps in [2, 5] {
        let kept = whole.clone().keep(Keep::Residuals(steps * 960));
        let found = problem.hypergradient_on(&u, &v0, batched, &kept).unwrap();
        assert_eq!(found.report.residual_steps, Some(steps));
        assert!(relative(&found.gradient[0], &all.gradient[0]) < 1e-13);
    }
    // Until the rest is small, with fewer steps on the way back than have residuals.
    let short = Reverse::new(GradientDescent::new(0.3), 40).until(0.5);
    let all = problem.hypergradient_on(&u, &v0, Data::new(&data, &data), &short).unwrap();
    let found = short.keep(Keep::Residuals(1 << 20));
    let found = problem.hypergradient_on(&u, &v0, Data::new(&data, &data), &found).unwrap();
    assert!(all.report.differentiated_steps.is_some_and(|steps| steps < 40));
    assert_eq!(found.report.residual_steps, all.report.differentiated_steps);
    assert!(relative(&found.gradient[0], &all.gradient[0]) < 1e-13);
    // In single precision.
    let (u, v0, set) = (low(&u), low(&v0), low(&data));
    let reverse = Reverse::new(GradientDescent::new(0.3), 4);
    let all = problem.hypergradient_on(&u, &v0, Data::new(&set, &set), &reverse).unwrap();
    let found = reverse.keep(Keep::Residuals(3 * 480));
    let found = problem.hypergradient_on(&u, &v0, Data::new(&set, &set), &found).unwrap();
    assert_eq!(found.report.residual_steps, Some(3));
    assert!(relative(&found.gradient[0].cast(), &all.gradient[0].cast()) < 1e-6);
}

#[test]
fn a_learnt_rate_and_a_first_step_without_residuals() {
    // u: a decay, which a first step needs v for and nothing else, and the rate, for which it needs the gradient.
    let problem = Problem::with_data(
        |_, v, data| (data[0].matmul(&v[0]).tanh() - data[1]).square().sum_all(),
        |u, v, data| {
            let fit = (data[0].matmul(&v[0]).tanh() - data[1]).square().sum_all();
            fit * 0.05 + v[0].square().sum_all() * u[0].exp() * 0.5
        },
    );
    let data = [wave(&[150, 200], 1.3) * 0.1, wave(&[150, 1], 2.3)];
    let (u, v0) = ([Tensor::scalar(-2.0), Tensor::scalar(-2.0)], [wave(&[200, 1], 1.9)]);
    let (state, product) = (200 * 8, 150 * 8);
    for steps in [1, 4] {
        let at = |parts: usize, method: &dyn Method<f64>| {
            problem.hypergradient_on(&u[..parts], &v0, Data::new(&data, &data), method).unwrap()
        };
        let check = |found: &Hypergradient<f64>, forward: &Hypergradient<f64>| {
            for (found, forward) in found.gradient.iter().zip(&forward.gradient) {
                assert!(forward.item().abs() > 1e-3 && relative(found, forward) < 1e-12, "{found} {forward}");
            }
        };
        let keep = Keep::Residuals(1 << 20);
        let learnt = Momentum { rate: Hyper::upper(1).link(Link::Exp), momentum: 0.5.into() };
        let found = at(2, &Reverse::new(learnt.clone(), steps).keep(keep));
        check(&found, &at(2, &Forward::new(learnt, steps)));
        assert_eq!(found.report.residual_steps, Some(steps));
        // The gradient's part Xᵀδ, which the rate scales; and Xv, but for the first step.
        assert_eq!(found.report.trajectory_bytes, steps * (2 * state + state) + (steps - 1) * product);
        let fixed = Reverse::new(GradientDescent::new(0.1), steps).keep(keep);
        let found = at(1, &fixed);
        check(&found, &at(1, &Forward::new(GradientDescent::new(0.1), steps)));
        assert_eq!(found.report.trajectory_bytes, steps * state + (steps - 1) * product);
    }
}

#[test]
fn a_budget_without_use_is_said() {
    let quadratic = Quadratic::new(0.9);
    let method = Reverse::new(GradientDescent::new(0.1), 3).keep(Keep::Residuals(1 << 20));
    let found = quadratic.problem().hypergradient(&[wave(&[M], 1.0)], &[wave(&[N], 2.0)], &method).unwrap();
    assert_eq!(found.report.residual_steps, Some(0));
    assert!(found.report.warnings[0].contains("256 operations"), "{:?}", found.report.warnings);
}

#[test]
fn a_step_that_keeps_residuals_says_where_it_is_not_finite() {
    let (problem, data) = costly(false);
    let mut broken = data.clone();
    broken[1] = broken[1].map(|x| if x > 1.1 { f64::NAN } else { x });
    let (u, v0) = ([wave(&[40, 1], 0.7)], [wave(&[200, 3], 1.9)]);
    for keep in [Keep::All, Keep::Residuals(1 << 20)] {
        let method = Reverse::new(GradientDescent::new(0.3), 3).keep(keep);
        let error = problem.hypergradient_on(&u, &v0, Data::new(&data, &broken), &method).unwrap_err();
        assert!(matches!(error, Error::NonFinite { what: "the inner iterate", step: 0, .. }), "{error}");
        // The way back: √ has no slope at 0. The operation is named, with residuals too.
        let rooted = Problem::with_data(
            |_, v, data| data[0].matmul(&v[0]).square().sum_all(),
            |u, v, data| ((data[0].matmul(&v[0]).square() + 1.0) * u[0].sqrt()).sum_all() * 0.01,
        );
        let error =
            rooted.hypergradient_on(&[Tensor::zeros(&[40, 1])], &v0, Data::new(&data, &data), &method).unwrap_err();
        assert!(matches!(&error, Error::NonFinite { what: "the hypergradient", .. }), "{error}");
        assert!(!error.to_string().contains("to begin with"), "{error}");
        // What is infinite on the way and not at its end is no error, kept or not: tanh ∞ is 1, and its slope 0.
        let far = [Tensor::full(&[40, 200], 1e200), data[1].clone()];
        let v0 = [Tensor::full(&[200, 3], 1e200)];
        let found = problem.hypergradient_on(&u, &v0, Data::new(&data, &far), &method).unwrap();
        assert_close(&found.gradient[0], &(&u[0] * 0.2));
    }
}
