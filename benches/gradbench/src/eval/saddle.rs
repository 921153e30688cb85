//! min over p of max over q of (p₀² + p₁²) − (q₀² + q₁²), differentiated through the inner descent: the first letter of
//! a function is the mode of the outer derivative, the second that of the inner one.

use super::descent::{Real, argmin, forward, reverse};
use crate::json::tensor;
use crate::task::{Task, direct};
use autodiff::{DualN, Result, Value};

fn objective<R: Value>(p: &[R; 2], q: &[R; 2]) -> R {
    p[0].square().plus(&p[1].square()).minus(&q[0].square().plus(&q[1].square()))
}

/// The q that maximises, by descent on −f, with the inner mode.
fn best_response<R: Real>(inner_reverse: bool, p: &[R; 2], start: [f64; 2]) -> Result<[R; 2]> {
    let start = start.map(|q| p[0].number(q));
    if inner_reverse {
        argmin(|q| reverse(|q| Ok(-objective(&p.clone().map(|p| q[0].tape().constant(p)), q)), q), start)
    } else {
        let p = p.clone().map(DualN::constant_value);
        argmin(|q| forward(|q| Ok(-objective(&p, q)), q), start)
    }
}

fn saddle(outer_reverse: bool, inner_reverse: bool, start: [f64; 2]) -> Result<Vec<f64>> {
    fn worst<R: Real>(p: &[R; 2], inner_reverse: bool, start: [f64; 2]) -> Result<R> {
        Ok(objective(p, &best_response(inner_reverse, p, start)?))
    }
    let p = if outer_reverse {
        argmin(|p| reverse(|p| worst(p, inner_reverse, start), p), start)?
    } else {
        argmin(|p| forward(|p| worst(p, inner_reverse, start), p), start)?
    };
    let q = best_response(inner_reverse, &p, start)?;
    Ok([p, q].concat())
}

pub(super) fn task(modes: &str, input: &serde_json::Value) -> crate::Result<Box<dyn Task>> {
    let start = tensor(input, "start")?;
    let start: [f64; 2] =
        start.data().try_into().map_err(|_| format!("saddle: `start` has {} numbers, not 2", start.len()))?;
    let (outer, inner) = (modes.starts_with('r'), modes.ends_with('r'));
    Ok(direct(move || Ok(saddle(outer, inner, start)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_through_the_inner_descent_in_all_modes() {
        // The descent towards q = 0 does not depend on p, so that the slope is the one of p₀² + p₁².
        let p = [0.7, -0.3];
        for inner in [false, true] {
            let found = [
                forward(|p| Ok(objective(p, &best_response(inner, p, [1.0, 1.0])?)), &p),
                reverse(|p| Ok(objective(p, &best_response(inner, p, [1.0, 1.0])?)), &p),
            ];
            for found in found {
                let (value, slope) = found.expect("it descends");
                assert!((value - 0.58).abs() < 1e-4, "{value}");
                assert!((slope[0] - 1.4).abs() < 1e-12 && (slope[1] + 0.6).abs() < 1e-12, "{slope:?}");
            }
        }
    }
}
