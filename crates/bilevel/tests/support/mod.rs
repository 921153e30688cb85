//! Problems with closed forms, shared by the tests.

#![allow(dead_code, missing_docs, reason = "each test uses a part")]

use autodiff::{Tensor, Value};
use bilevel::Problem;

/// Numbers that look random and are the same everywhere.
pub(crate) fn wave(shape: &[usize], salt: f64) -> Tensor<f64> {
    let mut i = 0.0;
    Tensor::from_fn(shape, |_| {
        i += 1.0;
        (1.7 * i + salt).sin() + 0.2 * (3.1 * i * salt).cos()
    })
}

pub(crate) const N: usize = 4;
pub(crate) const M: usize = 3;

/// The general quadratic: g = ½vᵀAv + uᵀCv + aᵀv, f = ½vᵀFv + ½uᵀHu + uᵀKv + pᵀv + qᵀu.
pub(crate) struct Quadratic {
    pub(crate) a: Tensor<f64>,
    pub(crate) c: Tensor<f64>,
    pub(crate) lin: Tensor<f64>,
    pub(crate) f: Tensor<f64>,
    pub(crate) h: Tensor<f64>,
    pub(crate) k: Tensor<f64>,
    pub(crate) p: Tensor<f64>,
    pub(crate) q: Tensor<f64>,
}

