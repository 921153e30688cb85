//! Kernels that share a pass over their rows.
//!
//! Where a large matrix is multiplied by something narrow, and the result, after some work on its rows, by the matrix
//! again (`Xᵀ·f(X·W)`: gradients and Hessian-vector products of linear models), memory is what takes the time. Run block
//! by block of rows, the matrix comes from memory once. The same holds for what stands between the large products of a
//! network: walks, and products by matrices that stay near, one made of the other row by row. (See `docs/compile.md`.)

use super::kernels::{Copied, Fused, Kernel, Location, MatMul, NARROW, RowPart, Rows};
use super::lower::Buffer;
use super::near;
use super::together::{self, Fate, Item};
use crate::kernel::Tall;
use crate::scalar::Element;
use rustc_hash::FxHashSet;

/// Bytes of a factor from which reading it twice is worth avoiding.
const LARGE: usize = 256 << 10;

/// Bytes, made and read again inside a group, from which it is worth having.
const WORTH: usize = 512 << 10;

/// Bytes of a block's rows: they and what is made of them stay in the second cache, which has 2 MB where this was found.
const BLOCK: usize = 768 << 10;

/// The same where the rows of the next block are asked for meanwhile: both stay in the smallest of second caches.
const AHEAD: usize = 256 << 10;

/// A block has about so many rows at least.
const ROWS: usize = 16;

/// Rows from which a group is worth having.
const MANY: usize = 64;

/// Elements of a product over all rows, which every chunk of them gathers for itself, unless it spares a large factor.
const GATHERED: usize = 1 << 13;

/// The kernels, those that gain from it joined; the order changes only where nothing depends on it.
pub(super) fn share_rows<E: Element>(
    kernels: Vec<Kernel<E>>,
    buffers: &[Buffer],
    outputs: &[u32],
    threads: usize,
) -> Vec<Kernel<E>> {
    let mut reads = vec![0; buffers.len()];
    outputs.iter().for_each(|&buffer| reads[buffer as usize] += 1);
    let items = kernels.into_iter().map(|kernel| {
        let (read, written) = kernel.buffers();
        read.iter().for_each(|&buffer| reads[buffer as usize] += 1);
        Item { kernel, read, written }
    });
    let items = items.collect();
    let shared = Shared { buffers, reads, threads };
    together::join(items, |near| Group::find(near, buffers), |found, members| found.kernel(members, &shared))
}

/// What is the same for all groups.
struct Shared<'a> {
    buffers: &'a [Buffer],
    /// How often each is read, by kernels and the caller.
    reads: Vec<usize>,
    threads: usize,
}

/// What a group starts with.
#[derive(Clone, Copy)]
struct Seed {
    rows: usize,
    /// The left factor of the first kernel, if it is a product.
    left: Option<u32>,
    /// Whether it is for that factor, which is large, to be read once.
    once: bool,
}

impl Seed {
    /// The factor that is to be read once.
    fn matrix(self) -> Option<u32> {
        self.left.filter(|_| self.once)
    }
}

/// A product that reads a large factor by rows.
fn by_matrix<E: Element>(kernel: &Kernel<E>) -> Option<Seed> {
    match kernel {
        Kernel::MatMul(p)
            if p.is_single() && p.n > 0 && p.n <= NARROW && p.m * p.k * size_of::<E>() >= LARGE && p.m >= MANY =>
        {
            // Whole rows, one behind the other.
            (p.a.strides[1] == 1).then_some(Seed { rows: p.m, left: Some(p.a.buffer), once: true })
        }
        _ => None,
    }
}

/// A walk that makes rows for a product by a matrix that is near, or such a product, that makes rows for others.
fn by_rows<E: Element>(items: &[Item<E>], buffers: &[Buffer]) -> Option<Seed> {
    let (first, later) = items.split_first()?;
    let mut left = None;
    let rows = match &first.kernel {
        // Whole rows of the left factor, one behind the other.
        Kernel::MatMul(p) if is_by_rows::<E>(p) && p.a.strides[1] == 1 => {
            left = Some(p.a.buffer);
            p.m
        }
        Kernel::Fused(walk) if walk.n * size_of::<E>() >= LARGE => {
            later.iter().find_map(|item| match &item.kernel {
                Kernel::MatMul(p) if is_by_rows::<E>(p) && first.written.contains(&p.a.buffer) => {
                    let whole = p.a.offset == 0 && p.m * p.a.strides[0] == buffers[p.a.buffer as usize].len;
                    (whole && p.a.strides[1] == 1 && walk.n.is_multiple_of(p.m)).then_some(p.m)
                }
                _ => None,
            })?
        }
        _ => return None,
    };
    (rows >= MANY).then_some(Seed { rows, left, once: false })
}

/// Whether it can be run block by block: where a matrix is not near, it is packed again for each block.
fn is_by_rows<E: Element>(product: &MatMul) -> bool {
    let near = || product.panels::<E>().is_some_and(|len| len * size_of::<E>() <= Tall::<E>::NEAR);
    let slim = product.n <= NARROW || product.is_by_small();
    product.is_single() && product.n * product.k > 0 && (slim || near())
}

