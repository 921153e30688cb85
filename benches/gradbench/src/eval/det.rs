//! The determinant by Laplace expansion along the first row that is left.

use crate::Result;
use crate::json::{count, tensor};
use crate::task::{Task, compiled, first};
use autodiff::{Abstract, Program, Tensor, Value, Var};

/// Rows of a matrix that is expanded number by number; larger ones are expanded as a stack of smaller ones.
const SMALL: usize = 6;

/// The expansion of the rows from `row` on, over the columns that are left. The compiler computes equal minors once.
fn expand<'t>(a: &[Vec<Var<'t, Abstract>>], row: usize, columns: &[usize]) -> Var<'t, Abstract> {
    if let [last] = columns {
        return a[row][*last];
    }
    let terms = columns.iter().enumerate().map(|(j, &column)| {
        let rest: Vec<usize> = columns.iter().copied().filter(|&c| c != column).collect();
        let term = a[row][column] * expand(a, row + 1, &rest);
        if j.is_multiple_of(2) { term } else { -term }
    });
    terms.reduce(|sum, term| sum + term).expect("a matrix has columns")
}

/// `[n, n]` ↦ determinant.
fn determinant(n: usize) -> autodiff::Result<Program> {
    if n <= SMALL {
        return Program::record(&[&[n, n]], |a| {
            let rows = (0..n).map(|i| (0..n).map(|j| a[0].at(0, i).at(0, j)).collect());
            let columns: Vec<usize> = (0..n).collect();
            expand(&rows.collect::<Vec<_>>(), 0, &columns)
        });
    }
    // Without the first row and without one column: n matrices, expanded side by side.
    let minors = determinant(n - 1)?.batch(n, &[Some(0)], &[0])?;
    let places: Vec<f64> = (0..n)
        .flat_map(|j| (1..n).flat_map(move |row| (0..n).filter(move |&c| c != j).map(move |c| (row * n + c) as f64)))
        .collect();
    let signs: Vec<f64> = (0..n).map(|j| if j.is_multiple_of(2) { 1.0 } else { -1.0 }).collect();
    Program::record(&[&[n, n]], |a| {
        let places = a[0].constant(Tensor::from(&places[..]));
        let stack = a[0].flatten().gather(&places, 0).reshape(&[n, n - 1, n - 1]);
        let signs = a[0].constant(Tensor::from(&signs[..]));
        (a[0].at(0, 0) * signs * minors.eval(&[stack])[0]).sum_all()
    })
}

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let n = count(input, "ell")?;
    let a = tensor(input, "A")?.with_shape(&[n, n])?;
    let record = move || {
        let determinant = determinant(n)?;
        if primal { Ok(determinant) } else { determinant.grad(&[0]) }
    };
    let flat = |outputs: &[Tensor<f64>]| match outputs {
        [one] if one.rank() == 0 => first(outputs),
        _ => outputs.first().map_or(serde_json::Value::Null, |g| g.data().into()),
    };
    Ok(compiled(vec![a], record, flat))
}
