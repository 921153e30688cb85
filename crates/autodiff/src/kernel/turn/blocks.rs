//! Small blocks of a matrix, turned in registers.

/// Columns of a block that is turned at once, and rows of a square one.
pub(crate) const SIDE: usize = 8;

/// Rows of a tall block.
pub(crate) const TALL: usize = 2 * SIDE;

/// Where the rows of a block stand: `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Rows<E> {
    /// Every fourth.
    pub(super) fourths: [*const E; TALL / 4],
    pub(super) stride: usize,
}

impl<E> Rows<E> {
    #[inline(always)]
    pub(super) fn new(first: *const E, stride: usize) -> Self {
        Self { fourths: std::array::from_fn(|i| first.wrapping_add(4 * i * stride)), stride }
    }

    /// Further down the columns.
    #[inline(always)]
    pub(super) fn further(self, by: usize) -> Self {
        Self { fourths: self.fourths.map(|at| at.wrapping_add(by)), ..self }
    }

    #[inline(always)]
    fn at(self, row: usize) -> *const E {
        self.fourths[row / 4].wrapping_add(row % 4 * self.stride)
    }

    /// The second half of a tall block.
    #[inline(always)]
    pub(in super::super) fn lower(self) -> Self {
        let [_, _, a, b] = self.fourths;
        Self { fourths: [a, b, a, b], ..self }
    }
}

/// A square turned: its columns go to `into`, `stride` apart.
///
/// # Safety
///
/// All of it can be read and written.
#[inline(always)]
pub(in super::super) unsafe fn square<E: Copy>(from: Rows<E>, into: *mut E, stride: usize) {
    // SAFETY: the caller's.
    let block: [[E; SIDE]; SIDE] = std::array::from_fn(|r| unsafe { from.at(r).cast::<[E; SIDE]>().read_unaligned() });
    for c in 0..SIDE {
        // SAFETY: the caller's.
        unsafe { into.add(c * stride).cast::<[E; SIDE]>().write_unaligned(block.map(|row| row[c])) };
    }
}

/// With AVX and AVX-512: what is 16 bytes apart in a register comes there from memory, where it takes no shuffle; pairs
/// and fours change places after that.
#[cfg(target_arch = "x86_64")]
pub(in super::super) mod x86 {
    use super::{Rows, SIDE};
    use std::arch::x86_64::{
        __m512, _mm_loadu_pd, _mm_loadu_ps, _mm256_castpd128_pd256, _mm256_castps128_ps256, _mm256_insertf128_pd,
        _mm256_insertf128_ps, _mm256_shuffle_ps, _mm256_storeu_pd, _mm256_storeu_ps, _mm256_unpackhi_pd,
        _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps, _mm512_castps_pd, _mm512_castps128_ps512,
        _mm512_insertf32x4, _mm512_shuffle_ps, _mm512_storeu_pd, _mm512_storeu_ps, _mm512_unpackhi_pd,
        _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
    };

    // Macros, for a closure would be compiled for another machine.

    /// Four columns of vectors, of which each holds every fourth row.
    macro_rules! fours {
        ($vectors:expr, $lo:ident, $hi:ident, $shuffle:ident) => {{
            let [a, b, c, d] = $vectors;
            let (ab, ab_high, cd, cd_high) = ($lo(a, b), $hi(a, b), $lo(c, d), $hi(c, d));
            let (first, second) = ($shuffle::<0x44>(ab, cd), $shuffle::<0xee>(ab, cd));
            [first, second, $shuffle::<0x44>(ab_high, cd_high), $shuffle::<0xee>(ab_high, cd_high)]
        }};
    }

    /// 16 bytes from each of two rows.
    macro_rules! two {
        ($load:ident, $widen:ident, $insert:ident, $low:expr, $high:expr) => {
            $insert::<1>($widen($load($low)), $load($high))
        };
    }

    /// 16 bytes from each of four rows.
    ///
    /// # Safety
    ///
    /// They can be read, and the machine has AVX-512.
    #[inline(always)]
    unsafe fn four(rows: [*const f32; 4]) -> __m512 {
        // SAFETY: the caller's.
        unsafe {
            let first = _mm512_castps128_ps512(_mm_loadu_ps(rows[0]));
            let two = _mm512_insertf32x4::<1>(first, _mm_loadu_ps(rows[1]));
            let three = _mm512_insertf32x4::<2>(two, _mm_loadu_ps(rows[2]));
            _mm512_insertf32x4::<3>(three, _mm_loadu_ps(rows[3]))
        }
    }

