//! Folds of small integers, which are exact, against the definition, on every machine that is here; and what a NaN does.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::on_every_machine;
use super::{Fold, combine, expand, fold_columns, fold_rows, neutral};

const FOLDS: [Fold; 4] = [Fold::Sum, Fold::Max, Fold::Min, Fold::Prod];

/// Small numbers whose products stay small too; one of them may be none.
fn numbers<E: Math>(n: usize, nan: Option<usize>) -> Vec<E> {
    let number = |i: usize| if i.is_multiple_of(11) { 2.0 } else { [1.0, -1.0, 1.0][i * 7 % 3] };
    (0..n).map(|i| E::from_f64(if Some(i) == nan { f64::NAN } else { number(i) })).collect()
}

fn same<E: Math>(a: E, b: E) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

fn check<E: Math, M: Machine>(rows: usize, columns: usize) {
    for nan in [None, Some(columns * rows / 2)] {
        let x = numbers::<E>(rows * columns, nan);
        for fold in FOLDS {
            let mut y = vec![E::from_f64(7.0); rows];
            fold_rows::<E, M>(fold, &x, columns, &mut y);
            for (row, &y) in x.chunks(columns).zip(&y) {
                let expected = row.iter().fold(neutral(fold), |acc, &x| combine(fold, acc, x));
                assert!(same(y, expected), "{fold:?} of rows, {rows}×{columns}: {y:?} is not {expected:?}");
            }
            for start in [0, 1, columns - 1] {
                let mut acc = numbers::<E>(columns, None);
                let mut expected = acc.clone();
                for (i, &x) in x.iter().enumerate() {
                    let at = (start + i) % columns;
                    expected[at] = combine(fold, expected[at], x);
                }
                fold_columns::<E, M>(fold, &x, start, &mut acc);
                let all = acc.iter().zip(&expected).all(|(&a, &b)| same(a, b));
                assert!(all, "{fold:?} of columns from {start}, {rows}×{columns}: {acc:?} is not {expected:?}");
            }
        }
        let mut y = vec![E::from_f64(7.0); rows * columns];
        expand::<E, M>(&x[..rows], columns, &mut y);
        let all = y.chunks(columns).zip(&x).all(|(row, &x)| row.iter().all(|&y| same(x, y)));
        assert!(all, "{rows} rows of {columns} filled: {y:?}");
    }
}

fn all<M: Machine>() {
    for rows in [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 43] {
        for columns in [1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 65, 100] {
            check::<f64, M>(rows, columns);
            check::<f32, M>(rows, columns);
        }
    }
}

#[test]
fn folds_are_exact_on_any_machine() {
    on_every_machine!(all);
}
