//! The gradient of an MLP 784-256-128-10, batch 100, f32: how much of it is inside GEMM.
//!
//! `cargo bench --bench mlp` prints criterion's report, then the share: the gradient's eight matrix products by
//! themselves, against the whole gradient, measured in turn on the same threads.

use autodiff::{Program, Tensor, Value, value_and_grad};
use criterion::{Criterion, criterion_group};
use nn::{Activation, Init, Mlp, loss, rng};
use std::hint::black_box;

#[path = "support/side_by_side.rs"]
mod side_by_side;
use side_by_side::ratio;

const BATCH: usize = 100;
const SIZES: [usize; 4] = [784, 256, 128, 10];

struct Setting {
    mlp: Mlp,
    params: Vec<Tensor<f32>>,
    x: Tensor<f32>,
    y: Tensor<f32>,
    program: Program,
}

fn setting() -> Setting {
    let mlp = Mlp::new(&SIZES, Activation::Tanh).expect("the sizes are valid");
    let params = mlp.init::<f32>(Init::Glorot, &mut rng(0)).tensors().to_vec();
    let x = Tensor::from_fn(&[BATCH, SIZES[0]], |i| ((i[0] * 31 + i[1] * 7) as f32 * 0.1).sin());
    let labels: Vec<usize> = (0..BATCH).map(|i| i % 10).collect();
    let y = loss::one_hot(&labels, 10).expect("the labels are below 10");
    let shapes: Vec<_> = params.iter().chain([&x, &y]).map(Value::shape).collect();
    let n = params.len();
    let program = Program::record_shapes(&shapes, |v| {
        vec![loss::cross_entropy(&mlp.forward(&v[..n], &v[n]), &v[n + 1]).mean_all()]
    })
    .and_then(|f| f.value_and_grad(&(0..n).collect::<Vec<_>>()))
    .expect("every parameter reaches the loss")
    .simplify();
    Setting { mlp, params, x, y, program }
}

impl Setting {
    fn eager(&self) {
        let result = value_and_grad(
            |p| {
                let (x, y) = (p[0].constant(&self.x), p[0].constant(&self.y));
                loss::cross_entropy(&self.mlp.forward(p, &x), &y).mean_all()
            },
            black_box(&self.params),
        );
        drop(black_box(result));
    }

    fn recorded(&self) {
        let inputs = [&self.params[..], &[self.x.clone(), self.y.clone()]].concat();
        drop(black_box(self.program.run(black_box(&inputs))));
    }
}

/// The products of one gradient: forward, by the weights, and by the inputs of all layers but the first.
fn products() -> Vec<(Tensor<f32>, Tensor<f32>, bool, bool)> {
    let matrix = |m: usize, n: usize| Tensor::from_fn(&[m, n], |i| ((i[0] + 3 * i[1]) as f32).sin());
    let mut products = Vec::new();
    for (layer, w) in SIZES.windows(2).enumerate() {
        let (z, weight, delta) = (matrix(BATCH, w[0]), matrix(w[0], w[1]), matrix(BATCH, w[1]));
        products.push((z.clone(), weight.clone(), false, false));
        products.push((z, delta.clone(), true, false));
        if layer > 0 {
            products.push((delta, weight, false, true));
        }
    }
    products
}

fn multiply(products: &[(Tensor<f32>, Tensor<f32>, bool, bool)]) {
    for (a, b, ta, tb) in products {
        drop(black_box(black_box(a).matmul_with(black_box(b), *ta, *tb)));
    }
}

fn gradient(c: &mut Criterion) {
    let (setting, products) = (setting(), products());
    let mut group = c.benchmark_group("mlp_784_256_128_10_batch_100_f32");
    group.bench_function("gradient/eager", |b| b.iter(|| setting.eager()));
    group.bench_function("gradient/program", |b| b.iter(|| setting.recorded()));
    group.bench_function("gemm", |b| b.iter(|| multiply(&products)));
    group.finish();
}

fn ratios() {
    let (setting, products) = (setting(), products());
    println!("\nGradient of an MLP 784-256-128-10, batch 100, f32; GEMM alone, gradient, median share");
    ratio("share of GEMM in the eager gradient", "≥ 0.6", || multiply(&products), || setting.eager());
    ratio("share of GEMM in the program's gradient", "≥ 0.6", || multiply(&products), || setting.recorded());
}

criterion_group!(benches, gradient);

fn main() {
    benches();
    ratios();
    Criterion::default().configure_from_args().final_summary();
}
