//! Walks that read each other's results some elements away, joined to one pass over memory.
//!
//! A step of a stencil, or of a system in which each equation reads its neighbour's, is a walk for each of its stages:
//! they cannot be one, since an element needs others of the stage before. But each can stay a few elements behind what it
//! reads (loop skewing: Wolfe, *Loops skewing: the wavefront method revisited*, 1986), so that all of them go over memory
//! together, block by block, and what only they see never gets there. (See `docs/compile.md`.)

use super::fuse::Level;
use super::kernels::{Chain, FAR, Fused, Instr, Joined, Kernel, Link, Load, Location, Part, Steady, is_cheap};
use super::lower::Buffer;
use super::memory::LINE;
use super::parts::Within;
use super::plan::{Gaps, Home};
use super::together::{self, Fate, Item};
use crate::op::Unary;
use crate::scalar::Element;
use rustc_hash::{FxHashMap, FxHashSet};

/// Places that a walk stays behind the first one at most.
const LAG: isize = 512;

/// Elements of a vector, or of several; and of what a loop does in one go, of which blocks leave no rest.
const VECTOR: isize = 8;
const UNROLLED: usize = 64;

/// Arrays that pass by in a chain at most: with more, blocks are so short that the switching between walks takes as long.
const MOST: usize = 12;

/// The same where nearly all rounds are alike and their ops cheap: then there is next to no switching.
const MOST_STEADY: usize = 32;

/// Elements of a walk from which nearly all rounds are alike, and of a round then at most.
const STEADY: usize = 4096;
const ROUND_STEADY: usize = 1024;

/// What a chain makes and others read at most: all of it is there at once.
const SEEN: usize = 8;

/// Elements of a walk from which it may start a chain.
const LONG: usize = 64;

/// Bytes that a block of everything in a chain takes together: a walk reads a few of them at a time, and shorter blocks
/// cost more in the switching between walks than they spare.
const BLOCK: usize = 48 << 10;

/// The same where nearly all rounds are alike and their ops cheap: they stay in the first cache with room to spare.
const BLOCK_STEADY: usize = 36 << 10;

/// What a walk does to a buffer, or to the whole of which that is a piece. The walk's element `i` has its turn at `lag + i`.
#[derive(Clone, Copy)]
struct Access {
    buffer: u32,
    /// The place of the walk's first element; none if it reads in another way than in order.
    from: Option<isize>,
    /// The places that are touched.
    low: isize,
    high: isize,
    lag: isize,
}

impl Access {
    /// The first turn for the other's walk at which this is done with every place that both touch; none if there is no
    /// telling.
    fn holds_back(&self, other: &Self) -> Option<isize> {
        if self.buffer != other.buffer || self.low >= other.high || other.low >= self.high {
            return Some(0);
        }
        Some(self.lag + other.from? - self.from?)
    }
}

/// The kernels, chains joined; the order changes only where nothing depends on it.
pub(super) fn join<E: Element>(
    kernels: Vec<Kernel<E>>,
    buffers: &[Buffer],
    within: &[Option<Within>],
    homes: &[Option<Home>],
    threads: usize,
) -> Vec<Kernel<E>> {
    if kernels.iter().filter(|kernel| matches!(kernel, Kernel::Fused(_))).nth(1).is_none() {
        return kernels;
    }
    let memory = Memory { buffers, within, threads };
    let mut touched = vec![0_usize; buffers.len()];
    let items = kernels.into_iter().map(|kernel| {
        // Wholes, each once.
        let (mut read, mut written) = kernel.buffers();
        for list in [&mut read, &mut written] {
            list.iter_mut().for_each(|buffer| *buffer = memory.whole(*buffer).0);
            list.sort_unstable();
            list.dedup();
        }
        let item = Item { kernel, read, written };
        item.touches().for_each(|&buffer| touched[buffer as usize] += 1);
        item
    });
    let items = items.collect();
    together::join(
        items,
        |near| Search::find(near, &memory).map(|fates| (fates, ())),
        |(), inside| {
            let mut members = Vec::new();
            // How often the chain touches each buffer: what others touch too is not its own.
            let mut own: FxHashMap<u32, usize> = FxHashMap::default();
            for (item, more) in inside {
                item.touches().for_each(|&buffer| *own.entry(buffer).or_default() += 1);
                members.extend(more);
            }
            let own = |buffer: u32| own[&buffer] == touched[buffer as usize] && homes[buffer as usize].is_none();
            Kernel::Chain(chain::<E>(members, own, &memory))
        },
    )
}

