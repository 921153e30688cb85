//! Loops: against the unrolled program, the closed form, and each other's storage.

use autodiff::{CompileOptions, Error, Program, Scan, ScanInputs, Storage, Tensor, Value, value_and_grad};

type T64 = Tensor<f64>;

/// A damped, driven, nonlinear recurrence: state (x, y), parameters (a matrix, a rate), data (a
/// vector), items (a vector, a number).
fn recurrence() -> Scan {
    let shapes =
        ScanInputs { state: &[&[3][..], &[]], params: &[&[3, 3][..], &[]], data: &[&[3][..]], items: &[&[3][..], &[]] };
    Scan::record(shapes, |ScanInputs { state: s, params: p, data, items }| {
        let x = (p[0].matmul(&s[0]) + items[0]).tanh() * p[1] + s[0] * data[0];
        vec![x, s[1] * 0.9 + (x * x).sum_all() * items[1]]
    })
    .unwrap()
}

struct Arguments {
    state: Vec<T64>,
    params: Vec<T64>,
    data: Vec<T64>,
    items: Vec<T64>,
}

impl Arguments {
    fn inputs(&self) -> ScanInputs<'_, T64> {
        ScanInputs { state: &self.state, params: &self.params, data: &self.data, items: &self.items }
    }
}

fn arguments(steps: usize) -> Arguments {
    let wave = |shape: &[usize], phase: f64| {
        Tensor::from_fn(shape, |i| (phase + i.iter().fold(0.0, |s, &k| 1.7 * s + k as f64)).sin() * 0.8)
    };
    Arguments {
        state: vec![wave(&[3], 0.3), Tensor::scalar(0.1)],
        params: vec![wave(&[3, 3], 1.1), Tensor::scalar(0.7)],
        data: vec![wave(&[3], 0.5)],
        items: vec![wave(&[steps, 3], 2.0), wave(&[steps], 0.9)],
    }
}

fn close(a: &T64, b: &T64, tolerance: f64) {
    assert_eq!(a.dims(), b.dims());
    for (a, b) in a.data().iter().zip(b.data()) {
        assert!((a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs())), "{a} and {b}");
    }
}

/// y at the end plus Σ x², by the loop unrolled on a tape.
fn unrolled(scan: &Scan, steps: usize, a: &Arguments) -> (T64, Vec<T64>) {
    let all = [&a.state[..], &a.params].concat();
    value_and_grad(
        |v| {
            let constants = |x: &[T64]| x.iter().map(|x| v[0].constant(x)).collect::<Vec<_>>();
            let (data, items) = (constants(&a.data), constants(&a.items));
            let inputs = ScanInputs { state: &v[..2], params: &v[2..], data: &data, items: &items };
            let end = scan.unroll(steps, inputs).unwrap();
            end[1] + end[0].square().sum_all()
        },
        &all,
    )
    .unwrap()
}

#[test]
fn all_storages_give_the_gradient_of_the_unrolled_loop() {
    let scan = recurrence();
    for steps in [1, 2, 3, 7, 20, 41] {
        let a = arguments(steps);
        let (value, gradient) = unrolled(&scan, steps, &a);
        let mut first: Option<Vec<T64>> = None;
        for storage in [
            Storage::All,
            Storage::Recompute,
            Storage::Bytes(0),
            Storage::Bytes(2 * 40),
            Storage::Bytes(3 * 40),
            Storage::Bytes(5 * 40),
            Storage::Bytes(1 << 20),
        ] {
            let mut compiled = scan.compile::<f64>(steps, storage, CompileOptions::default()).unwrap();
            // Twice: what is kept between runs must not show.
            for _ in 0..2 {
                let end = compiled.forward(a.inputs()).unwrap();
                let x = end.state().to_vec();
                close(&(&x[1] + x[0].square().sum_all()), &value, 1e-13);
                let found = end.backward(&[&x[0] * 2.0, Tensor::scalar(1.0)]).unwrap();
                let parts = [found.state, found.params].concat();
                parts.iter().zip(&gradient).for_each(|(a, b)| close(a, b, 1e-12));
                match &first {
                    None => first = Some(parts),
                    Some(first) => assert!(first.iter().zip(&parts).all(|(a, b)| a.data() == b.data()), "{storage:?}"),
                }
            }
        }
    }
}

#[test]
fn steps_are_evaluated_as_often_as_storage_says() {
    let scan = recurrence();
    let steps = 20;
    let a = arguments(steps);
    let evaluations = |storage| {
        let mut compiled = scan.compile::<f64>(steps, storage, CompileOptions::default()).unwrap();
        let end = compiled.forward(a.inputs()).unwrap();
        end.backward(&[Tensor::zeros(&[3]), Tensor::scalar(1.0)]).unwrap().evaluations
    };
    assert_eq!(evaluations(Storage::All), steps);
    assert_eq!(evaluations(Storage::Recompute), steps + steps * (steps - 1) / 2);
    // Four states of 32 bytes, and their steps: with at most three evaluations beside the pullback,
    // (4 + 3)!/(4! 3!) = 35 ≥ 20 steps.
    let some = evaluations(Storage::Bytes(4 * 40));
    assert!(some > steps && some <= 3 * steps, "{some}");
}

