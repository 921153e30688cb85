//! Gradient descent with a step size that grows and shrinks, as `particle` and `saddle` use it, over any carrier: so it
//! can itself be differentiated through.

use autodiff::{Dual, DualN, Result, Value, Var, try_value_and_grad};
use std::array::from_fn;

/// A number whose value can be looked at, below all its derivatives.
pub(super) trait Real: Value {
    /// The value.
    fn primal(&self) -> f64;

    /// A number that is not differentiated.
    fn number(&self, c: f64) -> Self {
        self.fill(c)
    }
}

impl Real for f64 {
    fn primal(&self) -> f64 {
        *self
    }
}

impl<V: Real> Real for Dual<V> {
    fn primal(&self) -> f64 {
        self.value().primal()
    }
}

impl<V: Real, const N: usize> Real for DualN<V, N> {
    fn primal(&self) -> f64 {
        self.value().primal()
    }
}

impl<V: Real> Real for Var<'_, V> {
    fn primal(&self) -> f64 {
        self.value().primal()
    }
}

fn norm(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|x| x * x).sum::<f64>().sqrt()
}

/// The point where descent from `start` stops, for a function that gives its value and its gradient at once: every step
/// that is taken needs both, and few are not taken.
pub(super) fn argmin<R: Real, const N: usize>(
    f: impl Fn(&[R; N]) -> Result<(f64, [R; N])>,
    start: [R; N],
) -> Result<[R; N]> {
    let mut x = start;
    let (mut fx, mut g) = f(&x)?;
    let (mut steps, mut rate) = (0, 1e-5);
    loop {
        if norm(g.iter().map(R::primal)) <= 1e-5 {
            return Ok(x);
        }
        if steps == 10 {
            rate *= 2.0;
            steps = 0;
            continue;
        }
        let next: [R; N] = from_fn(|i| x[i].minus(&g[i].scale(rate)));
        if norm(x.iter().zip(&next).map(|(a, b)| a.primal() - b.primal())) <= 1e-5 {
            return Ok(x);
        }
        let (value, slope) = f(&next)?;
        if value < fx {
            (x, fx, g) = (next, value, slope);
            steps += 1;
        } else {
            rate /= 2.0;
            steps = 0;
        }
    }
}

/// Value and gradient by reverse mode.
pub(super) fn reverse<R: Real, const N: usize>(
    f: impl for<'t> Fn(&[Var<'t, R>; N]) -> Result<Var<'t, R>>,
    x: &[R; N],
) -> Result<(f64, [R; N])> {
    let (value, gradient) = try_value_and_grad(|x| f(x.try_into().expect("as many variables as numbers")), x)?;
    Ok((value.primal(), from_fn(|i| gradient[i].clone())))
}

/// Value and gradient by forward mode, all directions in one pass.
pub(super) fn forward<R: Real, const N: usize>(
    f: impl Fn(&[DualN<R, N>; N]) -> Result<DualN<R, N>>,
    x: &[R; N],
) -> Result<(f64, [R; N])> {
    let y = f(&DualN::variables(x.clone()))?;
    Ok((y.primal(), y.tangents()))
}
