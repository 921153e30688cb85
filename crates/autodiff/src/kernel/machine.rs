//! What a kernel may ask of the processor.

/// An instruction set, as far as the source of a kernel can tell.
pub(crate) trait Machine: Copy {
    /// `a·b + c`
    fn mul_add64(a: f64, b: f64, c: f64) -> f64;
    /// `a·b + c`
    fn mul_add32(a: f32, b: f32, c: f32) -> f32;
}

macro_rules! machine {
    ($(#[$doc:meta])* $name:ident, $fused:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Machine for $name {
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
    /// With a fused multiply-add.
    Fused, true
}
machine! {
    /// Without.
    Baseline, false
}
