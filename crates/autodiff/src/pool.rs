//! The threads that share the kernels of a run, and that stay awake while it lasts.
//!
//! A parked thread takes some 20 µs to wake, as long as many a kernel takes that it could share. So while kernels run,
//! the other threads ask for work again and again, and park only when there was none for long. These pools are the
//! crate's own: in one that others use as well, a thread that stays awake for a run would take on their work, and the
//! run would have to wait for it.

use rayon::Yield;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The most threads that are kept awake: no kernel is shared between more.
const MOST: usize = 15;

/// How often a thread asks before it parks: for about a millisecond.
const PATIENCE: usize = 1 << 12;

/// Threads for runs.
pub(crate) struct Pool {
    threads: rayon::ThreadPool,
    /// Runs that are in it, or about to be.
    runs: AtomicUsize,
}

/// The pool of so many threads, shared by all executables that ask for it; none if they cannot be had: the result is the
/// same without.
pub(crate) fn of(threads: usize) -> Option<Arc<Pool>> {
    static POOLS: OnceLock<Mutex<HashMap<usize, Arc<Pool>>>> = OnceLock::new();
    let mut pools = POOLS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&threads) {
        return Some(Arc::clone(pool));
    }
    let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok()?;
    let pool = Arc::new(Pool { threads: built, runs: AtomicUsize::new(0) });
    pools.insert(threads, Arc::clone(&pool));
    Some(pool)
}

impl Pool {
    pub(crate) fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// Runs something on one of the threads, the others awake unless another run is there. Allocates nothing.
    pub(crate) fn run(&self, run: &mut (impl FnMut() + Send)) {
        let alone = self.runs.fetch_add(1, Ordering::AcqRel) == 0;
        let _leave = Leave(&self.runs);
        if alone {
            self.threads.install(|| self.run_awake(run));
        } else {
            self.threads.install(run);
        }
    }

    fn run_awake(&self, run: &mut (impl FnMut() + Send)) {
        let done = AtomicBool::new(false);
        let others = (self.threads() - 1).min(MOST);
        self.beside(others, &done, &mut || {
            let _done = Done(&done);
            busy(&mut *run);
        });
    }

    /// Runs something while so many threads stay awake: each is offered the other side of a `join`.
    fn beside(&self, others: usize, done: &AtomicBool, run: &mut (dyn FnMut() + Send)) {
        if others == 0 {
            run();
        } else {
            rayon::join(|| self.beside(others - 1, done, run), || self.stay(done));
        }
    }

    /// Takes on work until the run is done, or another one comes, whose work may take longer than what is left of this.
    fn stay(&self, done: &AtomicBool) {
        // A thread that comes here while it waits for a part of its own work has that to go back to.
        if BUSY.get() {
            return;
        }
        let mut idle = 0;
        while !done.load(Ordering::Acquire) && self.runs.load(Ordering::Acquire) == 1 && idle < PATIENCE {
            if rayon::yield_now() == Some(Yield::Executed) {
                idle = 0;
            } else {
                idle += 1;
                (0..8).for_each(|_| std::hint::spin_loop());
                if idle % 64 == 0 {
                    std::thread::yield_now();
                }
            }
        }
    }
}

thread_local! {
    /// Whether this thread is in the middle of a run, or of a part of one.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Does a part of a run, with this thread marked as busy.
pub(crate) fn busy<R>(part: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            BUSY.set(self.0);
        }
    }
    let _before = Before(BUSY.replace(true));
    part()
}

/// Counts a run as over however it ends.
struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Sets the flag however the run ends.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
