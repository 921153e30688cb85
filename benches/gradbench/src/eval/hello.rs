//! x², and 2x.

use crate::Result;
use crate::task::{Task, compiled, first};
use autodiff::{Program, Tensor};

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let x = Tensor::scalar(input.as_f64().ok_or("the input is a number")?);
    let record = move || {
        let square = Program::record(&[&[]], |x| x[0] * x[0])?;
        if primal { Ok(square) } else { square.grad(&[0]) }
    };
    Ok(compiled(vec![x], record, first))
}
