//! Random programs on rows, alone, differentiated and batched: by blocks of rows they agree with the interpreter, and have
//! the same bits on any number of threads.

use autodiff::{Abstract, CompileOptions, Disconnected, Program, Shape, Tensor, Value, Var};

mod support;
use support::{Random, gradient_of_last, inputs};

/// A program of arrays with so many rows and three widths: walks, products by small matrices, reductions along and over
/// rows. Its last output is a number.
fn program(random: &mut Random) -> Program {
    let rows = random.pick(&[64, 100, 640, 1003, 2000]);
    let widths = [(); 3].map(|()| random.pick(&[2, 3, 10, 16, 40, 64, 70, 130]));
    let mut shapes: Vec<Shape> = widths.iter().map(|&w| [rows, w][..].into()).collect();
    shapes.extend(widths.iter().flat_map(|&a| widths.map(|b| Shape::from_slice(&[a, b]))));
    shapes.extend(widths.map(|w| Shape::from_slice(&[w])));
    let steps: Vec<[usize; 4]> = (0..12).map(|_| [9, 97, 97, 97].map(|n| random.below(n))).collect();
    Program::record_shapes(&shapes, |x| {
        let mut made: Vec<(usize, Var<'_, Abstract>)> = (0..3).map(|i| (i, x[i])).collect();
        let mut outputs = Vec::new();
        for &[what, first, second, third] in &steps {
            let (i, v) = made[first % made.len()];
            let like: Vec<_> = made.iter().filter(|(j, _)| widths[*j] == widths[i]).map(|(_, v)| *v).collect();
            let (other, j) = (like[second % like.len()], third % 3);
            let wide = [rows, widths[i]];
            match what {
                0 | 1 => made.push((j, (v.matmul(&x[3 + 3 * i + j]) * 0.3).tanh())),
                2 => made.push((i, v.sigmoid() + other)),
                3 => made.push((i, v * other - x[12 + i])),
                4 => made.push((i, (v - v.max_over(&[1]).reshape(&[rows, 1]).broadcast_to(&wide)).exp())),
                5 => made.push((i, v * 0.1 + v.sum_keep(&[1]).broadcast_to(&wide) * 0.01)),
                6 => outputs.push(v.transpose().matmul(&made[third % made.len()].1)),
                7 => outputs.push(v.sum(&[0])),
                _ => made.push((j, v.matmul(&x[3 + 3 * j + i].transpose()).sin())),
            }
        }
        outputs.extend(made.iter().rev().take(2).map(|(_, v)| *v));
        outputs.push(made[made.len() - 1].1.square().sum_all());
        outputs
    })
    .unwrap()
}

#[test]
fn random_programs_by_blocks_of_rows_agree_with_the_interpreter() {
    let mut grouped = 0;
    for seed in 1..=90 {
        let mut random = Random(seed * 7919 + 13);
        let f = program(&mut random);
        let n = f.input_shapes().len();
        let wrt: Vec<usize> = (0..n).collect();
        let f = match seed % 3 {
            0 => f,
            1 => gradient_of_last(&f),
            _ => {
                let tangents = f.jvp_with(&wrt, Disconnected::Zeros).unwrap();
                let outputs = vec![0; tangents.output_shapes().len()];
                let stack = random.pick(&[1, 2, 4]);
                tangents.batch(stack, &[vec![None; n], vec![Some(0); n]].concat(), &outputs).unwrap()
            }
        };
        let x: Vec<Tensor<f64>> = inputs(&f);
        let expected = f.run(&x).unwrap();
        let run = |threads: usize| f.compile::<f64>(CompileOptions::default().threads(threads)).run(&x).unwrap();
        let one = run(1);
        for (i, (found, expected)) in one.iter().zip(&expected).enumerate() {
            let scale = expected.data().iter().fold(1e-3_f64, |s, x| s.max(x.abs()));
            for (a, b) in found.data().iter().zip(expected.data()) {
                assert!((a - b).abs() <= 1e-12 * scale, "seed {seed}, output {i}: {a} is not {b}");
            }
        }
        for threads in [2, 3, 20] {
            let same = run(threads)
                .iter()
                .zip(&one)
                .all(|(a, b)| a.data().iter().zip(b.data()).all(|(a, b)| a.to_bits() == b.to_bits()));
            assert!(same, "seed {seed}: other bits on {threads} threads");
        }
        grouped += usize::from(f.compile::<f64>(CompileOptions::default()).explain().contains(" rows, "));
    }
    assert!(grouped >= 15, "only {grouped} of the programs have groups of rows");
}

#[test]
fn a_group_reads_through_views_what_it_keeps_to_itself() {
    const ROWS: usize = 3001;
    const WIDTH: usize = 30;
    let shapes: [&[usize]; 4] = [&[ROWS, 30], &[30, WIDTH], &[WIDTH, 4 * WIDTH], &[WIDTH, 5]];
    let program = Program::record_many(&shapes, |x| {
        let h = x[0].matmul(&x[1]).tanh();
        let wide = h.matmul(&x[2]).reshape(&[ROWS, 4, WIDTH]);
        // The same row beside each of four.
        let beside = (wide * h.reshape(&[ROWS, 1, WIDTH]).broadcast_to(&[ROWS, 4, WIDTH])).sin();
        vec![beside.reshape(&[4 * ROWS, WIDTH]).matmul(&x[3]).square().sum(&[0])]
    })
    .unwrap();
    let x: Vec<Tensor<f64>> = inputs(&program);
    let expected = program.run(&x).unwrap();
    for threads in [1, 2, 3] {
        let mut executable = program.compile::<f64>(CompileOptions::default().threads(threads));
        for (found, expected) in executable.run(&x).unwrap().iter().zip(&expected) {
            for (a, b) in found.data().iter().zip(expected.data()) {
                assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} is not {b} on {threads} threads");
            }
        }
        let explained = executable.explain();
        assert!(explained.contains(" rows, ") && explained.contains("of them 0 in the arena"), "{explained}");
    }
}
