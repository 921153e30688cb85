//! Sine, cosine and tangent: the angle less a multiple of π/2 (Cody and Waite), and polynomials for `|r| ≤ π/4`;
//! coefficients as in Sun's fdlibm.

/// `f64`, with the rest of the reduced angle carried along.
pub(super) mod double {
    use crate::kernel::machine::Machine;

    /// Angles up to here: 2²⁰ quarter turns, so that multiples of the parts of π/2 are exact.
    pub(in super::super) const LARGEST: f64 = 1_647_099.0;

    const MAGIC: f64 = 6_755_399_441_055_744.0;
    /// The first 33 bits of π/2, the next 33, and the rest.
    const PARTS: [f64; 3] = [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];

    /// The quarter, and the angle in it with its rounding error.
    #[inline(always)]
    pub(super) fn reduced<M: Machine>(x: f64) -> (u64, f64, f64) {
        let shifted = M::mul_add64(x, std::f64::consts::FRAC_2_PI, MAGIC);
        let n = shifted - MAGIC;
        let a = x - n * PARTS[0];
        let b = n * PARTS[1];
        let r = a - b;
        let tail = n * PARTS[2] - ((a - r) - b);
        let y = r - tail;
        (shifted.to_bits(), y, (r - y) - tail)
    }

    #[inline(always)]
    fn sine<M: Machine>(x: f64, tail: f64) -> f64 {
        let z = x * x;
        let p = polynomial!(M::mul_add64, z;
            8.333_333_333_322_49e-3, -1.984_126_982_985_795e-4, 2.755_731_370_707_006_8e-6,
            -2.505_076_025_340_686_3e-8, 1.589_690_995_211_55e-10
        );
        let v = z * x;
        x - ((z * (0.5 * tail - v * p) - tail) - v * -1.666_666_666_666_663_2e-1)
    }

    #[inline(always)]
    fn cosine<M: Machine>(x: f64, tail: f64) -> f64 {
        let z = x * x;
        let p = polynomial!(M::mul_add64, z;
            4.166_666_666_666_66e-2, -1.388_888_888_887_411e-3, 2.480_158_728_947_673e-5,
            -2.755_731_435_139_066_3e-7, 2.087_572_321_298_175e-9, -1.135_964_755_778_819_5e-11
        );
        let half = 0.5 * z;
        let w = 1.0 - half;
        w + (((1.0 - w) - half) + (z * (z * p) - x * tail))
    }

    #[inline(always)]
    fn quarter<M: Machine>(quarter: u64, x: f64, tail: f64) -> f64 {
        let (s, c) = (sine::<M>(x, tail), cosine::<M>(x, tail));
        let y = if quarter & 1 == 0 { s } else { c };
        f64::from_bits(y.to_bits() ^ ((quarter & 2) << 62))
    }

    #[inline(always)]
    pub(in super::super) fn sin<M: Machine>(x: f64) -> f64 {
        let (q, r, tail) = reduced::<M>(x);
        let y = quarter::<M>(q, r, tail);
        // Keeps the sign of zero.
        if x == 0.0 { x } else { y }
    }

    #[inline(always)]
    pub(in super::super) fn cos<M: Machine>(x: f64) -> f64 {
        let (q, r, tail) = reduced::<M>(x);
        quarter::<M>(q.wrapping_add(1), r, tail)
    }

    /// Sine over cosine, or minus the inverse in every other quarter.
    #[inline(always)]
    pub(in super::super) fn tan<M: Machine>(x: f64) -> f64 {
        let (q, r, tail) = reduced::<M>(x);
        let (s, c) = (sine::<M>(r, tail), cosine::<M>(r, tail));
        let even = q & 1 == 0;
        let y = (if even { s } else { -c }) / if even { c } else { s };
        if x == 0.0 { x } else { y }
    }
}

/// `f32`, computed in `f64`: two parts of π/2 and short polynomials are enough.
pub(super) mod single {
    use super::double::reduced;
    use crate::kernel::machine::Machine;

    /// Angles up to here.
    pub(in super::super) const LARGEST: f32 = 1_647_099.0;

    #[inline(always)]
    fn quarter<M: Machine>(quarter: u64, x: f64) -> f32 {
        let z = x * x;
        let s = polynomial!(M::mul_add64, z;
            -1.666_666_664_162_654_2e-1, 8.333_329_385_889_463e-3, -1.983_933_483_603_107_4e-4,
            2.718_311_493_989_822e-6
        );
        let s = M::mul_add64(s * z, x, x);
        let c = polynomial!(M::mul_add64, z;
            1.0, -4.999_999_972_510_31e-1, 4.166_662_332_373_906e-2, -1.388_676_377_460_993e-3,
            2.439_044_879_627_741_6e-5
        );
        let y = if quarter & 1 == 0 { s } else { c };
        f64::from_bits(y.to_bits() ^ ((quarter & 2) << 62)) as f32
    }

    #[inline(always)]
    pub(in super::super) fn sin<M: Machine>(x: f32) -> f32 {
        let (q, r, _) = reduced::<M>(f64::from(x));
        let y = quarter::<M>(q, r);
        if x == 0.0 { x } else { y }
    }

    #[inline(always)]
    pub(in super::super) fn cos<M: Machine>(x: f32) -> f32 {
        let (q, r, _) = reduced::<M>(f64::from(x));
        quarter::<M>(q.wrapping_add(1), r)
    }

    #[inline(always)]
    pub(in super::super) fn tan<M: Machine>(x: f32) -> f32 {
        super::double::tan::<M>(f64::from(x)) as f32
    }
}