    /// [`square`](super::square) of single numbers.
    ///
    /// # Safety
    ///
    /// As there, and the machine has AVX.
    #[inline(always)]
    pub(in super::super::super) unsafe fn square_single(from: Rows<f32>, into: *mut f32, stride: usize) {
        for column in (0..SIDE).step_by(4) {
            macro_rules! rows {
                ($r:literal) => {
                    two!(
                        _mm_loadu_ps,
                        _mm256_castps128_ps256,
                        _mm256_insertf128_ps,
                        from.at($r).add(column),
                        from.at($r + 4).add(column)
                    )
                };
            }
            // SAFETY: the caller's.
            unsafe {
                let vectors = [rows!(0), rows!(1), rows!(2), rows!(3)];
                let columns = fours!(vectors, _mm256_unpacklo_ps, _mm256_unpackhi_ps, _mm256_shuffle_ps);
                for (c, x) in columns.into_iter().enumerate() {
                    _mm256_storeu_ps(into.add((column + c) * stride), x);
                }
            }
        }
    }

    /// [`square`](super::square) of double numbers.
    ///
    /// # Safety
    ///
    /// As there, and the machine has AVX.
    #[inline(always)]
    pub(in super::super::super) unsafe fn square_double(from: Rows<f64>, into: *mut f64, stride: usize) {
        for column in (0..SIDE).step_by(2) {
            for row in (0..SIDE).step_by(4) {
                macro_rules! rows {
                    ($r:literal) => {
                        two!(
                            _mm_loadu_pd,
                            _mm256_castpd128_pd256,
                            _mm256_insertf128_pd,
                            from.at(row + $r).add(column),
                            from.at(row + $r + 2).add(column)
                        )
                    };
                }
                // SAFETY: the caller's.
                unsafe {
                    let (even, odd) = (rows!(0), rows!(1));
                    let into = into.add(column * stride + row);
                    _mm256_storeu_pd(into, _mm256_unpacklo_pd(even, odd));
                    _mm256_storeu_pd(into.add(stride), _mm256_unpackhi_pd(even, odd));
                }
            }
        }
    }

    /// [`square`](super::square) of double numbers.
    ///
    /// # Safety
    ///
    /// As there, and the machine has AVX-512.
    #[inline(always)]
    pub(in super::super::super) unsafe fn square_double_512(from: Rows<f64>, into: *mut f64, stride: usize) {
        for column in (0..SIDE).step_by(2) {
            // SAFETY: the caller's.
            unsafe {
                let rows = |r: usize| std::array::from_fn(|i| from.at(r + 2 * i).add(column).cast());
                let (even, odd) = (_mm512_castps_pd(four(rows(0))), _mm512_castps_pd(four(rows(1))));
                _mm512_storeu_pd(into.add(column * stride), _mm512_unpacklo_pd(even, odd));
                _mm512_storeu_pd(into.add((column + 1) * stride), _mm512_unpackhi_pd(even, odd));
            }
        }
    }

    /// The same of a tall block of single numbers.
    ///
    /// # Safety
    ///
    /// As there, and the machine has AVX-512.
    #[inline(always)]
    pub(in super::super::super) unsafe fn tall_single_512(from: Rows<f32>, into: *mut f32, stride: usize) {
        for column in (0..SIDE).step_by(4) {
            // SAFETY: the caller's.
            unsafe {
                let rows = |r: usize| std::array::from_fn(|i| from.at(r + 4 * i).add(column));
                let vectors = [four(rows(0)), four(rows(1)), four(rows(2)), four(rows(3))];
                let columns = fours!(vectors, _mm512_unpacklo_ps, _mm512_unpackhi_ps, _mm512_shuffle_ps);
                for (c, x) in columns.into_iter().enumerate() {
                    _mm512_storeu_ps(into.add((column + c) * stride), x);
                }
            }
        }
    }
}
