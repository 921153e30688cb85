//! Reductions other than the sum: each states its weights `w = ∂y/∂x`, in the shape of `x`.

use crate::op::{Compare, Reduce};
use crate::shape::keep_dims;
use crate::value::Value;

/// Puts summed axes back: the transpose of a sum.
#[track_caller]
pub(crate) fn expand<V: Value>(y: &V, axes: &[usize], shape: &[usize]) -> V {
    y.reshape(&keep_dims(shape, axes)).broadcast_to(shape)
}

/// The weights of a reduction.
#[track_caller]
pub(crate) fn weights<V: Value>(reduce: Reduce, axes: &[usize], x: &V, y: &V) -> V {
    let shape = x.shape();
    match reduce {
        // One for the extreme element; ties share equally.
        Reduce::Max | Reduce::Min => {
            let mask = x.compare(Compare::Eq, &expand(y, axes, &shape));
            let ties = expand(&mask.sum(axes), axes, &shape);
            mask.over(&ties)
        }
        // The softmax. Where the sum is e^−∞ or e^∞ there is no slope to share: 0 there instead of ∞ − ∞.
        Reduce::LogSumExp => {
            let y = expand(y, axes, &shape);
            let finite = y.abs().test(Compare::Ne, f64::INFINITY);
            finite.select(&x.minus(&y), &y.zeros_like()).exp().times(&finite)
        }
        Reduce::Prod => product_of_the_others(axes, x),
    }
}

/// `∏_{j ≠ i} x_j` along the axes, without dividing, so that zeros are no special case: the running product from the
/// left times the one from the right.
#[track_caller]
fn product_of_the_others<V: Value>(axes: &[usize], x: &V) -> V {
    let shape = x.shape();
    let n: usize = axes.iter().map(|&axis| shape[axis]).product();
    if n <= 1 {
        return x.ones_like();
    }
    // The reduced axes last, as one axis of length n.
    let kept = (0..shape.len()).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
    let moved = x.permute(&order);
    let moved_shape = moved.shape();
    let lead = &moved_shape[..shape.len() - axes.len()];
    let rows = moved.reshape(&[lead, &[n]].concat());
    let last = lead.len();

    let column = |i: usize| rows.slice_axis(last, i..i + 1);
    let running = |from_left: bool| {
        let mut products = vec![column(0).ones_like()];
        for i in 1..n {
            let next = if from_left { column(i - 1) } else { column(n - i) };
            products.push(products[i - 1].times(&next));
        }
        products
    };
    let (left, mut right) = (running(true), running(false));
    right.reverse();
    let others: Vec<V> = left.iter().zip(&right).map(|(l, r)| l.times(r)).collect();
    let joined = V::concat(&others.iter().collect::<Vec<_>>(), last);
    joined.reshape(&moved_shape).permute(&crate::shape::inverse_permutation(&order))
}
