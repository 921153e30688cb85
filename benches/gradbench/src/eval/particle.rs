//! A charged particle flies past two charges; where it lands is minimised. The acceleration is itself a gradient, so
//! derivatives are nested: the first letter of a function is the outer mode, the second the inner one.

use super::descent::{Real, argmin, forward, reverse};
use crate::json::number;
use crate::task::{Task, direct};
use autodiff::{DualN, Result, Value, grad};

/// 1/|x − a| for a charge at a = (10, y).
#[inline(always)] // Else a value with its derivatives returns through memory.
fn inverse_distance<R: Value>(x: &[R; 2], y: &R) -> R {
    x[0].shift(-10.0).square().plus(&x[1].minus(y).square()).sqrt().recip()
}

/// 1/|x − a₁| + 1/|x − a₂| for charges at (10, 10 − w) and (10, 0).
fn potential<R: Value>(x: &[R; 2], w: &R) -> R {
    inverse_distance(x, &w.sub_from(10.0)).plus(&inverse_distance(x, &w.zeros_like()))
}

/// How the acceleration is found, over a carrier.
trait Inner {
    fn slope<R: Real>(x: &[R; 2], w: &R) -> Result<[R; 2]>;
}

struct Forward;
struct Reverse;

impl Inner for Forward {
    fn slope<R: Real>(x: &[R; 2], w: &R) -> Result<[R; 2]> {
        Ok(potential(&DualN::variables(x.clone()), &DualN::constant_value(w.clone())).tangents())
    }
}

impl Inner for Reverse {
    fn slope<R: Real>(x: &[R; 2], w: &R) -> Result<[R; 2]> {
        let parts = grad(|v| potential(&[v[0], v[1]], &v[0].tape().constant(w.clone())), x)?;
        let [a, b] = &parts[..] else { unreachable!("two coordinates have two partials") };
        Ok([a.clone(), b.clone()])
    }
}

/// The square of where the particle lands.
fn landing<I: Inner, R: Real>(w: &R) -> Result<R> {
    let number = |c: f64| w.number(c);
    let (mut x, mut v) = ([number(0.0), number(8.0)], [number(0.75), number(0.0)]);
    let dt = 0.1;
    loop {
        let slope = I::slope(&x, w)?;
        for i in 0..2 {
            x[i] = x[i].plus(&v[i].scale(dt));
        }
        if x[1].primal() <= 0.0 {
            let left = x[1].over(&v[1]);
            return Ok(x[0].minus(&left.times(&v[0])).square());
        }
        for i in 0..2 {
            v[i] = v[i].minus(&slope[i].scale(dt));
        }
    }
}

pub(super) fn task(modes: &str, input: &serde_json::Value) -> crate::Result<Box<dyn Task>> {
    let w = number(input, "w")?;
    let run: fn([f64; 1]) -> Result<[f64; 1]> = match modes {
        "ff" => |start| argmin(|w| forward(|[w]| landing::<Forward, _>(w), w), start),
        "fr" => |start| argmin(|w| forward(|[w]| landing::<Reverse, _>(w), w), start),
        "rf" => |start| argmin(|w| reverse(|[w]| landing::<Forward, _>(w), w), start),
        _ => |start| argmin(|w| reverse(|[w]| landing::<Reverse, _>(w), w), start),
    };
    Ok(direct(move || Ok(run([w])?.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the particle lands, with the field written out: x'' = Σ (x − a)/|x − a|³.
    fn by_hand(w: f64) -> f64 {
        let (mut x, mut v) = ([0.0, 8.0_f64], [0.75, 0.0_f64]);
        loop {
            let mut force = [0.0; 2];
            for y in [10.0 - w, 0.0] {
                let r = (x[0] - 10.0_f64).hypot(x[1] - y);
                force[0] += (x[0] - 10.0) / r.powi(3);
                force[1] += (x[1] - y) / r.powi(3);
            }
            (0..2).for_each(|i| x[i] += 0.1 * v[i]);
            if x[1] <= 0.0 {
                return (x[0] - x[1] / v[1] * v[0]).powi(2);
            }
            (0..2).for_each(|i| v[i] += 0.1 * force[i]);
        }
    }

    #[test]
    fn landing_and_its_slope_in_all_modes() {
        for w in [0.0, 0.1, 0.3] {
            let slope = (by_hand(w + 1e-5) - by_hand(w - 1e-5)) / 2e-5;
            let all = [
                forward(|[w]| landing::<Forward, _>(w), &[w]),
                forward(|[w]| landing::<Reverse, _>(w), &[w]),
                reverse(|[w]| landing::<Forward, _>(w), &[w]),
                reverse(|[w]| landing::<Reverse, _>(w), &[w]),
            ];
            for (modes, found) in ["ff", "fr", "rf", "rr"].iter().zip(all) {
                let (value, [found]) = found.expect("it lands");
                assert!((value - by_hand(w)).abs() < 1e-9 * value, "{modes} at {w}: {value}");
                assert!((found - slope).abs() < 1e-6 * slope.abs(), "{modes} at {w}: {found}, {slope} by differences");
            }
        }
    }
}
