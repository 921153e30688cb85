//! Executables: what they cost, that they are right, and that neither depends on threads.

use autodiff::{Abstract, CompileOptions, Element, Error, Executable, Program, Tensor, Value, Var};

mod support;
use support::inputs;

/// An MLP with tanh, cross-entropy with weights: the loss, parameters first.
fn loss<'t>(
    p: &[Var<'t, Abstract>],
    x: &Var<'t, Abstract>,
    y: &Var<'t, Abstract>,
    w: &Var<'t, Abstract>,
) -> Var<'t, Abstract> {
    let layers = p.len() / 2;
    let mut h = *x;
    for (i, layer) in p.chunks_exact(2).enumerate() {
        h = h.matmul(&layer[0]) + layer[1];
        if i + 1 < layers {
            h = h.tanh();
        }
    }
    (h.logsumexp(&[1]) - (h * *y).sum(&[1])).dot(w)
}

const SIZES: [usize; 4] = [784, 256, 128, 10];
const BATCH: usize = 100;
const P: [usize; 6] = [0, 1, 2, 3, 4, 5];

fn shapes() -> Vec<Vec<usize>> {
    let layers = SIZES.windows(2).flat_map(|w| [vec![w[0], w[1]], vec![w[1]]]);
    layers.chain([vec![BATCH, SIZES[0]], vec![BATCH, SIZES[3]], vec![BATCH]]).collect()
}

fn record(shapes: &[Vec<usize>], f: impl for<'t> FnOnce(&[Var<'t, Abstract>]) -> Vec<Var<'t, Abstract>>) -> Program {
    let shapes: Vec<&[usize]> = shapes.iter().map(|s| &s[..]).collect();
    Program::record_many(&shapes, f).unwrap()
}

fn network() -> Program {
    record(&shapes(), |x| vec![loss(&x[..6], &x[6], &x[7], &x[8])])
}

/// Flops of the products of one layer stack: forward, and the two of each layer backward.
fn product_flops(forward: usize, inputs_back: usize, weights_back: usize) -> u64 {
    let layer = |w: &[usize]| 2 * (BATCH * w[0] * w[1]) as u64;
    let all: Vec<u64> = SIZES.windows(2).map(layer).collect();
    let sum: u64 = all.iter().sum();
    forward as u64 * sum + inputs_back as u64 * (sum - all[0]) + weights_back as u64 * sum
}

/// That no more products are computed than needed, that the flops beside them are at most so many for each hidden unit
/// and logit of the batch, and the ops at most so many.
fn assert_costs(executable: &Executable<f32>, products: u64, per_unit: f64, most_ops: usize) {
    let units = (BATCH * SIZES[1..].iter().sum::<usize>()) as f64;
    let (ops, flops) = executable.cost();
    assert!(flops >= products, "{flops} flops, {products} in products");
    let rest = (flops - products) as f64 / units;
    assert!(rest <= per_unit, "{rest} flops a unit beside the products");
    assert!(ops <= most_ops, "{ops} ops");
}

#[test]
fn derivatives_cost_what_a_careful_person_would_write() {
    let f = network();
    // The gradient: one product forward and two backward for each layer, but none by the data.
    let gradient = f.grad(&P).unwrap();
    let compiled = gradient.compile::<f32>(CompileOptions::default());
    assert_costs(&compiled, product_flops(1, 1, 1), 7.0, 56);
    // The Hessian-vector product: the gradient's products once more for the tangents; nothing of the gradient itself.
    let hvp = f.hvp(&P).unwrap().compile::<f32>(CompileOptions::default());
    // Forward: X·W, X·V, and hᵢ·Wᵢ₊₁, ḣᵢ·Wᵢ₊₁, hᵢ·Vᵢ₊₁. Backward to the inputs: δ·W, δ̇·W, δ·V. By weights: hᵀδ̇, ḣᵀδ.
    let layer = |w: &[usize]| 2 * (BATCH * w[0] * w[1]) as u64;
    let (first, others) = (layer(&SIZES[..2]), layer(&SIZES[1..3]) + layer(&SIZES[2..]));
    assert_costs(&hvp, 3 * first + 8 * others, 16.0, 100);
    // One step of learning to reweight: ∂ of the clean loss after a virtual step, by the weights.
    let mut all = shapes();
    all.extend([vec![BATCH, SIZES[0]], vec![BATCH, SIZES[3]]]);
    let step = record(&all, |x| {
        let g = gradient.eval(&x[..9]);
        let moved: Vec<_> = x[..6].iter().zip(&g).map(|(&p, &g)| p - g * 0.1).collect();
        let even = x[8].ones_like() / BATCH as f64;
        vec![loss(&moved, &x[9], &x[10], &even)]
    });
    let hyper = step.grad(&[8]).unwrap().compile::<f32>(CompileOptions::default());
    // Forward and backward on both batches, and the tangent forward on the first: 2 (fwd + input + weight) + X·G and
    // h·G, δ·W of the tangent; the first batch's own weights' gradient makes the virtual step.
    assert_costs(&hyper, 5 * first + 8 * others, 30.0, 143);
}

