//! Memory of tapes, kept from one to the next: pages that were used before cost nothing, and fresh ones more than what is
//! recorded in them.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// What buffers are aligned to, unless a carrier asks for more: the most that an allocator grows in place.
const ALIGN: usize = 16;
/// How many buffers a thread keeps: a tape's, and its cotangents'.
const KEPT: usize = 2;
/// The largest one that is kept: 16 MiB.
const LARGEST: usize = 16 << 20;

thread_local! {
    static SPARE: Cell<[Option<Buffer>; KEPT]> = const { Cell::new([None, None]) };
}

/// Bytes without a meaning.
pub(super) struct Buffer {
    start: NonNull<u8>,
    layout: Layout,
}

impl Buffer {
    /// At least so many bytes: the largest buffer that is there, to go on growing, or if `small`, the smallest that will do.
    pub(super) fn new(layout: Layout, small: bool) -> Self {
        Self::spare(layout, small).unwrap_or_else(|| {
            assert!(layout.size() > 0, "a buffer has bytes");
            // SAFETY: not of zero size.
            let start = NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
            Self { start, layout }
        })
    }

    /// At least so many bytes, of which the first `used` are those of this one.
    pub(super) fn grown(self, layout: Layout, used: usize) -> Self {
        debug_assert_eq!(layout.align(), self.layout.align());
        if let Some(larger) = Self::spare(layout, false) {
            // SAFETY: two buffers, both of at least `used` bytes.
            unsafe { std::ptr::copy_nonoverlapping(self.start.as_ptr(), larger.start.as_ptr(), used) };
            self.release();
            return larger;
        }
        let before = ManuallyDrop::new(self);
        // SAFETY: allocated with this layout; the new size is not zero, and there is a layout of it.
        let start = unsafe { realloc(before.start.as_ptr(), before.layout, layout.size()) };
        Self { start: NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }

    fn spare(layout: Layout, small: bool) -> Option<Self> {
        if layout.align() != ALIGN {
            return None;
        }
        // No buffers are kept while the thread ends.
        SPARE
            .try_with(|spare| {
                let mut kept = spare.take();
                let fits = kept.iter_mut().filter(|b| b.as_ref().is_some_and(|b| b.bytes() >= layout.size()));
                let size = |b: &&mut Option<Self>| b.as_ref().map_or(0, Self::bytes);
                let found = if small { fits.min_by_key(size) } else { fits.max_by_key(size) };
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
        self.layout.size()
    }

    /// Keeps the buffer for another tape, or frees it, or a smaller one that was kept.
    pub(super) fn release(self) {
        if self.bytes() > LARGEST || self.layout.align() != ALIGN {
            return;
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
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// The layout of a buffer for so many elements.
///
/// # Panics
/// If there cannot be so many bytes.
pub(super) fn layout<T>(count: usize) -> Layout {
    let bytes = count.checked_mul(size_of::<T>());
    let layout = bytes.and_then(|bytes| Layout::from_size_align(bytes, align_of::<T>().max(ALIGN)).ok());
    layout.expect("tape: more bytes than there can be")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_buffers_are_kept_the_largest_that_are_not_too_large() {
        let [small, middle, large] = [1000, 2000, 3000].map(|bytes| Buffer::new(layout::<u8>(bytes), true));
        let starts = [small.start(), middle.start(), large.start()];
        // In this order the small one has to make place.
        [small, large, middle].into_iter().for_each(Buffer::release);
        let exact = Buffer::new(layout::<u8>(1500), true);
        assert_eq!((exact.start(), exact.bytes()), (starts[1], 2000));
        exact.release();
        let growing = Buffer::new(layout::<u8>(10), false);
        assert_eq!((growing.start(), growing.bytes()), (starts[2], 3000));
        let grown = growing.grown(layout::<u8>(5000), 3000);
        assert_eq!(grown.bytes(), 5000);
        Buffer::new(layout::<u8>(LARGEST + 1), true).release();
        assert!(Buffer::spare(layout::<u8>(4000), true).is_none(), "what is too large is not kept");
        // Another alignment is never taken from what is kept.
        #[repr(align(64))]
        struct Line(#[expect(dead_code)] [u8; 64]);
        assert_eq!(Buffer::new(layout::<Line>(2), true).bytes(), 128);
        grown.release();
        assert_eq!(Buffer::new(layout::<u8>(4000), true).bytes(), 5000);
    }

    #[test]
    fn what_was_written_moves_along() {
        let buffer = Buffer::new(layout::<u8>(16), true);
        // SAFETY: inside of the buffer.
        unsafe { buffer.start().as_ptr().write_bytes(7, 16) };
        let buffer = buffer.grown(layout::<u8>(1 << 20), 16);
        // SAFETY: inside of the buffer, and written.
        let bytes = unsafe { std::slice::from_raw_parts(buffer.start().as_ptr(), 16) };
        assert_eq!(bytes, [7; 16]);
    }
}
