//! Hypergradients through the trajectory of the inner optimiser: reverse mode (W3), forward mode (W4).

use super::{Job, descend, explain, shapes};
use crate::Result;
use crate::inputs::Inputs;
use crate::values::Values;
use autodiff::{CompileOptions, CompiledScan, Element, Executable, Program, Scan, ScanInputs, Storage, Tensor, Value};
use nn::{Activation, Mlp, loss};

const ROWS: usize = 5000;

/// W3: a weight for each of 5,000 examples, through the last `K` of `T` steps.
pub(super) struct Reverse<E: Element> {
    /// The steps that are not differentiated.
    ahead: usize,
    step: Executable<E>,
    scan: CompiledScan<E>,
    /// (θ, X, Y) ↦ loss, gradient.
    outer: Executable<E>,
    theta: [Vec<Tensor<E>>; 2],
    start: Vec<Tensor<E>>,
    u: Vec<Tensor<E>>,
    data: Vec<Tensor<E>>,
    outer_inputs: Vec<Tensor<E>>,
    outer_outputs: Vec<Tensor<E>>,
}

impl<E: Element> Reverse<E> {
    pub(super) fn new(inputs: &Inputs, option: &str, options: CompileOptions) -> Result<Self> {
        let (model, kept) = option.split_once('-').ok_or("the option is model-K")?;
        let all = inputs.setting("W3", "T")? as usize;
        let kept = if kept == "full" { all } else { kept[1..].parse()? };
        let (mlp, tag) = match model {
            "soft" => (Mlp::new(&[784, 10], Activation::Tanh)?, "soft"),
            _ => (Mlp::new(&[784, 64, 10], Activation::Tanh)?, "mlpB"),
        };
        let rate = inputs.setting("W3", if model == "soft" { "alpha_soft" } else { "alpha_mlp" })?;
        let start = inputs.network::<E>(tag)?;
        let p = start.len();
        let u = vec![inputs.array::<E>("u3")?];
        let data = inputs.digits::<E>("train", ROWS)?.to_vec();
        let wrt: Vec<usize> = (0..p).collect();
        // (θ, u, X, Y) ↦ Σ σ(uᵢ) ℓᵢ(θ) / N
        let inner = Program::record_shapes(&shapes(&[&start[..], &u, &data].concat()), |x| {
            let losses = loss::cross_entropy(&mlp.forward(&x[..p], &x[p + 1]), &x[p + 2]);
            vec![x[p].sigmoid().dot(&losses) / ROWS as f64]
        })?;
        let gradient = inner.grad(&wrt)?;
        let step = Program::record_shapes(&shapes(&[&start[..], &u, &data].concat()), |x| {
            descend(&x[..p], rate, &gradient.eval(x))
        })?;
        let scan = Scan::new(step.clone(), [p, 1, 2])?.compile(kept, Storage::All, options)?;
        let outer_inputs = [&start[..], &inputs.digits("val", ROWS)?].concat();
        let outer = Program::record_shapes(&shapes(&outer_inputs), |x| {
            vec![loss::mean_cross_entropy(&mlp.forward(&x[..p], &x[p]), &x[p + 1])]
        })?;
        let outer = outer.value_and_grad(&wrt)?.compile::<E>(options);
        let outer_outputs = outer.output_shapes().iter().map(|s| Tensor::zeros(s)).collect();
        Ok(Self {
            ahead: all - kept,
            step: step.compile(options),
            scan,
            outer,
            theta: [start.clone(), start.clone()],
            start,
            u,
            data,
            outer_inputs,
            outer_outputs,
        })
    }
}

impl<E: Element> Job<E> for Reverse<E> {
    fn run(&mut self) -> Result<Values<E>> {
        let p = self.start.len();
        let mut inputs = [&self.start[..], &self.u, &self.data].concat();
        for _ in 0..self.ahead {
            self.step.run_into(&inputs, &mut self.theta[0])?;
            for (input, theta) in inputs.iter_mut().zip(&mut self.theta[0]) {
                std::mem::swap(input, theta);
            }
            self.theta.swap(0, 1);
        }
        let end =
            self.scan.forward(ScanInputs { state: &inputs[..p], params: &self.u, data: &self.data, items: &[] })?;
        self.outer_inputs[..p].clone_from_slice(end.state());
        self.outer.run_into(&self.outer_inputs, &mut self.outer_outputs)?;
        let gradient = end.backward(&self.outer_outputs[1..])?;
        Ok(vec![("F", vec![self.outer_outputs[0].clone()]), ("hyper", gradient.params)])
    }

    fn explain(&mut self) -> Result<String> {
        let inputs = [&self.start[..], &self.u, &self.data].concat();
        let seeds = [&inputs[..], &self.start, &self.u].concat();
        let mut pullback = self.scan.pullback().clone();
        let step = explain(&mut self.step, &inputs)?;
        Ok(format!("the step\n{step}\nits pullback\n{}", explain(&mut pullback, &seeds)?))
    }
}