/// What a kernel is to the group.
#[derive(Clone, Copy)]
enum Member {
    /// So many rows of the product for each of the group, and what is copied of the right factor.
    Product {
        each: usize,
        copied: Copied,
    },
    Sum {
        transposed: bool,
    },
    /// So many elements for each row.
    Walk {
        columns: usize,
    },
}

struct Group {
    rows: usize,
    /// What is made in it row by row.
    made: FxHashSet<u32>,
    /// Elements of a row that come from outside.
    passing: usize,
    /// Elements of what is copied to panels.
    panels: usize,
}

impl Group {
    /// The group that starts with the first kernel, if there is one that gains.
    fn find<E: Element>(items: &[Item<E>], buffers: &[Buffer]) -> Option<(Vec<Fate<Member>>, Self)> {
        let by_matrix = by_matrix(&items.first()?.kernel).and_then(|seed| Self::collect(seed, items, buffers));
        by_matrix.or_else(|| Self::collect(by_rows(items, buffers)?, items, buffers))
    }

    /// All that can be in a group with the first kernel, if it reads its factor at least twice, or enough of its own.
    fn collect<E: Element>(seed: Seed, items: &[Item<E>], buffers: &[Buffer]) -> Option<(Vec<Fate<Member>>, Self)> {
        let mut group = Self { rows: seed.rows, made: FxHashSet::default(), passing: 0, panels: 0 };
        let mut fates = Vec::with_capacity(items.len());
        // Buffers that are complete only after the group.
        let mut late = FxHashSet::default();
        for (i, item) in items.iter().enumerate() {
            let (read, written) = (&item.read, &item.written);
            let own = || read.iter().filter(|b| group.made.contains(*b));
            let fate = if read.iter().any(|b| late.contains(b)) {
                Fate::After
            } else {
                match group.member(item, buffers, seed, i == 0) {
                    Some(member) => Fate::Inside(member),
                    None if own().next().is_some() => Fate::After,
                    None => Fate::Before,
                }
            };
            match fate {
                Fate::Before => {}
                Fate::After => late.extend(written),
                Fate::Inside(member) => {
                    if let Member::Product { copied: Copied::Panels(len), .. } = member {
                        group.panels += len;
                    }
                    match &item.kernel {
                        Kernel::MatMul(p) => {
                            if matches!(member, Member::Sum { .. }) {
                                late.insert(p.out);
                            } else {
                                group.made.insert(p.out);
                            }
                        }
                        Kernel::Fused(walk) => {
                            late.extend(walk.lates.iter().map(|l| l.out));
                            group.made.extend(written.iter().filter(|b| !late.contains(*b)));
                        }
                        _ => unreachable!("members are products and walks"),
                    }
                }
            }
            fates.push(fate);
        }
        group.made = together::leave_what_is_not_joined(&mut fates, items, &group.made);
        let inside = fates.iter().zip(items).filter(|(fate, _)| matches!(fate, Fate::Inside(_)));
        let read = inside.flat_map(|(_, item)| &item.read);
        let gains = match seed.matrix() {
            Some(matrix) => read.filter(|&&b| b == matrix).count() >= 2,
            None => {
                let own = read.filter(|b| group.made.contains(b));
                own.map(|&b| buffers[b as usize].len).sum::<usize>() * size_of::<E>() >= WORTH
            }
        };
        if !gains {
            return None;
        }
        leave_what_is_not_needed(&mut fates, items);
        group.passing = group.elements_that_pass(&fates, items, buffers);
        Some((fates, group))
    }

    /// Elements of a row that come from outside.
    fn elements_that_pass<E>(&self, fates: &[Fate<Member>], items: &[Item<E>], buffers: &[Buffer]) -> usize {
        let mut passing: FxHashSet<u32> = FxHashSet::default();
        for (fate, item) in fates.iter().zip(items) {
            match (fate, &item.kernel) {
                (Fate::Inside(Member::Product { .. }), Kernel::MatMul(p)) => {
                    passing.insert(p.a.buffer);
                }
                (Fate::Inside(_), _) => {
                    passing.extend(item.read.iter().filter(|&&b| buffers[b as usize].len >= self.rows));
                }
                _ => {}
            }
        }
        passing.difference(&self.made).map(|&b| buffers[b as usize].len / self.rows).sum()
    }

