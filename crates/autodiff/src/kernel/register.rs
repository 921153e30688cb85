//! Vector registers, for the kernels that say what stays in one: tiles of a product, and short rows, which are read and
//! written in parts.

/// A register of elements.
pub(crate) trait Register<E>: Copy {
    /// How many.
    const LANES: usize;
    /// The same in all lanes.
    fn splat(x: E) -> Self;
    /// # Safety
    ///
    /// All lanes can be read there.
    unsafe fn load(at: *const E) -> Self;
    /// The first lanes, at most all; the others are zero.
    ///
    /// # Safety
    ///
    /// So many can be read there.
    unsafe fn load_first(at: *const E, count: usize) -> Self;
    /// # Safety
    ///
    /// All lanes can be written there.
    unsafe fn store(self, at: *mut E);
    /// # Safety
    ///
    /// So many, at most all, can be written there.
    unsafe fn store_first(self, at: *mut E, count: usize);
    /// `a·b + c`
    fn mul_add(a: Self, b: Self, c: Self) -> Self;
    /// The sum of two.
    fn plus(self, other: Self) -> Self;
    /// The sum of all lanes, halves with halves.
    fn sum(self) -> E;
    /// The sums of four, which together may take less.
    #[inline(always)]
    fn sums(four: [Self; 4]) -> [E; 4] {
        four.map(Self::sum)
    }
}

/// Registers that stand so many elements apart.
///
/// A plain loop: `from_fn` and its closure are calls where nothing is optimised across the parts of a crate
/// (`lto = "off"`), and a call inside of an inner loop keeps no register.
///
/// # Safety
///
/// All lanes of each can be read.
#[inline(always)]
pub(super) unsafe fn load_all<E, R: Register<E>, const N: usize>(at: *const E, apart: usize) -> [R; N] {
    // SAFETY: the caller's.
    unsafe {
        let mut all = [R::load(at); N];
        for (i, one) in all.iter_mut().enumerate().skip(1) {
            *one = R::load(at.add(i * apart));
        }
        all
    }
}

/// Moves addresses on by so many elements.
#[inline(always)]
pub(super) fn move_on<E, const N: usize>(addresses: &mut [*const E; N], by: usize) {
    for at in addresses {
        *at = at.wrapping_add(by);
    }
}

/// Lanes that the compiler makes registers of.
#[derive(Clone, Copy)]
pub(crate) struct Array<E, const N: usize, const FUSED: bool>([E; N]);

