//! The parts of compiled programs: elementary functions, fused chains, products, lanes, loops, and compiling itself.
//!
//! `cargo bench --bench parts` prints criterion's report, then each part beside what it replaces, measured in turn.

use autodiff::{CompileOptions, Element, Executable, Program, Scan, ScanInputs, Storage, Tensor, Value, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use nn::{Activation, Mlp, loss};
use std::hint::black_box;

#[path = "support/side_by_side.rs"]
mod side_by_side;
use side_by_side::ratio;

fn one_thread() -> CompileOptions {
    CompileOptions::default().threads(1)
}

/// An executable with its inputs and outputs.
struct Ready<E: Element = f64> {
    executable: Executable<E>,
    inputs: Vec<Tensor<E>>,
    outputs: Vec<Tensor<E>>,
}

impl Ready {
    fn new(program: &Program) -> Self {
        Self::of(program)
    }
}

impl<E: Element> Ready<E> {
    fn of(program: &Program) -> Self {
        let executable = program.compile::<E>(one_thread());
        let wave = |shape: &[usize]| {
            Tensor::from_fn(shape, |i| E::from_f64(0.6 + 0.3 * ((i.iter().sum::<usize>() * 7) as f64).sin()))
        };
        let inputs = executable.input_shapes().iter().map(|s| wave(s)).collect();
        let outputs = executable.output_shapes().iter().map(|s| Tensor::zeros(s)).collect();
        Self { executable, inputs, outputs }
    }

    fn run(&mut self) {
        self.executable.run_into(black_box(&self.inputs), &mut self.outputs).expect("the inputs were made for it");
    }
}

fn record(
    shapes: &[&[usize]],
    f: impl for<'t> FnOnce(&[Var<'t, autodiff::Abstract>]) -> Var<'t, autodiff::Abstract>,
) -> Program {
    Program::record(shapes, f).expect("there are inputs")
}

/// Name, program, the standard library's function.
type Elementary = (&'static str, Program, fn(f64) -> f64);

/// `y = f(x)` over 4,096 elements, compiled, and the standard library's function one by one.
fn elementary() -> Vec<Elementary> {
    let over =
        |f: for<'t> fn(Var<'t, autodiff::Abstract>) -> Var<'t, autodiff::Abstract>| record(&[&[4096]], |x| f(x[0]));
    vec![
        ("exp", over(|x| x.exp()), f64::exp),
        ("ln", over(|x| x.ln()), f64::ln),
        ("tanh", over(|x| x.tanh()), f64::tanh),
        ("sin", over(|x| x.sin()), f64::sin),
        ("tan", over(|x| x.tan()), f64::tan),
        ("atan", over(|x| x.atan()), f64::atan),
        ("sinh", over(|x| x.sinh()), f64::sinh),
        ("pow", over(|x| x.powf(1.7)), |x| x.powf(1.7)),
    ]
}

/// tanh(x·w + b)·s − y, element by element.
fn chain(n: usize) -> Program {
    record(&[&[n], &[n], &[n], &[n], &[n]], |a| (a[0] * a[1] + a[2]).tanh() * a[3] - a[4])
}

/// Explicit steps of the heat equation with fixed ends.
fn heat(n: usize, steps: usize) -> Program {
    record(&[&[n]], |x| {
        let mut u = x[0];
        for _ in 0..steps {
            let neighbours = u.slice_axis(0, 0..n - 2) + u.slice_axis(0, 2..n);
            let inside = u.slice_axis(0, 1..n - 1) * 0.5 + neighbours * 0.25;
            u = Var::concat(&[&u.slice_axis(0, 0..1), &inside, &u.slice_axis(0, n - 1..n)], 0);
        }
        u
    })
}

/// One Runge–Kutta step of the Lotka–Volterra equations, on single numbers.
fn lotka_volterra() -> Program {
    Program::record_many(&[&[], &[], &[], &[], &[], &[]], |a| {
        let (p, h) = (&a[..4], 0.01);
        let f = |x, y| (p[0] * x - p[1] * (x * y), p[3] * (x * y) - p[2] * y);
        let (x, y) = (a[4], a[5]);
        let k1 = f(x, y);
        let k2 = f(x + k1.0 * (h / 2.0), y + k1.1 * (h / 2.0));
        let k3 = f(x + k2.0 * (h / 2.0), y + k2.1 * (h / 2.0));
        let k4 = f(x + k3.0 * h, y + k3.1 * h);
        vec![x + (k1.0 + (k2.0 + k3.0) * 2.0 + k4.0) * (h / 6.0), y + (k1.1 + (k2.1 + k3.1) * 2.0 + k4.1) * (h / 6.0)]
    })
    .expect("there are inputs")
}

