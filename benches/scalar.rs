//! Scalar modes: the eager tape against `echidna`'s, duals against hand-written code, on Rosenbrock's function.
//!
//! `cargo bench --bench scalar` prints criterion's report, then the ratios of both sides measured in turn.

use autodiff::{Dual, DualN, Tape, Value, Var, grad, hvp};
use criterion::{Criterion, criterion_group};
use std::hint::black_box;

#[path = "support/side_by_side.rs"]
mod side_by_side;
use side_by_side::ratio;

const N: usize = 1000;

/// The same source text for every type that has operators.
macro_rules! rosenbrock {
    ($x:expr) => {{
        let x = $x;
        let mut sum = (1.0 - x[0]) * 0.0;
        for i in 0..x.len() - 1 {
            let a = 1.0 - x[i];
            let b = x[i + 1] - x[i] * x[i];
            sum = sum + a * a + 100.0 * b * b;
        }
        sum
    }};
}

fn ours<'t, V: Value>(x: &[Var<'t, V>]) -> Var<'t, V> {
    rosenbrock!(x)
}

fn dual(x: &[Dual<f64>]) -> Dual<f64> {
    rosenbrock!(x)
}

fn dual_8(x: &[DualN<f64, 8>]) -> DualN<f64, 8> {
    rosenbrock!(x)
}

/// Value and tangents, each operation written out.
fn by_hand<const K: usize>(x: &[(f64, [f64; K])]) -> (f64, [f64; K]) {
    let mut sum = (0.0, [0.0; K]);
    for i in 0..x.len() - 1 {
        let ((x0, t0), (x1, t1)) = (&x[i], &x[i + 1]);
        let a = 1.0 - x0;
        let b = x1 - x0 * x0;
        sum.0 = sum.0 + a * a + 100.0 * b * b;
        for k in 0..K {
            let da = -t0[k];
            let db = t1[k] - (x0 * t0[k] + x0 * t0[k]);
            sum.1[k] = sum.1[k] + (a * da + a * da) + (100.0 * b * db + 100.0 * db * b);
        }
    }
    sum
}

fn point() -> Vec<f64> {
    (0..N).map(|i| (i as f64 * 0.37).sin()).collect()
}

fn direction() -> Vec<f64> {
    (0..N).map(|i| (i as f64 * 0.11).cos()).collect()
}

fn gradient(c: &mut Criterion) {
    let (x, v) = (point(), direction());
    let mut group = c.benchmark_group("rosenbrock_1000");
    group.bench_function("value", |b| b.iter(|| rosenbrock!(black_box(&x[..]))));
    group.bench_function("record", |b| {
        b.iter(|| {
            Tape::scope(|tape| {
                let vars: Vec<_> = black_box(&x).iter().map(|&x| tape.var(x)).collect();
                ours(&vars).value()
            })
        });
    });
    group.bench_function("grad", |b| b.iter(|| grad(ours, black_box(&x))));
    group.bench_function("grad/echidna", |b| b.iter(|| echidna::grad(|x| rosenbrock!(x), black_box(&x))));
    group.bench_function("hvp", |b| b.iter(|| hvp(ours, black_box(&x), &v)));
    group.bench_function("hvp/echidna", |b| b.iter(|| echidna::hvp(|x| rosenbrock!(x), black_box(&x), &v)));
    group.finish();
}

fn ratios() {
    let (x, v) = (point(), direction());
    let operations = Tape::scope(|tape| {
        let vars: Vec<_> = x.iter().map(|&x| tape.var(x)).collect();
        ours(&vars);
        tape.len() - N
    });
    println!("\nRosenbrock, n = {N}, {operations} operations; ours, theirs, median ratio of neighbours");
    ratio(
        "grad: record and sweep / echidna grad",
        "0.35",
        || drop(black_box(grad(ours, black_box(&x)))),
        || drop(black_box(echidna::grad(|x| rosenbrock!(x), black_box(&x)))),
    );
    ratio(
        "hvp, forward over reverse / echidna tape hvp",
        "0.35",
        || drop(black_box(hvp(ours, black_box(&x), &v))),
        || drop(black_box(echidna::hvp(|x| rosenbrock!(x), black_box(&x), &v))),
    );
    let duals: Vec<Dual<f64>> = x.iter().zip(&v).map(|(&x, &v)| Dual::new(x, v)).collect();
    let pairs: Vec<(f64, [f64; 1])> = x.iter().zip(&v).map(|(&x, &v)| (x, [v])).collect();
    ratio(
        "Dual<f64> / by hand",
        "1.5",
        || {
            black_box(dual(black_box(&duals)));
        },
        || {
            black_box(by_hand(black_box(&pairs)));
        },
    );
    let lanes = |v: f64| std::array::from_fn(|k| v + k as f64);
    let duals: Vec<DualN<f64, 8>> = x.iter().zip(&v).map(|(&x, &v)| DualN::new(x, lanes(v))).collect();
    let pairs: Vec<(f64, [f64; 8])> = x.iter().zip(&v).map(|(&x, &v)| (x, lanes(v))).collect();
    ratio(
        "DualN<f64, 8> / by hand",
        "1.5",
        || {
            black_box(dual_8(black_box(&duals)));
        },
        || {
            black_box(by_hand(black_box(&pairs)));
        },
    );
}

criterion_group!(benches, gradient);

fn main() {
    benches();
    ratios();
    Criterion::default().configure_from_args().final_summary();
}
