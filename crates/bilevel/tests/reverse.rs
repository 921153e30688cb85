//! Reverse-mode hypergradients against closed forms and finite differences.

use autodiff::{Tensor, Value};
use bilevel::{Data, Error, GradientDescent, Map, Problem, Reverse};
use proptest::prelude::*;

fn wave(shape: &[usize], salt: f64) -> Tensor<f64> {
    let mut i = 0.0;
    Tensor::from_fn(shape, |_| {
        i += 1.0;
        (1.7 * i + salt).sin() + 0.2 * (3.1 * i * salt).cos()
    })
}

const N: usize = 4;
const M: usize = 3;

/// The general quadratic: g = ½vᵀAv + uᵀCv + aᵀv, f = ½vᵀFv + ½uᵀHu + uᵀKv + pᵀv + qᵀu.
struct Quadratic {
    a: Tensor<f64>,
    c: Tensor<f64>,
    lin: Tensor<f64>,
    f: Tensor<f64>,
    h: Tensor<f64>,
    k: Tensor<f64>,
    p: Tensor<f64>,
    q: Tensor<f64>,
}

impl Quadratic {
    fn new(salt: f64) -> Self {
        let spd = |n: usize, salt: f64| {
            let b = wave(&[n, n], salt);
            b.matmul_with(&b, false, true) * 0.2 + Tensor::<f64>::eye(n)
        };
        Self {
            a: spd(N, salt),
            c: wave(&[M, N], salt + 1.0),
            lin: wave(&[N], salt + 2.0),
            f: spd(N, salt + 3.0),
            h: spd(M, salt + 4.0),
            k: wave(&[M, N], salt + 5.0),
            p: wave(&[N], salt + 6.0),
            q: wave(&[M], salt + 7.0),
        }
    }

    fn problem(&self) -> Problem {
        let (a, c, lin) = (self.a.clone(), self.c.clone(), self.lin.clone());
        let (f, h, k, p, q) = (self.f.clone(), self.h.clone(), self.k.clone(), self.p.clone(), self.q.clone());
        Problem::new(
            move |u, v| {
                let (u, v) = (u[0], v[0]);
                let constant = |t: &Tensor<f64>| u.constant(t);
                v.dot(&constant(&f).matmul(&v)) * 0.5
                    + u.dot(&constant(&h).matmul(&u)) * 0.5
                    + u.dot(&constant(&k).matmul(&v))
                    + constant(&p).dot(&v)
                    + constant(&q).dot(&u)
            },
            move |u, v| {
                let (u, v) = (u[0], v[0]);
                let constant = |t: &Tensor<f64>| u.constant(t);
                v.dot(&constant(&a).matmul(&v)) * 0.5 + u.dot(&constant(&c).matmul(&v)) + constant(&lin).dot(&v)
            },
        )
    }

    /// `v_T` and the hypergradient of `T` steps of gradient descent from `v0`, in closed form.
    fn exact(&self, u: &Tensor<f64>, v0: &Tensor<f64>, eta: f64, steps: usize) -> (Tensor<f64>, Tensor<f64>) {
        let minimum = -self.a.solve(&(u.matmul(&self.c) + &self.lin));
        let m = Tensor::<f64>::eye(N) - &self.a * eta;
        let power = (0..steps).fold(Tensor::<f64>::eye(N), |p, _| p.matmul(&m));
        let vt = power.matmul(v0) + (Tensor::<f64>::eye(N) - &power).matmul(&minimum);
        let f_v = self.f.matmul(&vt) + u.matmul(&self.k) + &self.p;
        let f_u = self.h.matmul(u) + self.k.matmul(&vt) + &self.q;
        // h = f_u − C A⁻¹ (I − Mᵀ) f_v.
        let through = self.a.solve(&(Tensor::<f64>::eye(N) - &power).matmul(&f_v));
        (vt, f_u - self.c.matmul(&through))
    }
}

fn assert_close(found: &Tensor<f64>, exact: &Tensor<f64>) {
    let size = exact.data().iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    for (a, b) in found.data().iter().zip(exact.data()) {
        assert!((a - b).abs() <= 1e-12 * size, "{found} instead of {exact}");
    }
}

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
            assert_eq!((found.report.counts.gradients, found.report.counts.vjps), (steps + 1, steps));
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
