//! Where each buffer goes in the arena, decided once: a buffer takes the place of others that are no longer read.

use super::kernels::Kernel;
use super::lower::Buffer;
use super::memory::LINE;
use crate::scalar::Element;

/// What a buffer is to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Input(usize),
    Constant(usize),
    Output(usize),
    /// In the arena, from this element on.
    Arena(usize),
}

/// The arena's length in elements, and the place of each buffer that lives in it.
pub(super) fn plan<E: Element>(buffers: &[Buffer], homes: &mut [Option<Home>], kernels: &[Kernel<E>]) -> usize {
    let mut first = vec![usize::MAX; buffers.len()];
    let mut last = vec![0; buffers.len()];
    for (i, kernel) in kernels.iter().enumerate() {
        let (read, written) = kernel.buffers();
        for buffer in read.iter().chain(&written) {
            first[*buffer as usize] = first[*buffer as usize].min(i);
            last[*buffer as usize] = i;
        }
    }
    let unit = LINE / size_of::<E>();
    // Buffers by the kernel that makes them; at each step, the ones whose last reader is behind are free again.
    let mut order: Vec<usize> = (0..buffers.len()).filter(|&b| homes[b].is_none()).collect();
    order.sort_by_key(|&b| (first[b], std::cmp::Reverse(buffers[b].len)));
    let mut live: Vec<(usize, usize, usize)> = Vec::new();
    let mut total = 0;
    for buffer in order {
        let len = buffers[buffer].len.next_multiple_of(unit).max(unit);
        live.retain(|&(_, _, until)| until >= first[buffer]);
        // The tightest gap that fits.
        let (mut at, mut best, mut end) = (None, usize::MAX, 0);
        for &(start, stop, _) in &live {
            if start >= end + len && start - end < best {
                (at, best) = (Some(end), start - end);
            }
            end = end.max(stop);
        }
        let at = at.unwrap_or(end);
        let position = live.partition_point(|l| l.0 < at);
        live.insert(position, (at, at + len, last[buffer]));
        total = total.max(at + len);
        homes[buffer] = Some(Home::Arena(at));
    }
    total
}
