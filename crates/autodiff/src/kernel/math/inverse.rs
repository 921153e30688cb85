//! Inverse sine, cosine and tangent: rational functions on a part of the range, and identities for the rest. Coefficients
//! of the first two as in Sun's fdlibm, of the third as in Moshier's Cephes.

/// `π/2 − (its nearest number)`
const PIO2_LOW: f64 = 6.123_233_995_736_766e-17;

/// `f64`
pub(super) mod double {
    use super::PIO2_LOW;
    use crate::kernel::machine::Machine;
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

    /// `asin(√z)/√z − 1` for `z ≤ 1/4`.
    #[inline(always)]
    fn rational<M: Machine>(z: f64) -> f64 {
        let p = polynomial!(M::mul_add64, z;
            1.666_666_666_666_666_6e-1, -3.255_658_186_224_009e-1, 2.012_125_321_348_629_3e-1,
            -4.005_553_450_067_941e-2, 7.915_349_942_898_145e-4, 3.479_331_075_960_211_7e-5
        );
        let q = polynomial!(M::mul_add64, z;
            1.0, -2.403_394_911_734_414, 2.020_945_760_233_505_7, -6.882_839_716_054_533e-1,
            7.703_815_055_590_194e-2
        );
        z * p / q
    }

    /// `(z, r)` with `z = x²` up to 1/2, beyond it `(1 − |x|)/2`, and the rational function of it.
    #[inline(always)]
    fn parts<M: Machine>(a: f64) -> (f64, f64) {
        let z = if a <= 0.5 { a * a } else { 0.5 - 0.5 * a };
        (z, rational::<M>(z))
    }

    /// `√z`, its first half of digits, and what is missing to the root there.
    #[inline(always)]
    fn root(z: f64) -> (f64, f64, f64) {
        let s = z.sqrt();
        let high = f64::from_bits(s.to_bits() & (u64::MAX << 32));
        let low = (z - high * high) / (s + high);
        (s, high, if s == 0.0 { 0.0 } else { low })
    }

    #[inline(always)]
    pub(in super::super) fn asin<M: Machine>(x: f64) -> f64 {
        let a = x.abs();
        let (z, r) = parts::<M>(a);
        let (s, high, low) = root(z);
        let far = FRAC_PI_4 - ((2.0 * s * r - (PIO2_LOW - 2.0 * low)) - (FRAC_PI_4 - 2.0 * high));
        (if a <= 0.5 { a + a * r } else { far }).copysign(x)
    }

    #[inline(always)]
    pub(in super::super) fn acos<M: Machine>(x: f64) -> f64 {
        let a = x.abs();
        let (z, r) = parts::<M>(a);
        let (s, high, low) = root(z);
        let near = FRAC_PI_2 - (x - (PIO2_LOW - x * r));
        let far = 2.0 * (high + (r * s + low));
        let opposite = PI - 2.0 * (s + (r * s - PIO2_LOW));
        if a <= 0.5 {
            near
        } else if x < 0.0 {
            opposite
        } else {
            far
        }
    }

    /// From the arc of `(|x| − 1)/(|x| + 1)` or of `−1/|x|` where `|x|` is large.
    #[inline(always)]
    pub(in super::super) fn atan<M: Machine>(x: f64) -> f64 {
        let a = x.abs();
        let (large, middle) = (a > 2.414_213_562_373_095, a > 0.66);
        let above = if large { -1.0 } else { a - 1.0 };
        let below = if large { a } else { a + 1.0 };
        let t = if middle { above / below } else { a };
        let (start, rest) = if large { (FRAC_PI_2, PIO2_LOW) } else { (FRAC_PI_4, 0.5 * PIO2_LOW) };
        let (start, rest) = if middle { (start, rest) } else { (0.0, 0.0) };
        let z = t * t;
        let p = polynomial!(M::mul_add64, z;
            -64.850_219_049_420_25, -122.886_668_449_013_62, -75.008_557_923_147_05, -16.157_537_187_333_65,
            -8.750_608_600_031_904e-1
        );
        let q = polynomial!(M::mul_add64, z;
            194.550_657_148_261_4, 485.390_399_635_913_7, 432.881_060_491_290_3, 165.027_009_831_698_85,
            24.858_464_901_423_062, 1.0
        );
        (start + (M::mul_add64(t, z * p / q, t) + rest)).copysign(x)
    }
}

/// `f32`, computed in `f64`.
pub(super) mod single {
    use super::double;
    use crate::kernel::machine::Machine;

    #[inline(always)]
    pub(in super::super) fn asin<M: Machine>(x: f32) -> f32 {
        double::asin::<M>(f64::from(x)) as f32
    }

    #[inline(always)]
    pub(in super::super) fn acos<M: Machine>(x: f32) -> f32 {
        double::acos::<M>(f64::from(x)) as f32
    }

    #[inline(always)]
    pub(in super::super) fn atan<M: Machine>(x: f32) -> f32 {
        double::atan::<M>(f64::from(x)) as f32
    }
}
