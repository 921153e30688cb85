//! What a kernel may ask of the processor.

use super::register::{Array, Register};
use super::turn::{Rows, SIDE, blocks};

/// An instruction set, as far as the source of a kernel can tell. Whoever calls a kernel for a machine has found that the
/// processor is one: the registers' functions say nothing of it.
pub(crate) trait Machine: Copy {
    /// A register of `f64`.
    type Double: Register<f64>;
    /// A register of `f32`.
    type Single: Register<f32>;
    /// Registers.
    const REGISTERS: usize;
    /// Whether multiply-adds round once.
    const FUSED: bool;
    /// [`blocks::square`]
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn square64(from: Rows<f64>, into: *mut f64, stride: usize);
    /// [`blocks::square`]
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn square32(from: Rows<f32>, into: *mut f32, stride: usize);
    /// The same of a tall block.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(always)]
    unsafe fn tall32(from: Rows<f32>, into: *mut f32, stride: usize) {
        // SAFETY: the caller's.
        unsafe {
            Self::square32(from, into, stride);
            Self::square32(from.lower(), into.add(SIDE), stride);
        }
    }
    /// `a·b + c`
    fn mul_add64(a: f64, b: f64, c: f64) -> f64;
    /// `a·b + c`
    fn mul_add32(a: f32, b: f32, c: f32) -> f32;
}

macro_rules! machine {
    ($(#[$doc:meta])* $name:ident, fused $fused:literal, $registers:literal registers: $double:ty, $single:ty, squares $square64:path, $square32:path $(, tall $tall32:path)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Machine for $name {
            type Double = $double;
            type Single = $single;
            const REGISTERS: usize = $registers;
            const FUSED: bool = $fused;
            #[inline(always)]
            unsafe fn square64(from: Rows<f64>, into: *mut f64, stride: usize) {
                // SAFETY: the caller's, and the machine is there.
                unsafe { $square64(from, into, stride) }
            }
            #[inline(always)]
            unsafe fn square32(from: Rows<f32>, into: *mut f32, stride: usize) {
                // SAFETY: the caller's, and the machine is there.
                unsafe { $square32(from, into, stride) }
            }
            $(
                #[inline(always)]
                unsafe fn tall32(from: Rows<f32>, into: *mut f32, stride: usize) {
                    // SAFETY: the caller's, and the machine is there.
                    unsafe { $tall32(from, into, stride) }
                }
            )?
            #[inline(always)]
            fn mul_add64(a: f64, b: f64, c: f64) -> f64 {
                if $fused { a.mul_add(b, c) } else { a * b + c }
            }
            #[inline(always)]
            fn mul_add32(a: f32, b: f32, c: f32) -> f32 {
                if $fused { a.mul_add(b, c) } else { a * b + c }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
machine! {
    /// AVX-512.
    Avx512, fused true, 32 registers: std::arch::x86_64::__m512d, std::arch::x86_64::__m512, squares blocks::x86::square_double_512, blocks::x86::square_single, tall blocks::x86::tall_single_512
}
#[cfg(target_arch = "x86_64")]
machine! {
    /// AVX2 with fused multiply-add.
    Avx2, fused true, 16 registers: std::arch::x86_64::__m256d, std::arch::x86_64::__m256, squares blocks::x86::square_double, blocks::x86::square_single
}
#[cfg(any(target_arch = "aarch64", test))]
machine! {
    /// NEON, whose registers are taken in pairs.
    Neon, fused true, 16 registers: Array<f64, 4, true>, Array<f32, 8, true>, squares blocks::square, blocks::square
}
#[cfg(any(not(target_arch = "aarch64"), test))]
machine! {
    /// What every target of the kind has: no fused multiply-add, and 16 registers of 16 bytes, taken in pairs.
    Baseline, fused false, 8 registers: Array<f64, 4, false>, Array<f32, 8, false>, squares blocks::square, blocks::square
}