/// What is the same for all chains.
struct Memory<'a> {
    buffers: &'a [Buffer],
    within: &'a [Option<Within>],
    threads: usize,
}

impl Memory<'_> {
    /// The buffer of which another is a piece, and where that begins.
    fn whole(&self, buffer: u32) -> (u32, isize) {
        self.within[buffer as usize].map_or((buffer, 0), |within| (within.whole, within.from as isize))
    }

    /// What a walk reads and what it writes, if it may be in a chain.
    fn accesses(&self, walk: &Fused) -> Option<[Vec<Access>; 2]> {
        let plain = walk.columns == 1 && walk.once == 0 && walk.gathers.is_empty();
        let plain = plain && walk.lates.is_empty() && walk.scatters.is_empty();
        // What threads share stays as it is.
        if !plain || walk.n == 0 || (walk.chunks > 1 && self.threads > 1) {
            return None;
        }
        let access = |buffer: u32, offset: isize, (low, high): (usize, usize)| {
            let (buffer, start) = self.whole(buffer);
            let from = start + offset;
            Access { buffer, from: Some(from), low: from + low as isize, high: from + high as isize, lag: 0 }
        };
        let mut made = vec![false; walk.locations.len()];
        walk.code.iter().for_each(|instr| made[instr.out() as usize] = true);
        let [mut read, mut written] = [Vec::new(), Vec::new()];
        for (location, made) in walk.locations.iter().zip(made) {
            if let Location::Buffer { buffer, offset, .. } = *location {
                if made { &mut written } else { &mut read }.push(access(buffer, offset, (0, walk.n)));
            }
        }
        read.extend(walk.loads.iter().map(|load| match load.shift() {
            Some(range) => access(load.buffer, load.offset, range),
            None => {
                let buffer = self.whole(load.buffer).0;
                Access { buffer, from: None, low: 0, high: isize::MAX, lag: 0 }
            }
        }));
        Some([read, written])
    }
}

/// A walk in a chain, and what it does.
struct Member {
    walk: Fused,
    lag: isize,
    read: Vec<Access>,
    written: Vec<Access>,
}

impl Member {
    /// Whether its ops are cheap, and nearly all rounds of a chain of so many elements alike for it: it begins and ends with
    /// the chain, or is over at once at either end.
    fn is_steady(&self, n: usize) -> bool {
        let (own, lag) = (self.walk.n, self.lag as usize);
        let near = |turn: usize, of: usize| turn.abs_diff(of) <= LAG as usize;
        let whole = |load: &Load| load.shift().is_none_or(|(low, high)| near(low, 0) && near(high, own));
        let all = near(lag, 0) && near(lag + own, n) && self.walk.loads.iter().all(whole);
        n >= STEADY && is_cheap(&self.walk) && (all || (own < LONG && (near(lag, 0) || near(lag, n))))
    }
}

/// What the chain so far reads and writes.
struct Search {
    read: Vec<Access>,
    written: Vec<Access>,
    /// Elements of the first walk, if nearly all rounds are alike, and their ops cheap.
    steady: Option<usize>,
}

