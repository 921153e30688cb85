//! What only the kernels of a group see: a block of its rows stands in scratch, again and again in the same place, and
//! never goes to memory.

use super::kernels::{Location, RowPart};
use super::plan::Gaps;
use rustc_hash::FxHashMap;

/// What only a group sees.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    pub(super) buffers: Vec<u32>,
    /// The elements that they take of each row of a block.
    pub(super) row: usize,
}

/// The life of a buffer, by the parts of a group.
struct Life {
    /// Elements of a row.
    len: usize,
    first: usize,
    last: usize,
    reads: usize,
    at: usize,
}

/// Gives places to what no other kernel reads. `made` gives the elements of a row of what is made in the group row by row;
/// `reads` is how often each buffer is read at all.
pub(super) fn place(parts: &mut [RowPart], made: impl Fn(u32) -> Option<usize>, reads: &[usize]) -> Own {
    let mut lives: FxHashMap<u32, Life> = FxHashMap::default();
    for (i, part) in parts.iter().enumerate() {
        let (read, written) = part.buffers();
        for buffer in written {
            if let Some(len) = made(buffer) {
                lives.insert(buffer, Life { len, first: i, last: i, reads: 0, at: 0 });
            }
        }
        for buffer in read {
            if let Some(life) = lives.get_mut(&buffer) {
                life.last = i;
                life.reads += 1;
            }
        }
    }
    lives.retain(|&buffer, life| life.reads == reads[buffer as usize]);
    let mut gaps = Gaps::default();
    // In the order of their numbers: places do not depend on a hash.
    let mut order: Vec<u32> = lives.keys().copied().collect();
    order.sort_unstable();
    for i in 0..parts.len() {
        for buffer in &order {
            if let Some(life) = lives.get_mut(buffer).filter(|life| life.first == i) {
                life.at = gaps.take(life.len);
            }
        }
        for buffer in &order {
            if lives[buffer].last == i {
                gaps.give(lives[buffer].at, lives[buffer].len);
            }
        }
    }
    let of = |buffer: u32| lives.get(&buffer).map(|life| life.at);
    for part in parts {
        match part {
            RowPart::Product { product, places, .. } => *places = [product.a.buffer, product.out].map(of),
            RowPart::Sum { product, places, .. } => *places = [product.a.buffer, product.b.buffer].map(of),
            RowPart::Walk { walk, .. } => {
                // By rows, or the walk would not be in the group.
                for load in &mut walk.loads {
                    load.near = of(load.buffer);
                }
                for location in &mut walk.locations {
                    if let Location::Buffer { buffer, level, .. } = *location
                        && let Some(at) = of(buffer)
                    {
                        *location = Location::Near { at, level };
                    }
                }
            }
        }
    }
    Own { buffers: order, row: gaps.total }
}
