//! Least squares: a polynomial against the sign function on [−1, 1].

use crate::Result;
use crate::json::{count, tensor};
use crate::task::{Task, compiled, first};
use autodiff::{Program, Tensor, Value};

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let (x, n) = (tensor(input, "x")?, count(input, "n")?);
    let m = x.len();
    let record = move || {
        let half_squares = Program::record(&[&[m], &[n]], |a| {
            let (x, i) = (a[0], a[1]);
            let t = i * (2.0 / (n - 1) as f64) - 1.0;
            let mut power = t.ones_like();
            let mut sum = t.sign();
            for j in 0..m {
                sum -= x.at(0, j) * power;
                power *= t;
            }
            sum.square().sum_all() * 0.5
        })?;
        if primal { Ok(half_squares) } else { half_squares.grad(&[0]) }
    };
    Ok(compiled(vec![x, Tensor::arange(n)], record, first))
}
