//! Stacks of matrix products and linear systems.

use super::{Product, Tensor};
use crate::scalar::Element;
use crate::shape::{Shape, size};
use crate::value::Value;

pub(super) fn matmul<E: Element>(a: &Tensor<E>, b: &Tensor<E>, ta: bool, tb: bool, shape: Shape) -> Tensor<E> {
    let rank = shape.len();
    let (m, n) = (shape[rank - 2], shape[rank - 1]);
    let (a_cols, b_cols) = (a.dims()[rank - 1], b.dims()[rank - 1]);
    let k = a.dims()[if ta { rank - 2 } else { rank - 1 }];
    let strides = |cols: usize, t: bool| if t { [1, cols] } else { [cols, 1] };
    let mut out = vec![E::from_f64(0.0); size(&shape)];
    if m * n > 0 {
        for (i, c) in out.chunks_exact_mut(m * n).enumerate() {
            let product = Product {
                m,
                k,
                n,
                a: &a.data()[i * m * k..(i + 1) * m * k],
                a_strides: strides(a_cols, ta),
                b: &b.data()[i * k * n..(i + 1) * k * n],
                b_strides: strides(b_cols, tb),
                start: None,
                fork: true,
                wake: true,
            };
            E::gemm(product, c);
        }
    }
    Tensor::from_parts(shape, out)
}

/// Runs `f(A, B)` on each pair of a stack, `B` to be overwritten by the solution, `A` a copy in `scratch`.
fn each_system<E: Element>(
    a: &[E],
    a_shape: &[usize],
    b: &mut [E],
    b_shape: &[usize],
    scratch: &mut [E],
    mut f: impl FnMut(&mut [E], &mut [E], usize, usize),
) {
    let rank = a_shape.len();
    let (n, columns) = (a_shape[rank - 1], b_shape[rank - 1]);
    if n * columns > 0 {
        let copy = &mut scratch[..n * n];
        for (i, x) in b.chunks_exact_mut(n * columns).enumerate() {
            copy.copy_from_slice(&a[i * n * n..(i + 1) * n * n]);
            f(copy, x, n, columns);
        }
    }
}

/// Solves into a copy of `b`, with scratch for one matrix.
fn solved<E: Element>(a: &Tensor<E>, b: &Tensor<E>, f: impl FnOnce(&mut [E], &mut [E])) -> Tensor<E> {
    let n = a.dims()[a.rank() - 1];
    let (mut out, mut scratch) = (b.data().to_vec(), vec![E::from_f64(0.0); n * n]);
    f(&mut out, &mut scratch);
    Tensor::from_parts(b.shape.clone(), out)
}

pub(super) fn solve<E: Element>(a: &Tensor<E>, b: &Tensor<E>, transpose: bool) -> Tensor<E> {
    solved(a, b, |out, scratch| solve_in_place(a.data(), a.dims(), out, b.dims(), transpose, scratch))
}

pub(super) fn cholesky_solve<E: Element>(a: &Tensor<E>, b: &Tensor<E>) -> Tensor<E> {
    solved(a, b, |out, scratch| cholesky_solve_in_place(a.data(), a.dims(), out, b.dims(), scratch))
}

/// `row i −= factor · row j` of a row-major matrix.
fn subtract_row<E: Element>(x: &mut [E], columns: usize, i: usize, j: usize, factor: E) {
    for c in 0..columns {
        let from = x[j * columns + c];
        x[i * columns + c] += -(factor * from);
    }
}

/// LU with partial pivoting. A singular matrix gives infinities or NaN.
pub(crate) fn solve_in_place<E: Element>(
    a: &[E],
    a_shape: &[usize],
    b: &mut [E],
    b_shape: &[usize],
    transpose: bool,
    scratch: &mut [E],
) {
    each_system(a, a_shape, b, b_shape, scratch, |a, x, n, columns| {
        if transpose {
            for i in 0..n {
                for j in 0..i {
                    a.swap(i * n + j, j * n + i);
                }
            }
        }
        for step in 0..n {
            let magnitude = |row: usize| a[row * n + step].abs();
            let mut pivot = step;
            for row in step + 1..n {
                // A NaN must not be passed over: it would vanish from the solution.
                if magnitude(row) > magnitude(pivot) || magnitude(row).to_f64().is_nan() {
                    pivot = row;
                }
            }
            if pivot != step {
                for c in 0..n {
                    a.swap(step * n + c, pivot * n + c);
                }
                for c in 0..columns {
                    x.swap(step * columns + c, pivot * columns + c);
                }
            }
            for row in step + 1..n {
                let factor = a[row * n + step] / a[step * n + step];
                subtract_row(a, n, row, step, factor);
                subtract_row(x, columns, row, step, factor);
            }
        }
        for row in (0..n).rev() {
            for later in row + 1..n {
                let factor = a[row * n + later];
                subtract_row(x, columns, row, later, factor);
            }
            for value in &mut x[row * columns..(row + 1) * columns] {
                *value = *value / a[row * n + row];
            }
        }
    });
}

/// Cholesky of the symmetric part; NaN if it is not positive definite.
pub(crate) fn cholesky_solve_in_place<E: Element>(
    a: &[E],
    a_shape: &[usize],
    b: &mut [E],
    b_shape: &[usize],
    scratch: &mut [E],
) {
    let half = E::from_f64(0.5);
    each_system(a, a_shape, b, b_shape, scratch, |a, x, n, columns| {
        for i in 0..n {
            for j in 0..i {
                a[i * n + j] = half * (a[i * n + j] + a[j * n + i]);
            }
        }
        // L in place of the lower triangle, row by row.
        for i in 0..n {
            for j in 0..=i {
                let dot: E = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
                let rest = a[i * n + j] - dot;
                a[i * n + j] = if i == j { Value::sqrt(&rest) } else { rest / a[j * n + j] };
            }
        }
        let divide = |x: &mut [E], row: usize| {
            for value in &mut x[row * columns..(row + 1) * columns] {
                *value = *value / a[row * n + row];
            }
        };
        for row in 0..n {
            for earlier in 0..row {
                subtract_row(x, columns, row, earlier, a[row * n + earlier]);
            }
            divide(x, row);
        }
        for row in (0..n).rev() {
            for later in row + 1..n {
                subtract_row(x, columns, row, later, a[later * n + row]);
            }
            divide(x, row);
        }
    });
}
