//! Who makes each buffer, and how often it is read.

use super::kernels::Kernel;
use super::lower::Lowered;
use crate::scalar::Element;

/// Of each buffer.
pub(super) struct Uses {
    /// The kernel that makes it, if one does.
    pub(super) made_by: Vec<Option<usize>>,
    reads: Vec<u32>,
}

impl Uses {
    /// In the kernels; `outputs` are the buffers that the caller sees, which counts as a read.
    pub(super) fn of<E: Element>(lowered: &Lowered<E>, outputs: &[u32]) -> Self {
        let count = lowered.buffers.len();
        let mut uses = Self { made_by: vec![None; count], reads: vec![0; count] };
        for (i, (read, written)) in lowered.kernels.iter().map(Kernel::buffers).enumerate() {
            read.iter().for_each(|&b| uses.reads[b as usize] += 1);
            written.iter().for_each(|&b| uses.made_by[b as usize] = Some(i));
        }
        outputs.iter().for_each(|&output| uses.reads[output as usize] += 1);
        uses
    }

    /// The kernel that makes a buffer which is read once, by whoever asks.
    pub(super) fn made_for_one(&self, buffer: u32) -> Option<usize> {
        self.made_by[buffer as usize].filter(|_| self.reads[buffer as usize] == 1)
    }

    /// Whether a buffer is there before a kernel has its turn.
    pub(super) fn is_there(&self, buffer: u32, kernel: usize) -> bool {
        self.made_by[buffer as usize].is_none_or(|made| made < kernel)
    }
}
