//! Large matrix products without room for copies of factors: the kernels are a library's, but for left factors that stand
//! by columns. (Executables have such room, and another kernel for many rows.)

use crate::kernel::Deep;
use crate::scalar::Element;
use gemmkit::{GemmScalar, Parallelism};
use std::ops::Range;

#[allow(unreachable_pub, reason = "named by a hidden method of the public trait `Element`")]
/// One strided matrix product `C = A·B` or `C = S + c·A·B`, `C` row-major.
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
    /// What it is added to, as many times as the second says: as large as `C`, row-major.
    pub start: Option<(&'a [E], E)>,
    /// Whether pieces may be shared inside a pool.
    pub fork: bool,
    /// Whether much work may wake the pool from outside.
    pub wake: bool,
}

/// Multiply-adds of a piece that is worth another thread.
const SPLIT: usize = 1 << 20;

/// The library sums in another order where both rows and columns are at most so many, and in a third one where they are
/// at most half as many: no piece is small in this sense that was not before it was cut.
const SMALL: usize = 64;

/// Multiply-adds above which it pays to wake the pool from outside.
#[cfg(feature = "parallel")]
const WAKE: usize = 1 << 26;

/// Threads that may share so many multiply-adds: those of the pool that the caller is in, or, for much work, that may be
/// woken.
#[cfg(feature = "parallel")]
fn threads(fork: bool, wake: bool, work: usize) -> usize {
    let near = rayon::current_thread_index().is_some() || (wake && work > WAKE);
    if fork && near && work > SPLIT { rayon::current_num_threads() } else { 1 }
}

#[cfg(not(feature = "parallel"))]
fn threads(_: bool, _: bool, _: usize) -> usize {
    1
}

/// In how many pieces threads share so many multiply-adds: as many for each, two where there is much to do, should one be
/// held up.
pub(crate) fn pieces(work: usize, threads: usize) -> usize {
    let most = if threads > 1 && work / SPLIT >= 2 * threads { 2 * threads } else { threads };
    (work / SPLIT).clamp(1, most)
}

/// The rows of one of so many pieces: whole tiles, but for the end.
pub(crate) fn rows_of(piece: usize, pieces: usize, m: usize, tile: usize) -> Range<usize> {
    let cut = |index: usize| if index == pieces { m } else { index * m / pieces / tile * tile };
    cut(piece)..cut(piece + 1)
}

/// `C = A·B`, or what it says of a sum. `out` has `m·n` elements and is overwritten.
///
/// Inside a rayon pool (`ThreadPool::install`) rows or columns of a large product are shared between its threads; from
/// outside, only much work is worth waking the pool. An element is summed in an order that does not depend on the rows
/// and columns computed with it (see [`SMALL`]), so the result has the same bits on any number of threads.
pub(crate) fn gemm<E: Element + GemmScalar>(product: Product<'_, E>, out: &mut [E]) {
    let Product { m, k, n, a, a_strides, b, b_strides, start, fork, wake } = product;
    if m * n * k == 0 {
        match start {
            Some((start, _)) => out.copy_from_slice(start),
            None => out.fill(E::from_f64(0.0)),
        }
        return;
    }
    assert!((m - 1) * a_strides[0] + (k - 1) * a_strides[1] < a.len(), "a product reads beyond its left factor");
    assert!((k - 1) * b_strides[0] + (n - 1) * b_strides[1] < b.len(), "a product reads beyond its right factor");
    assert!(out.len() == m * n, "a product has another size than its result");
    assert!(start.is_none_or(|(start, _)| start.len() == m * n), "a product is added to something of another size");
    let work = m * n * k;
    let threads = threads(fork, wake, work);
    let pieces = pieces(work, threads);
    if let (Some(deep), [1, a_stride]) = (E::kernels().deep, a_strides)
        && a_stride > 1
        && Deep::<E>::suits(m, n)
    {
        return by_columns(&Deep { m, k, n, a, a_stride, b, b_strides, start }, deep, pieces.min(threads), out);
    }
    tune();
    let (alpha, beta) = match start {
        Some((_, scale)) => (scale, E::from_f64(1.0)),
        None => (E::from_f64(1.0), E::from_f64(0.0)),
    };
    let target = Target(out.as_mut_ptr());
    // A piece packs all of the factor that is not cut: cut the one whose packing costs more.
    let cut_columns = n >= 32 && (b_strides[1] != 1 || n > 2 * m);
    let (length, other, unit) = if cut_columns { (n, m, 32) } else { (m, n, 8) };
    let least = if other > SMALL || (length <= SMALL && other > SMALL / 2) { unit } else { SMALL + unit };
    let pieces = pieces.min(length / least).max(1);
    let cut = |index: usize| if index == pieces { length } else { index * length / pieces / unit * unit };
    let piece = |index: usize| {
        let (from, to) = (cut(index), cut(index + 1));
        let (rows, columns) = if cut_columns { (0..m, from..to) } else { (from..to, 0..n) };
        if let Some((start, _)) = start {
            for row in rows.clone() {
                let part = &start[row * n..][columns.clone()];
                // SAFETY: pieces of C do not overlap, and its length was checked above.
                unsafe { target.at(row * n + columns.start).copy_from_nonoverlapping(part.as_ptr(), part.len()) };
            }
        }
        let a = &a[rows.start * a_strides[0]..];
        let b = &b[columns.start * b_strides[1]..];
        let [a_strides, b_strides] = [a_strides, b_strides].map(|[r, c]| (r as isize, c as isize));
        // SAFETY: the last elements were checked above, and pieces of C do not overlap.
        unsafe {
            gemmkit::gemm_unchecked(
                rows.len(),
                k,
                columns.len(),
                alpha,
                a.as_ptr(),
                a_strides.0,
                a_strides.1,
                b.as_ptr(),
                b_strides.0,
                b_strides.1,
                beta,
                target.at(rows.start * n + columns.start),
                n as isize,
                1,
                Parallelism::Serial,
            );
        }
    };
    if pieces > 1 { shared(0..pieces, &piece) } else { piece(0) }
}

