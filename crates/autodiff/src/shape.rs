//! Shapes and the arithmetic on them: sizes, strides, broadcasting.

use smallvec::SmallVec;

/// The length of each axis, outermost first; a scalar has none. Up to four axes need no allocation.
pub type Shape = SmallVec<[usize; 4]>;

/// A list of axes, counted from 0, outermost first.
pub type Axes = SmallVec<[usize; 4]>;

/// Number of elements of a shape.
#[inline]
pub fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Row-major strides, in elements.
pub fn strides(shape: &[usize]) -> Shape {
    let mut strides: Shape = SmallVec::from_elem(1, shape.len());
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// NumPy's rule for the common shape of two operands: aligned at the last axis, lengths equal or one of them 1.
///
/// Returns `None` if the shapes do not go together.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Shape> {
    let rank = a.len().max(b.len());
    let length = |s: &[usize], axis: usize| (axis + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
    (0..rank)
        .map(|axis| match (length(a, axis), length(b, axis)) {
            (m, n) if m == n => Some(m),
            (1, n) => Some(n),
            (m, 1) => Some(m),
            _ => None,
        })
        .collect()
}

/// The shape without the given axes.
pub fn without(shape: &[usize], axes: &[usize]) -> Shape {
    shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, &n)| n).collect()
}

/// The shape with length 1 in the given axes.
pub fn keep_dims(shape: &[usize], axes: &[usize]) -> Shape {
    shape.iter().enumerate().map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n }).collect()
}

/// The axes of `to` that a broadcast from `from` adds or repeats.
pub fn broadcast_axes(from: &[usize], to: &[usize]) -> Axes {
    let added = to.len() - from.len();
    (0..to.len()).filter(|&axis| axis < added || from[axis - added] != to[axis]).collect()
}

/// The inverse of a permutation of axes.
pub fn inverse_permutation(axes: &[usize]) -> Axes {
    let mut inverse: Axes = SmallVec::from_elem(0, axes.len());
    for (to, &from) in axes.iter().enumerate() {
        inverse[from] = to;
    }
    inverse
}
