//! Kernels that share a pass over their rows.
//!
//! Where a large matrix is multiplied by something narrow, and the result, after some work on its rows, by the matrix
//! again (`Xᵀ·f(X·W)`: gradients and Hessian-vector products of linear models), memory is what takes the time. Run block
//! by block of rows, the matrix comes from memory once. The same holds for what stands between the large products of a
//! network: walks, and products by small matrices, one made of the other row by row. (See `docs/compile.md`.)

use super::kernels::{Fused, Kernel, Location, MatMul, NARROW, RowPart, Rows};
use super::lower::Buffer;
use super::near;
use crate::scalar::Element;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// Bytes of a factor from which reading it twice is worth avoiding.
const LARGE: usize = 256 << 10;

/// Bytes, made and read again inside a group, from which it is worth having.
const WORTH: usize = 512 << 10;

/// Bytes of a block's rows: they and what is made of them stay in the second cache.
const BLOCK: usize = 512 << 10;

/// A block has at least so many rows, but where rows end.
const ROWS: usize = 16;

/// Rows from which a group is worth having.
const MANY: usize = 64;

/// Elements of a product over all rows, which every chunk of them gathers for itself, unless it spares a large factor.
const GATHERED: usize = 1 << 13;

/// Kernels, the first one among them, that are looked at: a group is found in constant time.
const AHEAD: usize = 64;

/// The kernels, those that gain from it joined; the order changes only where nothing depends on it.
pub(super) fn share_rows<E: Element>(
    kernels: Vec<Kernel<E>>,
    buffers: &[Buffer],
    outputs: &[u32],
    threads: usize,
) -> Vec<Kernel<E>> {
    let mut reads = vec![0; buffers.len()];
    let read = kernels.iter().flat_map(|kernel| kernel.buffers().0);
    read.chain(outputs.iter().copied()).for_each(|buffer| reads[buffer as usize] += 1);
    let shared = Shared { buffers, reads, threads };
    let mut done: Vec<Kernel<E>> = Vec::with_capacity(kernels.len());
    let mut left: VecDeque<Kernel<E>> = kernels.into();
    while !left.is_empty() {
        let near = left.len().min(AHEAD);
        let near = &left.make_contiguous()[..near];
        match Group::find(near, buffers) {
            Some(group) => group.apply(&mut left, &mut done, &shared),
            None => done.extend(left.pop_front()),
        }
    }
    done
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
    /// The large factor that is to be read once, if that is what it is for.
    matrix: Option<u32>,
}

/// A product that reads a large factor by rows.
fn by_matrix<E: Element>(kernel: &Kernel<E>) -> Option<Seed> {
    match kernel {
        Kernel::MatMul(p)
            if is_single(p) && p.n > 0 && p.n <= NARROW && p.m * p.k * size_of::<E>() >= LARGE && p.m >= MANY =>
        {
            // Whole rows, one behind the other.
            (p.a.strides[1] == 1).then_some(Seed { rows: p.m, matrix: Some(p.a.buffer) })
        }
        _ => None,
    }
}

/// A walk that makes rows for a product by a small matrix, or such a product, that makes rows for others.
fn by_rows<E: Element>(kernels: &[Kernel<E>], buffers: &[Buffer]) -> Option<Seed> {
    let rows = match kernels.first()? {
        // Whole rows of the left factor, one behind the other.
        Kernel::MatMul(p) if is_slim(p) && p.a.strides[1] == 1 => p.m,
        Kernel::Fused(walk) if walk.n * size_of::<E>() >= LARGE => {
            let written = kernels[0].buffers().1;
            kernels[1..].iter().find_map(|kernel| match kernel {
                Kernel::MatMul(p) if is_slim(p) && written.contains(&p.a.buffer) => {
                    let whole = p.a.offset == 0 && p.m * p.a.strides[0] == buffers[p.a.buffer as usize].len;
                    (whole && p.a.strides[1] == 1 && walk.n.is_multiple_of(p.m)).then_some(p.m)
                }
                _ => None,
            })?
        }
        _ => return None,
    };
    (rows >= MANY).then_some(Seed { rows, matrix: None })
}

/// Whether it is one product, and nothing but a product.
fn is_single(product: &MatMul) -> bool {
    product.lead.iter().all(|&n| n == 1) && product.start.is_none()
}

/// Whether it can be run block by block: a wide one packs its factors, which costs more with each block.
fn is_slim(product: &MatMul) -> bool {
    is_single(product) && product.n * product.k > 0 && (product.n <= NARROW || product.is_by_small())
}

