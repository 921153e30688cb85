//! ln Σ eˣ, shifted by the largest element.

use crate::Result;
use crate::json::tensor;
use crate::task::{Task, compiled, first};
use autodiff::{Program, Value};

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let x = tensor(input, "x")?;
    let shape = x.shape();
    let record = move || {
        let lse = Program::record(&[&shape], |x| {
            // Any shift gives the same value, so nothing is differentiated through it.
            let shift = x[0].max_over(&[0]).stop_gradient();
            (x[0] - shift).exp().sum_all().ln() + shift
        })?;
        if primal { Ok(lse) } else { lse.grad(&[0]) }
    };
    Ok(compiled(vec![x], record, first))
}
