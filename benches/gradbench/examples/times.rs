//! Times the functions at GradBench's sizes, one thread, on inputs of its distributions (but `ht`, whose are files), and
//! prints a table: the first run, which compiles, the median of the others, and beside them the times of the best other tool
//! and of the hand-written C++ on the machine where the benchmark's page was made. That is another processor than yours: two
//! loops by hand, timed first, say how they compare.
//!
//! `cargo run --release -p hypertape-gradbench --example times -- [module …]`
#![forbid(unsafe_code)]

use hypertape_gradbench::{Result, eval};
use serde_json::{Value, json};
use std::time::Instant;

/// Module, its derivative, size, input, microseconds of the best automatic tool and of the hand-written derivative.
type Case = (&'static str, &'static str, String, Value, f64, f64);

/// A small generator of reproducible numbers: what is timed does not depend on their quality.
struct Numbers(u64);

impl Numbers {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn row(&mut self, n: usize, scale: f64) -> Vec<f64> {
        (0..n).map(|_| self.normal() * scale).collect()
    }

    fn rows(&mut self, n: usize, m: usize, scale: f64) -> Vec<Vec<f64>> {
        (0..n).map(|_| self.row(m, scale)).collect()
    }
}

fn cases() -> Vec<Case> {
    let mut r = Numbers(31337);
    let mut cases: Vec<Case> = Vec::new();
    for (d, k, best, manual) in [
        (2, 5, 130.0, 116.0),
        (2, 25, 477.0, 466.0),
        (10, 5, 324.0, 558.0),
        (10, 25, 1760.0, 2650.0),
        (32, 5, 863.0, 2500.0),
        (32, 25, 7370.0, 12_800.0),
        (64, 5, 2970.0, 7550.0),
        (64, 25, 22_400.0, 40_700.0),
    ] {
        let n = 1000;
        let input = json!({"d": d, "k": k, "n": n, "m": 0, "gamma": 1.0, "x": r.rows(n, d, 1.0), "alpha": r.row(k, 1.0),
            "mu": r.rows(k, d, 0.3), "q": r.rows(k, d, 1.0), "l": r.rows(k, d * (d - 1) / 2, 1.0)});
        cases.push(("gmm", "jacobian", format!("d={d} k={k}"), input, best, manual));
    }
    for (n, m, p, best, manual) in [
        (49, 7776, 31_843, 6650.0, 4280.0),
        (257, 65_132, 225_911, 61_800.0, 31_100.0),
        (1197, 126_327, 563_734, 122_000.0, 78_400.0),
    ] {
        let cam = [0.016, 0.013, -0.004, -0.03, -0.1, 1.1, 399.8, 0.02, -0.04, -3e-7, 5e-13];
        let input =
            json!({"n": n, "m": m, "p": p, "cam": cam, "x": [-0.6, 0.6, -1.9], "w": 0.5, "feat": [-332.7, 262.1]});
        cases.push(("ba", "jacobian", format!("p={p}"), input, best, manual));
    }
    for (l, c, best, manual) in [
        (2, 1024, 3190.0, 7740.0),
        (6, 1024, 9400.0, 61_400.0),
        (2, 4096, 15_800.0, 31_500.0),
        (6, 4096, 38_800.0, 245_000.0),
    ] {
        let b = 14;
        let input = json!({"main_params": r.rows(2 * l, 4 * b, 0.1), "extra_params": r.rows(3, b, 0.3),
            "state": r.rows(2 * l, b, 0.3), "sequence": r.rows(c, b, 0.5)});
        cases.push(("lstm", "jacobian", format!("l={l} c={c}"), input, best, manual));
    }
    for (k, n, best, manual) in
        [(10, 1000, 39.2, 22.6), (10, 10_000, 296.0, 236.0), (100, 1000, 202.0, 232.0), (100, 10_000, 3510.0, 2290.0)]
    {
        let input = json!({"points": r.rows(n, 8, 1.0), "centroids": r.rows(k, 8, 1.0)});
        cases.push(("kmeans", "dir", format!("k={k} n={n}"), input, best, manual));
    }
    for (n, best, manual) in [(16, 2.65, 3.13), (256, 41.1, 50.5), (4096, 667.0, 810.0), (16_392, 2670.0, 3280.0)] {
        cases.push(("llsq", "gradient", format!("n={n}"), json!({"x": r.row(128, 1.0), "n": n}), best, manual));
    }
    for (n, best, manual) in [(2500, 20.7, 9.05), (40_000, 79.2, 143.0), (1_280_000, 3510.0, 4690.0)] {
        cases.push(("lse", "gradient", format!("n={n}"), json!({"x": r.row(n, 1.0)}), best, manual));
    }
    for (l, best, manual) in [(5, 2.07, 3.6), (7, 75.6, 214.0), (9, 5710.0, 19_000.0), (10, 58_800.0, 214_000.0)] {
        cases.push(("det", "gradient", format!("{l}"), json!({"A": r.row(l * l, 1.0), "ell": l}), best, manual));
    }
    for (n, s, best) in [(1000, 10, 30.7), (1000, 100, 275.0), (10_000, 10, 326.0), (10_000, 100, 5990.0)] {
        let input = json!({"x": r.row(n, 1.0), "s": s});
        cases.push(("ode", "gradient", format!("n={n} s={s}"), input, best, f64::NAN));
    }
    for (modes, best) in [("ff", 680.0), ("fr", 2330.0), ("rf", 1130.0), ("rr", 6680.0)] {
        cases.push(("particle", modes, modes.to_owned(), json!({"w": 0.0}), best, f64::NAN));
    }
    for modes in ["ff", "fr", "rf", "rr"] {
        cases.push(("saddle", modes, modes.to_owned(), json!({"start": [1.0, 1.0]}), f64::NAN, f64::NAN));
    }
    cases
}

