//! The functions whose derivatives are measured, each written once over any carrier.

use crate::error::{Error, Result};
use crate::expression::Expression;
use autodiff::{Compare, Tensor, Value};

/// A function of one array of `n` numbers; most give one number, some give `m`.
#[derive(Clone, Debug)]
pub struct Function {
    name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Rosenbrock,
    Chain,
    Products,
    Mlp,
    Dense(Shape),
    Rk4,
    BundleAdjustment,
    Expression(Expression),
}

/// How many outputs a dense layer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Eight for each input.
    Tall,
    /// One for each input.
    Square,
    /// One for eight inputs.
    Wide,
}

/// Name, what it is.
const NAMED: [(&str, &str); 9] = [
    ("rosenbrock", "Σ 100(xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²: n → 1, a tridiagonal Hessian"),
    ("chain", "sum of a chain of 24 pointwise ops: n → 1, a diagonal Hessian"),
    ("products", "sum of products of 8 neighbours: n → 1, a block-diagonal Hessian"),
    ("mlp", "squared error of a network with n weights on 32 examples: n → 1"),
    ("tall", "tanh of a dense matrix times x: n → 8n"),
    ("square", "the same: n → n"),
    ("wide", "the same: n → n/8"),
    ("rk4", "8 Runge–Kutta steps of a ring of n coupled oscillators: n → n"),
    ("ba", "reprojection errors of n/15 observations, each with a camera of its own: n → 2n/15, sparse"),
];

impl Function {
    /// The names and what they stand for.
    pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
        NAMED.into_iter()
    }

    /// A function by its name.
    ///
    /// # Errors
    /// [`Error::Function`] if there is none.
    pub fn named(name: &str) -> Result<Self> {
        let kind = match name {
            "rosenbrock" => Kind::Rosenbrock,
            "chain" => Kind::Chain,
            "products" => Kind::Products,
            "mlp" => Kind::Mlp,
            "tall" => Kind::Dense(Shape::Tall),
            "square" => Kind::Dense(Shape::Square),
            "wide" => Kind::Dense(Shape::Wide),
            "rk4" => Kind::Rk4,
            "ba" => Kind::BundleAdjustment,
            _ => {
                let known = NAMED.map(|(name, _)| name).join(", ");
                return Err(Error::Function { name: name.to_owned(), known });
            }
        };
        Ok(Self { name: name.to_owned(), kind })
    }

    /// A function that somebody typed.
    pub fn expression(expression: Expression) -> Self {
        Self { name: expression.text().to_owned(), kind: Kind::Expression(expression) }
    }

    /// Its name, or its text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its Jacobian or Hessian may have structure worth looking for.
    pub(crate) fn is_structured(&self) -> bool {
        !matches!(self.kind, Kind::Mlp | Kind::Dense(_))
    }

    /// The number of inputs it really takes when asked for `n`: some come in groups.
    pub fn inputs(&self, n: usize) -> usize {
        match self.kind {
            Kind::Rosenbrock => n.max(2),
            Kind::Products => n.next_multiple_of(8),
            Kind::Mlp => hidden(n) * 10 + 1,
            Kind::Dense(Shape::Wide) => n.next_multiple_of(8),
            Kind::BundleAdjustment => n.div_ceil(15) * 15,
            _ => n.max(1),
        }
    }

    /// Where the derivative is taken: `n` numbers, the same for every run.
    pub fn point(&self, n: usize) -> Tensor<f64> {
        let ba = [0.1, -0.2, 0.15, 0.3, 0.2, -5.0, 1.1, 0.05, -0.1, 0.02, 0.01, 0.4, -0.3, 1.2, 0.9];
        match self.kind {
            Kind::BundleAdjustment => Tensor::from_fn(&[n], |i| ba[i[0] % 15] * (1.0 + 0.01 * (i[0] / 15 % 7) as f64)),
            _ => Tensor::from_fn(&[n], |i| 0.7 + 0.3 * ((i[0] * 37 % 101) as f64).sin()),
        }
    }

    /// Its value: a number, or a row of them.
    #[track_caller]
    pub fn eval<V: Value>(&self, x: &V) -> V {
        let n = x.shape()[0];
        match &self.kind {
            Kind::Rosenbrock => {
                let (here, next) = (x.slice_axis(0, 0..n - 1), x.slice_axis(0, 1..n));
                next.minus(&here.square()).square().scale(100.0).plus(&here.sub_from(1.0).square()).sum_all()
            }
            Kind::Chain => (0..8).fold(x.clone(), |y, _| y.sin().scale(1.1).shift(0.2)).sum_all(),
            Kind::Products => x.reshape(&[n / 8, 8]).prod(&[1]).sum_all(),
            Kind::Mlp => mlp(x, hidden(n)),
            Kind::Dense(shape) => {
                let m = match shape {
                    Shape::Tall => 8 * n,
                    Shape::Square => n,
                    Shape::Wide => (n / 8).max(1),
                };
                let w = Tensor::from_fn(&[m, n], |i| ((i[0] * 7 + i[1] * 13) as f64).sin() / (n as f64).sqrt());
                x.constant(&w).matmul(x).tanh()
            }
            Kind::Rk4 => rk4(x, n),
            Kind::BundleAdjustment => bundle_adjustment(&x.reshape(&[n / 15, 15])),
            Kind::Expression(expression) => expression.eval(x),
        }
    }
}