#[test]
fn a_million_steps_in_bounded_memory() {
    // x ← x + h·a·x: the end is (1 + ha)ᵀ·x, its derivative by a is T·h·(1 + ha)ᵀ⁻¹·x.
    let (steps, h, a) = (1_000_000, 1e-6, 0.5);
    let shapes = ScanInputs { state: &[&[][..]], params: &[&[][..]], ..Default::default() };
    let scan = Scan::record(shapes, |s| vec![s.state[0] + s.state[0] * s.params[0] * 1e-6]).unwrap();
    let mut scan = scan.compile::<f64>(steps, Storage::Bytes(1 << 16), CompileOptions::default()).unwrap();
    assert!(scan.peak_bytes() < 80_000, "{}", scan.peak_bytes());
    let (state, params) = ([Tensor::scalar(2.0)], [Tensor::scalar(a)]);
    let end = scan.forward(ScanInputs { state: &state, params: &params, ..Default::default() }).unwrap();
    close(&end.state()[0], &Tensor::scalar(2.0 * (1.0 + h * a).powi(steps as i32)), 1e-9);
    let gradient = end.backward(&[Tensor::scalar(1.0)]).unwrap();
    let power = (1.0 + h * a).powi(steps as i32 - 1);
    close(&gradient.params[0], &Tensor::scalar(2.0 * steps as f64 * h * power), 1e-9);
    close(&gradient.state[0], &Tensor::scalar((1.0 + h * a) * power), 1e-9);
    assert!(gradient.evaluations < 3 * steps, "{}", gradient.evaluations);
}

#[test]
fn forward_over_reverse_is_the_hessian_of_the_unrolled_loop() {
    let (scan, steps) = (recurrence(), 6);
    let a = arguments(steps);
    let direction: Vec<T64> = a.params.iter().map(|p| p.map(|x| (x * 3.0).cos())).collect();
    // ∇_p of y at the end, differentiated along the direction: reverse through the loop of tangents, seeded on dy.
    let mut tangents = scan.jvp().unwrap().compile::<f64>(steps, Storage::All, CompileOptions::default()).unwrap();
    let zeros: Vec<T64> = a.state.iter().map(|x| x.map(|_| 0.0)).collect();
    let (state, params) = ([&a.state[..], &zeros].concat(), [&a.params[..], &direction].concat());
    let end = tangents.forward(ScanInputs { state: &state, params: &params, ..a.inputs() }).unwrap();
    let zero = || Tensor::scalar(0.0);
    let found = end.backward(&[Tensor::zeros(&[3]), zero(), Tensor::zeros(&[3]), Tensor::scalar(1.0)]).unwrap();
    // The same from the recorded, unrolled loop.
    let inputs = [&a.state[..], &a.params, &a.data, &a.items].concat();
    let shapes: Vec<_> = inputs.iter().map(Value::shape).collect();
    let program = Program::record_shapes(&shapes, |x| {
        let inputs = ScanInputs { state: &x[..2], params: &x[2..4], data: &x[4..5], items: &x[5..] };
        vec![scan.unroll(steps, inputs).unwrap()[1]]
    });
    let program = program.unwrap();
    let inputs = [&inputs[..], &direction].concat();
    let hvp = program.hvp(&[2, 3]).unwrap().run(&inputs).unwrap();
    hvp.iter().zip(&found.params[..2]).for_each(|(a, b)| close(a, b, 1e-11));
}

#[test]
fn a_loop_of_no_steps_is_the_identity() {
    let scan = recurrence();
    let a = arguments(0);
    let mut compiled = scan.compile::<f64>(0, Storage::All, CompileOptions::default()).unwrap();
    let end = compiled.forward(a.inputs()).unwrap();
    assert_eq!(end.state()[0].data(), a.state[0].data());
    let found = end.backward(&[Tensor::ones(&[3]), Tensor::scalar(2.0)]).unwrap();
    assert_eq!((found.state[0].data(), found.state[1].item()), (&[1.0; 3][..], 2.0));
    assert_eq!(found.params[0].data(), [0.0; 9]);
}

#[test]
fn what_does_not_fit_is_said() {
    let shapes = ScanInputs { state: &[&[2][..]], ..Default::default() };
    let wrong = Scan::record(shapes, |s| vec![s.state[0].sum_all()]);
    assert!(matches!(wrong, Err(Error::Input { what: "next state of a loop", .. })));
    let stateless = ScanInputs { params: &[&[][..]], ..Default::default() };
    assert!(matches!(Scan::record(stateless, |s| vec![s.params[0]]), Err(Error::Count { .. })));
    let shapes = ScanInputs { state: &[&[][..]], params: &[&[][..]], ..Default::default() };
    let unused = Scan::record(shapes, |s| vec![s.state[0].sin()]).unwrap();
    let compiled = unused.compile::<f64>(3, Storage::All, CompileOptions::default());
    assert!(matches!(compiled, Err(Error::Disconnected { .. })));
    let (scan, a) = (recurrence(), arguments(3));
    let mut compiled = scan.compile::<f64>(4, Storage::All, CompileOptions::default()).unwrap();
    let error = compiled.forward(a.inputs()).unwrap_err();
    assert!(error.to_string().contains("items of a loop 0 has shape [3, 3]"), "{error}");
}
