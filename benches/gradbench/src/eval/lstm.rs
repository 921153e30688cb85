//! A long short-term memory with diagonal weights over a sequence.

use crate::Result;
use crate::json::tensor;
use crate::task::{Task, options};
use autodiff::{CompiledScan, Scan, ScanInputs, Storage, Tensor, Value};
use serde_json::json;

/// One step: the state is (h, c) of each layer and the sum so far; the items are an element of the sequence and the next.
fn step(layers: usize, b: usize) -> autodiff::Result<Scan> {
    let mut state: Vec<&[usize]> = Vec::new();
    let one = [b];
    state.resize(2 * layers, &one);
    state.push(&[]);
    let (main, extra) = ([2 * layers, 4 * b], [3, b]);
    let shapes = ScanInputs { state: &state, params: &[&main[..], &extra], data: &[], items: &[&one[..], &one] };
    Scan::record(shapes, |s| {
        let (main, extra) = (s.params[0], s.params[1]);
        let mut next = s.state.to_vec();
        let mut x = s.items[0] * extra.at(0, 0);
        for j in 0..layers {
            let part = |row: usize, k: usize| main.at(0, 2 * j + row).slice_axis(0, k * b..(k + 1) * b);
            let (h, c) = (s.state[2 * j], s.state[2 * j + 1]);
            let forget = (x * part(0, 0) + part(1, 0)).sigmoid();
            let ingate = (h * part(0, 1) + part(1, 1)).sigmoid();
            let outgate = (x * part(0, 2) + part(1, 2)).sigmoid();
            let change = (h * part(0, 3) + part(1, 3)).tanh();
            let c = c * forget + ingate * change;
            x = outgate * c.tanh();
            (next[2 * j], next[2 * j + 1]) = (x, c);
        }
        let y = x * extra.at(0, 1) + extra.at(0, 2);
        let z = (y.exp().sum_all() + 2.0).ln();
        next[2 * layers] = s.state[2 * layers] + (s.items[1] * (y - z)).sum_all();
        next
    })
}

struct Lstm {
    primal: bool,
    state: Vec<Tensor<f64>>,
    params: [Tensor<f64>; 2],
    items: [Tensor<f64>; 2],
    scan: Option<CompiledScan<f64>>,
    result: Vec<f64>,
}

impl Task for Lstm {
    fn run(&mut self) -> Result<()> {
        let (steps, b) = (self.items[0].dims()[0], self.items[0].dims()[1]);
        let layers = self.state.len() / 2;
        if self.scan.is_none() {
            let storage = if self.primal { Storage::Recompute } else { Storage::All };
            self.scan = Some(step(layers, b)?.compile(steps, storage, options())?);
        }
        let scan = self.scan.as_mut().ok_or("compiled above")?;
        let scale = -1.0 / (b * steps) as f64;
        let inputs = ScanInputs { state: &self.state, params: &self.params, data: &[], items: &self.items };
        let end = scan.forward(inputs)?;
        if self.primal {
            self.result = vec![end.state()[2 * layers].item() * scale];
            return Ok(());
        }
        let mut cotangents: Vec<Tensor<f64>> = self.state.iter().map(|x| Tensor::zeros(x.dims())).collect();
        cotangents[2 * layers] = Tensor::scalar(scale);
        let gradient = end.backward(&cotangents)?;
        self.result = gradient.params.iter().flat_map(Tensor::data).copied().collect();
        Ok(())
    }

    fn output(&self) -> Result<serde_json::Value> {
        Ok(if self.primal { json!(self.result.first()) } else { json!(self.result) })
    }
}

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let params = [tensor(input, "main_params")?, tensor(input, "extra_params")?];
    let (start, sequence) = (tensor(input, "state")?, tensor(input, "sequence")?);
    let mut state: Vec<Tensor<f64>> = (0..start.dims()[0]).map(|i| start.row(i)).collect();
    state.push(Tensor::scalar(0.0));
    let c = sequence.dims()[0];
    let items = [sequence.rows(..c - 1), sequence.rows(1..)];
    Ok(Box::new(Lstm { primal, state, params, items, scan: None, result: Vec::new() }))
}
