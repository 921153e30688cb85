//! Products that end in a sum.
//!
//! Where a large product is only added to an array, with a factor or without (`P − η·AᵀB`: a step of descent), the array
//! is copied to where the result goes, and the product added to it: the product itself is never written, and not read
//! again.

use super::kernels::{Instr, Kernel, Location, MatMul, Start};
use super::lower::Lowered;
use super::uses::Uses;
use crate::op::{Binary, Literal};
use crate::scalar::Element;

/// Elements of a result from which it pays.
const LARGE: usize = 1 << 14;

/// Joins them; `outputs` are the buffers that the caller sees.
pub(super) fn join_sums<E: Element>(lowered: &mut Lowered<E>, outputs: &[u32]) {
    if !lowered.kernels.iter().any(|kernel| matches!(kernel, Kernel::MatMul(product) if is_candidate(product))) {
        return;
    }
    let mut uses = Uses::of(lowered, outputs);
    let mut gone = vec![false; lowered.kernels.len()];
    for i in 0..lowered.kernels.len() {
        for (start, product, out) in endings(&lowered.kernels[i]).into_iter().flatten() {
            // The product itself, read by nobody else and as it is.
            let Some(made) = uses.made_for_one(product) else { continue };
            let Kernel::MatMul(found) = &lowered.kernels[made] else { continue };
            // A factor of zero is no reason for a kernel to look at the product, which may be infinite.
            let vanishes = E::from_f64(start.scale) == E::from_f64(0.0);
            if is_candidate(found) && !vanishes && lowered.buffers[out as usize].len == found.m * found.n {
                let joined = Kernel::MatMul(MatMul { out, start: Some(start), ..found.clone() });
                // As early as can be: its factors are larger than what it makes, and near.
                let (here, other) = if uses.is_there(start.buffer, made) { (made, i) } else { (i, made) };
                lowered.kernels[here] = joined;
                gone[other] = true;
                uses.made_by[out as usize] = Some(here);
                break;
            }
        }
    }
    let mut gone = gone.into_iter();
    lowered.kernels.retain(|_| !gone.next().unwrap_or(false));
}

/// Whether a product is a large one, and its result too.
fn is_candidate(product: &MatMul) -> bool {
    product.is_single() && product.is_blocked() && product.m * product.n >= LARGE
}

/// If all that a walk does is a sum: what may be the product's start, the buffer of the product and that of the result,
/// for either side of it.
fn endings<E: Element>(kernel: &Kernel<E>) -> [Option<(Start, u32, u32)>; 2] {
    let none = [None, None];
    let Kernel::Fused(walk) = kernel else { return none };
    if !walk.lates.is_empty() || !walk.scatters.is_empty() {
        return none;
    }
    let (scale, out, a, b) = match walk.code[..] {
        [Instr::Axpy { c: Literal(c), row: false, out, a, b }] => ([None, Some(c)], out, a, b),
        [Instr::Binary { op: Binary::Add, row: false, out, a, b }] => ([Some(1.0), Some(1.0)], out, a, b),
        [Instr::Binary { op: Binary::Sub, row: false, out, a, b }] => ([None, Some(-1.0)], out, a, b),
        _ => return none,
    };
    let place = |register: u32| match walk.locations[register as usize] {
        Location::Buffer { buffer, offset, .. } => Some((buffer, usize::try_from(offset).ok()?)),
        Location::Slot(_) | Location::Near { .. } => None,
    };
    let (Some(a), Some(b), Some((out, 0))) = (place(a), place(b), place(out)) else { return none };
    let either = |scale: Option<f64>, product: (u32, usize), start: (u32, usize)| {
        let (buffer, offset) = start;
        let whole = product.1 == 0 && buffer != product.0;
        scale.filter(|_| whole).map(|scale| (Start { buffer, offset, scale }, product.0, out))
    };
    [either(scale[0], a, b), either(scale[1], b, a)]
}
