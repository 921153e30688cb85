//! A small logistic regression: gradient, Hessian, and 100 unrolled steps in one penalty (W8).

use super::{Job, Single, explain, shapes};
use crate::Result;
use crate::inputs::Inputs;
use crate::values::Values;
use autodiff::{CompileOptions, CompiledScan, Element, Executable, Program, Scan, ScanInputs, Storage, Tensor, Value};

/// (w, log λ, X, y) ↦ mean logistic loss + λ/2 ‖w‖²
fn penalised<E: Element>(arrays: &[Tensor<E>]) -> Result<Program> {
    Ok(Program::record_shapes(&shapes(arrays), |x| {
        let loss = (-x[3] * x[2].matmul(&x[0])).softplus().mean_all();
        vec![loss + x[1].exp() * x[0].square().sum_all() * 0.5]
    })?)
}

fn arrays<E: Element>(inputs: &Inputs) -> Result<Vec<Tensor<E>>> {
    let penalty = Tensor::scalar(E::from_f64(inputs.setting("W8", "loglam")?));
    Ok(vec![inputs.array("w80")?, penalty, inputs.array("X8")?, inputs.signs("y8")?])
}

pub(super) fn logistic<E: Element>(inputs: &Inputs, option: &str, options: CompileOptions) -> Result<Single<E>> {
    let arrays = arrays::<E>(inputs)?;
    let g = penalised(&arrays)?;
    if option == "grad" {
        return Ok(Single::new(&g.value_and_grad(&[0])?, arrays, options, &[("F", 1), ("grad", 1)]));
    }
    Ok(Single::new(&g.hessian(0, 0)?, arrays, options, &[("hess", 1)]))
}

/// Forward mode through the loop: one hyperparameter, one tangent.
pub(super) struct Unrolled<E: Element> {
    scan: CompiledScan<E>,
    /// (w, X, y, dw) ↦ loss, its tangent
    outer: Executable<E>,
    state: [Tensor<E>; 2],
    params: [Tensor<E>; 2],
    data: [Tensor<E>; 2],
    held_out: [Tensor<E>; 2],
}

impl<E: Element> Unrolled<E> {
    pub(super) fn new(inputs: &Inputs, options: CompileOptions) -> Result<Self> {
        let arrays = arrays::<E>(inputs)?;
        let gradient = penalised(&arrays)?.grad(&[0])?;
        let rate = inputs.setting("W8", "lr")?;
        let step = Program::record_shapes(&shapes(&arrays), |x| vec![x[0] - gradient.eval(x)[0] * rate])?;
        let steps = inputs.setting("W8", "T")? as usize;
        let scan = Scan::new(step, [1, 1, 2])?.jvp()?.compile(steps, Storage::Recompute, options)?;
        let held_out = [inputs.array("X8v")?, inputs.signs("y8v")?];
        let outer = Program::record_shapes(&shapes(&[&arrays[..1], &held_out].concat()), |x| {
            vec![(-x[2] * x[1].matmul(&x[0])).softplus().mean_all()]
        })?;
        let [w, penalty, x, y] = arrays.try_into().map_err(|_| "four arrays")?;
        Ok(Self {
            scan,
            outer: outer.jvp(&[0])?.compile(options),
            state: [w.clone(), Tensor::zeros(w.dims())],
            params: [penalty, Tensor::scalar(E::from_f64(1.0))],
            data: [x, y],
            held_out,
        })
    }
}

impl<E: Element> Job<E> for Unrolled<E> {
    fn run(&mut self) -> Result<Values<E>> {
        let inputs = ScanInputs { state: &self.state, params: &self.params, data: &self.data, items: &[] };
        let end = self.scan.forward(inputs)?;
        let [w, tangent] = end.state() else { return Err("a value and a tangent".into()) };
        let [x, y] = &self.held_out;
        let outer = self.outer.run(&[w.clone(), x.clone(), y.clone(), tangent.clone()])?;
        Ok(vec![("F", vec![outer[0].clone()]), ("hyper", vec![outer[1].clone()])])
    }

    fn explain(&mut self) -> Result<String> {
        let inputs = [&self.state[..], &self.params, &self.data].concat();
        explain(&mut self.scan.step().clone(), &inputs)
    }
}
