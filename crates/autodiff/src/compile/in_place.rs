//! What a kernel makes may take the place of what it is the last to read: element by element, each read before it is
//! written. Such memory is near already, where fresh memory would be fetched only to be overwritten.

use super::fuse::Level;
use super::kernels::{Fused, Kernel, Location, RowPart};
use super::lower::Buffer;
use rustc_hash::{FxHashMap, FxHashSet};

/// What happens to a buffer in a walk, in order.
#[derive(Clone, Copy)]
enum Event {
    /// A block of it is read.
    Read(u32),
    /// A block of it is written.
    Write(u32),
}

/// Pairs of buffers, what the kernel makes and what it may be made in the place of: each of `born` in that of one of
/// `dies` which is as long. Kernels that are no walks have none. Linear in the kernel.
pub(super) fn pairs<E>(
    kernel: &Kernel<E>,
    buffers: &[Buffer],
    born: impl Fn(u32) -> bool,
    dies: impl Fn(u32) -> bool,
) -> Vec<(u32, u32)> {
    let mut order =
        Order { buffers, last_read: FxHashMap::default(), events: Vec::new(), otherwise: FxHashSet::default() };
    match kernel {
        Kernel::Fused(walk) => order.walk(walk),
        Kernel::Rows(group) => {
            for part in group.parts() {
                match part {
                    RowPart::Walk { walk, .. } => order.walk(walk),
                    RowPart::Product { product, .. } | RowPart::Sum { product, .. } => {
                        let (read, written) = product.buffers();
                        order.otherwise.extend(read.into_iter().chain(written));
                    }
                }
            }
        }
        _ => return Vec::new(),
    }
    let Order { last_read, events, otherwise, .. } = order;
    let mut free: FxHashMap<usize, Vec<u32>> = FxHashMap::default();
    let mut pairs = Vec::new();
    for (at, event) in events.into_iter().enumerate() {
        match event {
            Event::Read(x) if last_read[&x] == at && !otherwise.contains(&x) && dies(x) => {
                free.entry(buffers[x as usize].len).or_default().push(x);
            }
            Event::Write(y) if !otherwise.contains(&y) && born(y) => {
                pairs.extend(free.get_mut(&buffers[y as usize].len).and_then(Vec::pop).map(|x| (y, x)));
            }
            Event::Read(_) | Event::Write(_) => {}
        }
    }
    pairs
}

struct Order<'a> {
    buffers: &'a [Buffer],
    /// The event that reads a buffer last.
    last_read: FxHashMap<u32, usize>,
    events: Vec<Event>,
    /// Buffers that are touched in other ways than block by block from their start.
    otherwise: FxHashSet<u32>,
}

impl Order<'_> {
    fn walk(&mut self, walk: &Fused) {
        // Of each register the buffer, if it moves over all of it with the blocks.
        let of = |register: u32| match walk.locations[register as usize] {
            Location::Buffer { buffer, offset, level } => {
                let all = if level == Level::Row { walk.n / walk.columns } else { walk.n };
                let whole = offset == 0 && self.buffers[buffer as usize].len == all;
                Some((buffer, whole))
            }
            Location::Slot(_) | Location::Near { .. } => None,
        };
        let registers = 0..walk.locations.len() as u32;
        self.otherwise.extend(registers.filter_map(of).filter(|(_, whole)| !whole).map(|(buffer, _)| buffer));
        self.otherwise.extend(walk.read_out_of_order().chain(walk.written_at_the_end()));
        let mut read = |events: &mut Vec<Event>, buffer: u32| {
            self.last_read.insert(buffer, events.len());
            events.push(Event::Read(buffer));
        };
        for instr in &walk.code {
            // Written first: an instruction does not write what it reads.
            self.events.extend(of(instr.out()).map(|(buffer, _)| Event::Write(buffer)));
            for (buffer, _) in instr.args().into_iter().flatten().filter_map(of) {
                read(&mut self.events, buffer);
            }
        }
        let ends = walk.lates.iter().map(|l| l.from).chain(walk.scatters.iter().map(|s| s.from));
        for (buffer, _) in ends.filter_map(of) {
            read(&mut self.events, buffer);
        }
    }
}