/// Hidden units of a network with about `n` weights: 8 inputs, 1 output.
fn hidden(n: usize) -> usize {
    (n.saturating_sub(1) / 10).max(1)
}

fn mlp<V: Value>(x: &V, h: usize) -> V {
    let part = |from: usize, len: usize, shape: &[usize]| x.slice_axis(0, from..from + len).reshape(shape);
    let data = x.constant(Tensor::from_fn(&[32, 8], |i| ((i[0] * 8 + i[1]) as f64).cos()));
    let target = x.constant(Tensor::from_fn(&[32, 1], |i| (i[0] as f64 * 0.3).sin()));
    let layer = data.matmul(&part(0, 8 * h, &[8, h])).plus(&part(8 * h, h, &[h])).tanh();
    let out = layer.matmul(&part(9 * h, h, &[h, 1])).plus(&part(10 * h, 1, &[1]));
    out.minus(&target).square().mean_all()
}

/// `x″ᵢ = sin(xᵢ₊₁ − xᵢ) − sin(xᵢ − xᵢ₋₁)` as first-order steps of the positions alone.
fn rk4<V: Value>(x: &V, n: usize) -> V {
    let slope = |x: &V| {
        let next = V::concat(&[&x.slice_axis(0, 1..n), &x.slice_axis(0, 0..1)], 0);
        let pull = next.minus(x).sin();
        let before = V::concat(&[&pull.slice_axis(0, n - 1..n), &pull.slice_axis(0, 0..n - 1)], 0);
        pull.minus(&before)
    };
    let h = 0.1;
    (0..8).fold(x.clone(), |x, _| {
        let k1 = slope(&x);
        let k2 = slope(&x.plus(&k1.scale(h / 2.0)));
        let k3 = slope(&x.plus(&k2.scale(h / 2.0)));
        let k4 = slope(&x.plus(&k3.scale(h)));
        x.plus(&k1.plus(&k2.plus(&k3).scale(2.0)).plus(&k4).scale(h / 6.0))
    })
}

/// Two errors for each row of camera (rotation, centre, focal length, principal point, lens), point and weight.
fn bundle_adjustment<V: Value>(rows: &V) -> V {
    let col = |i: usize| rows.at(1, i);
    let r = [col(0), col(1), col(2)];
    let d = [col(11).minus(&col(3)), col(12).minus(&col(4)), col(13).minus(&col(5))];
    let dot = |a: &[V; 3], b: &[V; 3]| a[0].times(&b[0]).plus(&a[1].times(&b[1])).plus(&a[2].times(&b[2]));
    let square = dot(&r, &r);
    let safe = square.test(Compare::Gt, 0.0).select(&square, &square.ones_like());
    let angle = safe.sqrt();
    let axis = r.map(|r| r.over(&angle));
    let (cos, sin, along) = (angle.cos(), angle.sin(), dot(&axis, &d));
    let seen = [0, 1, 2].map(|i| {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        let across = axis[j].times(&d[k]).minus(&axis[k].times(&d[j]));
        d[i].times(&cos).plus(&across.times(&sin)).plus(&axis[i].times(&along.times(&cos.sub_from(1.0))))
    });
    let p = [seen[0].over(&seen[2]), seen[1].over(&seen[2])];
    let square = p[0].square().plus(&p[1].square());
    let lens = col(9).times(&square).plus(&col(10).times(&square.square())).shift(1.0);
    let error = |i: usize| col(14).times(&p[i].times(&lens).times(&col(6)).plus(&col(7 + i)));
    V::stack(&[&error(0), &error(1)], 1).flatten()
}