/// Where each kernel goes.
enum Fate {
    /// Needs nothing of the group.
    Before,
    Inside(Box<RowPart>),
    /// Needs something that is only complete after the group.
    After,
}

struct Group {
    fates: Vec<Fate>,
    rows: usize,
    /// What is made in it row by row.
    made: FxHashSet<u32>,
    /// Elements of a row that come from outside.
    passing: usize,
}

impl Group {
    /// The group that starts with the first kernel, if there is one that gains.
    fn find<E: Element>(kernels: &[Kernel<E>], buffers: &[Buffer]) -> Option<Self> {
        let by_matrix = by_matrix(kernels.first()?).and_then(|seed| Self::collect(seed, kernels, buffers));
        by_matrix.or_else(|| Self::collect(by_rows(kernels, buffers)?, kernels, buffers))
    }

    /// All that can be in a group with the first kernel, if it reads its factor at least twice, or enough of its own.
    fn collect<E: Element>(seed: Seed, kernels: &[Kernel<E>], buffers: &[Buffer]) -> Option<Self> {
        let Seed { rows, matrix } = seed;
        let mut group = Self { fates: Vec::with_capacity(kernels.len()), rows, made: FxHashSet::default(), passing: 0 };
        // Buffers that are made row by row in the group, and those that are complete only after it.
        let (mut by_rows, mut late) = (FxHashSet::default(), FxHashSet::default());
        let mut reads_of_matrix = 0;
        // Elements that are read as they were made, and those of a row, made or read.
        let (mut reread, mut passing) = (0, FxHashSet::<u32>::default());
        for (i, kernel) in kernels.iter().enumerate() {
            let (read, written) = kernel.buffers();
            let fate = if read.iter().any(|b| late.contains(b)) {
                Fate::After
            } else {
                let inside = read.iter().any(|b| by_rows.contains(b));
                match group.part(kernel, buffers, &by_rows, matrix, i == 0) {
                    Some(part) => Fate::Inside(Box::new(part)),
                    None if inside => Fate::After,
                    None => Fate::Before,
                }
            };
            match &fate {
                Fate::Before => {}
                Fate::After => late.extend(written),
                Fate::Inside(part) => {
                    match &**part {
                        RowPart::Product { product: p, .. } => passing.extend([p.a.buffer]),
                        RowPart::Sum { product: p, .. } => passing.extend([p.a.buffer, p.b.buffer]),
                        RowPart::Walk { .. } => {
                            passing.extend(read.iter().filter(|&&b| buffers[b as usize].len >= rows));
                        }
                    }
                    reread +=
                        read.iter().filter(|b| by_rows.contains(*b)).map(|&b| buffers[b as usize].len).sum::<usize>();
                    match &**part {
                        RowPart::Sum { .. } => late.extend(written),
                        RowPart::Product { .. } => by_rows.extend(written),
                        RowPart::Walk { walk, .. } => {
                            let lates: Vec<u32> = walk.lates.iter().map(|l| l.out).collect();
                            by_rows.extend(written.into_iter().filter(|b| !lates.contains(b)));
                            late.extend(lates);
                        }
                    }
                    if let RowPart::Product { product: p, .. } | RowPart::Sum { product: p, .. } = &**part {
                        reads_of_matrix += [p.a.buffer, p.b.buffer].iter().filter(|&&b| Some(b) == matrix).count();
                    }
                }
            }
            group.fates.push(fate);
        }
        group.leave_what_is_not_needed(kernels);
        group.passing = passing.difference(&by_rows).map(|&b| buffers[b as usize].len / rows).sum();
        group.made = by_rows;
        let gains = if matrix.is_some() { reads_of_matrix >= 2 } else { reread * size_of::<E>() >= WORTH };
        gains.then_some(group)
    }

    /// What the group does not need stays behind it: what is recomputed for later would only be kept for longer.
    fn leave_what_is_not_needed<E: Element>(&mut self, kernels: &[Kernel<E>]) {
        let mut needed: FxHashSet<u32> = FxHashSet::default();
        for (fate, kernel) in self.fates.iter_mut().zip(kernels).rev() {
            let (read, written) = kernel.buffers();
            match fate {
                Fate::Inside(_) => needed.extend(read),
                Fate::Before if written.iter().any(|b| needed.contains(b)) => needed.extend(read),
                Fate::Before => *fate = Fate::After,
                Fate::After => {}
            }
        }
    }

