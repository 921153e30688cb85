//! Where arrays live while an executable runs: the caller's, the constants', and one arena for everything between.

use crate::scalar::Element;
use std::marker::PhantomData;

/// A pointer and a length that threads may share; see [`Bases`].
#[derive(Clone, Copy)]
struct Base<E> {
    start: *mut E,
    len: usize,
}

/// The place of every buffer during one run.
///
/// Kernels of one run read and write buffers through it. Which buffer shares memory with which is decided when
/// compiling: a buffer is only overwritten after its last reader, and a kernel writes what it reads only element by
/// element, each after it was read ([`in_place`](super::in_place)), and never while a slice of all of it is held (a chain of
/// walks holds one only from one instruction to the next); of a whole and its pieces, each kernel touches what is its own.
/// Chunks of one kernel that run at once write to disjoint parts.
pub(super) struct Bases<E> {
    bases: Vec<Base<E>>,
}

// SAFETY: the pointers are to plain numbers that outlive the run, and the kernels keep to the rule above.
unsafe impl<E: Send> Send for Bases<E> {}
// SAFETY: as above.
unsafe impl<E: Sync> Sync for Bases<E> {}

impl<E: Element> Bases<E> {
    pub(super) fn new(count: usize) -> Self {
        Self { bases: vec![Base { start: std::ptr::NonNull::dangling().as_ptr(), len: 0 }; count] }
    }

    /// A buffer from `start` on, where there is room for it: in the [`Arena`] or an output.
    pub(super) fn set_raw(&mut self, buffer: usize, start: *mut E, len: usize) {
        self.bases[buffer] = Base { start, len };
    }

    /// A buffer that no kernel writes: an input or a constant.
    pub(super) fn set_read_only(&mut self, buffer: usize, data: &[E]) {
        self.bases[buffer] = Base { start: data.as_ptr().cast_mut(), len: data.len() };
    }

    pub(super) fn read_all(&self, buffer: u32) -> &[E] {
        let Base { start, len } = self.bases[buffer as usize];
        // SAFETY: set for this run from a slice of that length, and not written while a kernel reads it.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    #[allow(clippy::mut_from_ref, reason = "the compiler of programs hands out disjoint buffers; see the type")]
    pub(super) fn write(&self, buffer: u32, from: usize, n: usize) -> &mut [E] {
        // SAFETY: inside the buffer, which `pointer` checks, and written by this kernel alone.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(buffer, from, n), n) }
    }

    /// The start of `n` elements of a buffer.
    pub(super) fn pointer(&self, buffer: u32, from: usize, n: usize) -> *mut E {
        let Base { start, len } = self.bases[buffer as usize];
        assert!(from <= len && n <= len - from, "a kernel reaches outside its buffer");
        start.wrapping_add(from)
    }
}

/// The address of a register.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Pointer<E>(pub(super) *mut E);

impl<E> Pointer<E> {
    pub(super) fn none() -> Self {
        Self(std::ptr::null_mut())
    }

    /// The addresses as they are.
    pub(super) fn addresses(all: &[Self]) -> &[*mut E] {
        // SAFETY: each is an address and nothing else.
        unsafe { std::slice::from_raw_parts(all.as_ptr().cast(), all.len()) }
    }
}

// SAFETY: written and read by the thread that owns the part of the list it stands in.
unsafe impl<E: Send> Send for Pointer<E> {}

/// A slice that threads write disjoint parts of.
pub(super) struct Shared<'a, E> {
    base: Base<E>,
    slice: PhantomData<&'a mut [E]>,
}

// SAFETY: parts that are handed out at once are disjoint: one for each chunk, or one for each thread.
unsafe impl<E: Send> Sync for Shared<'_, E> {}

impl<'a, E> Shared<'a, E> {
    pub(super) fn new(slice: &'a mut [E]) -> Self {
        Self { base: Base { start: slice.as_mut_ptr(), len: slice.len() }, slice: PhantomData }
    }

