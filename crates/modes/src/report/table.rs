//! A table for the terminal.

use crate::bench::Bench;
use crate::mode::Mode;
use std::fmt::Write as _;

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

fn bytes(count: usize) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// The measurements, function by function and size by size, and where modes cross.
pub fn table(bench: &Bench) -> String {
    let mut text = String::new();
    for row in &bench.rows {
        if row.mode == Mode::Primal {
            let _ = writeln!(text, "\n{}: {} → {}", row.function, row.n, row.m);
            let _ = writeln!(
                text,
                "  {:<12} {:<22} {:>5} {:>10} {:>7} {:>9} {:>8} {:>6} {:>12} {:>10}",
                "what", "how", "dirs", "median", "spread", "× primal", "theory", "ops", "flops", "peak"
            );
        }
        let task = row.task.name();
        let predicted = row.predicted.map_or_else(|| "–".to_owned(), |p| format!("≤ {p}"));
        let _ = writeln!(
            text,
            "  {:<12} {:<22} {:>5} {:>10} {:>6.0}% {:>9.2} {:>8} {:>6} {:>12} {:>10}",
            task,
            row.mode.name(),
            row.directions,
            time(row.seconds.median),
            100.0 * row.seconds.spread(),
            row.multiple,
            predicted,
            row.ops,
            row.flops,
            bytes(row.peak_bytes),
        );
    }
    if !bench.crossings.is_empty() {
        let _ = writeln!(text, "\nwhere modes cross");
        for c in &bench.crossings {
            let task = c.task.name();
            let (below, above) = (c.below.name(), c.above.name());
            let _ = writeln!(text, "  {}, {task}: {below} up to n ≈ {:.0}, then {above}", c.function, c.n);
        }
    }
    text
}