#[test]
fn what_is_multiplied_by_zero_is_left_out_only_on_request() {
    let f = Program::record(&[&[3, 3], &[3]], |x| {
        let zeros = x[0].constant(Tensor::<f64>::zeros(&[3]));
        x[0].exp().matmul(&(zeros * x[1])) + x[1]
    })
    .unwrap();
    let mut plain = f.compile::<f64>(CompileOptions::default());
    let mut finite = f.compile::<f64>(CompileOptions::default().assume_finite(true));
    let inputs = [Tensor::full(&[3, 3], 1.5), Tensor::from([1.0, 2.0, 3.0])];
    assert_eq!(finite.run(&inputs).unwrap()[0].data(), plain.run(&inputs).unwrap()[0].data());
    assert_eq!((plain.cost().1 > 20, finite.cost().1), (true, 0));
    // An overflow that meets the zero shows, unless it was promised not to happen.
    let large = [Tensor::full(&[3, 3], 1e4), inputs[1].clone()];
    assert!(plain.run(&large).unwrap()[0].data().iter().all(|x| x.is_nan()));
    assert_eq!(finite.run(&large).unwrap()[0].data(), inputs[1].data());
}

/// Compares with the interpreter to rounding; an infinity must be the same infinity.
fn agrees<E: Element>(program: &Program, inputs: &[Tensor<E>], tolerance: f64) {
    let expected = program.run(inputs).unwrap();
    let found = program.compile::<E>(CompileOptions::default()).run(inputs).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.dims(), expected.dims());
        for (a, b) in found.data().iter().zip(expected.data()) {
            let (a, b) = (a.to_f64(), b.to_f64());
            assert!(a == b || (a - b).abs() <= tolerance * b.abs(), "{a} and {b}");
        }
    }
}

#[test]
fn long_rows_of_short_rows_are_reduced_whole() {
    // 10,000 distances in three dimensions, summed: a row that is too long for a block, of rows of three.
    let wave = |shape: &[usize]| Tensor::<f64>::from_fn(shape, |i| ((i.iter().sum::<usize>() * 7) as f64).sin() + 1.5);
    let distances = Program::record(&[&[2, 10_000, 3]], |x| x[0].square().sum(&[2]).sqrt().sum(&[1])).unwrap();
    agrees(&distances, &[wave(&[2, 10_000, 3])], 1e-12);
    let tokens = Program::record(&[&[2, 9000, 7]], |x| x[0].logsumexp(&[2]).sum(&[1])).unwrap();
    agrees(&tokens, &[wave(&[2, 9000, 7])], 1e-12);
    // Rows of 16, each with a factor of its own, and long rows that end inside one.
    let scaled = Program::record_many(&[&[1025, 16], &[1025]], |x| {
        let y = x[0] * x[1].exp().reshape(&[1025, 1]);
        vec![y.reshape(&[2, 8200]).sum(&[1]), y]
    })
    .unwrap();
    agrees(&scaled, &[wave(&[1025, 16]), wave(&[1025])], 1e-12);
}

