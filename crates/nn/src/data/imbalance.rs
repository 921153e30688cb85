//! Class imbalance, for experiments.

use super::{Dataset, shuffled};
use crate::Rng;
use crate::error::{Result, configuration};
use autodiff::Element;

/// The numbers of the examples that are left when class `k` of `C` keeps `ratio^(−k/(C−1))` of its examples: the first class
/// all, the last one in `ratio`, at least one of each. (The long-tailed sets of Cui, Jia, Lin, Song, Belongie, CVPR 2019.)
/// With two classes and ratio 200, 99.5 % are of the first.
///
/// # Errors
/// [`Error::Configuration`](crate::Error::Configuration) for a ratio below 1.
pub fn imbalance<E: Element>(data: &Dataset<E>, ratio: f64, rng: &mut Rng) -> Result<Vec<usize>> {
    if !(ratio >= 1.0 && ratio.is_finite()) {
        return configuration("imbalance", format!("{ratio} must be at least 1: the largest class over the smallest"));
    }
    let last = (data.classes().max(2) - 1) as f64;
    let mut left: Vec<usize> = (0..data.classes())
        .map(|k| {
            let count = data.labels().iter().filter(|&&l| l == k).count() as f64;
            (count * ratio.powf(-(k as f64) / last)).round().max(1.0) as usize
        })
        .collect();
    let mut kept = Vec::new();
    for i in shuffled(data.len(), rng) {
        let left = &mut left[data.labels()[i]];
        if *left > 0 {
            *left -= 1;
            kept.push(i);
        }
    }
    kept.sort_unstable();
    Ok(kept)
}
