//! Gradient descent with a step size that grows and shrinks, as `particle` and `saddle` use it, over any carrier: so it
//! can itself be differentiated through.

use autodiff::{Dual, DualN, Result, Value, Var};

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

fn norm<R: Real>(x: &[R]) -> f64 {
    x.iter().map(|x| x.primal() * x.primal()).sum::<f64>().sqrt()
}

/// The point where descent along `gradient` from `start` stops, for a function `f`.
pub(super) fn argmin<R: Real>(
    f: impl Fn(&[R]) -> Result<R>,
    gradient: impl Fn(&[R]) -> Result<Vec<R>>,
    start: &[R],
) -> Result<Vec<R>> {
    let mut x = start.to_vec();
    let mut fx = f(&x)?.primal();
    let mut g = gradient(&x)?;
    let (mut steps, mut rate) = (0, 1e-5);
    loop {
        if norm(&g) <= 1e-5 {
            return Ok(x);
        }
        if steps == 10 {
            rate *= 2.0;
            steps = 0;
            continue;
        }
        let next: Vec<R> = x.iter().zip(&g).map(|(x, g)| x.minus(&g.scale(rate))).collect();
        let moved: Vec<f64> = x.iter().zip(&next).map(|(a, b)| a.primal() - b.primal()).collect();
        if norm(&moved) <= 1e-5 {
            return Ok(x);
        }
        let value = f(&next)?.primal();
        if value < fx {
            (x, fx) = (next, value);
            g = gradient(&x)?;
            steps += 1;
        } else {
            rate /= 2.0;
            steps = 0;
        }
    }
}
