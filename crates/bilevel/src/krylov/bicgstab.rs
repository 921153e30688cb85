//! Stabilised biconjugate gradients.

use super::{Product, Solution, Stop, begin, relative, residual};
use crate::error::{Error, Result};
use crate::vector::{axpy, dot, norm};
use autodiff::{Element, Tensor};

/// `A·x = b` for any invertible A in the memory of a few vectors. (van der Vorst, SIAM J. Sci. Stat. Comput. 1992.)
///
/// Two products an iteration, and one for the residual after the last. Memory: eight vectors. It may break down, which is an error; then GMRES does.
pub(crate) fn bicgstab<E: Element>(
    product: &mut Product<'_, E>,
    b: &[Tensor<E>],
    x0: Option<Vec<Tensor<E>>>,
    stop: Stop,
) -> Result<Solution<E>> {
    let scale = norm(b);
    let (mut x, mut r) = begin(product, b, x0)?;
    let shadow = r.clone();
    let mut p = r.clone();
    let mut rho = dot(&shadow, &r);
    let mut iterations = 0;
    while iterations < stop.iterations && norm(&r) > 0.0 && norm(&r) > stop.tolerance * scale {
        iterations += 1;
        let ap = product(&p)?;
        let alpha = rho / dot(&shadow, &ap);
        let mut s = r.clone();
        axpy(-alpha, &ap, &mut s);
        let image = product(&s)?;
        let square = dot(&image, &image);
        let omega = if square > 0.0 { dot(&image, &s) / square } else { 0.0 };
        axpy(alpha, &p, &mut x);
        axpy(omega, &s, &mut x);
        r = s;
        axpy(-omega, &image, &mut r);
        let next = dot(&shadow, &r);
        let beta = next / rho * (alpha / omega);
        rho = next;
        if norm(&r) <= stop.tolerance * scale {
            break;
        }
        if !beta.is_finite() {
            let (solver, residual) = ("BiCGStab (it broke down)", norm(&r) / scale);
            return Err(Error::NotConverged { solver, residual, tolerance: stop.tolerance, iterations });
        }
        axpy(-omega, &ap, &mut p);
        crate::vector::xpay(&r, beta, &mut p);
    }
    let r = residual(product, b, &x, r, iterations)?;
    let relative = relative(norm(&r), scale);
    Ok(Solution { x, residual: r, relative, iterations, vectors: 8, lanczos: None })
}
