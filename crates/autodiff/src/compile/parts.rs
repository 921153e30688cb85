//! Parts of a concatenation that are made where they belong.
//!
//! What a kernel makes only to be put behind something else gets its place inside the whole: nothing is copied, and the
//! part needs no memory of its own. The whole then lives from the first of its parts on, so a part that is read for
//! longer than the whole stays apart.

use super::kernels::Kernel;
use super::lower::Lowered;
use super::plan::Home;
use crate::scalar::Element;

/// A buffer that is a piece of another one, from an element on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Within {
    pub(super) whole: u32,
    pub(super) from: usize,
}

/// For each buffer the one it is a piece of, none of which is a piece itself. Concatenations copy what is left, if
/// anything is.
pub(super) fn place<E: Element>(lowered: &mut Lowered<E>, homes: &[Option<Home>]) -> Vec<Option<Within>> {
    let mut within: Vec<Option<Within>> = vec![None; lowered.buffers.len()];
    if !lowered.kernels.iter().any(|kernel| matches!(kernel, Kernel::Joined(_))) {
        return within;
    }
    let mut made = vec![false; lowered.buffers.len()];
    let mut last = vec![0; lowered.buffers.len()];
    for (i, kernel) in lowered.kernels.iter().enumerate() {
        let (read, written) = kernel.buffers();
        written.iter().for_each(|&b| made[b as usize] = true);
        read.iter().chain(&written).for_each(|&b| last[b as usize] = i);
    }
    for kernel in &mut lowered.kernels {
        let Kernel::Joined(joined) = kernel else { continue };
        if joined.outer != 1 {
            continue;
        }
        let out = joined.out as usize;
        joined.parts.retain(|part| {
            let buffer = part.load.buffer as usize;
            let whole = part.load.is_straight() && lowered.buffers[buffer].len == part.len;
            let free = homes[buffer].is_none() && made[buffer] && within[buffer].is_none() && part.len > 0;
            let outlived = homes[out].is_some() || last[buffer] <= last[out];
            let fits = whole && free && outlived;
            if fits {
                within[buffer] = Some(Within { whole: joined.out, from: part.start });
            }
            !fits
        });
    }
    lowered.kernels.retain(|kernel| !matches!(kernel, Kernel::Joined(joined) if joined.parts.is_empty()));
    // A concatenation may be a part of another one that comes later.
    for buffer in (0..within.len()).rev() {
        while let Some(Within { whole, from }) = within[buffer]
            && let Some(outer) = within[whole as usize]
        {
            within[buffer] = Some(Within { whole: outer.whole, from: outer.from + from });
        }
    }
    within
}