impl Search {
    /// The chain that starts with the first kernel, if there is one.
    fn find<E: Element>(items: &[Item<E>], memory: &Memory<'_>) -> Option<Vec<Fate<Vec<Member>>>> {
        let (first, others) = items.split_first()?;
        let n = match &first.kernel {
            Kernel::Fused(walk) if walk.n >= LONG => walk.n,
            _ => return None,
        };
        // Most walks have nobody to go with.
        if !others.iter().any(|item| item.touches().any(|buffer| first.written.contains(buffer))) {
            return None;
        }
        let (mut search, mut fates) = (Self { read: Vec::new(), written: Vec::new(), steady: Some(n) }, Vec::new());
        // What is complete only after the chain, what others read of it, and all that it has to do with.
        let [mut late, mut seen, mut passing]: [FxHashSet<u32>; 3] = Default::default();
        let mut linked = false;
        for item in items {
            let mut own =
                search.written.iter().map(|made| made.buffer).filter(|made| item.read.contains(made)).peekable();
            let reads = own.peek().is_some();
            let fate = if item.read.iter().any(|buffer| late.contains(buffer)) {
                Fate::After
            } else {
                match search.members(item, memory) {
                    Some(members) => Fate::Inside(members),
                    // The first kernel begins a chain or none.
                    None if fates.is_empty() => return None,
                    None if reads => Fate::After,
                    None => Fate::Before,
                }
            };
            match &fate {
                Fate::Before => {}
                Fate::After => {
                    late.extend(&item.written);
                    seen.extend(own);
                    if seen.len() > SEEN {
                        break;
                    }
                }
                Fate::Inside(members) => {
                    passing.extend(item.touches());
                    search.steady = search.steady.filter(|&n| members.iter().all(|member| member.is_steady(n)));
                    if passing.len() > search.steady.map_or(MOST, |_| MOST_STEADY) {
                        break;
                    }
                    linked |= reads;
                    for member in members {
                        search.read.extend(&member.read);
                        search.written.extend(&member.written);
                    }
                }
            }
            fates.push(fate);
        }
        if !linked {
            return None;
        }
        let made = search.written.iter().map(|access| access.buffer).collect();
        together::leave_what_is_not_joined(&mut fates, items, &made);
        (fates.iter().filter(|fate| matches!(fate, Fate::Inside(_))).count() > 1).then_some(fates)
    }

    /// What a kernel is in the chain so far, if it can be in it.
    fn members<E: Element>(&self, item: &Item<E>, memory: &Memory<'_>) -> Option<Vec<Member>> {
        let walks = match &item.kernel {
            Kernel::Fused(walk) => vec![walk.clone()],
            Kernel::Joined(joined) => copies(joined)?,
            _ => return None,
        };
        walks.into_iter().map(|walk| self.member(walk, memory)).collect()
    }

    fn member(&self, walk: Fused, memory: &Memory<'_>) -> Option<Member> {
        let [mut read, mut written] = memory.accesses(&walk)?;
        // Each place of what it writes is there when it is the turn of that place, and not before: so it stays near.
        let mut lag = written.iter().filter_map(|access| access.from).max().unwrap_or(0).max(0);
        // It reads what was written, and does not write what is not read or written yet.
        for new in &read {
            for old in &self.written {
                lag = lag.max(old.holds_back(new)?);
            }
        }
        for new in &written {
            for old in self.read.iter().chain(&self.written) {
                lag = lag.max(old.holds_back(new)?);
            }
        }
        // A little further behind, most of it stands in whole vectors: above all what it writes.
        let vectors = |lag: isize| {
            let whole = |access: &&Access| access.from.is_some_and(|from| (lag - from) % VECTOR == 0);
            read.iter().filter(whole).count() + 2 * written.iter().filter(whole).count()
        };
        let lag = (lag..lag + VECTOR).rev().max_by_key(|&lag| vectors(lag)).unwrap_or(lag);
        read.iter_mut().chain(&mut written).for_each(|access| access.lag = lag);
        let near = written.iter().all(|access| access.from.is_some_and(|from| lag - from <= LAG));
        near.then_some(Member { walk, lag, read, written })
    }
}

/// What stands in a ring: its life, in walks, and at which turn its first place is written at the earliest.
struct Ring {
    first: usize,
    last: usize,
    turn: isize,
    /// How many turns later it is read at the latest.
    back: isize,
    at: usize,
}

