//! First derivatives: gradient, JVP, VJP.

use super::{Failure, expect_fit, expect_scalar, ours};
use crate::error::{Error, Result};
use crate::program::Disconnected;
use crate::tape::Tape;
use crate::value::Value;
use crate::var::Var;
use std::convert::Infallible;

/// `f'(x)` of a function of one scalar.
///
/// ```
/// use autodiff::{Value, derivative};
/// assert_eq!(derivative(|x| x.sin() * x, 0.5)?, 0.5_f64.cos() * 0.5 + 0.5_f64.sin());
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Disconnected`] if the result does not depend on `x`; [`Error::NotScalar`] if it is an array.
pub fn derivative<V: Value, F>(f: F, x: V) -> Result<V>
where
    F: for<'t> FnOnce(Var<'t, V>) -> Var<'t, V>,
{
    try_derivative(|x| Ok::<_, Infallible>(f(x)), x)
}

/// [`derivative`] of a closure that can fail.
///
/// # Errors
/// As [`derivative`], and [`Error::Closure`] if the closure fails.
pub fn try_derivative<V: Value, E: Failure, F>(f: F, x: V) -> Result<V>
where
    F: for<'t> FnOnce(Var<'t, V>) -> std::result::Result<Var<'t, V>, E>,
{
    let (_, mut gradient) = reverse(|x| ours(f(x[0])), &[x], Disconnected::Error)?;
    Ok(gradient.swap_remove(0))
}

/// The gradient of a scalar function of several inputs, one part per input, in its shape.
///
/// ```
/// use autodiff::{Tensor, Value, grad};
/// // Scalars in a slice…
/// assert_eq!(grad(|x| x[0] * x[1] + x[1].ln(), &[3.0, 2.0])?, [2.0, 3.5]);
/// // …or arrays.
/// let x = Tensor::from_rows([[1.0, 2.0], [3.0, 4.0]]);
/// let g = grad(|w| (&x * w[0]).square().sum_all(), &[Tensor::from([1.0, 1.0])])?;
/// assert_eq!(g[0].data(), [20.0, 40.0]);
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// Time: the recorded computation and one reverse sweep, together about 3 to 5 evaluations; memory: every
/// intermediate value (for scalars, 24 bytes an operation).
///
/// # Errors
/// [`Error::Disconnected`] if an input does not reach the result ([`grad_or_zeros`] gives zeros there, on purpose);
/// [`Error::NotScalar`] if the result is an array.
pub fn grad<V: Value, F>(f: F, x: &[V]) -> Result<Vec<V>>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> Var<'t, V>,
{
    Ok(value_and_grad(f, x)?.1)
}

/// [`grad`] of a closure that can fail.
///
/// # Errors
/// As [`grad`], and [`Error::Closure`] if the closure fails.
pub fn try_grad<V: Value, E: Failure, F>(f: F, x: &[V]) -> Result<Vec<V>>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> std::result::Result<Var<'t, V>, E>,
{
    Ok(try_value_and_grad(f, x)?.1)
}

/// [`grad`], with zeros for inputs that do not reach the result.
///
/// # Errors
/// [`Error::NotScalar`] if the result is an array.
pub fn grad_or_zeros<V: Value, F>(f: F, x: &[V]) -> Result<Vec<V>>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> Var<'t, V>,
{
    Ok(reverse(|x| Ok(f(x)), x, Disconnected::Zeros)?.1)
}

/// The value and the gradient of a scalar function.
///
/// # Errors
/// As [`grad`].
pub fn value_and_grad<V: Value, F>(f: F, x: &[V]) -> Result<(V, Vec<V>)>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> Var<'t, V>,
{
    reverse(|x| Ok(f(x)), x, Disconnected::Error)
}

/// [`value_and_grad`] of a closure that can fail.
///
/// # Errors
/// As [`grad`], and [`Error::Closure`] if the closure fails.
pub fn try_value_and_grad<V: Value, E: Failure, F>(f: F, x: &[V]) -> Result<(V, Vec<V>)>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> std::result::Result<Var<'t, V>, E>,
{
    reverse(|x| ours(f(x)), x, Disconnected::Error)
}

