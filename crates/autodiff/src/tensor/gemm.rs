//! The one entrance to matrix products: the kernels are a library's.

use crate::scalar::Element;
use gemmkit::{GemmScalar, Parallelism};

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

/// Multiply-adds above which a product is cut, to be shared between threads.
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

/// `C = A·B`, or what it says of a sum. `out` has `m·n` elements and is overwritten.
///
/// A large product is cut at places that depend on its shape alone, so the result has the same bits on any number of
/// threads. Inside a rayon pool (`ThreadPool::install`) the pieces are shared; from outside, only much work is worth
/// waking the pool.
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
    let work = m * n * k;
    let pieces = match work {
        0..=SPLIT => 1,
        _ if work < SPLIT << 4 => 2,
        _ if work < SPLIT << 7 => 4,
        _ => 16,
    };
    tune(a_strides[0] == 1 && k >= 256 && n >= 256);
    let (alpha, beta) = match start {
        Some((_, scale)) => (scale, E::from_f64(1.0)),
        None => (E::from_f64(1.0), E::from_f64(0.0)),
    };
    assert!(start.is_none_or(|(start, _)| start.len() == m * n), "a product is added to something of another size");
    let target = Target(out.as_mut_ptr());
    // A piece packs all of the factor that is not cut: cut the one whose packing costs more.
    let by_columns = n >= 32 && (b_strides[1] != 1 || n > 2 * m);
    let (length, unit) = if by_columns { (n, 32) } else { (m, 8) };
    let step = length.div_ceil(pieces).next_multiple_of(unit);
    let piece = |index: usize| {
        let (from, to) = ((index * step).min(length), ((index + 1) * step).min(length));
        if from == to {
            return;
        }
        let (rows, columns) = if by_columns { (0..m, from..to) } else { (from..to, 0..n) };
        if let Some((start, _)) = start {
            for row in rows.clone() {
                let part = &start[row * n..][columns.clone()];
                // SAFETY: pieces of C do not overlap, and its length was checked above.
                unsafe { target.at(row * n + columns.start).copy_from_nonoverlapping(part.as_ptr(), part.len()) };
            }
        }
        let (a, b) = (&a[rows.start * a_strides[0]..], &b[columns.start * b_strides[1]..]);
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
    if fork {
        shared(wake && work > WAKE, 0..pieces, &piece);
    } else {
        (0..pieces).for_each(piece);
    }
}

/// Tells the library when to copy the factors: its defaults, which were found on one machine, wait too long.
///
/// The right one is read by vectors: without 512-bit registers the copy always pays (up to a third faster), with them
/// from 128 rows on (5 to 10 %). The left one is read number by number, and where it stands by columns each step goes to
/// another page: for deep and wide products the copy pays there (10 to 20 %). The settings belong to the process, so a
/// product may be run with those of another thread's; they decide on copies, not on results.
fn tune(by_columns: bool) {
    #[cfg(target_arch = "x86_64")]
    {
        use gemmkit::tuning::{rhs_pack_threshold, set_lhs_pack_threshold, set_rhs_pack_threshold};
        static FOUND: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        let found = *FOUND.get_or_init(|| {
            set_lhs_pack_threshold(if is_x86_feature_detected!("avx512f") { 128 } else { 0 });
            rhs_pack_threshold()
        });
        let wanted = if by_columns { 0 } else { found };
        if rhs_pack_threshold() != wanted {
            set_rhs_pack_threshold(wanted);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = by_columns;
}

/// Runs the pieces, in halves that may run at once.
fn shared(wake: bool, pieces: std::ops::Range<usize>, piece: &(impl Fn(usize) + Sync)) {
    if pieces.len() == 1 {
        return piece(pieces.start);
    }
    let middle = pieces.start + pieces.len() / 2;
    join(wake, || shared(wake, pieces.start..middle, piece), || shared(wake, middle..pieces.end, piece));
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
