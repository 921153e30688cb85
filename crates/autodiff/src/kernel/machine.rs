//! What a kernel may ask of the processor.

use super::register::{self, Array, Register, SIDE};

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
    /// [`register::turn`]
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn turn64(from: [*const f64; SIDE], into: *mut f64, stride: usize);
    /// [`register::turn`]
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn turn32(from: [*const f32; SIDE], into: *mut f32, stride: usize);
    /// `a·b + c`
    fn mul_add64(a: f64, b: f64, c: f64) -> f64;
    /// `a·b + c`
    fn mul_add32(a: f32, b: f32, c: f32) -> f32;
}

macro_rules! machine {
    ($(#[$doc:meta])* $name:ident, fused $fused:literal, $registers:literal registers: $double:ty, $single:ty, $turn64:path, $turn32:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Machine for $name {
            type Double = $double;
            type Single = $single;
            const REGISTERS: usize = $registers;
            const FUSED: bool = $fused;
            #[inline(always)]
            unsafe fn turn64(from: [*const f64; SIDE], into: *mut f64, stride: usize) {
                // SAFETY: the caller's, and the machine is there.
                unsafe { $turn64(from, into, stride) }
            }
            #[inline(always)]
            unsafe fn turn32(from: [*const f32; SIDE], into: *mut f32, stride: usize) {
                // SAFETY: the caller's, and the machine is there.
                unsafe { $turn32(from, into, stride) }
            }
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
    Avx512, fused true, 32 registers: std::arch::x86_64::__m512d, std::arch::x86_64::__m512, register::x86::turn_double, register::x86::turn_single
}
#[cfg(target_arch = "x86_64")]
machine! {
    /// AVX2 with fused multiply-add.
    Avx2, fused true, 16 registers: std::arch::x86_64::__m256d, std::arch::x86_64::__m256, register::x86::turn_double, register::x86::turn_single
}
#[cfg(any(target_arch = "aarch64", test))]
machine! {
    /// NEON, whose registers are taken in pairs.
    Neon, fused true, 16 registers: Array<f64, 4, true>, Array<f32, 8, true>, register::turn, register::turn
}
#[cfg(any(not(target_arch = "aarch64"), test))]
machine! {
    /// What every target of the kind has: no fused multiply-add, and 16 registers of 16 bytes, taken in pairs.
    Baseline, fused false, 8 registers: Array<f64, 4, false>, Array<f32, 8, false>, register::turn, register::turn
}
