//! `sinh`, `cosh`, `tanh`, the logistic function and softplus, from exponentials that do not overflow before they do.

macro_rules! sigmoids {
    ($module:ident, $type:ident, saturated $saturated:literal) => {
        pub(super) mod $module {
            use super::super::{exp::$module as exp, ln::$module as ln};
            use crate::kernel::machine::Machine;

            /// `tanh x = t / (t + 2)` with `t = e^(2|x|) − 1`, and the sign of `x`.
            #[inline(always)]
            pub(in super::super) fn tanh<M: Machine>(x: $type) -> $type {
                let a = x.abs();
                // Beyond, it is 1 to the last bit.
                let clamped = if a > $saturated { $saturated } else { a };
                let t = exp::exp_m1_moderate::<M>(2.0 * clamped);
                (t / (t + 2.0)).copysign(x)
            }

            /// `sinh x = t/2 + t/(2t + 2)` with `t = e^|x| − 1`, from 1 on `e^|x|/2 − e^−|x|/2`, and the sign of `x`.
            #[inline(always)]
            pub(in super::super) fn sinh<M: Machine>(x: $type) -> $type {
                let a = x.abs();
                let t = exp::exp_m1::<M>(if a > 1.0 { 1.0 } else { a });
                let half = exp::half_exp::<M>(a);
                let y = if a > 1.0 { half - 0.25 / half } else { 0.5 * (t + t / (t + 1.0)) };
                // Keeps all of a subnormal.
                let y = if a < $type::EPSILON { a } else { y };
                y.copysign(x)
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
                (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
            }

            /// `ln(1 + eˣ)`
            #[inline(always)]
            pub(in super::super) fn softplus<M: Machine>(x: $type) -> $type {
                ln::ln_1p::<M>(exp::exp::<M>(-x.abs())) + if x <= 0.0 { 0.0 } else { x }
            }
        }
    };
}

sigmoids!(double, f64, saturated 22.0);
sigmoids!(single, f32, saturated 10.0);
