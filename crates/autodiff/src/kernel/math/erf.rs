//! The error function: a rational function up to 1, beyond it `1 − e^(−x²)·P/Q`; coefficients from Moshier's Cephes.

/// `f64`
pub(super) mod double {
    use super::super::exp::double::exp;
    use crate::kernel::machine::Machine;

    /// A polynomial, the coefficients from the highest power down.
    #[inline(always)]
    fn polynomial<M: Machine, const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
        let mut p = coefficients[0];
        for &c in &coefficients[1..] {
            p = M::mul_add64(p, x, c);
        }
        p
    }

    #[inline(always)]
    pub(in super::super) fn erf<M: Machine>(x: f64) -> f64 {
        let a = x.abs();
        let z = a * a;
        // erf(a)/a − 1, from which little is lost.
        let inner = polynomial::<M, 6>(
            z,
            [
                -1.0,
                -23.956_740_424_879_793,
                -431.331_930_059_768_4,
                -2_362.318_483_762_958_3,
                -15_625.674_920_261_043,
                6_324.907_040_175_904_5,
            ],
        ) / polynomial::<M, 6>(
            z,
            [
                1.0,
                33.561_714_164_750_31,
                521.357_949_780_152_7,
                4_594.323_829_709_801,
                22_629.000_061_389_095,
                49_267.394_260_863_59,
            ],
        );
        // Beyond 6 it is 1 to the last bit.
        let a = if a > 6.0 { 6.0 } else { a };
        let outer = polynomial::<M, 9>(
            a,
            [
                2.461_969_814_735_305e-10,
                5.641_895_648_310_688e-1,
                7.463_210_564_422_699,
                48.637_197_098_568_14,
                196.520_832_956_077_1,
                526.445_194_995_477_4,
                934.528_527_171_957_6,
                1_027.551_886_895_157,
                557.535_335_369_399_3,
            ],
        ) / polynomial::<M, 9>(
            a,
            [
                1.0,
                13.228_195_115_474_5,
                86.707_214_088_598_97,
                354.937_778_887_819_9,
                975.708_501_743_205_5,
                1_823.909_166_879_097_4,
                2_246.337_608_187_109_8,
                1_656.663_091_941_613_5,
                557.535_340_817_727_7,
            ],
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