    /// The kernel as a part of the group, if it can be one.
    fn part<E: Element>(
        &self,
        kernel: &Kernel<E>,
        buffers: &[Buffer],
        by_rows: &FxHashSet<u32>,
        matrix: Option<u32>,
        first: bool,
    ) -> Option<RowPart> {
        match kernel {
            Kernel::MatMul(p) if is_single(p) && p.n > 0 => {
                let (a, b) = (by_rows.contains(&p.a.buffer), by_rows.contains(&p.b.buffer));
                // Rows of what is made in the group, one behind the other.
                let whole = |buffer: u32, offset: usize, stride: usize, rows: usize| {
                    !by_rows.contains(&buffer) || (offset == 0 && stride * rows == buffers[buffer as usize].len)
                };
                // A row of the group may be several of the product, such as of a stack that stands beside it.
                let concerns = a || (p.m == self.rows && (first || Some(p.a.buffer) == matrix));
                let each = p.m / self.rows;
                let by_row = p.m == each * self.rows && each > 0 && whole(p.a.buffer, p.a.offset, p.a.strides[0], p.m);
                if concerns && by_row && !b && is_slim(p) {
                    return Some(RowPart::Product {
                        product: p.clone(),
                        each,
                        packed: p.packed_len::<E>(ROWS),
                        places: [None; 2],
                    });
                }
                let of_matrix = [p.a.buffer, p.b.buffer].map(Some).contains(&matrix);
                let fits = whole(p.a.buffer, p.a.offset, p.a.strides[1], p.k)
                    && whole(p.b.buffer, p.b.offset, p.b.strides[0], p.k);
                ((a || b)
                    && p.n <= 2 * NARROW
                    && (of_matrix || p.m * p.n <= GATHERED)
                    && p.k == self.rows
                    && fits
                    && p.can_add_inner())
                .then(|| RowPart::Sum {
                    product: p.clone(),
                    transposed: p.adds_transposed::<E>(ROWS),
                    places: [None; 2],
                })
            }
            Kernel::Fused(walk) if walk.n > 0 && walk.n.is_multiple_of(self.rows) => {
                let columns = walk.n / self.rows;
                let reads_rows = first || kernel.buffers().0.iter().any(|b| by_rows.contains(b));
                (reads_rows && columns.is_multiple_of(walk.columns) && self.is_aligned(walk, buffers, by_rows))
                    .then(|| RowPart::Walk { walk: walk.clone(), columns })
            }
            _ => None,
        }
    }

    /// Whether a walk reads what is made in the group row by row, as it is made.
    fn is_aligned(&self, walk: &Fused, buffers: &[Buffer], by_rows: &FxHashSet<u32>) -> bool {
        let rows = (self.rows, walk.n / self.rows);
        let loads =
            walk.loads.iter().all(|load| {
                !by_rows.contains(&load.buffer) || load.is_by_rows(rows, buffers[load.buffer as usize].len / self.rows)
            }) && walk.gathers.iter().all(|g| !by_rows.contains(&g.source) && !by_rows.contains(&g.place.indices))
                && walk.scatters.is_empty();
        let direct = walk.locations.iter().all(|location| match location {
            Location::Buffer { buffer, offset, level } if by_rows.contains(buffer) => {
                let all = if *level == super::fuse::Level::Row { walk.n / walk.columns } else { walk.n };
                *offset == 0 && buffers[*buffer as usize].len == all
            }
            _ => true,
        });
        loads && direct
    }

    /// Takes the group's kernels from those that are left: puts what comes before it and the group into `done`, and leaves
    /// what comes after it.
    fn apply<E: Element>(self, left: &mut VecDeque<Kernel<E>>, done: &mut Vec<Kernel<E>>, shared: &Shared<'_>) {
        let Self { fates, rows, made, passing } = self;
        let (mut parts, mut after) = (Vec::new(), Vec::new());
        for (kernel, fate) in left.drain(..fates.len()).zip(fates) {
            match fate {
                Fate::Before => done.push(kernel),
                Fate::Inside(part) => parts.push(*part),
                Fate::After => after.push(kernel),
            }
        }
        let len = |buffer: u32| shared.buffers[buffer as usize].len / rows;
        let near = near::place(&mut parts, |b| made.contains(&b).then(|| len(b)), &shared.reads);
        let seen: usize = made.iter().filter(|b| !near.0.contains(b)).map(|&b| len(b)).sum();
        let row = passing + seen + near.1;
        // Of whole cache lines, however little there is of a row.
        let block = (BLOCK / size_of::<E>() / row.max(1)).clamp(ROWS, 512).min(rows) & !(ROWS - 1);
        done.push(Kernel::Rows(Rows::new(parts, near, (rows, block), shared.threads)));
        for kernel in after.into_iter().rev() {
            left.push_front(kernel);
        }
    }
}
