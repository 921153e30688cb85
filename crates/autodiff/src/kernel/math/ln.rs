//! `ln x` and `ln(1 + x)`: `x = 2^e·m` with `m` near 1, and `ln m` as a series in `s = (m − 1)/(m + 1)`; coefficients as
//! in Sun's fdlibm.

macro_rules! logarithms {
    (
        $module:ident, $type:ident, $mul_add:ident,
        mantissa $mantissa:literal, one $one:literal, exponent $exponent:literal $exponent_offset:literal, subnormal $scale:literal $shift:literal,
        ln2 $hi:literal $lo:literal, [$($c:expr),*]
    ) => {
        pub(super) mod $module {
            use crate::kernel::machine::Machine;

            /// `(e, m)` of a positive, normal number.
            #[inline(always)]
            pub(in super::super) fn split(x: $type) -> ($type, $type) {
                let bits = x.to_bits();
                // The exponent as a float, without an integer conversion.
                let e = $type::from_bits((bits >> $mantissa) | $exponent) - $exponent_offset;
                let m = $type::from_bits((bits & ((1 << $mantissa) - 1)) | $one);
                let large = m > std::$type::consts::SQRT_2;
                (if large { e + 1.0 } else { e }, if large { m * 0.5 } else { m })
            }

            /// `ln(2^e·(1 + f))`
            #[inline(always)]
            fn series<M: Machine>(e: $type, f: $type) -> $type {
                let s = f / (2.0 + f);
                let z = s * s;
                let p = polynomial!(M::$mul_add, z; $($c),*);
                let half_square = 0.5 * f * f;
                let rest = M::$mul_add(s, M::$mul_add(p, z, half_square), e * $lo);
                M::$mul_add(e, $hi, f - (half_square - rest))
            }

            /// Zero, negative numbers, infinity and NaN.
            #[inline(always)]
            fn special(x: $type, y: $type) -> $type {
                let y = if x == 0.0 { -$type::INFINITY } else { y };
                let y = if x < 0.0 { $type::NAN } else { y };
                // NaN and infinity are their own logarithms.
                if x < $type::INFINITY { y } else { x }
            }

            /// `ln x`
            #[inline(always)]
            pub(in super::super) fn ln<M: Machine>(x: $type) -> $type {
                let tiny = x < $type::MIN_POSITIVE;
                let (e, m) = split(if tiny { x * $scale } else { x });
                special(x, series::<M>(if tiny { e - $shift } else { e }, m - 1.0))
            }

            /// `ln(1 + x)`
            #[inline(always)]
            pub(in super::super) fn ln_1p<M: Machine>(x: $type) -> $type {
                let u = 1.0 + x;
                let (e, m) = split(u);
                // What the sum lost, relative to it.
                let lost = if x.abs() < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
                let y = special(u, series::<M>(e, m - 1.0) + lost / u);
                let y = if u == 0.0 || u.is_nan() || u >= $type::INFINITY { special(u, y) } else { y };
                if x.abs() < $type::EPSILON * 0.25 { x } else { y }
            }
        }
    };
}

logarithms!(
    double, f64, mul_add64,
    mantissa 52, one 0x3ff0_0000_0000_0000, exponent 0x4330_0000_0000_0000 4_503_599_627_371_519.0,
    subnormal 18_014_398_509_481_984.0 54.0,
    ln2 6.931_471_803_691_238e-1 1.908_214_929_270_587_7e-10,
    [
        6.666_666_666_666_735e-1, 3.999_999_999_940_942e-1, 2.857_142_874_366_239e-1, 2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1, 1.531_383_769_920_937_3e-1, 1.479_819_860_511_658_6e-1
    ]
);

logarithms!(
    single, f32, mul_add32,
    mantissa 23, one 0x3f80_0000, exponent 0x4b00_0000 8_388_735.0,
    subnormal 33_554_432.0 25.0,
    ln2 6.931_381_2e-1 9.058_001e-6,
    [0.666_666_6, 0.400_009_72, 0.284_987_87, 0.242_790_79]
);
