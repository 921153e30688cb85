//! Memory of tapes, kept from one to the next: pages that were used before cost nothing, and fresh ones more than what is
//! recorded in them.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::cell::Cell;
use std::ptr::NonNull;

/// What every buffer is aligned to: the most that an allocator grows in place.
pub(super) const ALIGN: usize = 16;
/// How many buffers a thread keeps: a tape's, and its cotangents'.
const KEPT: usize = 2;
/// The largest one that is kept.
const LARGEST: usize = 16 << 20;

thread_local! {
    static SPARE: Cell<[Option<Buffer>; KEPT]> = const { Cell::new([None, None]) };
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, ALIGN).expect("tape: more bytes than there can be")
}

/// Bytes without a meaning.
pub(super) struct Buffer {
    start: NonNull<u8>,
    bytes: usize,
}

impl Buffer {
    /// At least so many bytes; the largest buffer that is there, or if `exact`, the smallest that will do.
    pub(super) fn new(bytes: usize, exact: bool) -> Self {
        Self::spare(bytes, exact).unwrap_or_else(|| {
            assert!(bytes > 0, "a buffer has bytes");
            // SAFETY: not of zero size.
            let start = NonNull::new(unsafe { alloc(layout(bytes)) });
            let start = start.unwrap_or_else(|| handle_alloc_error(layout(bytes)));
            Self { start, bytes }
        })
    }

    /// At least so many bytes, of which the first `used` are those of this one.
    pub(super) fn grown(self, bytes: usize, used: usize) -> Self {
        if let Some(larger) = Self::spare(bytes, false) {
            // SAFETY: two buffers, both of at least `used` bytes.
            unsafe { std::ptr::copy_nonoverlapping(self.start.as_ptr(), larger.start.as_ptr(), used) };
            self.release();
            return larger;
        }
        let before = std::mem::ManuallyDrop::new(self);
        // SAFETY: allocated with this alignment and size; the new size is not zero, and a layout was made of it.
        let start = unsafe { realloc(before.start.as_ptr(), layout(before.bytes), layout(bytes).size()) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout(bytes)));
        Self { start, bytes }
    }

    fn spare(bytes: usize, exact: bool) -> Option<Self> {
        // No buffers are kept while the thread ends.
        SPARE
            .try_with(|spare| {
                let mut kept = spare.take();
                let fits = kept.iter_mut().filter(|b| b.as_ref().is_some_and(|b| b.bytes >= bytes));
                let size = |b: &&mut Option<Self>| b.as_ref().map_or(0, |b| b.bytes);
                let found = if exact { fits.min_by_key(size) } else { fits.max_by_key(size) };
                let found = found.and_then(Option::take);
                spare.set(kept);
                found
            })
            .ok()
            .flatten()
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps the buffer in place of a smaller one, and says which one is to be freed.
    fn keep(self) -> Option<Self> {
        if self.bytes > LARGEST {
            return Some(self);
        }
        let mut rest = Some(self);
        // A thread that ends drops the closure, and the buffer stays here.
        let _ = SPARE.try_with(|spare| {
            let mut kept = spare.take();
            for place in &mut kept {
                if place.as_ref().map_or(0, Self::bytes) < rest.as_ref().map_or(0, Self::bytes) {
                    std::mem::swap(place, &mut rest);
                }
            }
            spare.set(kept);
        });
        rest
    }

    /// Gives the buffer back.
    pub(super) fn release(self) {
        drop(self.keep());
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), layout(self.bytes)) };
    }
}
