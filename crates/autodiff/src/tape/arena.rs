//! A growing buffer that is appended to through a shared reference, one bounds check and one store per element.
//!
//! This is the inner loop of recording scalar code: `RefCell<Vec>` costs a borrow flag and `Vec::push` a reload of
//! three fields for every recorded operation.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

/// Elements appended to through `&self`.
pub(super) struct Arena<T> {
    start: Cell<*mut T>,
    len: Cell<u32>,
    capacity: Cell<u32>,
    owns: PhantomData<T>,
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self {
            start: Cell::new(std::ptr::NonNull::dangling().as_ptr()),
            len: Cell::new(0),
            capacity: Cell::new(0),
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
        // SAFETY: `len < capacity` now, so the place is inside the allocation and not yet handed out.
        unsafe { self.start.get().add(len as usize).write(value) };
        self.len.set(len + 1);
        len
    }

    #[cold]
    #[inline(never)]
    fn grow(&self) {
        let (len, capacity) = (self.len.get() as usize, self.capacity.get() as usize);
        assert!(
            capacity < u32::MAX as usize,
            "tape: more than {} operations; record the body of a loop as a program and run that",
            u32::MAX
        );
        // `ManuallyDrop` from the start: should the allocation fail, this arena still owns the old buffer.
        // SAFETY: start and capacity came from a `Vec` (or are dangling with capacity 0), and the first `len` elements are written.
        let mut buffer = ManuallyDrop::new(unsafe { Vec::from_raw_parts(self.start.get(), len, capacity) });
        buffer.reserve_exact((capacity * 2).clamp(1024, u32::MAX as usize) - len);
        self.start.set(buffer.as_mut_ptr());
        self.capacity.set(u32::try_from(buffer.capacity()).expect("reserve_exact was asked for no more than u32::MAX"));
    }

    /// The elements so far. The borrow must end before the next `push`, which may move them.
    ///
    /// # Safety
    /// No `push` while the slice is alive.
    pub(super) unsafe fn as_slice(&self) -> &[T] {
        // SAFETY: the first `len` elements are written, and the caller keeps `push` away.
        unsafe { std::slice::from_raw_parts(self.start.get(), self.len.get() as usize) }
    }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        // SAFETY: start and capacity came from a `Vec` (or are dangling with capacity 0), and the first `len` elements are written.
        drop(unsafe { Vec::from_raw_parts(self.start.get(), self.len.get() as usize, self.capacity.get() as usize) });
    }
}
