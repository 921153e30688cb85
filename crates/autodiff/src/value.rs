//! The one trait that every carrier implements, and the sugar over it.

use crate::op::{Binary, Compare, Custom, Literal, Op, Padding, Range, Reduce, Unary};
use crate::shape::{Axes, Shape, broadcast, keep_dims, size};
use crate::slot::Slot;
use crate::tensor::Constant;
use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        $($(#[$doc])*
        #[inline(always)]
        #[track_caller]
        #[must_use]
        fn $name(&self) -> Self { Self::unary(|| $op, self) })*
    };
}

macro_rules! literal_methods {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {
        $($(#[$doc])*
        #[inline(always)]
        #[track_caller]
        #[must_use]
        fn $name(&self, c: f64) -> Self { Self::unary(move || Unary::$op(Literal(c)), self) })*
    };
}

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        $($(#[$doc])*
        #[inline(always)]
        #[track_caller]
        #[must_use]
        fn $name(&self, other: &Self) -> Self { Self::broadcast_binary(|| $op, self, other) })*
    };
}

/// A type that can interpret the op language: a number, an array, a number with a tangent, a place on a tape, …
///
/// The one thing a carrier must be able to do is [`apply`](Value::apply) an [`Op`]; everything that reads like
/// arithmetic is sugar over that. A function generic over `V: Value` can be evaluated, differentiated to any order,
/// batched and recorded:
///
/// ```
/// use autodiff::{Dual, Value};
/// fn softplus_squared<V: Value>(x: &V) -> V {
///     x.softplus().square()
/// }
/// let y = softplus_squared(&0.5_f64);
/// let dy = softplus_squared(&Dual::variable(0.5_f64)).tangent();
/// assert!((dy - 2.0 * y.sqrt() * 0.5_f64.sigmoid()).abs() < 1e-15);
/// ```
///
/// Binary methods broadcast as NumPy does, by recording an explicit [`Op::Broadcast`].
///
/// # Panics
/// Shape mismatches panic with the op, the shapes and the caller's line.
pub trait Value:
    Clone + Debug + Neg<Output = Self> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// Whether the carrier is a plain scalar: rank 0, a few words, no context needed to make a constant.
    #[doc(hidden)]
    const SCALAR: bool = false;

    /// Whether the shape is always that of a number: there is nothing to broadcast.
    #[doc(hidden)]
    const RANK_0: bool = Self::SCALAR;

    /// Whether a [`Var`](crate::Var) keeps the value itself, for its tape holds only partials.
    #[doc(hidden)]
    const INLINE: bool = Self::SCALAR;

    /// What a [`Var`](crate::Var) of this carrier keeps beside its place on the tape: the value, where it is kept.
    #[doc(hidden)]
    type Inline: Copy + Debug;

    /// How `W`, which is built on this carrier, stores an optional value.
    #[doc(hidden)]
    type Slot<W: Value>: Slot<W>;

    #[doc(hidden)]
    fn to_inline(&self) -> Self::Inline;

    #[doc(hidden)]
    fn from_inline(inline: Self::Inline) -> Option<Self>;

    /// `p·t` where a `t` that is exactly zero gives zero even if `p` is infinite; for plain scalars only.
    #[doc(hidden)]
    #[inline(always)]
    fn times_tangent(p: &Self, t: &Self) -> Self {
        p.times(t)
    }

    /// `p·t` as the product it is: for a `p` that is finite in all its parts, or where a 0·∞ that became no number is seen
    /// afterwards.
    #[doc(hidden)]
    #[inline(always)]
    fn times_finite(p: &Self, t: &Self) -> Self {
        Self::times_tangent(p, t)
    }

    /// Interprets an op.
    ///
    /// # Panics
    /// If the arguments' number or shapes do not fit the op.
    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self;

    /// The shape; empty for a scalar.
    fn shape(&self) -> Shape;

    /// Lifts an array that is not differentiated into the context of `self`.
    ///
    /// Anything that converts to a [`Constant`] can be lifted: numbers, `Tensor<f32>`, `Tensor<f64>`.
    ///
    /// # Panics
    /// If the carrier is a scalar and the constant is not.
    #[track_caller]
    fn constant(&self, constant: impl Into<Constant>) -> Self
    where
        Self: Sized,
    {
        self.lift(&constant.into())
    }

    /// [`constant`](Value::constant), without the conversion.
    #[track_caller]
    fn lift(&self, constant: &Constant) -> Self;

    /// A rank-0 constant, for carriers that need no context to make one; `None` for the others.
    fn literal(c: f64) -> Option<Self>;

    /// Whether every number inside is finite (values and tangents). Carriers without numbers say yes.
    fn is_finite(&self) -> bool;

    /// Whether it is finite and not exactly zero: then it is connected, and met no 0·∞ on its way.
    #[doc(hidden)]
    fn is_ordinary(&self) -> bool {
        false
    }

    /// Interprets a pointwise op of one argument.
    ///
    /// The op comes as a function, so that each op gets a copy of the carrier's code in which it is a constant, and
    /// nothing is left to dispatch at run time.
    #[inline(always)]
    #[track_caller]
    fn unary(op: impl Fn() -> Unary + Copy, x: &Self) -> Self {
        Self::apply(&Op::Unary(op()), &[x])
    }

    /// Interprets a pointwise op of two arguments of one shape; the op comes as a function, as in [`unary`](Value::unary).
    #[inline(always)]
    #[track_caller]
    fn binary(op: impl Fn() -> Binary + Copy, a: &Self, b: &Self) -> Self {
        Self::apply(&Op::Binary(op()), &[a, b])
    }

    /// A pointwise op of two arguments, broadcast against each other.
    #[inline(always)]
    #[track_caller]
    fn broadcast_binary(op: impl Fn() -> Binary + Copy, a: &Self, b: &Self) -> Self {
        if Self::RANK_0 { Self::binary(op, a, b) } else { broadcast_binary(op, a, b) }
    }

    unary_methods! {
        /// `1 / x`
        recip => Unary::Recip;
        /// `|x|`
        abs => Unary::Abs;
        /// −1, 0 or 1 (unlike `f64::signum`, 0 at 0)
        sign => Unary::Sign;
        /// `√x`
        sqrt => Unary::Sqrt;
        /// `x²`
        square => Unary::Square;
        /// `eˣ`
        exp => Unary::Exp;
        /// `eˣ − 1`
        exp_m1 => Unary::ExpM1;
        /// natural logarithm
        ln => Unary::Ln;
        /// `ln(1 + x)`
        ln_1p => Unary::Ln1p;
        /// sine
        sin => Unary::Sin;
        /// cosine
        cos => Unary::Cos;
        /// tangent
        tan => Unary::Tan;
        /// inverse sine
        asin => Unary::Asin;
        /// inverse cosine
        acos => Unary::Acos;
        /// inverse tangent
        atan => Unary::Atan;
        /// hyperbolic sine
        sinh => Unary::Sinh;
        /// hyperbolic cosine
        cosh => Unary::Cosh;
        /// hyperbolic tangent
        tanh => Unary::Tanh;
        /// logistic function
        sigmoid => Unary::Sigmoid;
        /// `ln(1 + eˣ)`
        softplus => Unary::Softplus;
        /// `max(x, 0)`
        relu => Unary::Relu;
        /// error function
        erf => Unary::Erf;
        /// largest integer ≤ x
        floor => Unary::Floor;
        /// smallest integer ≥ x
        ceil => Unary::Ceil;
        /// nearest integer, halves away from zero
        round => Unary::Round;
        /// the same value, cut off from differentiation
        stop_gradient => Unary::StopGradient;
        /// zeros of the same shape
        zeros_like => Unary::Fill(Literal(0.0));
        /// ones of the same shape
        ones_like => Unary::Fill(Literal(1.0));
    }

    literal_methods! {
        /// `x + c`
        shift => Add;
        /// `x · c`
        scale => Mul;
        /// `c − x`
        sub_from => SubFrom;
        /// `x / c`
        div_by => DivBy;
        /// `c / x`
        div_into => DivInto;
        /// `xᶜ`
        powf => Powf;
        /// `max(x, c)`, elementwise
        max_with => Max;
        /// `min(x, c)`, elementwise
        min_with => Min;
        /// the constant `c` in the shape of `x`
        fill => Fill;
    }

    /// `xⁿ`
    #[inline(always)]
    #[track_caller]
    #[must_use]
    fn powi(&self, n: i32) -> Self {
        Self::unary(move || Unary::Powi(n), self)
    }

    /// The mask of `x compare c`: ones and zeros, not differentiated.
    #[inline(always)]
    #[track_caller]
    #[must_use]
    fn test(&self, compare: Compare, c: f64) -> Self {
        Self::unary(move || Unary::Test(compare, Literal(c)), self)
    }

    binary_methods! {
        /// `a + b`
        plus => Binary::Add;
        /// `a − b`
        minus => Binary::Sub;
        /// `a · b`
        times => Binary::Mul;
        /// `a / b`
        over => Binary::Div;
        /// `aᵇ`
        pow => Binary::Pow;
        /// the angle of the point `(other, self)`
        atan2 => Binary::Atan2;
        /// `√(a² + b²)`
        hypot => Binary::Hypot;
        /// the larger, NaN if either is
        maximum => Binary::Max;
        /// the smaller, NaN if either is
        minimum => Binary::Min;
    }

    /// The mask of `a compare b`: ones and zeros, not differentiated.
    #[inline(always)]
    #[track_caller]
    #[must_use]
    fn compare(&self, compare: Compare, other: &Self) -> Self {
        Self::broadcast_binary(move || Binary::Compare(compare), self, other)
    }

    /// `a` where this mask is not zero, `b` elsewhere; broadcast to one shape.
    ///
    /// Only the chosen side is differentiated; still, an infinite partial *inside* the side that was not chosen meets a
    /// cotangent that is zero in value, not in structure, and gives NaN for arrays. Choose a safe argument first, and
    /// compute on that.
    #[track_caller]
    #[must_use]
    fn select(&self, a: &Self, b: &Self) -> Self {
        if Self::RANK_0 {
            return Self::apply(&Op::Select, &[self, a, b]);
        }
        let shape = broadcast(&self.shape(), &a.shape()).and_then(|s| broadcast(&s, &b.shape()));
        let Some(shape) = shape else { return Self::apply(&Op::Select, &[self, a, b]) };
        Self::apply(&Op::Select, &[&self.broadcast_to(&shape), &a.broadcast_to(&shape), &b.broadcast_to(&shape)])
    }

    /// The same elements in another shape of the same size.
    #[track_caller]
    #[must_use]
    fn reshape(&self, shape: &[usize]) -> Self {
        if self.shape()[..] == *shape {
            self.clone()
        } else {
            Self::apply(&Op::Reshape(Shape::from_slice(shape)), &[self])
        }
    }

    /// All elements on one axis.
    #[track_caller]
    #[must_use]
    fn flatten(&self) -> Self {
        self.reshape(&[size(&self.shape())])
    }

    /// Axis `i` of the result is axis `axes[i]` of `self`.
    #[track_caller]
    #[must_use]
    fn permute(&self, axes: &[usize]) -> Self {
        if axes.len() == self.shape().len() && axes.iter().enumerate().all(|(i, &a)| i == a) {
            return self.clone();
        }
        Self::apply(&Op::Permute(Axes::from_slice(axes)), &[self])
    }

    /// The last two axes exchanged.
    ///
    /// # Panics
    /// If the rank is below 2.
    #[track_caller]
    #[must_use]
    fn transpose(&self) -> Self {
        let rank = self.shape().len();
        assert!(rank >= 2, "transpose: a matrix or a stack of matrices is needed, the shape is {:?}", self.shape());
        let mut axes: Axes = (0..rank).collect();
        axes.swap(rank - 1, rank - 2);
        self.permute(&axes)
    }

    /// Repeats axes of length 1 and adds leading axes, as NumPy does.
    #[track_caller]
    #[must_use]
    fn broadcast_to(&self, shape: &[usize]) -> Self {
        if self.shape()[..] == *shape {
            self.clone()
        } else {
            Self::apply(&Op::Broadcast(Shape::from_slice(shape)), &[self])
        }
    }

    /// Sum over axes, which vanish.
    #[track_caller]
    #[must_use]
    fn sum(&self, axes: &[usize]) -> Self {
        if axes.is_empty() { self.clone() } else { Self::apply(&Op::Sum(Axes::from_slice(axes)), &[self]) }
    }

    /// Sum over axes, which stay with length 1.
    #[track_caller]
    #[must_use]
    fn sum_keep(&self, axes: &[usize]) -> Self {
        let kept = keep_dims(&self.shape(), axes);
        self.sum(axes).reshape(&kept)
    }

    /// Sum of all elements; a scalar.
    #[track_caller]
    #[must_use]
    fn sum_all(&self) -> Self {
        let axes: Axes = (0..self.shape().len()).collect();
        self.sum(&axes)
    }

    /// Mean over axes, which vanish. NaN over no elements.
    #[track_caller]
    #[must_use]
    fn mean(&self, axes: &[usize]) -> Self {
        let shape = self.shape();
        let count: usize = axes.iter().filter_map(|&axis| shape.get(axis)).product();
        self.sum(axes).div_by(count as f64)
    }

    /// Mean of all elements; a scalar.
    #[track_caller]
    #[must_use]
    fn mean_all(&self) -> Self {
        self.sum_all().div_by(size(&self.shape()) as f64)
    }

    /// Sums a broadcast away: the transpose of [`broadcast_to`](Value::broadcast_to).
    #[track_caller]
    #[must_use]
    fn sum_to(&self, shape: &[usize]) -> Self {
        let axes = crate::shape::broadcast_axes(shape, &self.shape());
        self.sum(&axes).reshape(shape)
    }

    /// One range for every axis.
    #[track_caller]
    #[must_use]
    fn slice(&self, ranges: &[Range]) -> Self {
        Self::apply(&Op::Slice(ranges.iter().copied().collect()), &[self])
    }

    /// A range of one axis, the others whole.
    ///
    /// # Panics
    /// If the axis does not exist or the range leaves it.
    #[track_caller]
    #[must_use]
    fn slice_axis(&self, axis: usize, range: std::ops::Range<usize>) -> Self {
        let mut ranges: Vec<Range> = self.shape().iter().map(|&n| Range { start: 0, stop: n, step: 1 }).collect();
        assert!(axis < ranges.len(), "slice_axis: axis {axis} does not exist, the shape is {:?}", self.shape());
        ranges[axis] = Range { start: range.start, stop: range.end, step: 1 };
        self.slice(&ranges)
    }

    /// Element `index` of an axis, which vanishes.
    ///
    /// # Panics
    /// If the axis or the index does not exist.
    #[track_caller]
    #[must_use]
    fn at(&self, axis: usize, index: usize) -> Self {
        let part = self.slice_axis(axis, index..index + 1);
        let shape = crate::shape::without(&part.shape(), &[axis]);
        part.reshape(&shape)
    }

    /// Zeros around and between the elements, for every axis.
    #[track_caller]
    #[must_use]
    fn pad(&self, pads: &[Padding]) -> Self {
        Self::apply(&Op::Pad(pads.iter().copied().collect()), &[self])
    }

    /// Arrays one behind the other along an axis.
    ///
    /// # Panics
    /// If there are none, or their other axes differ.
    #[track_caller]
    #[must_use]
    fn concat(parts: &[&Self], axis: usize) -> Self {
        if let [one] = parts { (*one).clone() } else { Self::apply(&Op::Concat(axis), parts) }
    }

    /// Arrays of one shape along a new axis.
    ///
    /// # Panics
    /// If there are none, or their shapes differ.
    #[track_caller]
    #[must_use]
    fn stack(parts: &[&Self], axis: usize) -> Self {
        Self::apply(&Op::Stack(axis), parts)
    }

    /// Element `indices[j]` of the axis, for each `j`. Indices are whole numbers in the carrier's own element type.
    ///
    /// # Panics
    /// If an index is not a whole number inside the axis.
    #[track_caller]
    #[must_use]
    fn gather(&self, indices: &Self, axis: usize) -> Self {
        Self::apply(&Op::Gather(axis), &[self, indices])
    }

    /// `self` with `updates` added at `indices` along an axis; an index that appears twice is added twice.
    ///
    /// # Panics
    /// If an index is not a whole number inside the axis, or the shapes do not fit.
    #[track_caller]
    #[must_use]
    fn scatter_add(&self, indices: &Self, updates: &Self, axis: usize) -> Self {
        let shape = self.shape();
        assert!(axis < shape.len(), "scatter_add: axis {axis} does not exist, the shape is {shape:?}");
        self.plus(&Self::apply(&Op::ScatterAdd { axis, len: shape[axis] }, &[updates, indices]))
    }

    /// Running sum along an axis.
    #[track_caller]
    #[must_use]
    fn cumsum(&self, axis: usize) -> Self {
        Self::apply(&Op::CumSum { axis, reverse: false }, &[self])
    }

    /// The axes reversed.
    #[track_caller]
    #[must_use]
    fn flip(&self, axes: &[usize]) -> Self {
        Self::apply(&Op::Flip(Axes::from_slice(axes)), &[self])
    }

    /// Largest element over axes, which vanish.
    #[track_caller]
    #[must_use]
    fn max_over(&self, axes: &[usize]) -> Self {
        Self::apply(&Op::Reduce(Reduce::Max, Axes::from_slice(axes)), &[self])
    }

    /// Smallest element over axes, which vanish.
    #[track_caller]
    #[must_use]
    fn min_over(&self, axes: &[usize]) -> Self {
        Self::apply(&Op::Reduce(Reduce::Min, Axes::from_slice(axes)), &[self])
    }

    /// `ln Σ eˣ` over axes, which vanish.
    #[track_caller]
    #[must_use]
    fn logsumexp(&self, axes: &[usize]) -> Self {
        Self::apply(&Op::Reduce(Reduce::LogSumExp, Axes::from_slice(axes)), &[self])
    }

    /// Product over axes, which vanish.
    #[track_caller]
    #[must_use]
    fn prod(&self, axes: &[usize]) -> Self {
        Self::apply(&Op::Reduce(Reduce::Prod, Axes::from_slice(axes)), &[self])
    }

    /// `ln softmax` over axes: `x − ln Σ eˣ`.
    #[track_caller]
    #[must_use]
    fn log_softmax(&self, axes: &[usize]) -> Self {
        let shape = self.shape();
        let normaliser = self.logsumexp(axes).reshape(&keep_dims(&shape, axes));
        self.minus(&normaliser)
    }

    /// `eˣ / Σ eˣ` over axes.
    #[track_caller]
    #[must_use]
    fn softmax(&self, axes: &[usize]) -> Self {
        self.log_softmax(axes).exp()
    }

    /// Matrix product over the last two axes, broadcast over leading ones; a vector is a row on the left, a column on
    /// the right.
    ///
    /// Cost: `2mkn` flops for each pair of matrices.
    #[track_caller]
    #[must_use]
    fn matmul(&self, other: &Self) -> Self {
        self.matmul_with(other, false, false)
    }

    /// [`matmul`](Value::matmul) with either side read as transposed; nothing is moved for it.
    #[track_caller]
    #[must_use]
    fn matmul_with(&self, other: &Self, ta: bool, tb: bool) -> Self {
        crate::matmul::matmul(self, other, ta, tb)
    }

    /// Sum of the products of all elements; a scalar.
    #[track_caller]
    #[must_use]
    fn dot(&self, other: &Self) -> Self {
        self.times(other).sum_all()
    }

    /// The `x` with `self·x = b`; `b` a matrix, or a vector. Differentiated implicitly, so nothing of the
    /// factorisation is recorded.
    ///
    /// Cost: `2n³/3 + 2n²m` flops for `n` equations and `m` right-hand sides. A singular matrix gives infinities or NaN.
    #[track_caller]
    #[must_use]
    fn solve(&self, b: &Self) -> Self {
        crate::matmul::solve(&Op::Solve { transpose: false }, self, b)
    }

    /// [`solve`](Value::solve) for the symmetric part of `self`, which must be positive definite (NaN if it is not).
    ///
    /// Cost: `n³/3 + 2n²m` flops.
    #[track_caller]
    #[must_use]
    fn cholesky_solve(&self, b: &Self) -> Self {
        crate::matmul::solve(&Op::CholeskySolve, self, b)
    }

    /// A user's op of one argument.
    #[track_caller]
    #[must_use]
    fn custom(&self, op: &Custom) -> Self {
        Self::apply_custom(op, &[self])
    }

    /// A user's op.
    #[track_caller]
    #[must_use]
    fn apply_custom(op: &Custom, args: &[&Self]) -> Self {
        Self::apply(&Op::Custom(op.clone()), args)
    }
}

/// Broadcasts two arguments to their common shape and applies a pointwise op.
#[track_caller]
pub(crate) fn broadcast_binary<V: Value>(op: impl Fn() -> Binary + Copy, a: &V, b: &V) -> V {
    let (sa, sb) = (a.shape(), b.shape());
    if sa == sb {
        return V::binary(op, a, b);
    }
    // If they do not go together, let the op itself complain.
    let Some(shape) = broadcast(&sa, &sb) else { return V::binary(op, a, b) };
    V::binary(op, &a.broadcast_to(&shape), &b.broadcast_to(&shape))
}
