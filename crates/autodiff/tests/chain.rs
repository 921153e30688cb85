//! Walks that read each other's results some elements away: in one pass over memory they agree with the interpreter, and
//! what only they see takes no memory.

use autodiff::op::Padding;
use autodiff::{Abstract, CompileOptions, Disconnected, Program, Tensor, Value, Var};

mod support;
use support::{Random, gradient_of_last, inputs};

/// `v` moved by so many places, zeros where nothing is left of it.
fn moved<'t>(v: &Var<'t, Abstract>, by: isize) -> Var<'t, Abstract> {
    let (n, k) = (v.shape()[0], by.unsigned_abs());
    let part = if by > 0 { v.slice_axis(0, 0..n - k) } else { v.slice_axis(0, k..n) };
    let (low, high) = if by > 0 { (k, 0) } else { (0, k) };
    part.pad(&[Padding { low, high, interior: 0 }])
}

/// A program of arrays of so many elements, each step of which reads one made before it some places away: through paddings,
/// concatenations, slices, turned around, or by its sum. Its last output is a number.
fn program(random: &mut Random) -> Program {
    let n = random.pick(&[64, 100, 777, 1000, 4099, 20_000]);
    let steps: Vec<[usize; 4]> = (0..14).map(|_| [8, 97, 97, 97].map(|n| random.below(n))).collect();
    let few = [0, 1, 1, 2, 3, 7, 8, 9, 40];
    Program::record_many(&[&[n], &[n], &[1]], |x| {
        let mut made = vec![x[0], x[1]];
        let mut outputs = Vec::new();
        for &[what, first, second, third] in &steps {
            let (v, w) = (made[first % made.len()], made[second % made.len()]);
            let by = few[third % few.len()];
            let new = match what {
                0 => moved(&v, by as isize) * x[0] + w,
                1 => moved(&v, -(by as isize)) * w,
                2 => {
                    let k = by.max(1);
                    Var::concat(&[&w.slice_axis(0, 0..k), &(v.slice_axis(0, 0..n - k) * x[1].slice_axis(0, k..n))], 0)
                }
                3 => (moved(&v, 1) + moved(&v, -1) - v * 2.0) * 0.25 + w,
                4 => (v * 0.5 + w).tanh(),
                5 => v.flip(&[0]) * w,
                6 => v * x[2].broadcast_to(&[n]) + v.sum_all().broadcast_to(&[n]) * 1e-3,
                _ => {
                    outputs.push(v + w.slice_axis(0, by..by + 1).broadcast_to(&[n]));
                    continue;
                }
            };
            made.push(new);
        }
        let last = made[made.len() - 1] + made[made.len() / 2];
        outputs.push(last.square().sum_all());
        outputs
    })
    .unwrap()
}

/// Compares with the interpreter, and threads with each other; says what is run.
fn checked(f: &Program, name: &str) -> String {
    let x: Vec<Tensor<f64>> = inputs(f);
    let expected = f.run(&x).unwrap();
    let mut executable = f.compile::<f64>(CompileOptions::default().threads(1));
    // Twice: nothing of a run is left in the next one.
    executable.run(&x).unwrap();
    let one = executable.run(&x).unwrap();
    for (i, (found, expected)) in one.iter().zip(&expected).enumerate() {
        let scale = expected.data().iter().fold(1e-3_f64, |s, x| s.max(x.abs()));
        for (j, (a, b)) in found.data().iter().zip(expected.data()).enumerate() {
            assert!((a - b).abs() <= 1e-12 * scale, "{name}, output {i}, element {j}: {a} is not {b}");
        }
    }
    let two = f.compile::<f64>(CompileOptions::default().threads(2)).run(&x).unwrap();
    for (a, b) in two.iter().zip(&one) {
        assert!(
            a.data().iter().zip(b.data()).all(|(a, b)| a.to_bits() == b.to_bits()),
            "{name}: other bits on 2 threads"
        );
    }
    executable.explain()
}