fn chain<E: Element>(members: Vec<Member>, own: impl Fn(u32) -> bool, memory: &Memory<'_>) -> Chain {
    let turn = |access: &Access| access.lag - access.from.expect("what a chain makes is read in order");
    let mut rings: FxHashMap<u32, Ring> = FxHashMap::default();
    let mut streams: FxHashSet<u32> = FxHashSet::default();
    for (i, member) in members.iter().enumerate() {
        for access in member.written.iter().filter(|access| own(access.buffer)) {
            let new = Ring { first: i, last: i, turn: turn(access), back: 0, at: 0 };
            let ring = rings.entry(access.buffer).or_insert(new);
            ring.turn = ring.turn.min(turn(access));
        }
        streams.extend(member.read.iter().chain(&member.written).map(|access| access.buffer));
    }
    for (i, member) in members.iter().enumerate() {
        for access in member.read.iter().chain(&member.written) {
            if let Some(ring) = rings.get_mut(&access.buffer) {
                ring.last = ring.last.max(i);
                ring.back = ring.back.max(turn(access) - ring.turn);
            }
        }
    }
    rings.retain(|_, ring| ring.back <= LAG);
    streams.retain(|buffer| !rings.contains_key(buffer));
    // In the order of their numbers: places do not depend on a hash. What is not read back shares its room.
    let mut order: Vec<u32> = rings.keys().copied().collect();
    order.sort_unstable();
    let mut gaps = Gaps::default();
    for i in 0..members.len() {
        for buffer in &order {
            if let Some(ring) = rings.get_mut(buffer).filter(|ring| ring.first == i) {
                ring.at = gaps.take(1);
            }
        }
        for buffer in &order {
            if rings[buffer].last == i && rings[buffer].back == 0 {
                gaps.give(rings[buffer].at, 1);
            }
        }
    }
    let line = LINE / size_of::<E>();
    let slots = members.iter().map(|member| member.walk.slots).max().unwrap_or(0);
    let live = gaps.total + streams.len() + slots;
    let back: usize = rings.values().map(|ring| ring.back as usize).sum();
    let n = members.first().map_or(0, |member| member.walk.n);
    let alike = members.iter().all(|member| member.is_steady(n));
    let before = rings.values().map(|ring| ring.back as usize).max().unwrap_or(0).next_multiple_of(line);
    // A block is at least what is read again of the one before it.
    let (bytes, least, longest) =
        if alike { (BLOCK_STEADY, UNROLLED.max(before), ROUND_STEADY) } else { (BLOCK, 128, 2048) };
    let most = ((bytes / size_of::<E>()).saturating_sub(back) / live.max(1)).clamp(least, longest);
    // Rounds as equal as can be.
    let end = members.iter().map(|member| member.lag as usize + member.walk.n).max().unwrap_or(1);
    let block = end.div_ceil(end.div_ceil(most)).next_multiple_of(UNROLLED);
    let mut kept = vec![0; gaps.total];
    rings.values().for_each(|ring| kept[ring.at] = kept[ring.at].max(ring.back as usize));
    let length = Chain::ring::<E>(before, block);
    let links = members.into_iter().map(|member| {
        let Member { mut walk, lag, .. } = member;
        // The place of a walk's first element, if it is in a ring.
        let near = |buffer: u32, offset: isize| {
            let (buffer, start) = memory.whole(buffer);
            let ring = rings.get(&buffer)?;
            let back = lag - (start + offset) - ring.turn;
            let at = (ring.at * length + before) as isize - back;
            Some(usize::try_from(at).expect("a ring has room for all that is read back"))
        };
        for load in &mut walk.loads {
            load.near = near(load.buffer, load.offset);
        }
        for location in &mut walk.locations {
            if let Location::Buffer { buffer, offset, level } = *location
                && let Some(at) = near(buffer, offset)
            {
                *location = Location::Near { at, level };
            }
        }
        walk.block = block;
        (walk.per_chunk, walk.chunks, walk.scratch) = (walk.n, 1, 1);
        Link { walk, lag: lag as usize }
    });
    let links: Vec<Link> = links.collect();
    let steady = if alike { Steady::of(&links, block, FAR / size_of::<E>()) } else { None };
    let pieces = (0..memory.buffers.len() as u32).filter(|&buffer| rings.contains_key(&memory.whole(buffer).0));
    Chain { links, block, before, kept, own: pieces.collect(), steady }
}

/// A concatenation as walks, one for each part that is left.
fn copies(joined: &Joined) -> Option<Vec<Fused>> {
    let copy = |part: &Part| {
        let (low, high) = if part.len == 1 && part.load.axes.is_empty() { (0, 1) } else { part.load.shift()? };
        let level = Level::Full;
        let whole = low == 0 && high == part.len;
        let read = Location::Buffer { buffer: part.load.buffer, offset: part.load.offset, level };
        let made = Location::Buffer { buffer: joined.out, offset: part.start as isize, level };
        whole.then(|| Fused {
            n: part.len,
            columns: 1,
            block: part.len,
            per_chunk: part.len,
            chunks: 1,
            code: vec![Instr::Unary { op: Unary::StopGradient, row: false, out: 1, a: 0 }],
            once: 0,
            period: 1,
            locations: vec![read, made],
            loads: Vec::new(),
            gathers: Vec::new(),
            scatters: Vec::new(),
            lates: Vec::new(),
            slots: 0,
            scratch: 1,
        })
    };
    if joined.outer != 1 { None } else { joined.parts.iter().filter(|part| part.len > 0).map(copy).collect() }
}
