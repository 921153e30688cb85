//! Named problems, each with its closed form where there is one.

use autodiff::{Tensor, Value};
use bilevel::Problem;
use nn::few_shot::{imaml, sinusoids};
use nn::{Activation, Init, Mlp, Rng, cleaning, data, loss, rng};
use std::error::Error;

/// A problem, and where its hypergradient is wanted.
pub(super) struct Named {
    pub(super) description: &'static str,
    pub(super) problem: Problem,
    pub(super) u: Vec<Tensor<f64>>,
    pub(super) v0: Vec<Tensor<f64>>,
    /// The number of inner variables, where `v0` is empty because u gives it.
    pub(super) started: Option<usize>,
    pub(super) outer_data: Vec<Tensor<f64>>,
    pub(super) inner_data: Vec<Tensor<f64>>,
    /// ∇F at the inner minimiser.
    pub(super) exact: Option<Vec<Tensor<f64>>>,
    /// A step size that suits the inner problem: below 2 over its largest curvature.
    pub(super) rate: f64,
}

pub(super) const LIST: [(&str, &str); 6] = [
    ("quadratic", "both objectives quadratic, 10 upper and 20 inner variables"),
    ("ridge", "ridge regression with a log-penalty for each of 10 features"),
    ("weighted-least-squares", "a weight for each of 40 examples"),
    ("hyper-cleaning", "200 digits, half of them with a wrong label: a weight for each"),
    ("imaml-sinusoid", "where to start from: a network of 61 parameters, 4 sinusoids of 10 points"),
    ("nonconvex", "one upper and one inner variable, F with three minima"),
];

pub(super) fn named(name: &str, seed: u64) -> Result<Named, Box<dyn Error>> {
    let mut rng = rng(seed);
    match name {
        "quadratic" => Ok(quadratic(&mut rng)),
        "ridge" => Ok(ridge(&mut rng)),
        "weighted-least-squares" => Ok(weighted(&mut rng)),
        "hyper-cleaning" => hyper_cleaning(&mut rng),
        "imaml-sinusoid" => imaml_sinusoid(&mut rng),
        "nonconvex" => Ok(nonconvex(&mut rng)),
        _ => {
            let names: Vec<&str> = LIST.iter().map(|(name, _)| *name).collect();
            Err(format!("there is no problem `{name}`; there are {}", names.join(", ")).into())
        }
    }
}

fn normal(shape: &[usize], rng: &mut Rng) -> Tensor<f64> {
    nn::normal(shape, 1.0, rng)
}

fn quadratic(rng: &mut Rng) -> Named {
    let (n, m) = (20, 10);
    let spd = |n: usize, rng: &mut Rng| {
        let b = normal(&[n, n], rng);
        b.matmul_with(&b, false, true) / n as f64 + Tensor::<f64>::eye(n) * 0.3
    };
    let (a, f) = (spd(n, rng), spd(n, rng));
    let (c, k) = (normal(&[m, n], rng), normal(&[m, n], rng));
    let (lin, p) = (normal(&[n], rng), normal(&[n], rng));
    let (u, v0) = (normal(&[m], rng), normal(&[n], rng));
    // v* = −A⁻¹(Cᵀu + a), ∇F = f_u − C A⁻¹ f_v.
    let v = -a.solve(&(u.matmul(&c) + &lin));
    let f_v = f.matmul(&v) + u.matmul(&k) + &p;
    let exact = &u + k.matmul(&v) - c.matmul(&a.solve(&f_v));
    // The eigenvalues of BBᵀ/n are below (1 + 1)² and a little.
    let rate = 0.2;
    let problem = Problem::new(
        move |u, v| {
            let (u, v) = (u[0], v[0]);
            let quadratic = v.dot(&v.constant(&f).matmul(&v)) + u.square().sum_all();
            quadratic * 0.5 + u.dot(&u.constant(&k).matmul(&v)) + v.constant(&p).dot(&v)
        },
        move |u, v| {
            let (u, v) = (u[0], v[0]);
            v.dot(&v.constant(&a).matmul(&v)) * 0.5 + u.dot(&u.constant(&c).matmul(&v)) + v.constant(&lin).dot(&v)
        },
    );
    Named {
        description: LIST[0].1,
        problem,
        u: vec![u],
        v0: vec![v0],
        started: None,
        outer_data: vec![],
        inner_data: vec![],
        exact: Some(vec![exact]),
        rate,
    }
}

/// Rows and targets with noise, for training and for validation.
fn regression(rows: [usize; 2], features: usize, noise: f64, rng: &mut Rng) -> [Vec<Tensor<f64>>; 2] {
    let truth = normal(&[features], rng);
    rows.map(|rows| {
        let x = normal(&[rows, features], rng);
        let y = x.matmul(&truth) + normal(&[rows], rng) * noise;
        vec![x, y]
    })
}

/// q = A⁻¹X'ᵀ(X'w − y')/M
fn adjoint(a: &Tensor<f64>, w: &Tensor<f64>, held_out: &[Tensor<f64>]) -> Tensor<f64> {
    let (x, y) = (&held_out[0], &held_out[1]);
    a.solve(&(x.transpose().matmul(&(x.matmul(w) - y)) / y.len() as f64))
}

