//! The shape of an op's result, from the shapes of its arguments: the one shape check of the crate.

use super::{Op, Unary};
use crate::error::{Error, Result};
use crate::shape::{Shape, broadcast, size, without};

impl Op {
    /// The number of arguments, if it is fixed.
    pub fn arity(&self) -> Option<usize> {
        match self {
            Self::Concat(_) | Self::Stack(_) => None,
            Self::Custom(op) => Some(op.arity()),
            Self::Call(call) => Some(call.arity()),
            Self::Select => Some(3),
            Self::Binary(_)
            | Self::Gather(_)
            | Self::ScatterAdd { .. }
            | Self::MatMul { .. }
            | Self::Solve { .. }
            | Self::CholeskySolve => Some(2),
            _ => Some(1),
        }
    }

    /// The shape of the result.
    ///
    /// # Errors
    /// [`Error::Shape`] if the arguments' number or shapes do not fit the op; it says what would fit.
    pub fn infer_shape(&self, args: &[&[usize]]) -> Result<Shape> {
        let fail = |reason: String| Error::Shape {
            op: self.to_string(),
            shapes: args.iter().map(|&s| Shape::from_slice(s)).collect(),
            reason,
        };
        let arity = self.arity().unwrap_or(args.len());
        if args.len() != arity || args.is_empty() {
            return Err(fail(format!("{} arguments given, {} needed", args.len(), arity.max(1))));
        }
        let x = args[0];
        let axis_in = |axis: usize, rank: usize| {
            if axis < rank { Ok(()) } else { Err(fail(format!("axis {axis} does not exist, the rank is {rank}"))) }
        };
        let distinct = |axes: &[usize]| -> Result<()> {
            for (i, &axis) in axes.iter().enumerate() {
                axis_in(axis, x.len())?;
                if axes[..i].contains(&axis) {
                    return Err(fail(format!("axis {axis} is named twice")));
                }
            }
            Ok(())
        };
        Ok(match self {
            Self::Unary(_) => Shape::from_slice(x),
            Self::Binary(_) | Self::Select => {
                if args.iter().any(|a| *a != x) {
                    return Err(fail("the shapes must be equal".into()));
                }
                Shape::from_slice(x)
            }
            Self::Reshape(shape) => {
                if size(shape) != size(x) {
                    return Err(fail(format!("{} elements cannot become {}", size(x), size(shape))));
                }
                shape.clone()
            }
            Self::Permute(axes) => {
                distinct(axes)?;
                if axes.len() != x.len() {
                    return Err(fail(format!("a permutation of {} axes is needed", x.len())));
                }
                axes.iter().map(|&axis| x[axis]).collect()
            }
            Self::Broadcast(shape) => {
                if broadcast(x, shape).as_ref() != Some(shape) {
                    return Err(fail("axes of length 1 can be repeated and leading axes added, nothing else".into()));
                }
                shape.clone()
            }
            Self::Sum(axes) | Self::Reduce(_, axes) => {
                distinct(axes)?;
                without(x, axes)
            }
            Self::Flip(axes) => {
                distinct(axes)?;
                Shape::from_slice(x)
            }
            Self::Slice(ranges) => {
                if ranges.len() != x.len() {
                    return Err(fail(format!("{} ranges given, one for each axis needed", ranges.len())));
                }
                for (range, &n) in ranges.iter().zip(x) {
                    if range.step == 0 || range.start > range.stop || range.stop > n {
                        return Err(fail("a range must be ordered, inside its axis, with a step of at least 1".into()));
                    }
                }
                ranges.iter().map(super::Range::len).collect()
            }
            Self::Pad(pads) => {
                if pads.len() != x.len() {
                    return Err(fail(format!("{} paddings given, one for each axis needed", pads.len())));
                }
                pads.iter().zip(x).map(|(p, &n)| p.low + p.high + n + p.interior * n.saturating_sub(1)).collect()
            }
            Self::Concat(axis) => {
                axis_in(*axis, x.len())?;
                let fits = |s: &[usize]| s.len() == x.len() && (0..x.len()).all(|i| i == *axis || s[i] == x[i]);
                if !args.iter().all(|s| fits(s)) {
                    return Err(fail("all axes but the joined one must be equal".into()));
                }
                let mut shape = Shape::from_slice(x);
                shape[*axis] = args.iter().map(|s| s[*axis]).sum();
                shape
            }
            Self::Stack(axis) => {
                if args.iter().any(|s| *s != x) {
                    return Err(fail("the shapes must be equal".into()));
                }
                axis_in(*axis, x.len() + 1)?;
                let mut shape = Shape::from_slice(x);
                shape.insert(*axis, args.len());
                shape
            }
            Self::Gather(axis) => {
                axis_in(*axis, x.len())?;
                x[..*axis].iter().chain(args[1]).chain(&x[*axis + 1..]).copied().collect()
            }
            Self::ScatterAdd { axis, len } => {
                let indices = args[1];
                let end = axis + indices.len();
                if x.len() < end || &x[*axis..end] != indices {
                    return Err(fail(format!("the updates' axes from {axis} on must be those of the indices")));
                }
                x[..*axis].iter().chain([len]).chain(&x[end..]).copied().collect()
            }
            Self::CumSum { axis, .. } => {
                axis_in(*axis, x.len())?;
                Shape::from_slice(x)
            }
            Self::MatMul { ta, tb } => {
                let y = args[1];
                if x.len() < 2 || y.len() != x.len() || x[..x.len() - 2] != y[..y.len() - 2] {
                    return Err(fail("two matrices, or stacks of matrices with equal leading axes, are needed".into()));
                }
                let oriented = |s: &[usize], t: bool| {
                    let (rows, cols) = (s[s.len() - 2], s[s.len() - 1]);
                    if t { (cols, rows) } else { (rows, cols) }
                };
                let ((m, k), (k2, n)) = (oriented(x, *ta), oriented(y, *tb));
                if k != k2 {
                    return Err(fail(format!("the inner lengths {k} and {k2} differ")));
                }
                x[..x.len() - 2].iter().chain(&[m, n]).copied().collect()
            }
            Self::Solve { .. } | Self::CholeskySolve => {
                let (r, y) = (x.len(), args[1]);
                if r < 2 || x[r - 1] != x[r - 2] || y.len() != r || y[..r - 1] != x[..r - 1] {
                    return Err(fail(
                        "A must be square, B must have as many rows, and their leading axes must be equal".into(),
                    ));
                }
                Shape::from_slice(y)
            }
            Self::Custom(op) => op.infer_shape(args),
            Self::Call(call) => call.infer_shape(args)?,
        })
    }

    /// Floating-point operations, counted as one per element and pointwise op, two per multiply-add; moves count nothing.
    pub fn flops(&self, args: &[&[usize]], out: &[usize]) -> u64 {
        let count = |n: usize| n as u64;
        match self {
            Self::Unary(Unary::Fill(_) | Unary::StopGradient) => 0,
            Self::Unary(_) | Self::Binary(_) | Self::Select => count(size(out)),
            Self::Sum(_) | Self::CumSum { .. } | Self::ScatterAdd { .. } | Self::Reduce(..) => count(size(args[0])),
            Self::MatMul { ta, .. } => {
                let r = args[0].len();
                2 * count(size(out)) * count(args[0][if *ta { r - 2 } else { r - 1 }])
            }
            Self::Solve { .. } | Self::CholeskySolve => {
                let n = count(args[0][args[0].len() - 1]).max(1);
                let systems = count(size(args[0])) / (n * n).max(1);
                let factor = if matches!(self, Self::CholeskySolve) { n * n * n / 3 } else { 2 * n * n * n / 3 };
                systems * factor + 2 * n * count(size(out))
            }
            Self::Custom(_) => count(size(out)),
            Self::Call(call) => call.flops(),
            _ => 0,
        }
    }
}