#[test]
fn kernels_that_share_rows_agree_with_the_interpreter() {
    // Logistic and softmax regression: a large matrix times something narrow, and its transpose times what comes of that.
    for (rows, features, classes) in [(700, 300, 1), (1003, 257, 10), (640, 640, 3)] {
        let shapes = vec![vec![rows, features], vec![features, classes], vec![rows, classes]];
        let f = record(&shapes, |x| {
            let logits = x[0].matmul(&x[1]);
            let errors = if classes == 1 {
                (logits * x[2]).softplus().sum(&[1])
            } else {
                logits.logsumexp(&[1]) - (logits * x[2]).sum(&[1])
            };
            vec![errors.mean_all() + x[1].square().sum_all() * 0.1]
        });
        for program in [f.grad(&[1]).unwrap(), f.hvp(&[1]).unwrap()] {
            let text = program.compile::<f64>(CompileOptions::default()).explain();
            assert!(text.contains("at a time: matmul"), "{text}");
            let inputs = inputs::<f64>(&program);
            let expected = program.run(&inputs).unwrap();
            for threads in [1, 2] {
                let options = CompileOptions::default().threads(threads);
                let found = program.compile::<f64>(options).run(&inputs).unwrap();
                for (found, expected) in found.iter().zip(&expected) {
                    let scale = expected.data().iter().fold(0.0_f64, |s, x| s.max(x.abs()));
                    for (a, b) in found.data().iter().zip(expected.data()) {
                        assert!((a - b).abs() <= 1e-12 * scale, "{rows}×{features}: {a} and {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn extreme_factors_stay_where_they_are() {
    let square = Program::record(&[&[1]], |x| (x[0] * 1e-25).square().sum_all()).unwrap();
    agrees::<f32>(&square.grad(&[0]).unwrap(), &[Tensor::full(&[1], 1e30)], 1e-6);
    let twice = Program::record(&[&[1]], |x| x[0] * 1e25 * 1e25).unwrap();
    agrees::<f32>(&twice, &[Tensor::zeros(&[1])], 0.0);
    let scaled = Program::record(&[&[1], &[1]], |x| x[0] * 1e-20 * x[1]).unwrap();
    agrees::<f32>(&scaled, &[Tensor::full(&[1], 1e30), Tensor::full(&[1], 1e15)], 1e-6);
}

#[test]
fn empty_axes_keep_their_meaning() {
    let empty = Program::record_many(&[&[2, 0], &[1]], |x| {
        vec![x[0].logsumexp(&[1]), (x[0] + x[1] * 2.0).sum(&[1]), x[0].max_over(&[1])]
    })
    .unwrap();
    agrees(&empty, &[Tensor::<f64>::zeros(&[2, 0]), Tensor::full(&[1], f64::INFINITY)], 0.0);
    let part = autodiff::op::Range { start: 0, stop: 10, step: 2 };
    let none = autodiff::op::Range { start: 5, stop: 5, step: 1 };
    let slices = Program::record(&[&[10]], |x| x[0].slice(&[part]).slice(&[none]).sum_all()).unwrap();
    agrees(&slices, &[Tensor::<f64>::ones(&[10])], 0.0);
}

#[test]
fn executables_run_inside_pools_of_any_size() {
    let n = 100_000;
    let f = Program::record(&[&[n], &[2000, 300], &[300, 4]], |x| {
        let rows = x[1].matmul(&x[2]).tanh();
        x[0].tanh().square().sum_all() + x[1].matmul_with(&rows, true, false).square().sum_all()
    });
    let gradient = f.unwrap().grad(&[0, 2]).unwrap();
    let inputs = inputs::<f64>(&gradient);
    let expected = gradient.compile::<f64>(CompileOptions::default().threads(1)).run(&inputs).unwrap();
    for threads in [1, 2, 4] {
        let mut executable = gradient.compile::<f64>(CompileOptions::default().threads(threads));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        for _ in 0..20 {
            let found = pool.install(|| executable.run(&inputs).unwrap());
            assert!(found.iter().zip(&expected).all(|(a, b)| a.data() == b.data()), "{threads} threads");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let gradient = network().value_and_grad(&P).unwrap();
    let inputs = inputs::<f32>(&gradient);
    let run = |threads: usize| {
        let mut executable = gradient.compile::<f32>(CompileOptions::default().threads(threads));
        executable.run(&inputs).unwrap();
        executable.run(&inputs).unwrap()
    };
    let one = run(1);
    for threads in [2, 3, 5] {
        for (a, b) in run(threads).iter().zip(&one) {
            assert!(a.data().iter().zip(b.data()).all(|(a, b)| a.to_bits() == b.to_bits()), "{threads} threads");
        }
    }
}

#[test]
fn executables_agree_with_the_interpreter_in_both_precisions() {
    let f = network();
    for program in [f.value_and_grad(&P).unwrap(), f.hvp(&P).unwrap(), f.jvp(&P).unwrap()] {
        let x = inputs::<f64>(&program);
        let exact = program.run(&x).unwrap();
        let double = program.compile::<f64>(CompileOptions::default()).run(&x).unwrap();
        let x: Vec<Tensor<f32>> = x.iter().map(Tensor::cast).collect();
        let single = program.compile::<f32>(CompileOptions::default()).run(&x).unwrap();
        let largest = exact.iter().flat_map(Tensor::data).fold(0.0_f64, |s, x| s.max(x.abs()));
        for ((exact, double), single) in exact.iter().zip(&double).zip(&single) {
            // A tangent that is a small sum of larger terms has their rounding.
            let scale = exact.data().iter().fold(1e-2 * largest, |s, x| s.max(x.abs()));
            for ((e, d), s) in exact.data().iter().zip(double.data()).zip(single.data()) {
                assert!((e - d).abs() <= 1e-12 * scale, "{e} and {d}");
                assert!((e - f64::from(*s)).abs() <= 2e-5 * scale.max(3e-2 * largest), "{e} and {s}");
            }
        }
    }
}

#[test]
fn long_straight_line_programs_compile_and_run_in_linear_time() {
    // Operations on single numbers, no two equal.
    let chain = |n: usize| {
        Program::record(&[&[], &[]], |x| {
            (0..n).fold(x[0], |y, i| if i % 2 == 0 { y * x[1] } else { y + x[1] * (i as f64 * 1e-9) })
        })
        .unwrap()
    };
    let n = 300_000;
    let mut executable = chain(n).grad(&[1]).unwrap().compile::<f64>(CompileOptions::default());
    let x = [Tensor::scalar(0.5), Tensor::scalar(0.999_99)];
    let found = executable.run(&x).unwrap()[0].item();
    // The same by forward mode.
    let mut tangent = chain(n).jvp(&[1]).unwrap().compile::<f64>(CompileOptions::default());
    let slope = tangent.run(&[x[0].clone(), x[1].clone(), Tensor::scalar(1.0)]).unwrap()[1].item();
    assert!(slope != 0.0 && (found - slope).abs() <= 1e-9 * slope.abs(), "{found} and {slope}");
}

#[test]
fn what_does_not_fit_is_said_and_clones_have_memory_of_their_own() {
    let f = Program::record(&[&[2], &[2]], |x| x[0] * x[1].exp()).unwrap();
    let mut executable = f.compile::<f64>(CompileOptions::default());
    let two = Tensor::from([1.0, 2.0]);
    assert!(matches!(executable.run(std::slice::from_ref(&two)), Err(Error::Count { .. })));
    let wrong = [two.clone(), Tensor::zeros(&[3])];
    assert!(matches!(executable.run(&wrong), Err(Error::Input { index: 1, .. })));
    let mut out = [0.0; 3];
    let slices: [&[f64]; 2] = [&[1.0, 2.0], &[0.0, 0.0]];
    assert!(matches!(executable.run_slices(&slices, &mut [&mut out]), Err(Error::Length { .. })));
    let mut clone = executable.clone();
    std::thread::scope(|scope| {
        let a = scope.spawn(|| executable.run(&[two.clone(), Tensor::zeros(&[2])]).unwrap());
        let b = clone.run(&[two.clone(), Tensor::ones(&[2])]).unwrap();
        assert_eq!(a.join().unwrap()[0].data(), [1.0, 2.0]);
        assert!((b[0].data()[1] - 2.0 * 1_f64.exp()).abs() < 1e-15);
    });
}

#[test]
fn explain_says_what_is_run() {
    let gradient = network().grad(&P).unwrap();
    let mut executable = gradient.compile::<f32>(CompileOptions::default());
    let text = executable.explain();
    assert!(text.contains("matmul 100×784×256") && text.contains("tanh") && text.contains("memory of a run"), "{text}");
    let dot = executable.to_dot();
    assert!(dot.starts_with("digraph") && dot.ends_with("}\n"), "{dot}");
    // A box for each kernel, and an arrow from it to what it writes.
    let kernels = dot.lines().filter(|line| line.contains("shape=box")).count();
    assert!(
        kernels > 0
            && (0..kernels).all(|k| dot.contains(&format!("  k{k} [")) && dot.contains(&format!("  k{k} -> b"))),
        "{dot}"
    );
    // What the program is given is read, and what it gives is written.
    assert!(dot.contains("-> k0;") && dot.contains("100×784×256"), "{dot}");
    let profile = executable.profile(&inputs(&gradient), 3).unwrap();
    let flops: u64 = profile.kernels().map(|k| k.1).sum();
    assert_eq!(flops, executable.cost().1);
    assert!(profile.to_string().contains("of peak"));
}
