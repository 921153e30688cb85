//! Stacks of small products that begin with a bias.
//!
//! Where the first thing a walk does with a stack of products is to add to every row of each the same numbers (`H·Wₛ + bₛ`:
//! a layer of many small networks), the sums of the products begin with them, and the walk finds that done: rows that
//! repeat themselves for each product would have to be copied for it.

use super::kernels::{Bias, Fused, Instr, Kernel, Load, Location, MatMul};
use super::lower::Lowered;
use super::uses::Uses;
use super::view::Axis;
use crate::op::Binary;
use crate::scalar::Element;

/// Moves biases into products; `outputs` are the buffers that the caller sees.
pub(super) fn begin_with_biases<E: Element>(lowered: &mut Lowered<E>, outputs: &[u32]) {
    if !lowered.kernels.iter().any(|kernel| matches!(kernel, Kernel::MatMul(product) if product.takes_bias())) {
        return;
    }
    let uses = Uses::of(lowered, outputs);
    for i in 0..lowered.kernels.len() {
        let (before, rest) = lowered.kernels.split_at_mut(i);
        let Some(Kernel::Fused(walk)) = rest.first_mut() else { continue };
        let mut at = 0;
        while at < walk.code.len() {
            let joined = sides(walk, at).into_iter().flatten().find_map(|(buffer, register, other)| {
                let made = uses.made_for_one(buffer)?;
                let Some(Kernel::MatMul(product)) = before.get_mut(made) else { return None };
                let sum = Sum::of(walk, at, register, other)?;
                let load = &walk.loads[sum.load as usize];
                let bias =
                    bias(load, product).filter(|bias| uses.is_there(bias.buffer, made) && product.bias.is_none())?;
                product.bias = Some(bias);
                Some(sum)
            });
            at = joined.map_or(at + 1, |sum| sum.leave_out(walk, at));
        }
    }
}

/// For either side of a sum that is seen here only: the buffer that stands there, its register and that of the other side.
fn sides(walk: &Fused, at: usize) -> [Option<(u32, u32, u32)>; 2] {
    let Instr::Binary { op: Binary::Add, row: false, out, a, b } = walk.code[at] else { return [None; 2] };
    let inside = matches!(walk.locations[out as usize], Location::Slot(_));
    [(a, b), (b, a)].map(|(register, other)| match walk.locations[register as usize] {
        Location::Buffer { buffer, offset: 0, .. } if inside => Some((buffer, register, other)),
        _ => None,
    })
}

/// The sum of a product, in its register, and what a load reads.
struct Sum {
    register: u32,
    loaded: u32,
    load: u32,
}

/// What the load reads, as a bias of the product: the same row for all rows of each.
fn bias(load: &Load, product: &MatMul) -> Option<Bias> {
    let [items, rows, columns] = &load.axes[..] else { return None };
    let whole = |axis: &Axis, len: usize| axis.len == len && axis.is_whole();
    let same = product.takes_bias()
        && whole(items, product.lead[0])
        && (whole(rows, product.m) && rows.stride == 0)
        && (whole(columns, product.n) && columns.stride == 1);
    let (offset, step) = (usize::try_from(load.offset).ok()?, usize::try_from(items.stride).ok()?);
    same.then_some(Bias { buffer: load.buffer, offset, step })
}

impl Sum {
    /// The instruction as one, if the other side is loaded before, and the product read here alone.
    fn of(walk: &Fused, at: usize, register: u32, loaded: u32) -> Option<Self> {
        let load = walk.code[walk.once..at].iter().find_map(|instr| match *instr {
            Instr::Load { load, row: false, out } if out == loaded => Some(load),
            _ => None,
        })?;
        (walk.reads(register) == 1).then_some(Self { register, loaded, load })
    }

    /// The walk without the sum, which the product is now; and without the load, if that was all it was for. Gives where
    /// the next instruction is.
    fn leave_out(&self, walk: &mut Fused, at: usize) -> usize {
        let out = walk.code.remove(at).out();
        walk.code.iter_mut().for_each(|instr| instr.read_instead(out, self.register));
        let ends = walk.lates.iter_mut().map(|late| &mut late.from);
        let ends = ends.chain(walk.scatters.iter_mut().map(|scatter| &mut scatter.from));
        ends.filter(|from| **from == out).for_each(|from| *from = self.register);
        if walk.reads(self.loaded) > 0 {
            return at;
        }
        walk.code.retain(|instr| instr.out() != self.loaded);
        walk.loads.remove(self.load as usize);
        let loads = walk.code.iter_mut().filter_map(Instr::load_mut);
        loads.filter(|load| **load > self.load).for_each(|load| *load -= 1);
        at - 1
    }
}
