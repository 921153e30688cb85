//! What compiled ways of getting a derivative cost, under criterion, at one size each.
//!
//! `cargo bench --bench modes`; `hypertape modes` measures all ways, interpreted and nested ones too, at any size, and prints
//! them beside the theory.

use autodiff::{CompileOptions, Program, Tensor, value_and_grad};
use criterion::{Criterion, criterion_group, criterion_main};
use modes::Function;
use std::hint::black_box;

const N: usize = 128;

fn modes(c: &mut Criterion) {
    for name in ["rosenbrock", "chain", "products", "mlp"] {
        let function = Function::named(name).expect("it is listed");
        let n = function.inputs(N);
        let f = Program::record(&[&[n]], |x| function.eval(&x[0])).expect("one input");
        let x = function.point(n);
        let v = Tensor::from_fn(&[n], |i| (i[0] as f64 + 0.5).cos());
        let connected = "every input reaches the output";
        let programs = [
            ("primal", f.clone()),
            ("forward", f.jvp(&[0]).expect(connected)),
            ("reverse", f.value_and_grad(&[0]).expect(connected)),
            ("forward_over_reverse", f.hvp(&[0]).expect(connected)),
            ("hessian_by_colours", f.sparse_hessian(0).expect(connected).program().clone()),
        ];
        let mut group = c.benchmark_group(name);
        for (mode, program) in programs {
            let mut executable = program.compile::<f64>(CompileOptions::default().threads(1));
            let inputs = &[x.clone(), v.clone()][..program.input_shapes().len()];
            let mut outputs = executable.run(inputs).expect("the inputs fit");
            group.bench_function(mode, |b| {
                b.iter(|| executable.run_into(black_box(inputs), &mut outputs).expect("the inputs fit"));
            });
        }
        let inputs = [x.clone()];
        group.bench_function("reverse_tape", |b| {
            b.iter(|| value_and_grad(|v| function.eval(&v[0]), black_box(&inputs)).expect(connected));
        });
        group.finish();
    }
}

criterion_group!(benches, modes);
criterion_main!(benches);
