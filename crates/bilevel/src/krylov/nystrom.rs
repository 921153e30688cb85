//! The Nyström approximation of an inverse.

use super::{Product, Solution};
use crate::error::{Error, Result};
use crate::vector::{axpy, count, dot, norm, scaled, unit};
use autodiff::{Element, Tensor, Value};
use rand::SeedableRng;
use rand::seq::SliceRandom;

/// `(H_K H_KK⁻¹ H_Kᵀ + ρI)⁻¹ b` from `k` random columns H_K of H, by Woodbury's identity
/// `b/ρ − H_K (ρ H_KK + H_KᵀH_K)⁻¹ H_Kᵀ b / ρ`. (Hataya, Yamada: Nyström method for accurate and scalable implicit
/// differentiation, AISTATS 2023.)
///
/// `k` products, all known beforehand, and one for the residual; then `k³/3` flops. Memory: `k` vectors. With `k = n` it is
/// `(H + ρI)⁻¹b`.
pub(crate) fn nystrom<E: Element>(
    product: &mut Product<'_, E>,
    b: &[Tensor<E>],
    rank: usize,
    damping: f64,
    seed: u64,
) -> Result<Solution<E>> {
    let n = count(b);
    let rank = rank.min(n);
    let mut chosen: Vec<usize> = (0..n).collect();
    chosen.shuffle(&mut rand_pcg::Pcg64::seed_from_u64(seed));
    chosen.truncate(rank);
    let columns = chosen.iter().map(|&i| product(&unit(i, b))).collect::<Result<Vec<_>>>()?;
    let element = |column: &[Tensor<E>], index: usize| {
        let mut rest = index;
        for x in column {
            if rest < x.len() {
                return x.data()[rest].to_f64();
            }
            rest -= x.len();
        }
        f64::NAN
    };
    let small: Tensor<f64> = Tensor::from_fn(&[rank, rank], |i| {
        let both = element(&columns[i[1]], chosen[i[0]]) + element(&columns[i[0]], chosen[i[1]]);
        damping * 0.5 * both + dot(&columns[i[0]], &columns[i[1]])
    });
    let right = Tensor::from(columns.iter().map(|c| dot(c, b)).collect::<Vec<f64>>());
    let y = small.solve(&right);
    if !y.is_finite() {
        let solver = "the Nyström system (its columns depend on each other: lower the rank)";
        return Err(Error::NotConverged { solver, residual: f64::NAN, tolerance: 0.0, iterations: rank });
    }
    let mut x = scaled(1.0 / damping, b);
    for (&c, column) in y.data().iter().zip(&columns) {
        axpy(-c / damping, column, &mut x);
    }
    let mut residual = b.to_vec();
    axpy(-1.0, &product(&x)?, &mut residual);
    axpy(-damping, &x, &mut residual);
    let relative = norm(&residual) / norm(b).max(f64::MIN_POSITIVE);
    Ok(Solution { x, residual, relative, iterations: rank, vectors: rank + 4, lanczos: None })
}
