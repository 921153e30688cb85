//! min over p of max over q of (p₀² + p₁²) − (q₀² + q₁²), differentiated through the inner descent: the first letter of
//! a function is the mode of the outer derivative, the second that of the inner one.

use super::descent::{Real, argmin};
use crate::json::tensor;
use crate::task::{Task, direct};
use autodiff::{DualN, Result, Value, Var, try_grad};

fn objective<R: Value>(p: &[R], q: &[R]) -> R {
    p[0].square().plus(&p[1].square()).minus(&q[0].square().plus(&q[1].square()))
}

/// A number with its derivatives along both coordinates.
type Both<R> = DualN<R, 2>;

/// A gradient by forward mode.
fn forward<R: Real>(f: impl Fn(&[Both<R>]) -> Result<Both<R>>, x: &[R]) -> Result<Vec<R>> {
    let [a, b] = x else { unreachable!("`task` takes points of two coordinates") };
    Ok(Vec::from(f(&Both::variables([a.clone(), b.clone()]))?.tangents()))
}

/// The q that maximises, by descent on −f, with the inner mode.
fn best_response<R: Real>(reverse: bool, p: &[R], start: &[f64]) -> Result<Vec<R>> {
    let start: Vec<R> = start.iter().map(|&q| p[0].number(q)).collect();
    let value = |q: &[R]| Ok(-objective(p, q));
    if reverse {
        let gradient = |q: &[R]| {
            try_grad(
                |q| {
                    let p: Vec<_> = p.iter().map(|p| q[0].tape().constant(p.clone())).collect();
                    Ok::<_, autodiff::Error>(-objective(&p, q))
                },
                q,
            )
        };
        argmin(value, gradient, &start)
    } else {
        let gradient = |q: &[R]| {
            let p: Vec<Both<R>> = p.iter().cloned().map(Both::constant_value).collect();
            forward(|q| Ok(-objective(&p, q)), q)
        };
        argmin(value, gradient, &start)
    }
}

fn saddle(outer_reverse: bool, inner_reverse: bool, start: &[f64]) -> Result<Vec<f64>> {
    fn worst<R: Real>(p: &[R], inner_reverse: bool, start: &[f64]) -> Result<R> {
        Ok(objective(p, &best_response(inner_reverse, p, start)?))
    }
    let value = |p: &[f64]| worst(p, inner_reverse, start);
    let p = if outer_reverse {
        argmin(value, |p| try_grad(|p: &[Var<'_, f64>]| worst(p, inner_reverse, start), p), start)?
    } else {
        argmin(value, |p| forward(|p| worst(p, inner_reverse, start), p), start)?
    };
    let q = best_response(inner_reverse, &p, start)?;
    Ok([p, q].concat())
}

pub(super) fn task(modes: &str, input: &serde_json::Value) -> crate::Result<Box<dyn Task>> {
    let start = tensor(input, "start")?.data().to_vec();
    if start.len() != 2 {
        return Err(format!("saddle: `start` has {} numbers, not 2", start.len()).into());
    }
    let (outer, inner) = (modes.starts_with('r'), modes.ends_with('r'));
    Ok(direct(move || Ok(saddle(outer, inner, &start)?)))
}
