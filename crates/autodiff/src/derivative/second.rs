//! Second derivatives: forward over reverse.

use super::first::reverse;
use super::jacobian::basis;
use super::{Failure, expect_fit, ours};
use crate::dual::Dual;
use crate::dual_n::DualN;
use crate::error::Result;
use crate::program::Disconnected;
use crate::shape::Shape;
use crate::value::Value;
use crate::var::Var;
use std::array::from_fn;
use std::convert::Infallible;

/// The Hessian-vector product `∇²f(x)·v` of a scalar function, forward over reverse: a tape of [`Dual`]s.
///
/// ```
/// use autodiff::hvp;
/// // f = x²y: ∇²f = [[2y, 2x], [2x, 0]]
/// let h = hvp(|x| x[0] * x[0] * x[1], &[3.0, 5.0], &[1.0, 0.0])?;
/// assert_eq!(h, [10.0, 6.0]);
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// Time: about twice that of [`grad`](crate::grad), independent of the number of inputs; memory: twice.
///
/// # Errors
/// [`Error::Disconnected`](crate::Error::Disconnected) if an input does not reach the result; [`Error::NotScalar`](crate::Error::NotScalar) if it is an array;
/// [`Error::Count`](crate::Error::Count) or [`Error::Input`](crate::Error::Input) if the direction does not fit the inputs.
pub fn hvp<V: Value, F>(f: F, x: &[V], direction: &[V]) -> Result<Vec<V>>
where
    F: for<'t> FnOnce(&[Var<'t, Dual<V>>]) -> Var<'t, Dual<V>>,
{
    try_hvp(|x| Ok::<_, Infallible>(f(x)), x, direction)
}

/// [`hvp`] of a closure that can fail.
///
/// # Errors
/// As [`hvp`], and [`Error::Closure`](crate::Error::Closure) if the closure fails.
pub fn try_hvp<V: Value, E: Failure, F>(f: F, x: &[V], direction: &[V]) -> Result<Vec<V>>
where
    F: for<'t> FnOnce(&[Var<'t, Dual<V>>]) -> std::result::Result<Var<'t, Dual<V>>, E>,
{
    expect_fit("direction", direction, x)?;
    let inputs: Vec<Dual<V>> = x.iter().zip(direction).map(|(x, v)| Dual::new(x.clone(), v.clone())).collect();
    let (_, gradient) = reverse(|x| ours(f(x)), &inputs, Disconnected::Error)?;
    Ok(gradient.iter().map(Dual::tangent).collect())
}

fn tangent<V: Value>(g: &DualN<V, WIDTH>, k: usize) -> V {
    g.tangent_part(k).cloned().unwrap_or_else(|| g.value().zeros_like())
}

/// Directions per pass of the Hessian.
const WIDTH: usize = 8;

/// The Hessian of a scalar function, in blocks: `hessian[i][j]` holds the derivatives by inputs `i` and `j`, in the
/// shape of the one followed by that of the other (for scalars, a number).
///
/// Forward over reverse, eight directions at a time: the closure runs `⌈n/8⌉` times for `n` input elements.
///
/// ```
/// use autodiff::hessian;
/// let h = hessian(|x| x[0] * x[0] * x[1], &[3.0, 5.0])?;
/// assert_eq!(h, [[10.0, 6.0], [6.0, 0.0]]);
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// # Errors
/// As [`hvp`].
pub fn hessian<V: Value, F>(f: F, x: &[V]) -> Result<Vec<Vec<V>>>
where
    F: for<'t> Fn(&[Var<'t, DualN<V, 8>>]) -> Var<'t, DualN<V, 8>>,
{
    try_hessian(|x| Ok::<_, Infallible>(f(x)), x)
}

/// [`hessian`] of a closure that can fail.
///
/// # Errors
/// As [`hvp`], and [`Error::Closure`](crate::Error::Closure) if the closure fails.
pub fn try_hessian<V: Value, E: Failure, F>(f: F, x: &[V]) -> Result<Vec<Vec<V>>>
where
    F: for<'t> Fn(&[Var<'t, DualN<V, 8>>]) -> std::result::Result<Var<'t, DualN<V, 8>>, E>,
{
    // All directions: which input, and where in it.
    let directions: Vec<(usize, V)> =
        x.iter().enumerate().flat_map(|(j, x)| basis(x).map(move |t| (j, t)).collect::<Vec<_>>()).collect();
    // columns[j]: for each direction of input j, the derivative of the whole gradient.
    let mut columns: Vec<Vec<Vec<V>>> = vec![Vec::new(); x.len()];
    for chunk in directions.chunks(WIDTH) {
        let tangents = |i: usize| -> [Option<V>; WIDTH] {
            from_fn(|k| chunk.get(k).filter(|(j, _)| *j == i).map(|(_, t)| t.clone()))
        };
        let inputs: Vec<DualN<V, WIDTH>> =
            x.iter().enumerate().map(|(i, x)| DualN::from_parts(x.clone(), tangents(i))).collect();
        let (_, gradient) = reverse(|x| ours(f(x)), &inputs, Disconnected::Error)?;
        for (k, (j, _)) in chunk.iter().enumerate() {
            columns[*j].push(gradient.iter().map(|g| tangent(g, k)).collect());
        }
    }
    let block = |i: usize, j: usize| {
        let entries: Vec<&V> = columns[j].iter().map(|column| &column[i]).collect();
        let (rows, cols) = (x[i].shape(), x[j].shape());
        if V::SCALAR {
            return entries[0].clone();
        }
        let order: Vec<usize> = (1..=rows.len()).chain([0]).collect();
        let shape: Shape = rows.iter().chain(&cols).copied().collect();
        if entries.is_empty() {
            x[i].zeros_like().sum_all().broadcast_to(&shape)
        } else {
            V::stack(&entries, 0).permute(&order).reshape(&shape)
        }
    };
    Ok((0..x.len()).map(|i| (0..x.len()).map(|j| block(i, j)).collect()).collect())
}
