//! Kernels that are run together: what groups of rows and chains have in common.

use super::kernels::Kernel;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// Kernels, the first one among them, that are looked at: what is run together is found in constant time.
const AHEAD: usize = 64;

/// A kernel, and the buffers that it reads and writes.
pub(super) struct Item<E> {
    pub(super) kernel: Kernel<E>,
    pub(super) read: Vec<u32>,
    pub(super) written: Vec<u32>,
}

impl<E> Item<E> {
    /// The buffers that it has to do with; one twice if it reads and writes it.
    pub(super) fn touches(&self) -> impl Iterator<Item = &u32> {
        self.read.iter().chain(&self.written)
    }
}

/// Where a kernel goes.
#[derive(Clone, Copy)]
pub(super) enum Fate<M> {
    /// Needs nothing of the others, which may need it.
    Before,
    /// Is run together with others, and what it is there.
    Inside(M),
    /// Needs something that is complete only after the others, or has nothing to do with them.
    After,
}

/// The kernels, in an order that changes only where nothing depends on it. `find` is shown kernels that are left, and gives
/// the fates of the first of them and what else was found, if any are to be run together with the very first; of those
/// inside `make` makes one.
pub(super) fn join<E, M, F>(
    items: Vec<Item<E>>,
    find: impl Fn(&[Item<E>]) -> Option<(Vec<Fate<M>>, F)>,
    make: impl Fn(F, Vec<(Item<E>, M)>) -> Kernel<E>,
) -> Vec<Kernel<E>> {
    let mut done = Vec::with_capacity(items.len());
    let mut left = VecDeque::from(items);
    while !left.is_empty() {
        let near = left.len().min(AHEAD);
        let Some((fates, found)) = find(&left.make_contiguous()[..near]) else {
            done.extend(left.pop_front().map(|item| item.kernel));
            continue;
        };
        let (mut inside, mut after) = (Vec::new(), Vec::new());
        for (item, fate) in left.drain(..fates.len()).zip(fates) {
            match fate {
                Fate::Before => done.push(item.kernel),
                Fate::Inside(member) => inside.push((item, member)),
                Fate::After => after.push(item),
            }
        }
        done.push(make(found, inside));
        for item in after.into_iter().rev() {
            left.push_front(item);
        }
    }
    done
}

/// What has nothing to do with what the first kernel makes goes behind: it may be one that is recomputed for later, or
/// start something of its own. Gives what is still `made` inside.
pub(super) fn leave_what_is_not_joined<E, M>(
    fates: &mut [Fate<M>],
    items: &[Item<E>],
    made: &FxHashSet<u32>,
) -> FxHashSet<u32> {
    let mut joined: FxHashSet<u32> = items.iter().take(1).flat_map(|item| item.written.iter().copied()).collect();
    let own = |item: &Item<E>| item.touches().filter(|b| made.contains(*b)).copied().collect::<Vec<u32>>();
    loop {
        let before = joined.len();
        for (_, item) in fates.iter().zip(items).filter(|(fate, _)| matches!(fate, Fate::Inside(_))) {
            let own = own(item);
            if own.iter().any(|b| joined.contains(b)) {
                joined.extend(own);
            }
        }
        if joined.len() == before {
            break;
        }
    }
    for (fate, item) in fates.iter_mut().zip(items) {
        if matches!(fate, Fate::Inside(_)) && !item.touches().any(|b| joined.contains(b)) {
            *fate = Fate::After;
        }
    }
    made.intersection(&joined).copied().collect()
}