pub(super) fn reverse<V: Value, F>(f: F, x: &[V], disconnected: Disconnected) -> Result<(V, Vec<V>)>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> Result<Var<'t, V>>,
{
    Tape::scope(|tape| {
        let vars = tape.vars(x);
        let y = f(&vars)?;
        let value = y.value();
        expect_scalar(value.shape())?;
        Ok((value, tape.gradient(y, &vars, x, disconnected)?))
    })
}

/// The Jacobian-vector product: the outputs, and their derivatives in the direction `tangents`.
///
/// One forward sweep over what the closure recorded. For forward mode without a tape, call a function that is generic
/// over [`Value`] with [`Dual`](crate::Dual)s.
///
/// ```
/// use autodiff::jvp;
/// let (y, t) = jvp(|x| vec![x[0] * x[1], x[0] + x[1]], &[3.0, 4.0], &[1.0, 0.0])?;
/// assert_eq!((y, t), (vec![12.0, 7.0], vec![4.0, 1.0]));
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Disconnected`] if an output depends on none of the inputs; [`Error::Count`] or [`Error::Input`] if the
/// tangents do not fit the inputs.
pub fn jvp<V: Value, F>(f: F, x: &[V], tangents: &[V]) -> Result<(Vec<V>, Vec<V>)>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> Vec<Var<'t, V>>,
{
    try_jvp(|x| Ok::<_, Infallible>(f(x)), x, tangents)
}

/// [`jvp`] of a closure that can fail.
///
/// # Errors
/// As [`jvp`], and [`Error::Closure`] if the closure fails.
pub fn try_jvp<V: Value, E: Failure, F>(f: F, x: &[V], tangents: &[V]) -> Result<(Vec<V>, Vec<V>)>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> std::result::Result<Vec<Var<'t, V>>, E>,
{
    expect_fit("tangent", tangents, x)?;
    Tape::scope(|tape| {
        let vars = tape.vars(x);
        let outputs = ours(f(&vars))?;
        let seeds: Vec<_> = vars.into_iter().zip(tangents.iter().cloned()).collect();
        let parts = tape.jvp(&seeds, &outputs);
        let values: Vec<V> = outputs.iter().map(Var::value).collect();
        let inputs = || (0..x.len()).collect();
        let tangents = parts.into_iter().enumerate();
        let tangents: Result<Vec<V>> =
            tangents.map(|(output, t)| t.ok_or_else(|| Error::Disconnected { inputs: inputs(), output })).collect();
        Ok((values, tangents?))
    })
}

/// The vector-Jacobian product: the outputs, and the cotangents of the inputs for given cotangents of the outputs.
///
/// ```
/// use autodiff::vjp;
/// let (y, c) = vjp(|x| vec![x[0] * x[1], x[0] + x[1]], &[3.0, 4.0], &[1.0, 10.0])?;
/// assert_eq!((y, c), (vec![12.0, 7.0], vec![14.0, 13.0]));
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Disconnected`] if an input reaches none of the outputs; [`Error::Count`] or [`Error::Input`] if the
/// cotangents do not fit the outputs.
pub fn vjp<V: Value, F>(f: F, x: &[V], cotangents: &[V]) -> Result<(Vec<V>, Vec<V>)>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> Vec<Var<'t, V>>,
{
    try_vjp(|x| Ok::<_, Infallible>(f(x)), x, cotangents)
}

/// [`vjp`] of a closure that can fail.
///
/// # Errors
/// As [`vjp`], and [`Error::Closure`] if the closure fails.
pub fn try_vjp<V: Value, E: Failure, F>(f: F, x: &[V], cotangents: &[V]) -> Result<(Vec<V>, Vec<V>)>
where
    F: for<'t> FnOnce(&[Var<'t, V>]) -> std::result::Result<Vec<Var<'t, V>>, E>,
{
    Tape::scope(|tape| {
        let vars = tape.vars(x);
        let outputs = ours(f(&vars))?;
        let values: Vec<V> = outputs.iter().map(Var::value).collect();
        expect_fit("cotangent", cotangents, &values)?;
        let seeds: Vec<_> = outputs.into_iter().zip(cotangents.iter().cloned()).collect();
        Ok((values, Disconnected::Error.resolve(tape.vjp(&seeds, &vars), x, 0..)?))
    })
}
