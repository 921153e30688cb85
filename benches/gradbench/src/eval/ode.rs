//! y′ = g(y) with g₀ = x₀, gᵢ = xᵢ·yᵢ₋₁ from y(0) = 0 to y(2), by the classical Runge–Kutta method.

use crate::Result;
use crate::json::{count, tensor};
use crate::task::{Task, options};
use autodiff::{Abstract, CompiledScan, Scan, ScanInputs, Storage, Tensor, Value, Var};

fn slope<'t>(y: Var<'t, Abstract>, first: &Var<'t, Abstract>, others: &Var<'t, Abstract>) -> Var<'t, Abstract> {
    Var::concat(&[first, &(*others * y.slice_axis(0, 0..others.shape()[0]))], 0)
}

/// One step of length `h`; the state is y, the parameter x.
fn step(n: usize, h: f64) -> autodiff::Result<Scan> {
    let shapes = ScanInputs { state: &[&[n][..]], params: &[&[n][..]], ..Default::default() };
    Scan::record(shapes, |s| {
        let (y, x) = (s.state[0], s.params[0]);
        let (first, others) = (x.slice_axis(0, 0..1), x.slice_axis(0, 1..n));
        let g = |y| slope(y, &first, &others);
        let k1 = g(y);
        let k2 = g(y + k1 * (h / 2.0));
        let k3 = g(y + k2 * (h / 2.0));
        let k4 = g(y + k3 * h);
        vec![y + (k1 + k2 * 2.0 + k3 * 2.0 + k4) * (h / 6.0)]
    })
}

struct Ode {
    primal: bool,
    steps: usize,
    x: Tensor<f64>,
    scan: Option<CompiledScan<f64>>,
    result: Option<Tensor<f64>>,
}

impl Task for Ode {
    fn run(&mut self) -> Result<()> {
        let n = self.x.len();
        if self.scan.is_none() {
            let storage = if self.primal { Storage::Recompute } else { Storage::All };
            self.scan = Some(step(n, 2.0 / self.steps as f64)?.compile(self.steps, storage, options())?);
        }
        let scan = self.scan.as_mut().ok_or("compiled above")?;
        let (state, params) = ([Tensor::zeros(&[n])], [self.x.clone()]);
        let end = scan.forward(ScanInputs { state: &state, params: &params, ..Default::default() })?;
        self.result = Some(if self.primal {
            end.state()[0].clone()
        } else {
            let mut last = Tensor::zeros(&[n]);
            last[[n - 1]] = 1.0;
            end.backward(&[last])?.params.swap_remove(0)
        });
        Ok(())
    }

    fn output(&self) -> Result<serde_json::Value> {
        Ok(self.result.as_ref().ok_or("nothing was run")?.data().into())
    }
}

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let (x, steps) = (tensor(input, "x")?, count(input, "s")?);
    Ok(Box::new(Ode { primal, steps, x, scan: None, result: None }))
}
