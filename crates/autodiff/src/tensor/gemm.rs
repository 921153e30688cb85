//! The one entrance to matrix products: the kernels are a library's.

use crate::scalar::Element;
use gemmkit::{GemmScalar, MatMut, MatRef, Parallelism};

#[allow(unreachable_pub, reason = "named by a hidden method of the public trait `Element`")]
/// One strided matrix product `C = A·B`, `C` row-major.
#[derive(Clone, Copy)]
pub struct Product<'a, E> {
    /// Rows of `A` and `C`.
    pub m: usize,
    /// Columns of `A`, rows of `B`.
    pub k: usize,
    /// Columns of `B` and `C`.
    pub n: usize,
    /// The elements of `A`.
    pub a: &'a [E],
    /// Strides of `A` from row to row and from column to column.
    pub a_strides: [usize; 2],
    /// The elements of `B`.
    pub b: &'a [E],
    /// Strides of `B`.
    pub b_strides: [usize; 2],
    /// Whether much work may wake the pool from outside.
    pub wake: bool,
}

/// Multiply-adds above which a product is cut in two, to be shared between threads.
const SPLIT: usize = 1 << 21;

/// Multiply-adds above which it pays to wake the pool from outside.
const WAKE: usize = 1 << 26;

/// Runs both, at once where that pays: inside the pool, or for much work.
#[cfg(feature = "parallel")]
fn join(wake: bool, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
    if wake || rayon::current_thread_index().is_some() {
        rayon::join(a, b);
    } else {
        a();
        b();
    }
}

#[cfg(not(feature = "parallel"))]
fn join(_: bool, a: impl FnOnce(), b: impl FnOnce()) {
    a();
    b();
}

/// `C = A·B`. `out` has `m·n` elements and is overwritten.
///
/// A large product is cut by rows at places that depend on its size alone, so the result has the same bits on any
/// number of threads. Inside a rayon pool (`ThreadPool::install`) the pieces are shared; from outside, only much work is
/// worth waking the pool.
pub(crate) fn gemm<E: Element + GemmScalar>(product: Product<'_, E>, out: &mut [E]) {
    let Product { m, k, n, a, a_strides, b, b_strides, wake } = product;
    if m * n * k == 0 {
        out.fill(E::from_f64(0.0));
        return;
    }
    if m >= 16 && m * n * k > SPLIT {
        let top = (m / 2).next_multiple_of(8);
        let (first, rest) = out.split_at_mut(top * n);
        let upper = Product { m: top, ..product };
        let lower = Product { m: m - top, a: &a[top * a_strides[0]..], ..product };
        join(wake && m * n * k > WAKE, || gemm(upper, first), || gemm(lower, rest));
        return;
    }
    let a = MatRef::new(a, m, k, a_strides[0] as isize, a_strides[1] as isize);
    let b = MatRef::new(b, k, n, b_strides[0] as isize, b_strides[1] as isize);
    gemmkit::gemm(E::from_f64(1.0), a, b, E::from_f64(0.0), MatMut::from_row_major(out, m, n), Parallelism::Serial);
}
