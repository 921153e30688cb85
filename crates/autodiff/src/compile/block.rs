//! Kernels that share a pass over their rows.
//!
//! Where a large matrix is multiplied by something narrow, and the result, after some work on its rows, by the matrix
//! again (`Xᵀ·f(X·W)`: gradients and Hessian-vector products of linear models), memory is what takes the time. Run block
//! by block of rows, the matrix comes from memory once. (See `docs/compile.md`.)

use super::kernels::{Fused, Kernel, Location, MatMul, NARROW, RowPart, Rows};
use super::lower::Buffer;
use crate::scalar::Element;
use rustc_hash::FxHashSet;

/// Bytes of a factor from which reading it twice is worth avoiding.
const LARGE: usize = 256 << 10;

/// Bytes of a block's rows: they and what is made of them stay in the second cache.
const BLOCK: usize = 256 << 10;

/// Every block but the last has at least so many rows.
const ROWS: usize = 16;

/// The kernels, those that gain from it joined; the order changes only where nothing depends on it.
pub(super) fn share_rows<E: Element>(kernels: Vec<Kernel<E>>, buffers: &[Buffer], threads: usize) -> Vec<Kernel<E>> {
    let mut done: Vec<Kernel<E>> = Vec::with_capacity(kernels.len());
    let mut left = kernels;
    // Most programs have no such product: then this is one look at each kernel.
    while let Some(start) = left.iter().position(|kernel| seed(kernel).is_some()) {
        let rest = left.split_off(start);
        done.append(&mut left);
        let group = Group::collect(&rest, buffers);
        match group {
            Some(group) => left = group.apply(rest, threads, &mut done),
            None => {
                let mut rest = rest.into_iter();
                done.extend(rest.next());
                left = rest.collect();
            }
        }
    }
    done.append(&mut left);
    done
}

/// The product that a group starts with.
fn seed<E: Element>(kernel: &Kernel<E>) -> Option<&MatMul> {
    match kernel {
        Kernel::MatMul(p)
            if is_single(p) && p.n > 0 && p.n <= NARROW && p.m * p.k * size_of::<E>() >= LARGE && p.m >= 64 =>
        {
            // Whole rows, one behind the other.
            (p.a.strides[1] == 1).then_some(p)
        }
        _ => None,
    }
}

/// Whether it is one product, and nothing but a product. A wide one is not run block by block: it packs its factors,
/// which costs more with each block.
fn is_single(product: &MatMul) -> bool {
    product.lead.iter().all(|&n| n == 1) && product.start.is_none()
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
    block: usize,
}

impl Group {
    /// The group that starts with the first kernel, if it reads its factor at least twice.
    fn collect<E: Element>(kernels: &[Kernel<E>], buffers: &[Buffer]) -> Option<Self> {
        let first = seed(kernels.first()?)?;
        let (rows, matrix) = (first.m, first.a.buffer);
        let mut group = Self { fates: Vec::with_capacity(kernels.len()), rows, block: 0 };
        // Buffers that are made row by row in the group, and those that are complete only after it.
        let (mut by_rows, mut late) = (FxHashSet::default(), FxHashSet::default());
        let mut reads_of_matrix = 0;
        for kernel in kernels {
            let (read, written) = kernel.buffers();
            let fate = if read.iter().any(|b| late.contains(b)) {
                Fate::After
            } else {
                let inside = read.iter().any(|b| by_rows.contains(b));
                match group.part(kernel, buffers, &by_rows, matrix) {
                    Some(part) => Fate::Inside(Box::new(part)),
                    None if inside => Fate::After,
                    None => Fate::Before,
                }
            };
            match &fate {
                Fate::Before => {}
                Fate::After => late.extend(written),
                Fate::Inside(part) => match &**part {
                    RowPart::Sum(..) => late.extend(written),
                    RowPart::Product(..) => by_rows.extend(written),
                    RowPart::Walk(walk, _) => {
                        let lates: Vec<u32> = walk.lates.iter().map(|l| l.out).collect();
                        by_rows.extend(written.into_iter().filter(|b| !lates.contains(b)));
                        late.extend(lates);
                    }
                },
            }
            if let Fate::Inside(part) = &fate
                && let RowPart::Product(p, _) | RowPart::Sum(p, _) = &**part
            {
                reads_of_matrix += usize::from(p.a.buffer == matrix) + usize::from(p.b.buffer == matrix);
            }
            group.fates.push(fate);
        }
        let made: usize = by_rows.iter().map(|&b| buffers[b as usize].len / rows).sum();
        group.block = (BLOCK / size_of::<E>() / (first.k + made)).clamp(ROWS, 512).min(rows) & !7;
        (reads_of_matrix >= 2 && group.block > 0).then_some(group)
    }

    /// The kernel as a part of the group, if it can be one.
    fn part<E: Element>(
        &self,
        kernel: &Kernel<E>,
        buffers: &[Buffer],
        by_rows: &FxHashSet<u32>,
        matrix: u32,
    ) -> Option<RowPart> {
        match kernel {
            Kernel::MatMul(p) if is_single(p) && p.n > 0 && p.n <= NARROW => {
                let (a, b) = (by_rows.contains(&p.a.buffer), by_rows.contains(&p.b.buffer));
                // Rows of what is made in the group, one behind the other.
                let whole = |buffer: u32, offset: usize, stride: usize| {
                    !by_rows.contains(&buffer) || (offset == 0 && stride * self.rows == buffers[buffer as usize].len)
                };
                let concerns = a || b || p.a.buffer == matrix;
                if concerns && p.m == self.rows && !b && whole(p.a.buffer, p.a.offset, p.a.strides[0]) {
                    return Some(RowPart::Product(p.clone(), p.packed_len::<E>(ROWS)));
                }
                let fits =
                    whole(p.a.buffer, p.a.offset, p.a.strides[1]) && whole(p.b.buffer, p.b.offset, p.b.strides[0]);
                ((a || b) && p.k == self.rows && fits && p.can_add_inner())
                    .then(|| RowPart::Sum(p.clone(), p.adds_transposed::<E>(ROWS)))
            }
            Kernel::Fused(walk) if walk.n > 0 && walk.n.is_multiple_of(self.rows) => {
                let columns = walk.n / self.rows;
                let reads_rows = kernel.buffers().0.iter().any(|b| by_rows.contains(b));
                (reads_rows && columns.is_multiple_of(walk.columns) && self.is_aligned(walk, buffers, by_rows))
                    .then(|| RowPart::Walk(walk.clone(), columns))
            }
            _ => None,
        }
    }

    /// Whether a walk reads what is made in the group row by row, as it is made.
    fn is_aligned(&self, walk: &Fused, buffers: &[Buffer], by_rows: &FxHashSet<u32>) -> bool {
        let loads = walk.loads.iter().all(|load| !by_rows.contains(&load.buffer))
            && walk.gathers.iter().all(|g| !by_rows.contains(&g.source) && !by_rows.contains(&g.place.indices))
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

    /// Puts the kernels where they go: into `done`, up to the group, and what comes after it is left.
    fn apply<E: Element>(self, kernels: Vec<Kernel<E>>, threads: usize, done: &mut Vec<Kernel<E>>) -> Vec<Kernel<E>> {
        let (mut parts, mut after) = (Vec::new(), Vec::new());
        for (kernel, fate) in kernels.into_iter().zip(self.fates) {
            match fate {
                Fate::Before => done.push(kernel),
                Fate::Inside(part) => parts.push(*part),
                Fate::After => after.push(kernel),
            }
        }
        done.push(Kernel::Rows(Rows::new(parts, self.rows, self.block, threads)));
        after
    }
}