/// W4: the logarithms of the step size and of three decays, forward mode, four tangents at once.
pub(super) struct Forward<E: Element> {
    steps: usize,
    /// (θ, dθ, λ, I, X, Y) ↦ (θ, dθ)
    step: Executable<E>,
    /// (θ, dθ, X, Y) ↦ loss, its tangents
    outer: Executable<E>,
    /// θ, dθ, λ, I, X, Y
    inputs: Vec<Tensor<E>>,
    next: Vec<Tensor<E>>,
    outer_data: [Tensor<E>; 2],
}

const DIRECTIONS: usize = 4;

impl<E: Element> Forward<E> {
    pub(super) fn new(inputs: &Inputs, options: CompileOptions) -> Result<Self> {
        let mlp = Mlp::new(&[784, 64, 10], Activation::Tanh)?;
        let theta = inputs.network::<E>("mlpB")?;
        let p = theta.len();
        let steps = inputs.setting("W4", "T")? as usize;
        let lambda = Tensor::from(inputs.settings("W4", "lam0")?).cast::<E>();
        let data = inputs.digits::<E>("train", ROWS)?;
        let outer_data = inputs.digits::<E>("val", ROWS)?;
        // (θ, λ, X, Y): decays of the first weights, the second weights, both biases.
        let all = shapes(&[&theta[..], std::slice::from_ref(&lambda), &data].concat());
        let inner = Program::record_shapes(&all, |x| {
            let rates = x[p].exp();
            let decay = |i: usize, rate: usize| x[i].square().sum_all() * rates.at(0, rate) * 0.5;
            let losses = loss::mean_cross_entropy(&mlp.forward(&x[..p], &x[p + 1]), &x[p + 2]);
            vec![losses + decay(0, 1) + decay(2, 2) + decay(1, 3) + decay(3, 3)]
        })?;
        let gradient = inner.grad(&(0..p).collect::<Vec<_>>())?;
        let step = Program::record_shapes(&all, |x| {
            let rate = x[p].exp().at(0, 0);
            gradient.eval(x).iter().zip(x).map(|(&g, &v)| v - g * rate).collect()
        })?;
        // (θ, λ, X, Y, dθ, dλ) ↦ (θ, dθ), then for four dθ and dλ at once.
        let wrt: Vec<usize> = (0..=p).collect();
        let one = step.jvp(&wrt)?;
        let mapped = |shared: usize, mapped: usize| [vec![None; shared], vec![Some(0); mapped]].concat();
        let four = one.batch(DIRECTIONS, &mapped(p + 3, p + 1), &vec![0; 2 * p])?;
        let zeros: Vec<Tensor<E>> =
            theta.iter().map(|x| Tensor::zeros(&[&[DIRECTIONS][..], x.dims()].concat())).collect();
        let arrays = [&theta[..], &zeros, &[lambda, Tensor::eye(DIRECTIONS)], &data].concat();
        let step = Program::record_shapes(&shapes(&arrays), |x| {
            let (theta, rest) = x.split_at(p);
            let (tangents, rest) = rest.split_at(p);
            let outputs = four.eval(&[theta, &rest[..1], &rest[2..], tangents, &rest[1..2]].concat());
            // The values come out four times as well: one is enough.
            outputs[..p].iter().map(|v| v.at(0, 0)).chain(outputs[p..].iter().copied()).collect()
        })?;
        let outer = Program::record_shapes(&shapes(&[&theta[..], &outer_data].concat()), |x| {
            vec![loss::mean_cross_entropy(&mlp.forward(&x[..p], &x[p]), &x[p + 1])]
        })?;
        let outer = outer.jvp(&(0..p).collect::<Vec<_>>())?.batch(DIRECTIONS, &mapped(p + 2, p), &[0, 0])?;
        Ok(Self {
            steps,
            step: step.compile(options),
            outer: outer.compile(options),
            next: arrays[..2 * p].iter().map(|x| Tensor::zeros(x.dims())).collect(),
            inputs: arrays,
            outer_data,
        })
    }
}

impl<E: Element> Job<E> for Forward<E> {
    fn run(&mut self) -> Result<Values<E>> {
        let p = self.next.len() / 2;
        let mut inputs = self.inputs.clone();
        for _ in 0..self.steps {
            self.step.run_into(&inputs, &mut self.next)?;
            inputs.iter_mut().zip(&mut self.next).for_each(|(input, next)| std::mem::swap(input, next));
        }
        let (theta, tangents) = inputs[..2 * p].split_at(p);
        let mut outputs = self.outer.run(&[theta, &self.outer_data, tangents].concat())?;
        let tangents = outputs.pop().ok_or("the outer loss has tangents")?;
        Ok(vec![("F", vec![outputs[0].at(0, 0)]), ("hyper", vec![tangents])])
    }

    fn explain(&mut self) -> Result<String> {
        explain(&mut self.step, &self.inputs)
    }
}
