//! Checkpoints: the same derivatives, in less memory, on every carrier.

use autodiff::{Abstract, CompileOptions, Program, Tensor, Value, Var, checkpoint, grad, hvp};

/// `tanh(w·x)` over and over.
fn layers<'t, V: Value>(w: &Var<'t, V>, x: &Var<'t, V>, count: usize) -> Var<'t, V> {
    (0..count).fold(*x, |x, _| w.matmul(&x).tanh())
}

fn inside<'t>(x: &[Var<'t, Abstract>]) -> Var<'t, Abstract> {
    layers(&x[0], &x[1], 8)
}

fn setting() -> [Tensor<f64>; 2] {
    let w = Tensor::from_fn(&[16, 16], |i| ((i[0] * 5 + i[1] * 3) as f64).sin() * 0.4);
    [w, Tensor::from_fn(&[16, 200], |i| ((i[0] + 2 * i[1]) as f64).cos())]
}

fn close(a: &[Tensor<f64>], b: &[Tensor<f64>]) {
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a.data(), b.data());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-12 * (1.0 + b.abs())));
    }
}

#[test]
fn tapes_give_the_same_gradients_and_hessians() {
    let inputs = setting();
    let plain = grad(|v| layers(&v[0], &v[1], 32).square().sum_all(), &inputs).unwrap();
    let kept = grad(
        |v| {
            let end = (0..4).fold(v[1], |x, _| checkpoint(&[&v[0], &x], inside).unwrap());
            end.square().sum_all()
        },
        &inputs,
    );
    close(&kept.unwrap(), &plain);
    let direction: Vec<_> = inputs.iter().map(|x| x.map(|x| x * x - 0.1)).collect();
    let plain = hvp(|v| layers(&v[0], &v[1], 16).square().sum_all(), &inputs, &direction).unwrap();
    let kept = hvp(
        |v| (0..2).fold(v[1], |x, _| checkpoint(&[&v[0], &x], inside).unwrap()).square().sum_all(),
        &inputs,
        &direction,
    );
    close(&kept.unwrap(), &plain);
}

#[test]
fn a_compiled_gradient_takes_less_memory_and_more_flops() {
    let inputs = setting();
    let shapes: Vec<_> = inputs.iter().map(Value::shape).collect();
    let compile = |kept: bool| {
        let program = Program::record_shapes(&shapes, |v| {
            let end = (0..8)
                .fold(v[1], |x, _| if kept { checkpoint(&[&v[0], &x], inside).unwrap() } else { layers(&v[0], &x, 8) });
            vec![end.square().sum_all()]
        });
        program.unwrap().grad(&[0, 1]).unwrap().compile::<f64>(CompileOptions::default())
    };
    let (mut plain, mut kept) = (compile(false), compile(true));
    close(&kept.run(&inputs).unwrap(), &plain.run(&inputs).unwrap());
    // 64 layers are kept, or 8 boundaries and the 8 layers between two of them.
    assert!(3 * kept.peak_bytes() < plain.peak_bytes(), "{} and {}", kept.peak_bytes(), plain.peak_bytes());
    let extra = kept.cost().1 as f64 / plain.cost().1 as f64;
    assert!((1.2..1.4).contains(&extra), "one more forward pass of three: {extra}");
}

#[test]
fn what_is_recomputed_later_is_not_moved_before_rows_that_run_by_blocks() {
    fn narrow<'t>(x: &[Var<'t, Abstract>]) -> Var<'t, Abstract> {
        x[0] + x[0].matmul(&x[1]).tanh().matmul(&x[2]).tanh().matmul(&x[3])
    }
    let (rows, segments) = (2000, 12);
    // Columns that are few, and those that are computed by tiles: `X` is read again for either.
    for inner in [32, 64] {
        let program = Program::record(&[&[rows, 250], &[250, inner], &[inner, 32], &[32, 250]], |v| {
            let end = (0..segments).fold(v[0], |x, _| checkpoint(&[&x, &v[1], &v[2], &v[3]], narrow).unwrap());
            end.square().sum_all()
        });
        let gradient = program.unwrap().grad(&[0, 1, 2, 3]).unwrap();
        let compiled = gradient.compile::<f64>(CompileOptions::default().threads(1));
        // The boundaries between segments, the cotangent that comes and the one that goes, and what is inside of one.
        let boundary = rows * 250 * size_of::<f64>();
        let kept = compiled.peak_bytes() as f64 / boundary as f64;
        assert!(kept < (segments + 3) as f64, "{kept} boundaries, {inner} columns");
    }
}

#[test]
fn several_outputs_share_one_evaluation_when_compiled() {
    let two = Program::record_many(&[&[4]], |x| vec![x[0].sin().exp(), x[0].sin().cos()]).unwrap();
    let program = Program::record(&[&[4]], |x| {
        let parts = two.checkpoint(&[&x[0]]);
        (parts[0] * parts[1]).sum_all()
    })
    .unwrap();
    let mut compiled = program.compile::<f64>(CompileOptions::default());
    // sin, exp, cos, product, sum.
    assert_eq!(compiled.cost().0, 5);
    let x = Tensor::from([0.1, 0.2, 0.3, 0.4]);
    let expected: f64 = x.data().iter().map(|x: &f64| x.sin().exp() * x.sin().cos()).sum();
    assert!((compiled.run(&[x]).unwrap()[0].item() - expected).abs() < 1e-14);
}
