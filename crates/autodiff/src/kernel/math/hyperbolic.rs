//! `sinh`, `cosh`, `tanh`, the logistic function and softplus, from exponentials that do not overflow before they do, and
//! from short series near zero; those of `tanh` as in Moshier's Cephes.

macro_rules! sigmoids {
    ($module:ident, $type:ident, $mul_add:ident, saturated $saturated:literal,
        tanh [$($p:expr),*] [$($q:expr),*], sinh [$($c:expr),*]) => {
        pub(super) mod $module {
            use super::super::{exp::$module as exp, ln::$module as ln};
            use crate::kernel::machine::Machine;

            /// `x + x³·P/Q` up to 0.625, beyond it `1 − 2/(e^2|x| + 1)`, and the sign of `x`: one division for both.
            #[inline(always)]
            pub(in super::super) fn tanh<M: Machine>(x: $type) -> $type {
                let a = x.abs();
                let z = a * a;
                let cubic = a * z * polynomial!(M::$mul_add, z; $($p),*);
                // Beyond, it is 1 to the last bit.
                let clamped = if a > $saturated { $saturated } else { a };
                let above_one = exp::exp_moderate::<M>(2.0 * clamped) + 1.0;
                let near = a <= 0.625;
                let above = if near { cubic } else { -2.0 };
                let below = if near { polynomial!(M::$mul_add, z; $($q),*) } else { above_one };
                ((if near { a } else { 1.0 }) + above / below).copysign(x)
            }

            /// The Taylor series up to 1, beyond it `sinh x = e^|x|/2 − e^−|x|/2` and the sign of `x`.
            #[inline(always)]
            pub(in super::super) fn sinh<M: Machine>(x: $type) -> $type {
                let a = x.abs();
                let z = a * a;
                let near = M::$mul_add(a * z, polynomial!(M::$mul_add, z; $($c),*), a);
                let half = exp::half_exp::<M>(a);
                (if a > 1.0 { half - 0.25 / half } else { near }).copysign(x)
            }

            /// `cosh x = e^|x|/2 + e^−|x|/2`
            #[inline(always)]
            pub(in super::super) fn cosh<M: Machine>(x: $type) -> $type {
                let half = exp::half_exp::<M>(x.abs());
                half + 0.25 / half
            }

            /// `1 / (1 + e⁻ˣ)`
            #[inline(always)]
            pub(in super::super) fn sigmoid<M: Machine>(x: $type) -> $type {
                let e = exp::exp::<M>(-x.abs());
                let below = 1.0 + e;
                let y = (if x < 0.0 { e } else { 1.0 }) / below;
                // Most of what the sum lost: 1/(1 + e) is between 1/2 and 1.
                let lost = e - (below - 1.0);
                y - 0.75 * y * lost
            }

            /// `ln(1 + eˣ)`
            #[inline(always)]
            pub(in super::super) fn softplus<M: Machine>(x: $type) -> $type {
                ln::ln_1p::<M>(exp::exp::<M>(-x.abs())) + if x <= 0.0 { 0.0 } else { x }
            }
        }
    };
}

sigmoids!(
    double, f64, mul_add64, saturated 22.0,
    tanh [-1_614.687_684_417_084_5, -99.287_723_100_191_86, -9.643_991_794_250_522e-1]
        [4_844.063_053_251_255, 2_235.488_390_601_004_5, 112.811_678_491_632_93, 1.0],
    sinh [
        1.0 / 6.0, 1.0 / 120.0, 1.0 / 5_040.0, 1.0 / 362_880.0, 1.0 / 39_916_800.0, 1.0 / 6_227_020_800.0,
        1.0 / 1_307_674_368_000.0, 1.0 / 355_687_428_096_000.0, 1.0 / 121_645_100_408_832_000.0
    ]
);
sigmoids!(
    single, f32, mul_add32, saturated 10.0,
    tanh [-0.333_332_82, 0.133_314_42, -0.053_739_716, 0.020_639_09, -0.005_704_988_7] [1.0],
    sinh [1.0 / 6.0, 1.0 / 120.0, 1.0 / 5_040.0, 1.0 / 362_880.0, 1.0 / 39_916_800.0]
);
