//! The error function: a rational function up to 1, beyond it `1 − e^(−x²)·P/Q`; coefficients from Moshier's Cephes.

/// `f64`
pub(super) mod double {
    use super::super::exp::double::exp;
    use crate::kernel::machine::Machine;

    #[inline(always)]
    pub(in super::super) fn erf<M: Machine>(x: f64) -> f64 {
        let a = x.abs();
        let z = a * a;
        // erf(a)/a − 1, from which little is lost.
        let inner = polynomial!(M::mul_add64, z;
            6_324.907_040_175_904_5, -15_625.674_920_261_043, -2_362.318_483_762_958_3, -431.331_930_059_768_4,
            -23.956_740_424_879_793, -1.0
        ) / polynomial!(M::mul_add64, z;
            49_267.394_260_863_59, 22_629.000_061_389_095, 4_594.323_829_709_801, 521.357_949_780_152_7,
            33.561_714_164_750_31, 1.0
        );
        // Beyond 6 it is 1 to the last bit.
        let a = if a > 6.0 { 6.0 } else { a };
        let outer = polynomial!(M::mul_add64, a;
            557.535_335_369_399_3, 1_027.551_886_895_157, 934.528_527_171_957_6, 526.445_194_995_477_4,
            196.520_832_956_077_1, 48.637_197_098_568_14, 7.463_210_564_422_699, 5.641_895_648_310_688e-1,
            2.461_969_814_735_305e-10
        ) / polynomial!(M::mul_add64, a;
            557.535_340_817_727_7, 1_656.663_091_941_613_5, 2_246.337_608_187_109_8,
            1_823.909_166_879_097_4, 975.708_501_743_205_5, 354.937_778_887_819_9, 86.707_214_088_598_97,
            13.228_195_115_474_5, 1.0
        );
        let y = if a > 1.0 { 1.0 - exp::<M>(-a * a) * outer } else { M::mul_add64(a, inner, a) };
        y.copysign(x)
    }
}

/// `f32`, computed in `f64`.
pub(super) mod single {
    use crate::kernel::machine::Machine;

    #[inline(always)]
    pub(in super::super) fn erf<M: Machine>(x: f32) -> f32 {
        super::double::erf::<M>(f64::from(x)) as f32
    }
}
