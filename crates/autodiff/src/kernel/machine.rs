//! What a kernel may ask of the processor.

/// An instruction set, as far as the source of a kernel can tell.
pub(crate) trait Machine: Copy {
    /// Bytes of a vector register.
    const VECTOR: usize;
    /// Vector registers.
    const REGISTERS: usize;
    /// Whether multiply-adds round once.
    const FUSED: bool;
    /// `a·b + c`
    fn mul_add64(a: f64, b: f64, c: f64) -> f64;
    /// `a·b + c`
    fn mul_add32(a: f32, b: f32, c: f32) -> f32;
}

macro_rules! machine {
    ($(#[$doc:meta])* $name:ident, fused $fused:literal, $registers:literal registers of $vector:literal bytes) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Machine for $name {
            const VECTOR: usize = $vector;
            const REGISTERS: usize = $registers;
            const FUSED: bool = $fused;
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

#[cfg(any(target_arch = "x86_64", target_arch = "x86", test))]
machine! {
    /// AVX-512.
    Avx512, fused true, 32 registers of 64 bytes
}
#[cfg(any(target_arch = "x86_64", target_arch = "x86", test))]
machine! {
    /// AVX2 with fused multiply-add.
    Avx2, fused true, 16 registers of 32 bytes
}
#[cfg(target_arch = "aarch64")]
machine! {
    /// NEON.
    Neon, fused true, 32 registers of 16 bytes
}
#[cfg(any(not(target_arch = "aarch64"), test))]
machine! {
    /// What every target of the kind has: no fused multiply-add.
    Baseline, fused false, 16 registers of 16 bytes
}
