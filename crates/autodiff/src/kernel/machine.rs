//! What a kernel may ask of the processor.

/// An instruction set, as far as the source of a kernel can tell.
pub(crate) trait Machine: Copy {
    /// Whether `mul_add` is one instruction and one rounding.
    const FUSED: bool;
    /// Elements of 4 bytes in a vector register; a guide for blocking.
    const LANES: usize;
    /// `a·b + c`
    fn mul_add64(a: f64, b: f64, c: f64) -> f64;
    /// `a·b + c`
    fn mul_add32(a: f32, b: f32, c: f32) -> f32;
}

macro_rules! machine {
    ($(#[$doc:meta])* $name:ident, $fused:literal, $lanes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Machine for $name {
            const FUSED: bool = $fused;
            const LANES: usize = $lanes;
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

machine! {
    /// 512-bit vectors with a fused multiply-add.
    Wide, true, 16
}
machine! {
    /// 256-bit vectors with a fused multiply-add.
    Fused, true, 8
}
machine! {
    /// Whatever the target guarantees, without a fused multiply-add.
    Baseline, false, 4
}