/// A product whose left factor stands by columns, its rows shared.
fn by_columns<E: Element>(p: &Deep<'_, E>, deep: fn(&Deep<'_, E>, &mut [E]), pieces: usize, out: &mut [E]) {
    let Deep { m, n, a, start, .. } = *p;
    let tile = Deep::<E>::TILE;
    let pieces = pieces.min(m / tile).max(1);
    let target = Target(out.as_mut_ptr());
    let piece = |index: usize| {
        let rows = rows_of(index, pieces, m, tile);
        let start = start.map(|(start, scale)| (&start[rows.start * n..rows.end * n], scale));
        // SAFETY: pieces of C do not overlap, and its length was checked by the caller.
        let out = unsafe { std::slice::from_raw_parts_mut(target.at(rows.start * n), rows.len() * n) };
        deep(&Deep { m: rows.len(), a: &a[rows.start..], start, ..*p }, out);
    };
    shared(0..pieces, &piece);
}

/// Tells the library when to copy the right factor (the left one of the transposed product, which is what it computes):
/// its default, found on one machine, waits too long. Without 512-bit registers the copy always pays (up to a third
/// faster), with them from 128 rows on (5 to 10 %).
fn tune() {
    #[cfg(target_arch = "x86_64")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            gemmkit::tuning::set_lhs_pack_threshold(if is_x86_feature_detected!("avx512f") { 128 } else { 0 });
        });
    }
}

/// Runs the pieces, in halves that may run at once.
#[cfg(feature = "parallel")]
fn shared(pieces: Range<usize>, piece: &(impl Fn(usize) + Sync)) {
    if pieces.len() == 1 {
        return piece(pieces.start);
    }
    let middle = pieces.start + pieces.len() / 2;
    let part = |pieces| crate::pool::busy(|| shared(pieces, piece));
    rayon::join(|| part(pieces.start..middle), || part(middle..pieces.end));
}

#[cfg(not(feature = "parallel"))]
fn shared(pieces: Range<usize>, piece: &(impl Fn(usize) + Sync)) {
    pieces.for_each(piece);
}

/// The start of the result, for pieces that do not overlap.
struct Target<E>(*mut E);

// SAFETY: each piece writes only its own rows and columns.
unsafe impl<E: Send> Sync for Target<E> {}

impl<E> Target<E> {
    fn at(&self, offset: usize) -> *mut E {
        self.0.wrapping_add(offset)
    }
}
