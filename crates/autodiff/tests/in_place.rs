//! What a walk makes takes the place of what it has read for the last time, and of nothing that is still read: memory by
//! count, values as the interpreter has them.

use autodiff::{Abstract, CompileOptions, Program, Tensor, Value, Var};

mod support;
use support::inputs;

const ROWS: usize = 200;
const COLUMNS: usize = 256;
/// Bytes of what is made between two products.
const ONE: usize = ROWS * COLUMNS * size_of::<f64>();

/// `f` of `x = A·B` and its sum, which keeps it from `x`'s own kernel, times `C`: the bytes of a run, after its values were
/// compared with the interpreter's on one thread and on two.
fn bytes_between(f: impl for<'t> Fn(&Var<'t, Abstract>, &Var<'t, Abstract>) -> Vec<Var<'t, Abstract>>) -> usize {
    let shapes: [&[usize]; 3] = [&[ROWS, 20], &[20, COLUMNS], &[COLUMNS, 300]];
    let program = Program::record_many(&shapes, |a| {
        let x = a[0].matmul(&a[1]);
        f(&x, &x.sum_all()).iter().map(|y| y.matmul(&a[2])).collect()
    })
    .unwrap();
    let arrays: Vec<Tensor<f64>> = inputs(&program);
    let expected = program.run(&arrays).unwrap();
    let mut bytes = 0;
    for threads in [1, 2] {
        let mut executable = program.compile::<f64>(CompileOptions::default().threads(threads));
        for (i, (found, expected)) in executable.run(&arrays).unwrap().iter().zip(&expected).enumerate() {
            let scale = expected.data().iter().fold(1e-3_f64, |s, x| s.max(x.abs()));
            for (a, b) in found.data().iter().zip(expected.data()) {
                assert!((a - b).abs() <= 1e-12 * scale, "output {i} on {threads} threads: {a} is not {b}");
            }
        }
        bytes = executable.peak_bytes();
    }
    bytes
}

/// Bytes where nothing stands between the products, but the first one's result.
fn bytes_of_one() -> usize {
    let bytes = bytes_between(|x, _| vec![*x]);
    assert!((ONE..ONE + ONE / 2).contains(&bytes), "{bytes} bytes");
    bytes
}

#[test]
fn a_result_takes_the_place_of_what_was_read_before_it() {
    // x is read by the first instruction, y is written by the last.
    let bytes = bytes_between(|x, s| vec![((*x * *s * 0.01).sin() + 1.0).tanh()]);
    assert!(bytes < bytes_of_one() + ONE / 2, "{bytes} bytes");
}

#[test]
fn a_result_does_not_take_the_place_of_what_is_read_with_it_or_later() {
    // x is read again by the instruction that writes z, after y was written.
    let bytes = bytes_between(|x, s| {
        let y = (*x * *s * 0.01).sin().tanh();
        vec![y, (y + 1.0).exp() * *x]
    });
    assert!(bytes >= bytes_of_one() + 2 * ONE, "{bytes} bytes");
}

#[test]
fn what_is_read_through_a_view_keeps_its_place() {
    // Rows of x in another order than those of y.
    let bytes = bytes_between(|x, s| vec![(x.flip(&[0]) * *s * 0.01).sin().tanh()]);
    assert!(bytes >= bytes_of_one() + ONE, "{bytes} bytes");
    // x as it stands, and turned.
    let bytes = bytes_between(|x, s| vec![((*x * *s * 0.01).sin() + x.flip(&[1])).tanh()]);
    assert!(bytes >= bytes_of_one() + ONE, "{bytes} bytes");
}