#[test]
fn random_programs_of_shifts_agree_with_the_interpreter() {
    let mut chains = 0;
    for seed in 1..=150 {
        let f = program(&mut Random(seed * 7919 + 5));
        let wrt: Vec<usize> = (0..3).collect();
        let f = match seed % 3 {
            0 => f,
            1 => gradient_of_last(&f),
            _ => f.jvp_with(&wrt, Disconnected::Zeros).unwrap(),
        };
        chains += usize::from(checked(&f, &format!("seed {seed}")).contains("chain, "));
    }
    assert!(chains >= 90, "only {chains} of the programs have chains");
}

/// Explicit steps of the heat equation with fixed ends.
fn heat(n: usize, steps: usize) -> Program {
    Program::record(&[&[n]], |x| {
        let mut u = x[0];
        for _ in 0..steps {
            let inside = u.slice_axis(0, 1..n - 1);
            let neighbours = u.slice_axis(0, 0..n - 2) + u.slice_axis(0, 2..n);
            let ends = [u.slice_axis(0, 0..1), u.slice_axis(0, n - 1..n)];
            u = Var::concat(&[&ends[0], &(inside * 0.5 + neighbours * 0.25), &ends[1]], 0);
        }
        u
    })
    .unwrap()
}

#[test]
fn steps_of_a_stencil_are_one_pass_and_take_no_arrays_between() {
    let n = 30_000;
    let explained = checked(&heat(n, 5), "heat");
    assert!(explained.contains("in 1 kernels") && explained.contains("of them 0 in the arena"), "{explained}");
    // A wave with so many half-periods between the ends is an eigenvector: each step multiplies it by cos²(θ/2).
    let theta = 40.0 * std::f64::consts::PI / (n - 1) as f64;
    let wave = Tensor::from_fn(&[n], |i| (theta * i[0] as f64).sin());
    let cooled = heat(n, 5).compile::<f64>(CompileOptions::default().threads(1)).run(&[wave.clone()]).unwrap();
    let factor = (theta / 2.0).cos().powi(10);
    for (a, b) in cooled[0].data().iter().zip(wave.data()) {
        assert!((a - b * factor).abs() <= 1e-12, "{a} is not {b} · {factor}");
    }
}

#[test]
fn what_is_read_from_far_away_ends_a_chain() {
    let far = |by: usize| {
        Program::record(&[&[5000]], |x| {
            let y = moved(&x[0].tanh(), 3) * x[0];
            moved(&(y + moved(&y, -1)), -(by as isize)) * x[0]
        })
    };
    assert!(checked(&far(5).unwrap(), "near").contains("in 1 kernels"));
    let explained = checked(&far(3000).unwrap(), "far");
    assert!(explained.contains("chain, ") && !explained.contains("in 1 kernels"), "{explained}");
}

#[test]
fn chains_that_stand_between_each_other_are_two_and_work_in_single_precision_and_as_clones() {
    let n = 3000;
    let f = Program::record_many(&[&[n], &[n]], |x| {
        let (mut a, mut b) = (x[0], x[1]);
        for _ in 0..3 {
            a = moved(&a, 1) * x[0] + 0.5;
            b = moved(&b, -2) * x[1] - 0.5;
        }
        vec![a, b]
    })
    .unwrap();
    assert_eq!(checked(&f, "two").matches("chain, ").count(), 2);
    let x: Vec<Tensor<f32>> = inputs(&f);
    let expected = f.run(&x).unwrap();
    let mut executable = f.compile::<f32>(CompileOptions::default().threads(1));
    let mut copy = executable.clone();
    executable.run(&x.iter().map(|x| x * 2.0).collect::<Vec<_>>()).unwrap();
    for (found, expected) in copy.run(&x).unwrap().iter().zip(&expected) {
        assert!(found.data().iter().zip(expected.data()).all(|(a, b)| (a - b).abs() <= 1e-6), "single precision");
    }
}

