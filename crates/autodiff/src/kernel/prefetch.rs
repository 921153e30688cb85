//! Asking for memory before it is needed, where the processor does not foresee it.

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Asks for a line that will be read soon, in the first cache or only the second; any address will do.
#[inline(always)]
pub(super) fn prefetch<E, const FIRST: bool>(at: *const E) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instructions, and they never fault.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        if FIRST { _mm_prefetch::<_MM_HINT_T0>(at.cast()) } else { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Asks for so many elements in the second cache.
#[inline]
pub(crate) fn prefetch_all<E>(start: *const E, n: usize) {
    for at in (0..n).step_by((LINE / size_of::<E>()).max(1)) {
        prefetch::<E, false>(start.wrapping_add(at));
    }
}
