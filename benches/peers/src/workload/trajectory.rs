//! Hypergradients through the trajectory of the inner optimiser: reverse mode (W3), forward mode (W4).

use super::Job;
use crate::Result;
use crate::inputs::Inputs;
use crate::values::Values;
use autodiff::{Element, Tensor, Value};
use bilevel::{Data, Forward, GradientDescent, Hyper, Keep, Link, Method, Problem, Reverse};
use nn::{Activation, Mlp, loss};

const ROWS: usize = 5000;

/// A problem, a method, and where the hypergradient is wanted.
pub(super) struct Trajectory<E: Element> {
    problem: Problem,
    method: Box<dyn Method<E>>,
    u: [Tensor<E>; 1],
    start: Vec<Tensor<E>>,
    inner: [Tensor<E>; 2],
    outer: [Tensor<E>; 2],
}

/// W3: a weight for each of 5,000 examples, through the last `K` of `T` steps.
pub(super) fn reverse<E: Element>(inputs: &Inputs, option: &str, threads: usize) -> Result<Trajectory<E>> {
    let (model, kept) = option.split_once('-').ok_or("the option is model-K")?;
    let (mlp, tag) = match model {
        "soft" => (Mlp::new(&[784, 10], Activation::Tanh)?, "soft"),
        _ => (Mlp::new(&[784, 64, 10], Activation::Tanh)?, "mlpB"),
    };
    let rate = inputs.setting("W3", if model == "soft" { "alpha_soft" } else { "alpha_mlp" })?;
    let (steps, start) = (inputs.setting("W3", "T")? as usize, inputs.network::<E>(tag)?);
    let method = Reverse::new(GradientDescent::new(rate), steps);
    let method = match kept {
        "full" if model == "mlp" => method.keep(Keep::Residuals(room::<E>(steps, &start))),
        "full" => method,
        _ => method.last(kept[1..].parse()?),
    };
    let outer = mlp.clone();
    // Σ σ(uᵢ) ℓᵢ(v) / N inside, the mean loss on other data outside.
    let problem = Problem::with_data(
        move |_, v, data| loss::mean_cross_entropy(&outer.forward(v, &data[0]), &data[1]),
        move |u, v, data| {
            let losses = loss::cross_entropy(&mlp.forward(v, &data[0]), &data[1]);
            u[0].sigmoid().dot(&losses) / ROWS as f64
        },
    );
    Ok(Trajectory {
        problem: problem.threads(threads),
        method: Box::new(method),
        u: [inputs.array("u3")?],
        start,
        inner: inputs.digits("train", ROWS)?,
        outer: inputs.digits("val", ROWS)?,
    })
}

/// What is left for residuals of the 60 MB that W3's network may take: its states do, and programs of 3 million numbers.
fn room<E: Element>(steps: usize, start: &[Tensor<E>]) -> usize {
    let states = steps * start.iter().map(Tensor::len).sum::<usize>();
    60_000_000_usize.saturating_sub((states + 3_000_000) * size_of::<E>())
}

/// W4: the logarithms of the step size and of three decays, forward mode, four tangents at once.
pub(super) fn forward<E: Element>(inputs: &Inputs, threads: usize) -> Result<Trajectory<E>> {
    let mlp = Mlp::new(&[784, 64, 10], Activation::Tanh)?;
    let outer = mlp.clone();
    let problem = Problem::with_data(
        move |_, v, data| loss::mean_cross_entropy(&outer.forward(v, &data[0]), &data[1]),
        move |u, v, data| {
            // Decays of the first weights, the second weights, both biases.
            let rates = u[0].exp();
            let decay = |i: usize, rate: usize| v[i].square().sum_all() * rates.at(0, rate) * 0.5;
            let losses = loss::mean_cross_entropy(&mlp.forward(v, &data[0]), &data[1]);
            losses + decay(0, 1) + decay(2, 2) + decay(1, 3) + decay(3, 3)
        },
    );
    let rule = GradientDescent::new(Hyper::upper_element(0, 0).link(Link::Exp));
    Ok(Trajectory {
        problem: problem.threads(threads),
        method: Box::new(Forward::new(rule, inputs.setting("W4", "T")? as usize)),
        u: [Tensor::from(inputs.settings("W4", "lam0")?).cast()],
        start: inputs.network("mlpB")?,
        inner: inputs.digits("train", ROWS)?,
        outer: inputs.digits("val", ROWS)?,
    })
}

impl<E: Element> Job<E> for Trajectory<E> {
    fn run(&mut self) -> Result<Values<E>> {
        let data = Data::new(&self.outer, &self.inner);
        let h = self.problem.hypergradient_on(&self.u, &self.start, data, &*self.method)?;
        let value = Tensor::scalar(E::from_f64(h.report.outer_value));
        Ok(vec![("F", vec![value]), ("hyper", h.gradient)])
    }

    fn explain(&mut self) -> Result<String> {
        let data = Data::new(&self.outer, &self.inner);
        let h = self.problem.hypergradient_on(&self.u, &self.start, data, &*self.method)?;
        Ok(format!("{}\n", h.report))
    }
}
