//! `eˣ` and `eˣ − 1`: `x = k·ln 2 + r` with `|r| ≤ ln 2 / 2`, and the Taylor polynomial of `e^r`.

/// Defines both functions for a type: the integer type of its bits, its constants, the coefficients from the second
/// power on.
macro_rules! exponentials {
    (
        $module:ident, $type:ident, $bits:ident, $mul_add:ident,
        mantissa $mantissa:literal, bias $bias:literal, magic $magic:literal,
        ln2 $hi:literal $lo:literal, range $low:literal $high:literal, [$($c:expr),*]
    ) => {
        pub(super) mod $module {
            use crate::kernel::machine::Machine;

            /// The logarithm of 2: its first digits, of which multiples are exact, and the rest.
            pub(in super::super) const LN_2: ($type, $type) = ($hi, $lo);

            /// Adding it rounds to an integer, which then stands in the lowest bits.
            const MAGIC: $type = $magic;

            /// `2^k` for an integer `k` inside the range of exponents.
            #[inline(always)]
            fn power_of_two(k: $type) -> $type {
                $type::from_bits((k + MAGIC).to_bits().wrapping_shl($mantissa).wrapping_add($bias << $mantissa))
            }

            /// `(k, r)`
            #[inline(always)]
            pub(in super::super) fn reduced<M: Machine>(x: $type) -> ($type, $type) {
                let k = M::$mul_add(x, std::$type::consts::LOG2_E, MAGIC) - MAGIC;
                (k, M::$mul_add(k, -LN_2.1, M::$mul_add(k, -LN_2.0, x)))
            }

            /// `e^r − 1`
            #[inline(always)]
            pub(in super::super) fn series<M: Machine>(r: $type) -> $type {
                M::$mul_add(r * r, polynomial!(M::$mul_add, r; $($c),*), r)
            }

            /// An argument beyond which nothing changes.
            #[inline(always)]
            pub(in super::super) fn clamped(x: $type) -> $type {
                let x = if x < $low { $low } else { x };
                if x > $high { $high } else { x }
            }

            /// `(1 + p)·2^k`, in two steps: `2^k` itself may overflow, or be subnormal.
            #[inline(always)]
            pub(in super::super) fn scaled<M: Machine>(p: $type, k: $type) -> $type {
                let half = M::$mul_add(k, 0.5, MAGIC) - MAGIC;
                (p + 1.0) * power_of_two(half) * power_of_two(k - half)
            }

            /// `eˣ`
            #[inline(always)]
            pub(in super::super) fn exp<M: Machine>(x: $type) -> $type {
                let (k, r) = reduced::<M>(clamped(x));
                scaled::<M>(series::<M>(r), k)
            }

            /// `eˣ / 2`, which overflows a little later.
            #[inline(always)]
            pub(in super::super) fn half_exp<M: Machine>(x: $type) -> $type {
                let (k, r) = reduced::<M>(clamped(x));
                scaled::<M>(series::<M>(r), k - 1.0)
            }

            /// `eˣ`, for an `x` at which neither it nor its reciprocal is near the ends of the range.
            #[inline(always)]
            pub(in super::super) fn exp_moderate<M: Machine>(x: $type) -> $type {
                let (k, r) = reduced::<M>(x);
                let scale = power_of_two(k);
                M::$mul_add(scale, series::<M>(r), scale)
            }

            /// `eˣ − 1`
            #[inline(always)]
            pub(in super::super) fn exp_m1<M: Machine>(x: $type) -> $type {
                let low = -1.5 * ($mantissa as $type);
                let clamped = if x < low { low } else { x };
                let clamped = if clamped > $high - 1.0 { $high - 1.0 } else { clamped };
                let (k, r) = reduced::<M>(clamped);
                let p = series::<M>(r);
                // Half of it, for `2^1024` is no number.
                let scale = power_of_two(k - 1.0);
                let y = 2.0 * M::$mul_add(scale, p, scale - 0.5);
                let y = if k == 0.0 { p } else { y };
                // Keeps the sign of zero, and all of a subnormal.
                if x.abs() < $type::EPSILON * 0.25 { x } else { y }
            }
        }
    };
}

exponentials!(
    double, f64, u64, mul_add64,
    mantissa 52, bias 1023_u64, magic 6_755_399_441_055_744.0,
    ln2 6.931_471_803_691_238e-1 1.908_214_929_270_587_7e-10, range -746.0 711.0,
    [
        0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5_040.0, 1.0 / 40_320.0, 1.0 / 362_880.0,
        1.0 / 3_628_800.0, 1.0 / 39_916_800.0, 1.0 / 479_001_600.0, 1.0 / 6_227_020_800.0
    ]
);

exponentials!(
    single, f32, u32, mul_add32,
    mantissa 23, bias 127_u32, magic 12_582_912.0,
    ln2 0.693_359_375 -2.121_944_4e-4, range -104.0 90.0,
    [0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5_040.0]
);