    #[allow(clippy::mut_from_ref, reason = "parts are disjoint; see the type")]
    pub(super) fn part(&self, from: usize, n: usize) -> &mut [E] {
        assert!(from <= self.base.len && n <= self.base.len - from, "a chunk reaches outside its slice");
        // SAFETY: inside the slice, and disjoint from what other threads hold.
        unsafe { std::slice::from_raw_parts_mut(self.base.start.wrapping_add(from), n) }
    }
}

/// Room for what only the kernels of a group see: a block of rows, or of elements that go on in [`rings`](Near::rings);
/// one for each thread.
pub(super) struct Near<'a, E> {
    data: Shared<'a, E>,
    block: usize,
    /// In rings, where in each the elements begin.
    begin: Option<usize>,
}

impl<'a, E> Near<'a, E> {
    /// For blocks of so many rows.
    pub(super) fn new(data: &'a mut [E], block: usize) -> Self {
        Self { data: Shared::new(data), block, begin: None }
    }

    /// For a chain of walks: places are those of elements in a block of each ring.
    pub(super) fn rings(data: &'a mut [E]) -> Self {
        Self { data: Shared::new(data), block: 1, begin: Some(0) }
    }

    /// Where in the block of each ring the next elements are.
    pub(super) fn begin_at(&mut self, begin: usize) {
        self.begin = Some(begin);
    }

    /// All rings, and where the element at a place begins, if there are rings.
    pub(super) fn ring(&self, at: usize) -> Option<(&[E], usize)> {
        // SAFETY: all of the room, which belongs to this thread; nothing is written while a load reads it.
        let all = unsafe { std::slice::from_raw_parts(self.data.base.start, self.data.base.len) };
        self.begin.map(|begin| (all, at + begin))
    }

    /// For kernels that see nothing there.
    pub(super) fn none() -> Self {
        Self::new(&mut [], 0)
    }

    /// Whether it is for the kernels of a group.
    pub(super) fn in_group(&self) -> bool {
        self.block > 0
    }

    /// The start of `n` elements: the rows of the block that stand behind `at` elements of each.
    pub(super) fn pointer(&self, at: usize, n: usize) -> *mut E {
        let from = at * self.block + self.begin.unwrap_or(0);
        let Base { start, len } = self.data.base;
        assert!(from <= len && n <= len - from, "a kernel reaches outside its block of rows");
        start.wrapping_add(from)
    }

    /// The elements there, to read.
    pub(super) fn read(&self, at: usize, n: usize) -> &[E] {
        // SAFETY: inside the block, which belongs to this thread; a kernel does not write the rows that it reads.
        unsafe { std::slice::from_raw_parts(self.pointer(at, n), n) }
    }

    /// The elements there, to write.
    #[allow(clippy::mut_from_ref, reason = "a kernel takes what it writes once, and its places are disjoint")]
    pub(super) fn write(&self, at: usize, n: usize) -> &mut [E] {
        // SAFETY: as above, and nothing else of the kernel is there.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(at, n), n) }
    }
}

/// One allocation, aligned to cache lines.
pub(crate) struct Arena<E> {
    data: Vec<E>,
    first: usize,
    len: usize,
}

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

impl<E: Element> Arena<E> {
    /// Elements that are allocated for so many.
    pub(crate) fn allocated(len: usize) -> usize {
        if len == 0 { 0 } else { len + LINE / size_of::<E>() }
    }

    pub(crate) fn new(len: usize) -> Self {
        let data = vec![E::default(); Self::allocated(len)];
        let first = data.as_ptr().align_offset(LINE).min(data.len() - len.min(data.len()));
        Self { data, first, len }
    }

    /// The start of the arena's memory: all buffers in it are reached from this one pointer.
    pub(super) fn start(&mut self) -> *mut E {
        self.data.as_mut_ptr().wrapping_add(self.first)
    }
}

impl<E> std::ops::Deref for Arena<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        &self.data[self.first..self.first + self.len]
    }
}

impl<E> std::ops::DerefMut for Arena<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.data[self.first..self.first + self.len]
    }
}

impl<E: Element> Clone for Arena<E> {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.len);
        copy.copy_from_slice(self);
        copy
    }
}
