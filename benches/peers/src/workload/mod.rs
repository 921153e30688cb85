//! The workloads.

mod classic;
mod few_shot;
mod implicit;
mod logistic;
mod network;
mod reweight;
mod trajectory;

use crate::Result;
use crate::inputs::Inputs;
use crate::values::Values;
use autodiff::{CompileOptions, Element, Executable, Program, Tensor};

/// A workload, ready to run.
pub trait Job<E: Element> {
    /// One run.
    ///
    /// # Errors
    /// What the library reports.
    fn run(&mut self) -> Result<Values<E>>;

    /// What its executables do, and where their time goes.
    ///
    /// # Errors
    /// What the library reports.
    fn explain(&mut self) -> Result<String>;
}

/// The names of the workloads and their options.
pub const CASES: [(&str, &[&str]); 10] = [
    ("W1", &["", "relu"]),
    ("W2", &[""]),
    ("W3", &["soft-full", "soft-K1", "soft-K10", "soft-K50", "mlp-full", "mlp-K1", "mlp-K10", "mlp-K50"]),
    ("W4", &[""]),
    ("W5", &["hyper", "solve"]),
    ("W5h", &["hvp-100", "hvp-1000", "grad-100", "grad-1000"]),
    ("W6", &["imaml", "maml"]),
    ("W7", &["fwd-32", "fwd-100", "fwd-1000", "step-32", "step-100", "step-1000"]),
    ("W8", &["grad", "hess", "unroll"]),
    ("W9", &["rosen", "lv"]),
];

/// A workload by its name.
///
/// # Errors
/// If there is none of that name and option, or its inputs cannot be read.
pub fn job<E: Element>(inputs: &Inputs, name: &str, option: &str, threads: usize) -> Result<Box<dyn Job<E>>> {
    // The peers' values are finite, and checked.
    let options = CompileOptions::default().threads(threads).assume_finite(true);
    let known = CASES.iter().find(|(known, _)| *known == name);
    let Some((_, known)) = known else {
        let names: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
        return Err(format!("no workload {name}; there are {}", names.join(", ")).into());
    };
    if !known.contains(&option) {
        return Err(format!("{name} has no option {option:?}; it has {known:?}").into());
    }
    Ok(match name {
        "W1" => Box::new(reweight::learning_to_reweight(inputs, option, options)?),
        "W2" => Box::new(reweight::meta_weight_net(inputs, options)?),
        "W3" => Box::new(trajectory::reverse(inputs, option, threads)?),
        "W4" => Box::new(trajectory::forward(inputs, threads)?),
        "W5" => Box::new(implicit::Implicit::new(inputs, option, threads)?),
        "W5h" | "W7" => Box::new(network::network(inputs, option, options)?),
        "W6" => Box::new(few_shot::few_shot(inputs, option, options)?),
        "W8" if option == "unroll" => Box::new(logistic::Unrolled::new(inputs, options)?),
        "W8" => Box::new(logistic::logistic(inputs, option, options)?),
        _ if option == "lv" => Box::new(classic::LotkaVolterra::new(inputs)?),
        _ => Box::new(classic::rosenbrock(inputs, options)?),
    })
}

/// A workload that is one program: its inputs, and how many outputs each result takes.
struct Single<E: Element> {
    executable: Executable<E>,
    inputs: Vec<Tensor<E>>,
    outputs: Vec<Tensor<E>>,
    names: Vec<(&'static str, usize)>,
}

impl<E: Element> Single<E> {
    fn new(
        program: &Program,
        inputs: Vec<Tensor<E>>,
        options: CompileOptions,
        names: &[(&'static str, usize)],
    ) -> Self {
        let executable = program.compile::<E>(options);
        let outputs = executable.output_shapes().iter().map(|shape| Tensor::zeros(shape)).collect();
        Self { executable, inputs, outputs, names: names.to_vec() }
    }
}

impl<E: Element> Job<E> for Single<E> {
    fn run(&mut self) -> Result<Values<E>> {
        self.executable.run_into(&self.inputs, &mut self.outputs)?;
        let mut rest = &self.outputs[..];
        let named = self.names.iter().map(|&(name, count)| {
            let (part, after) = rest.split_at(count);
            rest = after;
            (name, part.to_vec())
        });
        Ok(named.collect())
    }

    fn explain(&mut self) -> Result<String> {
        explain(&mut self.executable, &self.inputs)
    }
}

/// What an executable does, and where its time goes.
fn explain<E: Element>(executable: &mut Executable<E>, inputs: &[Tensor<E>]) -> Result<String> {
    let profile = executable.profile(inputs, 50)?;
    Ok(format!("{}{profile}", executable.explain()))
}

/// `p − rate·g`, array by array.
fn descend<'t>(
    p: &[autodiff::Var<'t, autodiff::Abstract>],
    rate: f64,
    g: &[autodiff::Var<'t, autodiff::Abstract>],
) -> Vec<autodiff::Var<'t, autodiff::Abstract>> {
    p.iter().zip(g).map(|(&p, &g)| p - g * rate).collect()
}

/// The shapes of arrays.
fn shapes<E: Element>(arrays: &[Tensor<E>]) -> Vec<autodiff::Shape> {
    arrays.iter().map(autodiff::Value::shape).collect()
}
