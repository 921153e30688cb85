//! Comparisons with a closed form and with finite differences, and the choice of a method.

use autodiff::{Tensor, Value};
use bilevel::{
    Ask, Budget, Data, Error, Forward, GradientDescent, Implicit, Inner, Keep, Method, Problem, Reference, Reverse,
    choose,
};
use support::{M, N, Quadratic, Ridge, wave};

mod support;

#[test]
fn every_method_beside_the_truth() {
    let quadratic = Quadratic::new(0.7);
    let problem = quadratic.problem();
    let (u, v0) = ([wave(&[M], 1.0)], [wave(&[N], 2.0)]);
    let ask = Ask { problem: &problem, u: &u, v0: &v0, data: Data::NONE };
    let rule = GradientDescent::new(0.15);
    let (reverse, last) = (Reverse::new(rule.clone(), 400), Reverse::new(rule.clone(), 400).last(3));
    let (forward, implicit) = (Forward::new(rule.clone(), 400), Implicit::cg(Inner::newton()));
    let failing = Implicit::cg(Inner::steps(rule.clone(), 1).tolerance(1e-12));
    let methods: [&dyn Method<f64>; 5] = [&reverse, &last, &forward, &implicit, &failing];
    let exact = Reference::ClosedForm(vec![quadratic.hypergradient(&u[0])]);
    let table = problem.compare(&ask, &methods, &exact).unwrap();
    assert_eq!((table.reference, table.compared), ("closed-form", M));
    let errors: Vec<f64> = table.methods.iter().filter_map(|row| row.relative_error).collect();
    assert!(errors[0] < 1e-12 && errors[1] > 1e-3 && errors[2] < 1e-12 && errors[3] < 1e-10, "{errors:?}");
    assert!(table.methods[0].angle.unwrap() < 1e-9);
    assert!(table.methods[4].failure.as_ref().unwrap().contains("not solved"));
    assert_eq!((table.methods[0].gradients, table.methods[0].vjps, table.methods[2].jvps), (401, 400, 400 * M));
    // The same in every form.
    let text = table.to_string();
    assert!(text.contains("reverse") && text.contains("exact for its v_T") && text.contains("(estimate)"), "{text}");
    let csv = table.csv().unwrap();
    assert_eq!(csv.lines().count(), 6);
    let json = table.json().unwrap();
    assert_eq!(json["methods"][1]["method"], "truncated:3");
    assert_eq!(json["methods"][1]["relative_error"].as_f64(), table.methods[1].relative_error);

    // Finite differences of the same 20 steps: reverse mode is exact for them, the implicit answer is not.
    let reverse = Reverse::new(rule.clone(), 20);
    let differences = Reference::FiniteDifferences(Inner::steps(rule, 20));
    let table = problem.compare(&ask, &[&reverse, &implicit], &differences).unwrap();
    assert!(table.methods[0].relative_error.unwrap() < 1e-9);
    assert!(table.methods[1].relative_error.unwrap() > 1e-6);
    let wrong = Reference::ClosedForm(vec![wave(&[N], 0.1)]);
    assert!(matches!(problem.compare(&ask, &methods, &wrong), Err(Error::Shape { .. })));
}

#[test]
fn many_upper_variables_are_compared_along_random_directions() {
    let d = 100;
    let problem = Problem::new(|_, v| v[0].exp().sum_all(), |u, v| (v[0] - u[0].sin()).square().sum_all() * 0.5);
    let (u, v0) = ([wave(&[d], 0.3)], [Tensor::zeros(&[d])]);
    let ask = Ask { problem: &problem, u: &u, v0: &v0, data: Data::NONE };
    let (exact, none) = (Implicit::cg(Inner::newton()), Implicit::cg(Inner::given()));
    let table = problem.compare(&ask, &[&exact, &none], &Reference::FiniteDifferences(Inner::newton())).unwrap();
    assert_eq!(table.compared, 64);
    assert!(table.methods[0].relative_error.unwrap() < 1e-8);
    assert!(table.methods[1].relative_error.unwrap() > 0.1);
}

#[test]
fn the_choice_follows_the_problem_and_the_budget() {
    let ridge = Ridge::new(40, 20, 6, 0.1);
    let problem = ridge.problem();
    let (u, v0) = ([Tensor::full(&[6], -1.0)], [Tensor::zeros(&[6])]);
    let ask = Ask { problem: &problem, u: &u, v0: &v0, data: Data::NONE };
    let rule = GradientDescent::new(0.5);
    let name = |bytes: usize, steps: usize| choose(&ask, rule.clone(), Budget { bytes, steps }).unwrap();
    let state = 6 * 8;
    // Solved, and a few products do.
    let solved = name(1 << 20, 3000);
    assert_eq!(solved.method.name(), "implicit-cg", "{solved:?}");
    assert!(solved.reason.contains("m = 6") && solved.reason.contains("T = 3000"));
    // Not solved: the trajectory is what counts.
    assert_eq!(name(1 << 20, 5).method.name(), "reverse");
    assert_eq!(name(4 * state, 5).method.name(), "checkpointed");
    let error = choose(&ask, rule.clone(), Budget { bytes: state, steps: 5 }).unwrap_err();
    assert!(matches!(error, Error::Configuration { setting: "budget", .. }), "{error}");
    // u acts on the rate: the implicit equation does not see it. One number, and a trajectory that does not fit.
    let learnt = GradientDescent::new(bilevel::Hyper::upper(0));
    let rate = Problem::new(|_, v| (v[0] - 1.0).square().sum_all(), |_, v| v[0].square().sum_all());
    let (u, v0) = ([Tensor::scalar(0.3)], [wave(&[50], 0.2)]);
    let ask = Ask { problem: &rate, u: &u, v0: &v0, data: Data::NONE };
    let chosen = choose(&ask, learnt.clone(), Budget { bytes: 3000, steps: 200 }).unwrap();
    assert_eq!(chosen.method.name(), "forward", "{chosen:?}");
    let chosen = choose(&ask, learnt, Budget { bytes: 1 << 20, steps: 200 }).unwrap();
    assert_eq!(chosen.method.name(), "reverse", "{chosen:?}");
    // What was chosen works.
    let found = rate.hypergradient(&u, &v0, &*chosen.method).unwrap();
    let checkpointed = Reverse::new(GradientDescent::new(bilevel::Hyper::upper(0)), 200).keep(Keep::SquareRoot);
    let same = rate.hypergradient(&u, &v0, &checkpointed).unwrap();
    assert_eq!(found.gradient[0].data(), same.gradient[0].data());
}