impl Quadratic {
    pub(crate) fn new(salt: f64) -> Self {
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

    pub(crate) fn problem(&self) -> Problem {
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
    pub(crate) fn exact(
        &self,
        u: &Tensor<f64>,
        v0: &Tensor<f64>,
        eta: f64,
        steps: usize,
    ) -> (Tensor<f64>, Tensor<f64>) {
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

/// Close to rounding.
pub(crate) fn assert_close(found: &Tensor<f64>, exact: &Tensor<f64>) {
    let size = exact.data().iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    for (a, b) in found.data().iter().zip(exact.data()) {
        assert!((a - b).abs() <= 1e-12 * size, "{found} instead of {exact}");
    }
}

pub(crate) fn power(m: &Tensor<f64>, n: usize) -> Tensor<f64> {
    (0..n).fold(Tensor::<f64>::eye(m.dims()[0]), |p, _| p.matmul(m))
}

impl Quadratic {
    /// v*(u) = −A⁻¹(Cᵀu + a).
    pub(crate) fn minimum(&self, u: &Tensor<f64>) -> Tensor<f64> {
        -self.a.solve(&(u.matmul(&self.c) + &self.lin))
    }

    /// f_u and f_v at a point.
    pub(crate) fn outer(&self, u: &Tensor<f64>, v: &Tensor<f64>) -> (Tensor<f64>, Tensor<f64>) {
        let f_u = self.h.matmul(u) + self.k.matmul(v) + &self.q;
        (f_u, self.f.matmul(v) + u.matmul(&self.k) + &self.p)
    }

    /// ∇F = f_u − C A⁻¹ f_v at v*.
    pub(crate) fn hypergradient(&self, u: &Tensor<f64>) -> Tensor<f64> {
        let (f_u, f_v) = self.outer(u, &self.minimum(u));
        f_u - self.c.matmul(&self.a.solve(&f_v))
    }

    /// The error of K-RMD after T steps: C A⁻¹ (M^K − M^T) f_v.
    pub(crate) fn truncation(
        &self,
        u: &Tensor<f64>,
        v0: &Tensor<f64>,
        eta: f64,
        steps: usize,
        k: usize,
    ) -> Tensor<f64> {
        let (vt, _) = self.exact(u, v0, eta, steps);
        let m = Tensor::<f64>::eye(N) - &self.a * eta;
        let (_, f_v) = self.outer(u, &vt);
        self.c.matmul(&self.a.solve(&(power(&m, k) - power(&m, steps)).matmul(&f_v)))
    }
}

/// f = ½‖v − t‖² + (ρ/2)‖u‖², g = ½vᵀAv − uᵀBv.
pub(crate) struct WellPosed {
    pub(crate) a: Tensor<f64>,
    pub(crate) b: Tensor<f64>,
    pub(crate) t: Tensor<f64>,
    pub(crate) rho: f64,
}

impl WellPosed {
    pub(crate) fn new(salt: f64) -> Self {
        let quadratic = Quadratic::new(salt);
        Self { a: quadratic.a, b: wave(&[M, N], salt + 1.5), t: wave(&[N], salt + 2.5), rho: 0.7 }
    }

    pub(crate) fn problem(&self) -> Problem {
        let (a, b, t, rho) = (self.a.clone(), self.b.clone(), self.t.clone(), self.rho);
        Problem::new(
            move |u, v| (v[0] - &t).square().sum_all() * 0.5 + u[0].square().sum_all() * (0.5 * rho),
            move |u, v| {
                let constant = |x: &Tensor<f64>| u[0].constant(x);
                v[0].dot(&constant(&a).matmul(&v[0])) * 0.5 - u[0].dot(&constant(&b).matmul(&v[0]))
            },
        )
    }

    /// u*, v* and λ* of `f + λᵀ∇_v g`.
    pub(crate) fn solution(&self) -> [Tensor<f64>; 3] {
        // B A⁻² Bᵀ and B A⁻¹ t.
        let ab = self.a.solve(&self.b.transpose());
        let s = ab.matmul_with(&ab, true, false) + Tensor::<f64>::eye(M) * self.rho;
        let u = s.solve(&ab.transpose().matmul(&self.t));
        let v = ab.matmul(&u);
        let multipliers = -self.a.solve(&(&v - &self.t));
        [u, v, multipliers]
    }

    /// (I + γΣ)⁻¹ x with Σ = BᵀB/ρ + A².
    pub(crate) fn contract(&self, gamma: f64, x: &Tensor<f64>) -> Tensor<f64> {
        let sigma = self.b.matmul_with(&self.b, true, false) / self.rho + self.a.matmul(&self.a);
        (Tensor::<f64>::eye(N) + sigma * gamma).solve(x)
    }
}

/// Ridge regression with a log-penalty for each feature, and its hypergradient.
pub(crate) struct Ridge {
    pub(crate) data: [Tensor<f64>; 4],
}

impl Ridge {
    pub(crate) fn new(n: usize, m: usize, d: usize, salt: f64) -> Self {
        let (x, x_val) = (wave(&[n, d], salt), wave(&[m, d], salt + 7.3));
        let truth = wave(&[d], salt + 3.1);
        let (y, y_val) = (x.matmul(&truth) + wave(&[n], salt + 3.0) * 0.4, x_val.matmul(&truth));
        Self { data: [x, y, x_val, y_val] }
    }

    pub(crate) fn problem(&self) -> Problem {
        let [x, y, x_val, y_val] = self.data.clone();
        Problem::new(
            move |_, v| (v[0].constant(&x_val).matmul(&v[0]) - &y_val).square().mean_all() * 0.5,
            move |u, v| {
                let error = (v[0].constant(&x).matmul(&v[0]) - &y).square().mean_all();
                error * 0.5 + (u[0].exp() * v[0].square()).sum_all() * 0.5
            },
        )
    }

    /// A = XᵀX/N + diag(eᵘ)
    pub(crate) fn hessian(&self, u: &Tensor<f64>) -> Tensor<f64> {
        let x = &self.data[0];
        x.matmul_with(x, true, false) / x.dims()[0] as f64 + Tensor::<f64>::eye(u.len()) * u.exp()
    }

    /// w* = A⁻¹Xᵀy/N
    pub(crate) fn solution(&self, u: &Tensor<f64>) -> Tensor<f64> {
        let [x, y, ..] = &self.data;
        self.hessian(u).solve(&(x.transpose().matmul(y) / x.dims()[0] as f64))
    }

    /// ∂F/∂uⱼ = −e^{uⱼ} w*ⱼ qⱼ with q = A⁻¹X_vᵀ(X_v w* − y_v)/M
    pub(crate) fn hypergradient(&self, u: &Tensor<f64>) -> Tensor<f64> {
        let [_, _, x_val, y_val] = &self.data;
        let w = self.solution(u);
        let residual = x_val.matmul(&w) - y_val;
        let q = self.hessian(u).solve(&(x_val.transpose().matmul(&residual) / x_val.dims()[0] as f64));
        -u.exp() * w * q
    }
}

/// ‖a − b‖ / ‖b‖
pub(crate) fn relative(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    let norm = |x: &Tensor<f64>| x.square().sum_all().item().sqrt();
    norm(&(a - b)) / norm(b)
}