#[test]
fn what_others_read_of_a_chain_is_not_all_kept_at_once() {
    let n = 100_000;
    let steps = 40;
    let f = Program::record_many(&[&[n]], |x| {
        let mut u = x[0];
        let mut seen = Vec::new();
        for _ in 0..steps {
            u = (moved(&u, 1) + moved(&u, -1)) * 0.49;
            // What is read in another order is complete only behind the chain.
            seen.push((u.flip(&[0]) * x[0]).sum_all());
        }
        seen
    })
    .unwrap();
    assert!(checked(&f, "turned").contains("chain, "));
    let bytes = f.compile::<f64>(CompileOptions::default().threads(1)).peak_bytes();
    assert!(bytes < 14 * n * size_of::<f64>(), "{bytes} bytes for {steps} steps");
}

#[test]
fn rounds_of_long_chains_of_cheap_ops_are_alike() {
    // From the least to what is in no near cache.
    for n in [4100, 5000, 20_011, 200_000] {
        for (name, f) in [("heat", heat(n, 5)), ("heat, turned", heat(n, 4).vjp(&[0]).unwrap())] {
            let explained = checked(&f, &format!("{name}, {n} elements"));
            assert!(explained.contains("rounds alike"), "{explained}");
            let x: Vec<Tensor<f32>> = inputs(&f);
            let mut executable = f.compile::<f32>(CompileOptions::default().threads(1));
            assert!(executable.explain().contains("rounds alike"));
            let (found, expected) = (executable.run(&x).unwrap().swap_remove(0), f.run(&x).unwrap().swap_remove(0));
            for (a, b) in found.data().iter().zip(expected.data()) {
                assert!((a - b).abs() <= 1e-6, "{name} of {n}, single precision: {a} is not {b}");
            }
        }
    }
    assert!(!checked(&heat(4000, 5), "short").contains("rounds alike"));
}

#[test]
fn rounds_that_are_alike_know_every_cheap_op_and_numbers_from_memory() {
    let n = 10_000;
    let f = Program::record_many(&[&[n], &[n], &[1], &[1]], |x| {
        let (c, d) = (x[2].broadcast_to(&[n]), x[3].broadcast_to(&[n]));
        // Each reads its neighbour of the one before.
        let mut u = x[0];
        let mut made = Vec::new();
        for step in 0..13 {
            let v = moved(&u, if step % 2 == 0 { 1 } else { -2 });
            u = match step {
                0 => v - c,
                1 => c - v,
                2 => v * c + x[1],
                3 => x[1] - v * d,
                4 => d * v,
                5 => -(v + c),
                6 => v.square() + x[1] * 0.5,
                7 => v * x[1] - x[0],
                8 => x[0] - v * x[1],
                9 => 1.5 - v,
                10 => v * 0.75 + x[0] * x[1],
                11 => (v - x[1]) * x[0],
                _ => v + 2.0,
            };
            made.push(u);
        }
        vec![made[5], u]
    })
    .unwrap();
    let explained = checked(&f, "every op");
    assert!(explained.contains("rounds alike"), "{explained}");
    let explained = checked(&f.vjp(&[0, 1, 2, 3]).unwrap(), "every op, turned");
    assert!(explained.contains("chain, "), "{explained}");
}

#[test]
fn walks_that_begin_late_or_end_early_have_no_rounds_alike() {
    let n = 6000;
    let halves = Program::record_many(&[&[n], &[n]], |x| {
        // The second half of the whole has its turn when the first is over.
        let both = Var::concat(&[&(moved(&x[0], 1) * x[1]), &(moved(&x[1], 1) - x[0])], 0);
        vec![both.slice_axis(0, 0..2 * n - 1) * both.slice_axis(0, 1..2 * n)]
    });
    assert!(!checked(&halves.unwrap(), "halves").contains("rounds alike"));
    let ends = Program::record(&[&[2 * n]], |x| {
        let y = moved(&x[0].square(), 1) * x[0];
        let part = y.slice_axis(0, 0..n) * x[0].slice_axis(0, n..2 * n);
        let whole = part.pad(&[Padding { low: 0, high: n, interior: 0 }]);
        whole + moved(&y, 1)
    });
    assert!(!checked(&ends.unwrap(), "an end").contains("rounds alike"));
}