macro_rules! arrays {
    ($($type:ident)*) => {$(
        impl<const N: usize, const FUSED: bool> Register<$type> for Array<$type, N, FUSED> {
            const LANES: usize = N;
            #[inline(always)]
            fn splat(x: $type) -> Self {
                Self([x; N])
            }
            #[inline(always)]
            unsafe fn load(at: *const $type) -> Self {
                // SAFETY: the caller's.
                Self(unsafe { at.cast::<[$type; N]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn load_first(at: *const $type, count: usize) -> Self {
                // SAFETY: the caller's.
                Self(std::array::from_fn(|i| if i < count { unsafe { *at.add(i) } } else { 0.0 }))
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut $type) {
                // SAFETY: the caller's.
                unsafe { at.cast::<[$type; N]>().write_unaligned(self.0) };
            }
            #[inline(always)]
            unsafe fn store_first(self, at: *mut $type, count: usize) {
                for (i, x) in self.0.into_iter().enumerate() {
                    if i < count {
                        // SAFETY: the caller's.
                        unsafe { *at.add(i) = x };
                    }
                }
            }
            #[inline(always)]
            fn mul_add(a: Self, b: Self, c: Self) -> Self {
                Self(std::array::from_fn(|i| if FUSED { a.0[i].mul_add(b.0[i], c.0[i]) } else { a.0[i] * b.0[i] + c.0[i] }))
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
            }
            #[inline(always)]
            fn sum(self) -> $type {
                let mut lanes = self.0;
                let mut half = N / 2;
                while half > 0 {
                    for i in 0..half {
                        lanes[i] += lanes[i + half];
                    }
                    half /= 2;
                }
                lanes[0]
            }
        }
    )*};
}

arrays!(f32 f64);

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::Register;
    use std::arch::x86_64::{
        __m256, __m256d, __m256i, __m512, __m512d, _mm_add_pd, _mm_add_ps, _mm_add_sd, _mm_add_ss, _mm_cvtsd_f64,
        _mm_cvtss_f32, _mm_movehl_ps, _mm_shuffle_ps, _mm_storeu_ps, _mm_unpackhi_pd, _mm256_add_pd, _mm256_add_ps,
        _mm256_castpd256_pd128, _mm256_castps256_ps128, _mm256_extractf128_pd, _mm256_extractf128_ps, _mm256_fmadd_pd,
        _mm256_fmadd_ps, _mm256_loadu_pd, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_pd, _mm256_maskload_ps,
        _mm256_maskstore_pd, _mm256_maskstore_ps, _mm256_set1_pd, _mm256_set1_ps, _mm256_storeu_pd, _mm256_storeu_ps,
        _mm512_add_pd, _mm512_add_ps, _mm512_castpd512_pd256, _mm512_castps512_ps128, _mm512_fmadd_pd, _mm512_fmadd_ps,
        _mm512_loadu_pd, _mm512_loadu_ps, _mm512_mask_storeu_pd, _mm512_mask_storeu_ps, _mm512_maskz_loadu_pd,
        _mm512_maskz_loadu_ps, _mm512_permute_pd, _mm512_permute_ps, _mm512_permutexvar_pd, _mm512_permutexvar_ps,
        _mm512_reduce_add_pd, _mm512_reduce_add_ps, _mm512_set_epi32, _mm512_set_epi64, _mm512_set1_pd, _mm512_set1_ps,
        _mm512_shuffle_f32x4, _mm512_shuffle_f64x2, _mm512_storeu_pd, _mm512_storeu_ps,
    };

    /// A mask of the first lanes, as the instructions of a machine want it.
    macro_rules! mask {
        (bits $type:ident, $lanes:literal, $count:ident) => {
            ((1_u32 << $count) - 1) as $type
        };
        // A window over ones followed by zeros.
        (lanes $type:ident, $lanes:literal, $count:ident) => {{
            const ONES: [$type; 2 * $lanes] = {
                let mut ones = [0; 2 * $lanes];
                let mut i = 0;
                while i < $lanes {
                    ones[i] = -1;
                    i += 1;
                }
                ones
            };
            // The window ends inside, for a count up to the number of lanes.
            _mm256_loadu_si256(ONES.as_ptr().add($lanes - $count).cast::<__m256i>())
        }};
    }

    macro_rules! registers {
        ($register:ident of $lanes:literal $type:ident, mask $kind:ident $mask:ident: $set:ident $load:ident $load_first:ident $store:ident $store_first:ident $mul_add:ident $add:ident $sum:ident $(, sums $sums:ident)?) => {
            impl Register<$type> for $register {
                const LANES: usize = $lanes;
                #[inline(always)]
                fn splat(x: $type) -> Self {
                    // SAFETY: a machine's kernels only run where the processor was found to be one.
                    unsafe { $set(x) }
                }
                #[inline(always)]
                unsafe fn load(at: *const $type) -> Self {
                    // SAFETY: the caller's, and the machine is there.
                    unsafe { $load(at) }
                }
                #[inline(always)]
                unsafe fn load_first(at: *const $type, count: usize) -> Self {
                    debug_assert!(count <= $lanes);
                    // SAFETY: as above; lanes outside the mask are not touched.
                    unsafe { $load_first(mask!($kind $mask, $lanes, count), at) }
                }
                #[inline(always)]
                unsafe fn store(self, at: *mut $type) {
                    // SAFETY: as above.
                    unsafe { $store(at, self) };
                }
                #[inline(always)]
                unsafe fn store_first(self, at: *mut $type, count: usize) {
                    debug_assert!(count <= $lanes);
                    // SAFETY: as above; lanes outside the mask are not touched.
                    unsafe { $store_first(at, mask!($kind $mask, $lanes, count), self) };
                }
                #[inline(always)]
                fn mul_add(a: Self, b: Self, c: Self) -> Self {
                    // SAFETY: the machine is there.
                    unsafe { $mul_add(a, b, c) }
                }
                #[inline(always)]
                fn plus(self, other: Self) -> Self {
                    // SAFETY: the machine is there.
                    unsafe { $add(self, other) }
                }
                #[inline(always)]
                fn sum(self) -> $type {
                    // SAFETY: the machine is there.
                    unsafe { $sum(self) }
                }
                $(#[inline(always)]
                fn sums(four: [Self; 4]) -> [$type; 4] {
                    // SAFETY: the machine is there.
                    unsafe { $sums(four) }
                })?
            }
        };
    }

    #[inline(always)]
    unsafe fn load_pd(mask: __m256i, at: *const f64) -> __m256d {
        // SAFETY: the caller's.
        unsafe { _mm256_maskload_pd(at, mask) }
    }

    #[inline(always)]
    unsafe fn load_ps(mask: __m256i, at: *const f32) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_maskload_ps(at, mask) }
    }

    #[inline(always)]
    unsafe fn sum_pd(x: __m256d) -> f64 {
        // SAFETY: the caller's.
        unsafe {
            let x = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
            _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)))
        }
    }

    #[inline(always)]
    unsafe fn sum_ps(x: __m256) -> f32 {
        // SAFETY: the caller's.
        unsafe {
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps::<1>(x, x)))
        }
    }

    /// Quarters of four registers, each summed to the quarter of its register's number.
    macro_rules! quarters {
        ($four:ident, $add:ident, $shuffle:ident) => {{
            let [a, b, c, d] = $four;
            let ab = $add($shuffle::<0x44>(a, b), $shuffle::<0xee>(a, b));
            let cd = $add($shuffle::<0x44>(c, d), $shuffle::<0xee>(c, d));
            $add($shuffle::<0x88>(ab, cd), $shuffle::<0xdd>(ab, cd))
        }};
    }

    #[inline(always)]
    unsafe fn sums_ps(four: [__m512; 4]) -> [f32; 4] {
        let mut sums = [0.0; 4];
        // SAFETY: the caller's.
        unsafe {
            let x = quarters!(four, _mm512_add_ps, _mm512_shuffle_f32x4);
            let x = _mm512_add_ps(x, _mm512_permute_ps::<0x4e>(x));
            let x = _mm512_add_ps(x, _mm512_permute_ps::<0xb1>(x));
            let firsts = _mm512_permutexvar_ps(_mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0), x);
            _mm_storeu_ps(sums.as_mut_ptr(), _mm512_castps512_ps128(firsts));
        }
        sums
    }

    #[inline(always)]
    unsafe fn sums_pd(four: [__m512d; 4]) -> [f64; 4] {
        let mut sums = [0.0; 4];
        // SAFETY: the caller's.
        unsafe {
            let x = quarters!(four, _mm512_add_pd, _mm512_shuffle_f64x2);
            let x = _mm512_add_pd(x, _mm512_permute_pd::<0x55>(x));
            let firsts = _mm512_permutexvar_pd(_mm512_set_epi64(0, 0, 0, 0, 6, 4, 2, 0), x);
            _mm256_storeu_pd(sums.as_mut_ptr(), _mm512_castpd512_pd256(firsts));
        }
        sums
    }

    registers!(__m256d of 4 f64, mask lanes i64: _mm256_set1_pd _mm256_loadu_pd load_pd _mm256_storeu_pd _mm256_maskstore_pd _mm256_fmadd_pd _mm256_add_pd sum_pd);
    registers!(__m256 of 8 f32, mask lanes i32: _mm256_set1_ps _mm256_loadu_ps load_ps _mm256_storeu_ps _mm256_maskstore_ps _mm256_fmadd_ps _mm256_add_ps sum_ps);
    registers!(__m512d of 8 f64, mask bits u8: _mm512_set1_pd _mm512_loadu_pd _mm512_maskz_loadu_pd _mm512_storeu_pd _mm512_mask_storeu_pd _mm512_fmadd_pd _mm512_add_pd _mm512_reduce_add_pd, sums sums_pd);
    registers!(__m512 of 16 f32, mask bits u16: _mm512_set1_ps _mm512_loadu_ps _mm512_maskz_loadu_ps _mm512_storeu_ps _mm512_mask_storeu_ps _mm512_fmadd_ps _mm512_add_ps _mm512_reduce_add_ps, sums sums_ps);
}
