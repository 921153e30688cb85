//! Methods in which everything moves together: they must end where the exact ones do.

use autodiff::{Tensor, Value};
use bilevel::{
    Amigo, Ask, Bome, Data, Error, F2sa, GradientDescent, Implicit, Inner, Method, Mrbo, Options, Pbgd, Problem, Rows,
    Saba, Soba, StocBio,
};
use support::{N, WellPosed, relative, wave};

mod support;

/// Where `iterations` outer steps end.
fn end(problem: &Problem, data: Data<'_, f64>, method: &dyn Method<f64>, rate: f64, iterations: usize) -> Tensor<f64> {
    let (u, v0) = ([Tensor::zeros(&[3])], [Tensor::zeros(&[N])]);
    let ask = Ask { problem, u: &u, v0: &v0, data };
    let optimizer = GradientDescent::new(rate);
    let mut solver = problem.solve(&ask, method, &optimizer, Options::default().iterations(iterations)).unwrap();
    for event in &mut solver {
        event.unwrap_or_else(|e| panic!("{}: {e}", method.name()));
    }
    solver.u()[0].clone()
}

#[test]
fn on_whole_data_they_find_the_solution() {
    let w = WellPosed::new(0.3);
    let problem = w.problem();
    let exact = &w.solution()[0];
    let methods: [(&dyn Method<f64>, f64, f64); 8] = [
        (&Soba { rate: 0.2 }, 0.05, 1e-8),
        (&Saba { rate: 0.2 }, 0.05, 1e-8),
        (&StocBio { rate: 0.2, steps: 5, neumann_rate: 0.2, terms: 60 }, 0.05, 1e-5),
        (&Amigo { rate: 0.2, steps: 3, adjoint_rate: 0.2, adjoint_steps: 3 }, 0.05, 1e-8),
        (&Mrbo { rate: 0.2, momentum: 0.5, neumann_rate: 0.2, terms: 60 }, 0.05, 1e-5),
        // First-order: an error of order 1/γ.
        (&F2sa::new(0.2, 1e3, 40), 0.05, 3e-2),
        // v makes one step a call: u must not run ahead of it, the less the larger γ is.
        (&Pbgd { rate: 0.2, gamma: 1e2, steps: 20 }, 0.002, 3e-2),
        (&Bome { rate: 0.2, rate_v: 0.01, eta: 0.5, steps: 20 }, 0.01, 3e-2),
    ];
    for (method, rate, tolerance) in methods {
        let found = end(&problem, Data::NONE, method, rate, 4000);
        let error = relative(&found, exact);
        assert!(error < tolerance, "{}: {error}", method.name());
    }
}

#[test]
fn ten_times_the_weight_is_ten_times_closer_for_value_functions() {
    let w = WellPosed::new(0.3);
    let problem = w.problem();
    let u = [wave(&[3], 0.3)];
    let v = w.a.solve(&u[0].matmul(&w.b));
    let exact = &u[0] * w.rho + w.b.matmul(&w.a.solve(&(&v - &w.t)));
    let error = |gamma: f64| {
        let found = problem.hypergradient(&u, &[v.clone()], &F2sa::new(0.2, gamma, 2000)).unwrap();
        relative(&found.gradient[0], &exact)
    };
    let (far, near) = (error(1e2), error(1e3));
    assert!((far / near - 10.0).abs() < 1.0, "{far} {near}");
}

#[test]
fn variance_reduction_ends_where_noise_does_not() {
    // Ridge regression in minibatches; u: a log-penalty for each feature.
    let problem = Problem::with_data(
        |u, v, data| (data[0].matmul(&v[0]) - data[1]).square().mean_all() * 0.5 + u[0].square().sum_all() * 0.05,
        |u, v, data| {
            let fit = (data[0].matmul(&v[0]) - data[1]).square().mean_all() * 0.5;
            fit + (v[0].square() * u[0].exp()).sum_all() * 0.5
        },
    );
    let rows = |n: usize, salt: f64| {
        let x = Tensor::from_fn(&[n, 3], |i| (((i[0] * 3 + i[1] + 1) as f64).powi(2) * 0.37 + salt).sin());
        let noise = Tensor::from_fn(&[n], |i| (((i[0] + 1) as f64).powi(2) * 0.53 + salt).sin());
        let y = x.matmul(&Tensor::from([1.0, -0.5, 0.0])) + noise * 0.5;
        [x, y]
    };
    let (train, val) = (rows(40, 0.1), rows(20, 2.1));
    let (inner, outer) = (Rows::new(&train, 8, 1).unwrap().repeating(), Rows::new(&val, 4, 2).unwrap().repeating());
    let batches = Data::NONE.inner_batches(&inner).outer_batches(&outer);
    let (u, v0) = ([Tensor::zeros(&[3])], [Tensor::zeros(&[3])]);
    let run = |data: Data<'_, f64>, method: &dyn Method<f64>, iterations: usize| {
        let ask = Ask { problem: &problem, u: &u, v0: &v0, data };
        let optimizer = GradientDescent::new(0.1);
        let mut solver = problem.solve(&ask, method, &optimizer, Options::default().iterations(iterations)).unwrap();
        solver.by_ref().for_each(|event| drop(event.unwrap()));
        solver.u()[0].clone()
    };
    let exact = run(Data::new(&val, &train), &Implicit::cg(Inner::newton()), 4000);
    let reduced = relative(&run(batches, &Saba { rate: 0.1 }, 20_000), &exact);
    let noisy = relative(&run(batches, &Soba { rate: 0.1 }, 20_000), &exact);
    assert!(reduced < 1e-6, "{reduced}");
    assert!(noisy > 1e-4 && noisy < 0.5, "{noisy}: near, but not there");
    // A memory of batches needs batches that come again.
    let shuffled = Rows::new(&train, 8, 1).unwrap();
    let data = Data::new(&val, &[]).inner_batches(&shuffled);
    let error = problem.hypergradient_on(&u, &v0, data, &Saba { rate: 0.1 }).unwrap_err();
    assert!(matches!(error, Error::Configuration { setting: "minibatches", .. }), "{error}");
    let error = problem.hypergradient_on(&u, &v0, data, &Soba { rate: -0.1 }).unwrap_err();
    assert!(matches!(error, Error::Configuration { setting: "rate", .. }), "{error}");
}
