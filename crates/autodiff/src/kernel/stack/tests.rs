//! Stacks of products of small integers, which are exact, against the definition, on every machine that is here.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::{on_every_machine, small_numbers as numbers};
use super::{Stack, multiply};

/// How the matrices of a factor with so many rows and columns stand: strides, and the step to the next one.
type Way = fn(usize, usize) -> ([usize; 2], usize);

/// By rows and by columns, close and apart, and one for all.
const WAYS: [Way; 5] = [
    |rows, columns| ([columns, 1], rows * columns),
    |rows, columns| ([1, rows], rows * columns),
    |rows, columns| ([columns + 3, 1], rows * (columns + 3) + 5),
    |rows, columns| ([1, rows + 2], columns * (rows + 2) + 1),
    |_, columns| ([columns, 1], 0),
];

fn check<E: Math, M: Machine>(count: usize, (m, k, n): (usize, usize, usize), (a_way, b_way): (Way, Way)) {
    let ((a_strides, a_step), (b_strides, b_step)) = (a_way(m, k), b_way(k, n));
    assert!(Stack::<E>::suits((m, k, n), a_strides, b_strides));
    let last = |[r, c]: [usize; 2], step, rows, columns| (count - 1) * step + (rows - 1) * r + (columns - 1) * c;
    // Not an element more than there must be.
    let a = numbers::<E>(last(a_strides, a_step, m, k) + 1, 1);
    let b = numbers::<E>(last(b_strides, b_step, k, n) + 1, 2);
    let biases = numbers::<E>((count - 1) * (n + 2) + n, 3);
    let some = (m > 1 && n > 1).then_some((&biases[..], n + 2));
    for bias in [None, some] {
        let mut out = vec![E::from_f64(7.0); count * m * n];
        let stack = Stack { count, m, k, n, a: &a, a_strides, a_step, b: &b, b_strides, b_step, bias };
        multiply::<E, M>(&stack, &mut out);
        for (at, &found) in out.iter().enumerate() {
            let (item, i, j) = (at / (m * n), at / n % m, at % n);
            let start = bias.map_or(E::from_f64(0.0), |(bias, step)| bias[item * step + j]);
            let expected = (0..k).fold(start, |sum, l| {
                let x = a[item * a_step + i * a_strides[0] + l * a_strides[1]];
                sum + x * b[item * b_step + l * b_strides[0] + j * b_strides[1]]
            });
            let what =
                format!("{count} × {m}×{k}×{n}, A {a_strides:?} and {a_step} apart, B {b_strides:?} and {b_step}");
            assert!(found == expected, "{what}: {found:?} in {item} at {i}, {j} is not {expected:?}");
        }
    }
}

fn all<M: Machine>() {
    for size in [
        (1, 1, 1),
        (2, 2, 2),
        (3, 3, 3),
        (10, 1, 40),
        (1, 10, 40),
        (10, 40, 1),
        (40, 10, 1),
        (10, 40, 40),
        (40, 10, 40),
        (1, 33, 3),
        (13, 5, 17),
        (2, 17, 70),
        (25, 8, 9),
        (7, 20, 130),
    ] {
        for a_way in WAYS {
            for b_way in WAYS {
                for count in [1, 3] {
                    check::<f64, M>(count, size, (a_way, b_way));
                    check::<f32, M>(count, size, (a_way, b_way));
                }
            }
        }
    }
}

#[test]
fn stacks_of_products_are_exact_on_any_machine() {
    on_every_machine!(all);
}

#[test]
fn what_is_large_or_stands_neither_by_rows_nor_by_columns_does_not_suit() {
    let suits = Stack::<f64>::suits;
    assert!(suits((10, 40, 40), [80, 2], [40, 1]));
    assert!(!suits((10, 40, 40), [40, 1], [80, 2]));
    assert!(!suits((10, 40, 1), [80, 2], [1, 1]), "a column is multiplied by the left factor");
    assert!(!suits((200, 40, 40), [40, 1], [40, 1]));
    assert!(!suits((1, 100, 100), [100, 1], [100, 1]));
    assert!(!suits((0, 40, 40), [40, 1], [40, 1]));
}