/// The gradient of `llsq` as it is written by hand.
fn llsq_by_hand(x: &[f64], n: usize) -> Vec<f64> {
    let mut gradient = vec![0.0; x.len()];
    for i in 0..n {
        let t = 2.0 * i as f64 / (n - 1) as f64 - 1.0;
        let (mut residual, mut power) = (if t == 0.0 { 0.0 } else { t.signum() }, 1.0);
        for x in x {
            residual -= x * power;
            power *= t;
        }
        let mut part = -residual;
        for g in &mut gradient {
            *g += part;
            part *= t;
        }
    }
    gradient
}

/// The gradient of `lse` as it is written by hand.
fn lse_by_hand(x: &[f64]) -> Vec<f64> {
    let most = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let mut gradient: Vec<f64> = x.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = gradient.iter().sum();
    gradient.iter_mut().for_each(|g| *g /= sum);
    gradient
}

/// What hand-written loops take here and took there: how much of a ratio is the machine (and its compiler).
fn machines(cases: &[Case]) -> Result<()> {
    for (module, size) in [("llsq", "n=4096"), ("lse", "n=40000")] {
        let case = cases.iter().find(|case| case.0 == module && case.2 == size).ok_or("no such case")?;
        let (input, there) = (&case.3, case.5);
        let x: Vec<f64> = serde_json::from_value(input["x"].clone())?;
        let run = || match module {
            "llsq" => llsq_by_hand(std::hint::black_box(&x), 4096),
            _ => lse_by_hand(std::hint::black_box(&x)),
        };
        let mut task = eval::task(module, case.1, input)?;
        task.run()?;
        let ours: Vec<f64> = serde_json::from_value(task.output()?)?;
        let same = ours.iter().zip(run()).all(|(a, b)| (a - b).abs() <= 1e-9 * (1.0 + b.abs()));
        assert!(same, "{module}: the gradient by hand is another one");
        let here = median((0..200).map(|_| micros(|| std::hint::black_box(run())).0).collect());
        println!("by hand: {module} {size}: {here:.0} µs here, {there:.0} µs there, ratio {:.2}", here / there);
    }
    Ok(())
}

/// Microseconds of a run.
fn micros<R>(f: impl FnOnce() -> R) -> (f64, R) {
    let start = Instant::now();
    let result = f();
    (start.elapsed().as_secs_f64() * 1e6, result)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Microseconds of the first run, and the median of the others.
fn time(module: &str, function: &str, input: &Value) -> Result<(f64, f64)> {
    let mut task = eval::task(module, function, input)?;
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < 4 || (begin.elapsed().as_secs_f64() < 0.5 && times.len() < 100_000) {
        let (time, done) = micros(|| task.run());
        done?;
        times.push(time);
    }
    Ok((times.remove(0), median(times)))
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let cases = cases();
    machines(&cases)?;
    println!(
        "{:<9} {:<14} {:>12} {:>12} {:>12} {:>12} {:>7} {:>12} {:>7}",
        "module", "size", "function", "first run", "derivative", "best tool", "ratio", "manual", "ratio"
    );
    for (module, function, size, input, best, manual) in cases {
        if !wanted.is_empty() && !wanted.iter().any(|w| w == module) {
            continue;
        }
        let primal = match module {
            "gmm" | "ba" | "lstm" | "ht" => "objective",
            "kmeans" => "cost",
            "particle" | "saddle" => "",
            _ => "primal",
        };
        let (first, others) = time(module, function, &input)?;
        let value = if primal.is_empty() { f64::NAN } else { time(module, primal, &input)?.1 };
        let show = |t: f64| if t.is_nan() { "–".to_owned() } else { format!("{t:.1} µs") };
        let ratio = |to: f64| if to.is_nan() { "–".to_owned() } else { format!("{:.2}", others / to) };
        println!(
            "{module:<9} {size:<14} {:>12} {:>12} {:>12} {:>12} {:>7} {:>12} {:>7}",
            show(value),
            show(first),
            show(others),
            show(best),
            ratio(best),
            show(manual),
            ratio(manual)
        );
    }
    Ok(())
}
