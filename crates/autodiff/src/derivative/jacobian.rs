//! Whole Jacobians, by columns or by rows.

use super::{Failure, ours};
use crate::error::Result;
use crate::shape::{Shape, size};
use crate::tape::Tape;
use crate::tensor::Tensor;
use crate::value::Value;
use crate::var::Var;
use std::convert::Infallible;

/// The Jacobian, in blocks: `jacobian[i][j]` holds the derivatives of output `i` by input `j`, in the shape of the
/// output followed by that of the input (for scalars, a number).
///
/// The closure is recorded once. With `n` input elements and `m` output elements, `n` forward sweeps are made if
/// `n ≤ m`, else `m` reverse sweeps. A block whose input does not reach its output is zero: in a Jacobian that is an
/// answer, not an omission.
///
/// ```
/// use autodiff::{Value, jacobian};
/// let j = jacobian(|x| vec![x[0] * x[1], x[0].exp()], &[0.0, 5.0])?;
/// assert_eq!(j, [[5.0, 0.0], [1.0, 0.0]]);
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// # Errors
/// None of its own: [`try_jacobian`] passes on what its closure fails with.
pub fn jacobian<V: Value, F>(f: F, x: &[V]) -> Result<Vec<Vec<V>>>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> Vec<Var<'t, V>>,
{
    try_jacobian(|x| Ok::<_, Infallible>(f(x)), x)
}

/// [`jacobian`] of a closure that can fail.
///
/// # Errors
/// [`Error::Closure`](crate::Error::Closure) if the closure fails.
pub fn try_jacobian<V: Value, E: Failure, F>(f: F, x: &[V]) -> Result<Vec<Vec<V>>>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> std::result::Result<Vec<Var<'t, V>>, E>,
{
    Tape::scope(|tape| {
        let inputs = tape.vars(x);
        let outputs = ours(f(&inputs))?;
        let values: Vec<V> = outputs.iter().map(Var::value).collect();
        let total = |values: &[V]| -> usize { values.iter().map(|v| size(&v.shape())).sum() };
        if total(x) <= total(&values) {
            // Column by column: for each input, the tangents of all outputs in each of its directions.
            let columns: Vec<Vec<Vec<V>>> = inputs
                .iter()
                .zip(x)
                .map(|(input, x)| basis(x).map(|t| or_zeros(tape.jvp(&[(*input, t)], &outputs), &values)).collect())
                .collect();
            let block = |i: usize, j: usize| {
                let entries: Vec<&V> = columns[j].iter().map(|column| &column[i]).collect();
                if V::SCALAR {
                    return entries[0].clone();
                }
                let (out, input) = (values[i].shape(), x[j].shape());
                // Directions stand first: move them behind the output's axes.
                let stacked = stacked(&entries, &values[i]);
                let order: Vec<usize> = (1..=out.len()).chain([0]).collect();
                stacked.permute(&order).reshape(&joined(&out, &input))
            };
            return Ok((0..values.len()).map(|i| (0..x.len()).map(|j| block(i, j)).collect()).collect());
        }
        // Row by row: for each output, the cotangents of all inputs for each of its elements.
        let rows = outputs.iter().zip(&values).map(|(output, value)| {
            let rows: Vec<Vec<V>> = basis(value).map(|c| or_zeros(tape.vjp(&[(*output, c)], &inputs), x)).collect();
            let block = |j: usize| {
                let entries: Vec<&V> = rows.iter().map(|row| &row[j]).collect();
                if V::SCALAR {
                    return entries[0].clone();
                }
                stacked(&entries, &x[j]).reshape(&joined(&value.shape(), &x[j].shape()))
            };
            (0..x.len()).map(block).collect()
        });
        Ok(rows.collect())
    })
}

fn joined(a: &[usize], b: &[usize]) -> Shape {
    a.iter().chain(b).copied().collect()
}

/// Stacks along a new first axis.
fn stacked<V: Value>(entries: &[&V], like: &V) -> V {
    match entries {
        [] => like.zeros_like().broadcast_to(&joined(&[1], &like.shape())).slice_axis(0, 0..0),
        _ => V::stack(entries, 0),
    }
}

fn or_zeros<V: Value>(parts: Vec<Option<V>>, like: &[V]) -> Vec<V> {
    parts.into_iter().zip(like).map(|(part, x)| part.unwrap_or_else(|| x.zeros_like())).collect()
}

/// One direction for each element: ones at it, zeros elsewhere.
pub(super) fn basis<V: Value>(x: &V) -> impl Iterator<Item = V> {
    let shape = x.shape();
    let n = size(&shape);
    (0..n).map(move |i| {
        if shape.is_empty() {
            return x.ones_like();
        }
        let mut one_hot = Tensor::<f64>::zeros(&shape);
        one_hot.data_mut()[i] = 1.0;
        x.constant(one_hot)
    })
}
