//! Ratios that survive a noisy machine: both sides in turn, medians of the pairs.

use std::time::Instant;

fn seconds(f: &mut dyn FnMut()) -> f64 {
    let started = Instant::now();
    f();
    started.elapsed().as_secs_f64()
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

/// Runs both in turn, a few hundred times, and prints the median of each and of the ratio of neighbours.
pub(crate) fn ratio(name: &str, limit: &str, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> f64 {
    let rounds = if std::env::args().any(|a| a == "--quick" || a == "--test") { 20 } else { 400 };
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        pairs.push((seconds(&mut ours), seconds(&mut theirs)));
    }
    let (a, b) = (median(pairs.iter().map(|p| p.0).collect()), median(pairs.iter().map(|p| p.1).collect()));
    let ratio = median(pairs.iter().map(|p| p.0 / p.1).collect());
    println!("{name:56} {:>9.2} µs {:>9.2} µs   ratio {ratio:.3} (asked: {limit})", a * 1e6, b * 1e6);
    ratio
}
