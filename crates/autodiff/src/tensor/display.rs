//! Printing: nested brackets as NumPy writes them, long axes cut in the middle.

use super::Tensor;
use crate::scalar::Element;
use crate::shape::size;
use std::fmt;

/// Axes longer than this are cut to their first and last three elements.
const LONG: usize = 12;

impl<E: Element> fmt::Display for Tensor<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision();
        let number = |x: E| precision.map_or_else(|| format!("{x}"), |p| format!("{x:.p$}"));
        let mut shown = Vec::new();
        visit(self.data(), self.dims(), &mut |x| shown.push(number(x).len()));
        let width = shown.into_iter().max().unwrap_or(0);
        write_axis(f, self.data(), self.dims(), 1, &|x| format!("{:>width$}", number(x)))
    }
}

/// The shape, the element type and the elements.
impl<E: Element> fmt::Debug for Tensor<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor<{}>{:?} {self}", E::NAME, self.dims())
    }
}

/// The indices of an axis that are printed; `None` stands for the gap.
fn shown(n: usize) -> Vec<Option<usize>> {
    if n <= LONG {
        (0..n).map(Some).collect()
    } else {
        (0..3).map(Some).chain([None]).chain((n - 3..n).map(Some)).collect()
    }
}

fn visit<E: Copy>(data: &[E], dims: &[usize], see: &mut impl FnMut(E)) {
    match dims {
        [] => see(data[0]),
        [n, inner @ ..] => {
            let step = size(inner);
            for i in shown(*n).into_iter().flatten() {
                visit(&data[i * step..(i + 1) * step], inner, see);
            }
        }
    }
}

fn write_axis<E: Copy>(
    f: &mut fmt::Formatter<'_>,
    data: &[E],
    dims: &[usize],
    indent: usize,
    number: &dyn Fn(E) -> String,
) -> fmt::Result {
    let [n, inner @ ..] = dims else { return f.write_str(number(data[0]).trim_start()) };
    let step = size(inner);
    f.write_str("[")?;
    for (position, i) in shown(*n).into_iter().enumerate() {
        if position > 0 && inner.is_empty() {
            f.write_str(", ")?;
        } else if position > 0 {
            write!(f, ",{}{:indent$}", "\n".repeat(inner.len()), "")?;
        }
        match i {
            None => f.write_str("…")?,
            Some(i) if inner.is_empty() => f.write_str(&number(data[i]))?,
            Some(i) => write_axis(f, &data[i * step..(i + 1) * step], inner, indent + 1, number)?,
        }
    }
    f.write_str("]")
}
