//! Generalised minimal residuals.

use super::{Product, Solution, Stop, begin, relative};
use crate::error::Result;
use crate::vector::{axpy, dot, norm, scaled};
use autodiff::{Element, Tensor};

/// `A·x = b` for any invertible A: the smallest residual in the Krylov space, started anew after `restart` products.
/// (Saad, Schultz, SIAM J. Sci. Stat. Comput. 1986.)
///
/// One product an iteration, and one for each restart. Memory: `restart + 2` vectors.
pub(crate) fn gmres<E: Element>(
    product: &mut Product<'_, E>,
    b: &[Tensor<E>],
    x0: Option<Vec<Tensor<E>>>,
    restart: usize,
    stop: Stop,
) -> Result<Solution<E>> {
    let scale = norm(b);
    let (mut x, mut r) = begin(product, b, x0)?;
    let (mut iterations, mut vectors) = (0, 3);
    while iterations < stop.iterations && norm(&r) > 0.0 && norm(&r) > stop.tolerance * scale {
        let length = norm(&r);
        let mut basis = vec![scaled(1.0 / length, &r)];
        // The triangular factor by columns, the rotations, and the rotated right-hand side.
        let (mut columns, mut rotations): (Vec<Vec<f64>>, Vec<(f64, f64)>) = (Vec::new(), Vec::new());
        let mut rhs = vec![length];
        while columns.len() < restart.max(1) && iterations < stop.iterations {
            let mut w = product(&basis[columns.len()])?;
            iterations += 1;
            let before = norm(&w);
            let mut column = vec![0.0; basis.len()];
            // Twice, so that the basis stays orthogonal to rounding.
            for _ in 0..2 {
                for (h, q) in column.iter_mut().zip(&basis) {
                    let part = dot(&w, q);
                    axpy(-part, q, &mut w);
                    *h += part;
                }
            }
            let rest = norm(&w);
            for (i, &(c, s)) in rotations.iter().enumerate() {
                (column[i], column[i + 1]) = (c * column[i] + s * column[i + 1], c * column[i + 1] - s * column[i]);
            }
            let last = column.len() - 1;
            let radius = column[last].hypot(rest);
            if radius == 0.0 {
                // A maps the basis into less than itself: A is singular, and this column says nothing.
                break;
            }
            let (c, s) = (column[last] / radius, rest / radius);
            column[last] = radius;
            rotations.push((c, s));
            let g = rhs[last];
            rhs[last] = c * g;
            rhs.push(-s * g);
            columns.push(column);
            let exhausted = rest <= E::EPSILON.to_f64() * before;
            if exhausted || (s * g).abs() <= stop.tolerance * scale {
                break;
            }
            basis.push(scaled(1.0 / rest, &w));
        }
        // The basis, b, x, r and the last product.
        vectors = vectors.max(basis.len() + 4);
        if columns.is_empty() {
            break;
        }
        let k = columns.len();
        let mut y = vec![0.0; k];
        for i in (0..k).rev() {
            let known: f64 = (i + 1..k).map(|j| columns[j][i] * y[j]).sum();
            y[i] = (rhs[i] - known) / columns[i][i];
        }
        for (c, q) in y.iter().zip(&basis) {
            axpy(*c, q, &mut x);
        }
        let before = norm(&r);
        r = b.to_vec();
        axpy(-1.0, &product(&x)?, &mut r);
        // More passes would not help: rounding is reached, or the space holds no better answer.
        if norm(&r) >= 0.999 * before {
            break;
        }
    }
    let relative = relative(norm(&r), scale);
    Ok(Solution { x, residual: r, relative, iterations, vectors, lanczos: None })
}
