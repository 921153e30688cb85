//! Losses and accuracy.

use crate::error::{Result, configuration};
use autodiff::{Element, Tensor, Value};

/// One row per label, 1 at the label and 0 elsewhere.
///
/// # Errors
/// [`Error::Configuration`](crate::Error::Configuration) if a label is not below `classes`.
pub fn one_hot<E: Element>(labels: &[usize], classes: usize) -> Result<Tensor<E>> {
    if let Some(label) = labels.iter().find(|&&label| label >= classes) {
        return configuration("labels", format!("label {label} is not below the number of classes, {classes}"));
    }
    Ok(Tensor::from_fn(&[labels.len(), classes], |i| E::from_f64(if labels[i[0]] == i[1] { 1.0 } else { 0.0 })))
}

/// Softmax cross-entropy of each example, `ln Σ eˣ − ⟨target, x⟩`: logits and targets `[batch, classes]`, the result
/// `[batch]`. Targets are distributions, one-hot or soft.
#[track_caller]
pub fn cross_entropy<V: Value>(logits: &V, targets: &V) -> V {
    logits.logsumexp(&[1]).minus(&logits.times(targets).sum(&[1]))
}

/// Mean of [`cross_entropy`] over the batch.
#[track_caller]
pub fn mean_cross_entropy<V: Value>(logits: &V, targets: &V) -> V {
    cross_entropy(logits, targets).mean_all()
}

/// `Σ wᵢ ℓᵢ` of [`cross_entropy`], with a weight `[batch]` for each example.
#[track_caller]
pub fn weighted_cross_entropy<V: Value>(logits: &V, targets: &V, weights: &V) -> V {
    cross_entropy(logits, targets).dot(weights)
}

/// Mean squared error over all elements.
#[track_caller]
pub fn mean_squared_error<V: Value>(prediction: &V, target: &V) -> V {
    prediction.minus(target).square().mean_all()
}

/// The class with the largest logit, for each row; the first of several.
pub fn predictions<E: Element>(logits: &Tensor<E>) -> Vec<usize> {
    let classes = logits.dims().last().copied().unwrap_or(1).max(1);
    let row = |row: &[E]| (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    logits.data().chunks_exact(classes).map(row).collect()
}

/// The fraction of rows whose largest logit is at the label; NaN without rows.
pub fn accuracy<E: Element>(logits: &Tensor<E>, labels: &[usize]) -> f64 {
    let right = predictions(logits).iter().zip(labels).filter(|(p, l)| p == l).count();
    right as f64 / labels.len() as f64
}
