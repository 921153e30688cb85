//! `xʸ = e^(y ln x)` with a logarithm of twice the digits: an error of `ln x` is multiplied by as much as 745.

use super::exp::double::{LN_2, clamped, reduced, scaled, series};
use super::ln::double::split;
use crate::kernel::machine::Machine;

/// `a + b` and what rounding lost.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// `ln x` of a positive, normal number, in two parts: `ln m = 2s + 2s³/3 + …` with `s = (m − 1)/(m + 1)`, of which the
/// first two terms need both parts. Needs a fused multiply-add.
#[inline(always)]
fn ln_two<M: Machine>(x: f64) -> (f64, f64) {
    /// 2/3 and 2/3 less that.
    const THIRDS: (f64, f64) = (0.666_666_666_666_666_6, 3.700_743_415_417_188e-17);
    let (e, m) = split(x);
    let f = m - 1.0;
    let u = 2.0 + f;
    let s = f / u;
    // Of the division, and of the sum in its denominator.
    let s_low = (M::mul_add64(-s, u, f) - s * (f - (u - 2.0))) / u;
    let z = s * s;
    let z_low = M::mul_add64(2.0 * s, s_low, M::mul_add64(s, s, -z));
    let cube = z * s;
    let cube_low = M::mul_add64(z, s, -cube) + (z_low * s + z * s_low);
    let third = THIRDS.0 * cube;
    let third_low = M::mul_add64(THIRDS.0, cube, -third) + (THIRDS.0 * cube_low + THIRDS.1 * cube);
    let p = polynomial!(M::mul_add64, z;
        2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0, 2.0 / 11.0, 2.0 / 13.0, 2.0 / 15.0, 2.0 / 17.0, 2.0 / 19.0, 2.0 / 21.0,
        2.0 / 23.0, 2.0 / 25.0
    );
    let (sum, lost) = two_sum(e * LN_2.0, 2.0 * s);
    let (sum, lost_too) = two_sum(sum, third);
    let rest = (lost + lost_too) + (M::mul_add64(e, LN_2.1, 2.0 * s_low) + (M::mul_add64(cube * z, p, third_low)));
    two_sum(sum, rest)
}

/// `xʸ` of a positive, normal `x` and a finite `y`. Needs a fused multiply-add.
#[inline(always)]
pub(super) fn pow<M: Machine>(x: f64, y: f64) -> f64 {
    let (ln, ln_low) = ln_two::<M>(x);
    let product = y * ln;
    let low = M::mul_add64(y, ln_low, M::mul_add64(y, ln, -product));
    // Beyond, the power is zero or infinite.
    let low = if product.abs() < 800.0 { low } else { 0.0 };
    let (k, r) = reduced::<M>(clamped(product));
    scaled::<M>(series::<M>(r + low), k)
}