    /// What the kernel can be to the group, if it has to do with it.
    fn member<E: Element>(&self, item: &Item<E>, buffers: &[Buffer], seed: Seed, first: bool) -> Option<Member> {
        match &item.kernel {
            Kernel::MatMul(p) if p.is_single() && p.n > 0 => {
                let (a, b) = (self.made.contains(&p.a.buffer), self.made.contains(&p.b.buffer));
                // Rows of what is made in the group, one behind the other.
                let whole = |buffer: u32, offset: usize, stride: usize, rows: usize| {
                    !self.made.contains(&buffer) || (offset == 0 && stride * rows == buffers[buffer as usize].len)
                };
                // A row of the group may be several of the product, such as of a stack that stands beside it.
                let again = Some(p.a.buffer) == seed.left;
                let concerns = a || (p.m == self.rows && (first || again));
                let each = p.m / self.rows;
                let by_row = p.m == each * self.rows && each > 0 && whole(p.a.buffer, p.a.offset, p.a.strides[0], p.m);
                if concerns && by_row && !b && is_by_rows::<E>(p) {
                    let copied = p.copied_for::<E>(ROWS);
                    let fits = match copied {
                        Copied::Panels(len) => (self.panels + len) * size_of::<E>() <= Tall::<E>::NEAR,
                        Copied::Nothing | Copied::Dots(_) => true,
                    };
                    return fits.then_some(Member::Product { each, copied });
                }
                let of_matrix = [p.a.buffer, p.b.buffer].map(Some).contains(&seed.matrix());
                let small = p.n <= 2 * NARROW && (of_matrix || p.m * p.n <= GATHERED);
                let fits = whole(p.a.buffer, p.a.offset, p.a.strides[1], p.k)
                    && whole(p.b.buffer, p.b.offset, p.b.strides[0], p.k);
                ((a || b) && p.k == self.rows && small && fits && p.can_add_inner())
                    .then(|| Member::Sum { transposed: p.adds_transposed::<E>(ROWS) })
            }
            Kernel::Fused(walk) if walk.n > 0 && walk.n.is_multiple_of(self.rows) => {
                let columns = walk.n / self.rows;
                let concerns = first || item.read.iter().any(|b| self.made.contains(b));
                (concerns && columns.is_multiple_of(walk.columns) && self.is_aligned(walk, buffers))
                    .then_some(Member::Walk { columns })
            }
            _ => None,
        }
    }

    /// Whether a walk reads what is made in the group row by row, as it is made.
    fn is_aligned(&self, walk: &Fused, buffers: &[Buffer]) -> bool {
        let made = |buffer: u32| self.made.contains(&buffer);
        let rows = (self.rows, walk.n / self.rows);
        let loads = walk
            .loads
            .iter()
            .all(|load| !made(load.buffer) || load.is_by_rows(rows, buffers[load.buffer as usize].len / self.rows))
            && walk.gathers.iter().all(|g| !made(g.source) && !made(g.place.indices))
            && walk.scatters.is_empty();
        let direct = walk.locations.iter().all(|location| match location {
            Location::Buffer { buffer, offset, level } if made(*buffer) => {
                let all = if *level == super::fuse::Level::Row { walk.n / walk.columns } else { walk.n };
                *offset == 0 && buffers[*buffer as usize].len == all
            }
            _ => true,
        });
        loads && direct
    }

    /// The group as a kernel.
    fn kernel<E: Element>(self, members: Vec<(Item<E>, Member)>, shared: &Shared<'_>) -> Kernel<E> {
        let Self { rows, made, passing, .. } = self;
        let mut parts: Vec<RowPart> = members.into_iter().map(|(item, member)| part(item.kernel, member)).collect();
        let len = |buffer: u32| shared.buffers[buffer as usize].len / rows;
        let own = near::place(&mut parts, |b| made.contains(&b).then(|| len(b)), &shared.reads);
        let seen: usize = made.iter().filter(|b| !own.buffers.contains(b)).map(|&b| len(b)).sum();
        let row = passing + seen + own.row;
        let ahead =
            parts.iter().any(|part| matches!(part, RowPart::Sum { product, places: [None, _], .. } if product.n == 1));
        let block = if ahead { AHEAD } else { BLOCK };
        let block = (block / size_of::<E>() / row.max(1)).clamp(ROWS, 512);
        Kernel::Rows(Rows::new(parts, own, (rows, block), shared.threads))
    }
}

/// What the group does not need stays behind it: what is recomputed for later would only be kept for longer.
fn leave_what_is_not_needed<E>(fates: &mut [Fate<Member>], items: &[Item<E>]) {
    let mut needed: FxHashSet<u32> = FxHashSet::default();
    for (fate, item) in fates.iter_mut().zip(items).rev() {
        match fate {
            Fate::Inside(_) => needed.extend(&item.read),
            Fate::Before if item.written.iter().any(|b| needed.contains(b)) => needed.extend(&item.read),
            Fate::Before => *fate = Fate::After,
            Fate::After => {}
        }
    }
}

/// The kernel as a part of the group.
fn part<E: Element>(kernel: Kernel<E>, member: Member) -> RowPart {
    let places = [None; 2];
    match (kernel, member) {
        (Kernel::MatMul(product), Member::Product { each, copied }) => {
            RowPart::Product { product, each, copied, places }
        }
        (Kernel::MatMul(product), Member::Sum { transposed }) => RowPart::Sum { product, transposed, places },
        (Kernel::Fused(walk), Member::Walk { columns }) => RowPart::Walk { walk, columns },
        _ => unreachable!("members are products and walks"),
    }
}
