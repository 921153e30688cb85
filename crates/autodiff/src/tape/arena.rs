//! A growing buffer that is appended to through a shared reference, one bounds check and one store per element.
//!
//! This is the inner loop of recording scalar code: `RefCell<Vec>` costs a borrow flag and `Vec::push` a reload of
//! three fields for every recorded operation. A short one allocates nothing.

use super::buffer::{self, Buffer};
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Where an arena starts, on the stack: a small gradient inside of a larger computation takes as long as a few
/// allocations. A number of bytes and not of elements, because a carrier may be as large as it likes.
pub(super) struct Room(UnsafeCell<MaybeUninit<[u128; 192]>>);

impl Room {
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// How many elements it holds.
    const fn elements<T>() -> usize {
        if align_of::<T>() > align_of::<Self>() {
            return 0;
        }
        // What takes no bytes has place anywhere.
        match size_of::<Self>().checked_div(size_of::<T>()) {
            Some(count) => count,
            None => u32::MAX as usize,
        }
    }
}

/// Elements appended to through `&self`.
pub(super) struct Arena<T> {
    start: Cell<*mut T>,
    len: Cell<u32>,
    capacity: Cell<u32>,
    /// Where the elements are, if no longer in the room.
    buffer: Cell<Option<Buffer>>,
    /// How many slices there are of the elements, which have to stay where they are meanwhile.
    readers: Cell<u32>,
    owns: PhantomData<T>,
}

impl<T> Arena<T> {
    /// An empty arena, in a room or nowhere yet.
    ///
    /// # Safety
    /// The room stays where it is while the arena is there, and no other arena is within it.
    pub(super) unsafe fn within(room: Option<&Room>) -> Self {
        Self {
            start: Cell::new(room.map_or_else(|| NonNull::dangling().as_ptr(), |room| room.0.get().cast())),
            len: Cell::new(0),
            capacity: Cell::new(room.map_or(0, |_| Room::elements::<T>() as u32)),
            buffer: Cell::new(None),
            readers: Cell::new(0),
            owns: PhantomData,
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.len.get()
    }

    /// Appends an element and returns its position.
    #[inline(always)]
    pub(super) fn push(&self, value: T) -> u32 {
        let len = self.len.get();
        if len == self.capacity.get() {
            self.grow();
        }
        // SAFETY: `len < capacity` now, so the place is inside the buffer and not yet handed out.
        unsafe { self.start.get().add(len as usize).write(value) };
        self.len.set(len + 1);
        len
    }

    #[cold]
    #[inline(never)]
    fn grow(&self) {
        self.reserve((self.capacity.get() as usize).max(1024), false);
    }

    /// Makes place for so many more, or as many as there can be, but for one at least.
    fn reserve(&self, more: usize, small: bool) {
        let len = self.len.get() as usize;
        let more = more.min(u32::MAX as usize - len);
        assert!(
            more > 0,
            "tape: more than {} operations; record the body of a loop as a program and run that",
            u32::MAX
        );
        assert!(self.readers.get() == 0, "tape: it is recorded on while a sweep goes over it");
        // Before the buffer is taken: nothing may panic while the elements are nobody's.
        let layout = buffer::layout::<T>(len + more);
        let buffer = match self.buffer.take() {
            Some(buffer) => buffer.grown(layout, len * size_of::<T>()),
            None => {
                let buffer = Buffer::new(layout, small);
                // SAFETY: the first `len` elements of the room are written, and move to a buffer with place for them.
                unsafe { std::ptr::copy_nonoverlapping(self.start.get(), buffer.start().as_ptr().cast(), len) };
                buffer
            }
        };
        self.start.set(buffer.start().as_ptr().cast());
        self.capacity.set(u32::try_from(buffer.bytes() / size_of::<T>()).unwrap_or(u32::MAX));
        self.buffer.set(Some(buffer));
    }

    /// The elements so far. What is appended meanwhile is not among them, and panics if it finds no place behind them.
    pub(super) fn read(&self) -> Reading<'_, T> {
        self.readers.set(self.readers.get() + 1);
        // SAFETY: the first `len` elements are written, and stay where they are while there is a reader.
        let elements = unsafe { std::slice::from_raw_parts(self.start.get(), self.len.get() as usize) };
        Reading { elements, readers: &self.readers }
    }

    /// The elements so far.
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: the first `len` elements are written, and nobody can push.
        unsafe { std::slice::from_raw_parts_mut(self.start.get(), self.len.get() as usize) }
    }
}

impl<T: Clone> Arena<T> {
    /// Appends the element so many times.
    pub(super) fn extend(&self, count: usize, value: &T) {
        let (len, capacity) = (self.len.get() as usize, self.capacity.get() as usize);
        if capacity - len < count {
            // From the room just what is asked for; after that by doubling, or many short lists would be copied each time.
            self.reserve(if capacity > Room::elements::<T>() { count.max(capacity) } else { count }, true);
            assert!(self.capacity.get() as usize - len >= count, "tape: more than {} inputs", u32::MAX);
        }
        // A carrier's clone that recorded here would have to stay within the place that there is.
        let reading = self.read();
        let start = self.start.get();
        for i in len..len + count {
            // SAFETY: there is place for `count` more now.
            unsafe { start.add(i).write(value.clone()) };
        }
        drop(reading);
        // At the end: should a clone panic, those before are never dropped.
        self.len.set((len + count) as u32);
    }
}

/// A slice of an arena.
pub(super) struct Reading<'a, T> {
    elements: &'a [T],
    readers: &'a Cell<u32>,
}

impl<T> std::ops::Deref for Reading<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.elements
    }
}

impl<T> Drop for Reading<'_, T> {
    fn drop(&mut self) {
        self.readers.set(self.readers.get() - 1);
    }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        // SAFETY: the first `len` elements are written, and nobody reads them any more.
        unsafe { std::ptr::slice_from_raw_parts_mut(self.start.get(), self.len.get() as usize).drop_in_place() };
        if let Some(buffer) = self.buffer.take() {
            buffer.release();
        }
    }
}
