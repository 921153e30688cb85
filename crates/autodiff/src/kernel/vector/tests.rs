//! Products of small integers, which are exact, against the definition, on every machine that is here.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::{on_every_machine, small_numbers as numbers};
use super::{dot_pairs, dot_rows, sum_rows};

fn check<E: Math, M: Machine>(rows: usize, columns: usize, stride: usize) {
    // Not an element more than there must be.
    let a = numbers::<E>((rows - 1) * stride + columns, 1);
    let element = |i: usize, j: usize| a[i * stride + j];
    let x = numbers::<E>(columns, 2);
    let mut y = vec![E::from_f64(7.0); rows];
    dot_rows::<E, M>(&a, stride, &x, &mut y);
    for (i, &y) in y.iter().enumerate() {
        let expected = (0..columns).fold(E::from_f64(0.0), |sum, j| sum + element(i, j) * x[j]);
        assert!(y == expected, "row {i} of {rows}×{columns}, {stride} apart: {y:?} is not {expected:?}");
    }
    let x = numbers::<E>(rows, 3);
    let start = numbers::<E>(columns, 4);
    for ahead in [0, rows * stride] {
        let mut y = start.clone();
        sum_rows::<E, M>(&a, stride, &x, ahead, &mut y);
        for (j, &y) in y.iter().enumerate() {
            let expected = (0..rows).fold(start[j], |sum, i| sum + x[i] * element(i, j));
            assert!(y == expected, "column {j} of {rows}×{columns}, {stride} apart: {y:?} is not {expected:?}");
        }
    }
}

fn check_pairs<E: Math, M: Machine>(rows: usize, columns: usize) {
    let (a, b) = (numbers::<E>(rows * columns, 1), numbers::<E>(rows * columns, 2));
    let mut y = vec![E::from_f64(7.0); rows];
    dot_pairs::<E, M>(&a, &b, columns, &mut y);
    for (i, (&y, (a, b))) in y.iter().zip(a.chunks(columns).zip(b.chunks(columns))).enumerate() {
        let expected = a.iter().zip(b).fold(E::from_f64(0.0), |sum, (&a, &b)| sum + a * b);
        assert!(y == expected, "row {i} of {rows}×{columns} with its own: {y:?} is not {expected:?}");
    }
}

fn all<M: Machine>() {
    for rows in [1, 2, 3, 4, 5, 8, 9, 13] {
        for columns in [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 40, 64, 100, 333] {
            check_pairs::<f64, M>(rows, columns);
            check_pairs::<f32, M>(rows, columns);
            for apart in [0, 1, 5] {
                check::<f64, M>(rows, columns, columns + apart);
                check::<f32, M>(rows, columns, columns + apart);
            }
        }
    }
}

#[test]
fn products_with_a_vector_are_exact_on_any_machine() {
    on_every_machine!(all);
}