fn ridge(rng: &mut Rng) -> Named {
    let (rows, d) = (40, 10);
    let [inner_data, outer_data] = regression([rows, 30], d, 1.0, rng);
    let u = normal(&[d], rng) * 0.5 - 2.0;
    // A = XᵀX/N + diag(eᵘ), w = A⁻¹Xᵀy/N, q = A⁻¹X'ᵀ(X'w − y')/M, ∂F/∂uⱼ = −e^{uⱼ} wⱼ qⱼ.
    let (x, y) = (&inner_data[0], &inner_data[1]);
    let a = x.matmul_with(x, true, false) / rows as f64 + Tensor::<f64>::eye(d) * u.exp();
    let w = a.solve(&(x.transpose().matmul(y) / rows as f64));
    let q = adjoint(&a, &w, &outer_data);
    let exact = -u.exp() * w * q;
    let problem = Problem::with_data(
        |_, v, data| (data[0].matmul(&v[0]) - data[1]).square().mean_all() * 0.5,
        |u, v, data| {
            let fit = (data[0].matmul(&v[0]) - data[1]).square().mean_all();
            (fit + (u[0].exp() * v[0].square()).sum_all()) * 0.5
        },
    );
    Named {
        description: LIST[1].1,
        problem,
        v0: vec![Tensor::zeros(&[d])],
        u: vec![u],
        started: None,
        outer_data,
        inner_data,
        exact: Some(vec![exact]),
        rate: 0.3,
    }
}

fn weighted(rng: &mut Rng) -> Named {
    let (rows, d, decay) = (40, 6, 0.1);
    let [inner_data, outer_data] = regression([rows, 30], d, 1.0, rng);
    let u = normal(&[rows], rng);
    // A = XᵀSX/N + cI, q = A⁻¹X'ᵀ(X'w − y')/M, ∂F/∂uᵢ = −sᵢ(1 − sᵢ) rᵢ (xᵢᵀq)/N.
    let (x, y) = (&inner_data[0], &inner_data[1]);
    let s = u.sigmoid();
    let weighted_rows = s.reshape(&[rows, 1]) * x;
    let a = x.matmul_with(&weighted_rows, true, false) / rows as f64 + Tensor::<f64>::eye(d) * decay;
    let w = a.solve(&(weighted_rows.transpose().matmul(y) / rows as f64));
    let q = adjoint(&a, &w, &outer_data);
    let residual = x.matmul(&w) - y;
    let exact = -(&s * s.sub_from(1.0)) * residual * x.matmul(&q) / rows as f64;
    let problem = Problem::with_data(
        |_, v, data| (data[0].matmul(&v[0]) - data[1]).square().mean_all() * 0.5,
        move |u, v, data| {
            let fit = (u[0].sigmoid() * (data[0].matmul(&v[0]) - data[1]).square()).mean_all();
            (fit + v[0].square().sum_all() * decay) * 0.5
        },
    );
    Named {
        description: LIST[2].1,
        problem,
        v0: vec![Tensor::zeros(&[d])],
        u: vec![u],
        started: None,
        outer_data,
        inner_data,
        exact: Some(vec![exact]),
        rate: 0.5,
    }
}

fn hyper_cleaning(rng: &mut Rng) -> Result<Named, Box<dyn Error>> {
    let [train, trusted] = data::digits::<f64>()?.split([200, 200], rng)?;
    let labels = data::Noise::UniformOther(0.5).apply(train.labels(), 10, rng)?;
    let arrays = |set: &data::Dataset<f64>, labels: &[usize]| -> Result<Vec<Tensor<f64>>, nn::Error> {
        Ok(vec![set.inputs().clone(), loss::one_hot(labels, 10)?])
    };
    Ok(Named {
        description: LIST[3].1,
        problem: cleaning::hyper_cleaning(&Mlp::new(&[64, 10], Activation::Relu)?, 1e-2),
        u: vec![Tensor::zeros(&[200])],
        v0: vec![Tensor::zeros(&[64, 10]), Tensor::zeros(&[10])],
        started: None,
        outer_data: arrays(&trusted, trusted.labels())?,
        inner_data: arrays(&train, &labels)?,
        exact: None,
        rate: 0.5,
    })
}

fn imaml_sinusoid(rng: &mut Rng) -> Result<Named, Box<dyn Error>> {
    let mlp = Mlp::new(&[1, 20, 1], Activation::Tanh)?;
    let u = mlp.init::<f64>(Init::Glorot, rng).tensors().to_vec();
    let tasks = sinusoids::<f64>(4, 10, rng);
    Ok(Named {
        description: LIST[4].1,
        problem: imaml(&mlp, 4, 10.0),
        u,
        v0: vec![],
        started: Some(4 * 61),
        outer_data: tasks.query.to_vec(),
        inner_data: tasks.support.to_vec(),
        exact: None,
        rate: 0.03,
    })
}

fn nonconvex(rng: &mut Rng) -> Named {
    // g = (x+y)² + x sin²(x+y), f = cos(4y+2)/(1+e^{2−4x}) + ½ln((4x−2)²+1), y* = −x.
    let x: f64 = 1.5 + normal(&[1], rng).data()[0].clamp(-1.0, 1.0);
    let (s, t) = ((4.0 * x - 2.0).sigmoid(), 4.0 * x - 2.0);
    let exact = 4.0 * s * (t.cos() * (1.0 - s) - t.sin()) + 4.0 * t / (t * t + 1.0);
    let problem = Problem::new(
        |u, v| {
            let t = u[0] * 4.0 - 2.0;
            (v[0] * 4.0 + 2.0).cos() * t.sigmoid() + (t.square() + 1.0).ln() * 0.5
        },
        |u, v| {
            let sum = u[0] + v[0];
            sum.square() + u[0] * sum.sin().square()
        },
    );
    Named {
        description: LIST[5].1,
        problem,
        u: vec![Tensor::scalar(x)],
        v0: vec![Tensor::scalar(0.5 - x)],
        started: None,
        outer_data: vec![],
        inner_data: vec![],
        exact: Some(vec![Tensor::scalar(exact)]),
        // The curvature at the minimum is 2 + 2x.
        rate: 0.1,
    }
}
