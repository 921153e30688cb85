//! Threads that stay awake while an executable runs.
//!
//! A parked thread takes some 20 µs to wake, as long as many a kernel takes that it could share. So while kernels run,
//! the other threads of the pool ask for work again and again, and park only when there was none for long.

use rayon::Yield;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most threads that are kept awake: no kernel is shared between more.
const MOST: usize = 15;

/// How often a thread asks before it parks: for about a millisecond.
const PATIENCE: usize = 1 << 12;

thread_local! {
    /// Whether this thread is in the middle of a run.
    static RUNS: Cell<bool> = const { Cell::new(false) };
}

/// Runs something on this thread of a pool, with the others awake. Allocates nothing.
pub(super) fn with_others_awake(run: &mut (impl FnMut() + Send)) {
    let done = AtomicBool::new(false);
    let others = rayon::current_num_threads().saturating_sub(1).min(MOST);
    beside(others, &done, &mut || {
        let _end = End { done: &done, before: RUNS.replace(true) };
        run();
    });
}

/// Runs something while so many threads stay awake: each is offered the other side of a `join`.
fn beside(others: usize, done: &AtomicBool, run: &mut (dyn FnMut() + Send)) {
    if others == 0 {
        run();
    } else {
        rayon::join(|| beside(others - 1, done, run), || stay(done));
    }
}

/// Sets the flags however the run ends.
struct End<'a> {
    done: &'a AtomicBool,
    before: bool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        RUNS.set(self.before);
        self.done.store(true, Ordering::Release);
    }
}

fn stay(done: &AtomicBool) {
    // A thread that comes here while it waits for a part of its own run has that to go back to.
    if RUNS.get() {
        return;
    }
    let mut idle = 0;
    while !done.load(Ordering::Acquire) && idle < PATIENCE {
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