/// A straight line of `n` operations on single numbers, every other one with a product before it.
fn straight_line(n: usize) -> Program {
    record(&[&[], &[]], |x| (0..n).fold(x[0], |y, i| if i % 2 == 0 { y * x[1] } else { y + x[1] * (i as f64) }))
}

/// The derivative of a clean batch's loss after one step on a weighted batch, in the weights: MLP 784-256-128-10, 100 and
/// 100 examples.
fn one_step_hypergradient() -> Program {
    let mlp = Mlp::new(&[784, 256, 128, 10], Activation::Tanh).expect("the sizes are valid");
    let params: Vec<&[usize]> = vec![&[784, 256], &[256], &[256, 128], &[128], &[128, 10], &[10]];
    let n = params.len();
    let batch: [&[usize]; 2] = [&[100, 784], &[100, 10]];
    let inner = record(&[&params[..], &batch, &[&[100]]].concat(), |a| {
        loss::cross_entropy(&mlp.forward(&a[..n], &a[n]), &a[n + 1]).dot(&a[n + 2])
    });
    let gradient = inner.grad(&(0..n).collect::<Vec<_>>()).expect("every parameter is used");
    record(&[&params[..], &batch, &[&[100]], &batch].concat(), |a| {
        let step = gradient.eval(&a[..n + 3]);
        let moved: Vec<_> = a[..n].iter().zip(step).map(|(&p, g)| p - g * 0.1).collect();
        loss::cross_entropy(&mlp.forward(&moved, &a[n + 3]), &a[n + 4]).mean_all()
    })
    .grad(&[n + 2])
    .expect("the weights reach the loss")
}

/// Large products; the last columns of the last one fill no tile.
const LARGE: [[usize; 3]; 3] = [[5000, 784, 64], [1000, 784, 256], [1000, 784, 100]];

/// Products m×k×n, of factors as they stand and transposed.
fn products<E: Element>(c: &mut Criterion, sizes: &[[usize; 3]]) {
    let mut group = c.benchmark_group(format!("product_{}", E::NAME));
    for &[m, k, n] in sizes {
        group.throughput(Throughput::Elements((m * k * n) as u64));
        let mut ready = Ready::<E>::of(&record(&[&[m, k], &[k, n]], |x| x[0].matmul(&x[1])));
        group.bench_function(format!("{m}x{k}x{n}"), |b| b.iter(|| ready.run()));
        let mut ready = Ready::<E>::of(&record(&[&[m, k], &[n, k]], |x| x[0].matmul(&x[1].transpose())));
        group.bench_function(format!("{m}x{k}x{n}_transposed"), |b| b.iter(|| ready.run()));
        let mut ready = Ready::<E>::of(&record(&[&[m, k], &[m, n]], |x| x[0].transpose().matmul(&x[1])));
        group.bench_function(format!("{k}x{m}x{n}_left_transposed"), |b| b.iter(|| ready.run()));
    }
    group.finish();
}

fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("elementary_4096_f64");
    group.throughput(Throughput::Elements(4096));
    for (name, program, _) in elementary() {
        let mut ready = Ready::new(&program);
        group.bench_function(name, |b| b.iter(|| ready.run()));
    }
    group.finish();

    let mut group = c.benchmark_group("chain_f64");
    for n in [10_000, 100_000, 1_000_000] {
        group.throughput(Throughput::Elements(n as u64));
        let mut ready = Ready::new(&chain(n));
        group.bench_with_input(BenchmarkId::from_parameter(n), &n, |b, _| b.iter(|| ready.run()));
    }
    group.finish();

    products::<f64>(c, &[[10, 10, 10], [10, 40, 40], [100, 784, 10], [5000, 784, 10], [100, 784, 256]]);
    products::<f32>(c, &[[100, 784, 10], [5000, 784, 10]]);
    products::<f64>(c, &LARGE);
    products::<f32>(c, &LARGE);

    let mut group = c.benchmark_group("stack_of_products_f64");
    for [stack, m, k, n] in [[100, 4, 4, 4], [25, 10, 40, 40], [16, 32, 64, 64]] {
        group.throughput(Throughput::Elements((stack * m * k * n) as u64));
        let mut ready = Ready::new(&record(&[&[stack, m, k], &[stack, k, n]], |x| x[0].matmul(&x[1])));
        group.bench_function(format!("{stack}_of_{m}x{k}x{n}"), |b| b.iter(|| ready.run()));
        let mut ready =
            Ready::new(&record(&[&[stack, m, k], &[stack, n, k]], |x| x[0].matmul(&x[1].permute(&[0, 2, 1]))));
        group.bench_function(format!("{stack}_of_{m}x{k}x{n}_transposed"), |b| b.iter(|| ready.run()));
    }
    group.finish();

    let step = lotka_volterra();
    let gradient = step.vjp(&[0, 1, 2, 3, 4, 5]).expect("every input is used");
    let mut group = c.benchmark_group("lanes_lotka_volterra_vjp");
    for lanes in [1, 16, 128, 1024] {
        group.throughput(Throughput::Elements(lanes as u64));
        let program = if lanes == 1 {
            gradient.clone()
        } else {
            gradient.batch(lanes, &[Some(0); 8], &[0; 6]).expect("eight inputs, six outputs")
        };
        let mut ready = Ready::new(&program);
        group.bench_with_input(BenchmarkId::from_parameter(lanes), &lanes, |b, _| b.iter(|| ready.run()));
    }
    group.finish();

    let shapes = ScanInputs { state: &[&[32][..]], params: &[&[32, 32][..]], ..Default::default() };
    let scan = Scan::record(shapes, |s| vec![s.params[0].matmul(&s.state[0]).tanh()]).expect("one state");
    let mut group = c.benchmark_group("loop_1000_steps_there_and_back");
    for (name, storage) in [("all", Storage::All), ("ten_states", Storage::Bytes(10 * 264))] {
        let mut compiled = scan.compile::<f64>(1000, storage, one_thread()).expect("the parameter is used");
        let (state, params) = ([Tensor::ones(&[32])], [Tensor::full(&[32, 32], 0.03)]);
        group.bench_function(name, |b| {
            b.iter(|| {
                let inputs = ScanInputs { state: &state, params: &params, ..Default::default() };
                let end = compiled.forward(inputs).expect("the inputs fit");
                end.backward(&[Tensor::ones(&[32])]).expect("the cotangent fits")
            });
        });
    }
    group.finish();

    let mut group = c.benchmark_group("compile");
    for n in [1000, 10_000, 100_000] {
        let program = straight_line(n);
        // Every other operation has a product with a constant before it.
        group.throughput(Throughput::Elements(program.len() as u64));
        group.bench_with_input(BenchmarkId::new("straight_line", n), &n, |b, _| {
            b.iter(|| black_box(&program).compile::<f64>(one_thread()));
        });
    }
    group.throughput(Throughput::Elements(1));
    let program = one_step_hypergradient();
    group.bench_function("mlp_hypergradient", |b| b.iter(|| black_box(&program).compile::<f32>(one_thread())));
    group.finish();
}

fn ratios() {
    println!("\nEach part beside what it replaces, one thread, f64");
    for (name, program, standard) in elementary() {
        let mut ready = Ready::new(&program);
        let x = ready.inputs[0].clone();
        let mut y = vec![0.0; x.len()];
        ratio(
            &format!("{name} of 4,096 elements / the standard library's"),
            "< 1",
            || ready.run(),
            || black_box(&x).data().iter().zip(&mut y).for_each(|(&x, y)| *y = standard(x)),
        );
    }
    let n = 100_000;
    let mut ready = Ready::new(&chain(n));
    let program = chain(n);
    let inputs = ready.inputs.clone();
    ratio(
        "tanh(x·w + b)·s − y, 100,000 elements: fused / interpreted",
        "< 1",
        || ready.run(),
        || drop(black_box(program.run(&inputs))),
    );
    for (n, steps) in [(1000, 5), (10_000, 5), (100_000, 5), (100_000, 20), (4_000_000, 20)] {
        let (mut together, mut step) = (Ready::new(&heat(n, steps)), Ready::new(&heat(n, 1)));
        ratio(
            &format!("{steps} steps of a stencil, {n} elements: one program / a step {steps} times"),
            "< 1",
            || together.run(),
            || (0..steps).for_each(|_| step.run()),
        );
    }
    let gradient = lotka_volterra().vjp(&[0, 1, 2, 3, 4, 5]).expect("every input is used");
    let lanes = gradient.batch(128, &[Some(0); 8], &[0; 6]).expect("eight inputs, six outputs");
    let (mut one, mut many) = (Ready::new(&gradient), Ready::new(&lanes));
    ratio(
        "VJP of a Runge–Kutta step: 128 lanes / 128 times one",
        "< 0.3",
        || many.run(),
        || (0..128).for_each(|_| one.run()),
    );
}

criterion_group!(benches, parts);

fn main() {
    benches();
    ratios();
    Criterion::default().configure_from_args().final_summary();
}
