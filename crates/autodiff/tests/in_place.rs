//! What a walk makes takes the place of what it has read for the last time, and of nothing that is still read: memory by
//! count, values as the interpreter has them.

use autodiff::{Abstract, CompileOptions, Program, Tensor, Value, Var};

mod support;
use support::inputs;

const ROWS: usize = 200;
const COLUMNS: usize = 256;
/// Bytes of what is made between two products.
const ONE: usize = ROWS * COLUMNS * size_of::<f64>();

/// Bytes of a run on one thread, after the values were compared with the interpreter's on one and on two.
fn bytes_of(program: &Program) -> usize {
    let arrays: Vec<Tensor<f64>> = inputs(program);
    let expected = program.run(&arrays).unwrap();
    let bytes = [1, 2].map(|threads| {
        let mut executable = program.compile::<f64>(CompileOptions::default().threads(threads));
        for (i, (found, expected)) in executable.run(&arrays).unwrap().iter().zip(&expected).enumerate() {
            let scale = expected.data().iter().fold(1e-3_f64, |s, x| s.max(x.abs()));
            for (a, b) in found.data().iter().zip(expected.data()) {
                assert!((a - b).abs() <= 1e-12 * scale, "output {i} on {threads} threads: {a} is not {b}");
            }
        }
        executable.peak_bytes()
    });
    bytes[0]
}

/// Bytes for `f` of `x = A·B` and its sum, which keeps it from `x`'s own kernel, times `C`.
fn bytes_between(f: impl for<'t> Fn(&Var<'t, Abstract>, &Var<'t, Abstract>) -> Vec<Var<'t, Abstract>>) -> usize {
    let shapes: [&[usize]; 3] = [&[ROWS, 20], &[20, COLUMNS], &[COLUMNS, 300]];
    let program = Program::record_many(&shapes, |a| {
        let x = a[0].matmul(&a[1]);
        f(&x, &x.sum_all()).iter().map(|y| y.matmul(&a[2])).collect()
    });
    bytes_of(&program.unwrap())
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

/// Rows, and elements of a row, of what a group reads from memory and of what it makes.
const MANY: usize = 1500;
const WIDE: usize = 256;
const ALL: usize = MANY * WIDE * size_of::<f64>();

/// Bytes for `x = A·B`, which is made before the group (`B` is too large for it), eight values for each of those of
/// `h = tanh(A·W)`, which is made in it; `f` of both is read by a product behind the group.
fn bytes_of_group(f: impl for<'t> Fn(&Var<'t, Abstract>, &Var<'t, Abstract>) -> Vec<Var<'t, Abstract>>) -> usize {
    let shapes: [&[usize]; 3] = [&[MANY, 600], &[600, WIDE], &[600, WIDE / 8]];
    let program = Program::record_many(&shapes, |a| {
        let x = a[0].matmul(&a[1]).reshape(&[MANY, 8, WIDE / 8]);
        let h = a[0].matmul(&a[2]).tanh().reshape(&[MANY, 1, WIDE / 8]).broadcast_to(&[MANY, 8, WIDE / 8]);
        f(&x, &h).iter().map(|y| a[0].transpose().matmul(&y.reshape(&[MANY, WIDE]))).collect()
    });
    let program = program.unwrap();
    let explained = program.compile::<f64>(CompileOptions::default()).explain();
    assert!(explained.contains("at a time"), "{explained}");
    bytes_of(&program)
}

#[test]
fn a_group_makes_its_result_in_the_place_of_what_it_has_read() {
    let bytes = bytes_of_group(|x, h| vec![((*x * *h).sin() + *h).tanh()]);
    assert!((ALL..2 * ALL).contains(&bytes), "{bytes} bytes");
    // z is made, by the same group, of y and of x, which is read after y was written.
    let bytes = bytes_of_group(|x, h| {
        let y = ((*x * *h).sin() + *h).tanh();
        vec![y, (y * *h).exp() + *x]
    });
    assert!(bytes >= 3 * ALL, "{bytes} bytes");
    // x is read behind the group as well.
    let bytes = bytes_of_group(|x, h| vec![((*x * *h).sin() + *h).tanh(), *x]);
    assert!(bytes >= 2 * ALL, "{bytes} bytes");
}
