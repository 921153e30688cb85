//! Where the registers of a walk are while it runs.

use super::super::fuse::Level;
use super::super::memory::{Bases, Near, Pointer};
use super::fused::Location;
use crate::kernel::prefetch_all;
use crate::scalar::Element;
use std::cell::Cell;
use std::ops::Range;

/// An address for each register: where the block begins.
#[derive(Clone, Copy)]
pub(super) struct Registers<'a, E> {
    pointers: &'a [Cell<Pointer<E>>],
    /// The first slot: all are reached from this one pointer, so that none of them ends another's life.
    slots: *mut E,
    /// Elements of a slot.
    block: usize,
}

impl<'a, E: Element> Registers<'a, E> {
    /// Room for addresses, and where slots of so many elements each begin.
    pub(super) fn new(pointers: &'a mut [Pointer<E>], slots: *mut E, block: usize) -> Self {
        Self { pointers: Cell::from_mut(pointers).as_slice_of_cells(), slots, block }
    }

    #[inline(always)]
    pub(super) fn slot(self, at: u32) -> *mut E {
        self.slots.wrapping_add(at as usize * self.block)
    }

    #[inline(always)]
    pub(super) fn set(self, register: u32, address: *mut E) {
        self.pointers[register as usize].set(Pointer(address));
    }

    /// Points all of them to a range of a domain of `n` elements, of rows of so many; what they reach of buffers is checked
    /// for all of it.
    pub(super) fn point(
        &self,
        locations: &[Location],
        bases: &Bases<E>,
        near: &Near<'_, E>,
        (n, columns): (usize, usize),
        Range { start, end }: &Range<usize>,
    ) {
        let in_rows = (start / columns, n / columns);
        for (pointer, location) in self.pointers.iter().zip(locations) {
            pointer.set(Pointer(match *location {
                Location::Slot(at) => self.slot(at),
                Location::Buffer { buffer, offset, level } => {
                    let (start, all) = if level == Level::Row { in_rows } else { (*start, n) };
                    bases.pointer(buffer, offset as usize, all).wrapping_add(start)
                }
                Location::Near { at, level: Level::Row } => near.pointer(at, (end - start) / columns),
                Location::Near { at, .. } => near.pointer(at, end - start),
            }));
        }
    }

    /// Points those of rings to the next `n` elements there.
    pub(super) fn point_to_rings(&self, locations: &[Location], near: &Near<'_, E>, n: usize) {
        for (pointer, location) in self.pointers.iter().zip(locations) {
            if let Location::Near { at, .. } = *location {
                pointer.set(Pointer(near.pointer(at, n)));
            }
        }
    }

    /// Moves what is no slot: by as many elements as is said of its location.
    pub(super) fn advance(&self, locations: &[Location], by: impl Fn(&Location) -> isize) {
        for (pointer, location) in self.pointers.iter().zip(locations) {
            if !matches!(location, Location::Slot(_)) {
                pointer.set(Pointer(pointer.get().0.wrapping_offset(by(location))));
            }
        }
    }

    /// Asks for what comes behind `n` elements of what moves on element by element in a buffer.
    pub(super) fn prefetch(&self, locations: &[Location], n: usize, ahead: usize) {
        for (pointer, location) in self.pointers.iter().zip(locations) {
            if let Location::Buffer { level: Level::Full, .. } = location {
                prefetch_all(pointer.get().0.wrapping_add(n), ahead);
            }
        }
    }

    /// The address of a register.
    #[inline(always)]
    pub(super) fn address(self, register: u32) -> *mut E {
        self.pointers[register as usize].get().0
    }

    /// A register's elements, to read.
    ///
    /// # Safety
    /// At most a block's, inside of what the register was pointed to, and written before. What is read is not written as
    /// long as it is held.
    #[inline(always)]
    pub(super) unsafe fn read(self, register: u32, n: usize) -> &'a [E] {
        // SAFETY: the caller's.
        unsafe { std::slice::from_raw_parts(self.address(register), n) }
    }

    /// A register's elements, to write.
    ///
    /// # Safety
    /// As for [`read`](Registers::read), and nothing else of it is held.
    #[inline(always)]
    pub(super) unsafe fn write(self, register: u32, n: usize) -> &'a mut [E] {
        // SAFETY: the caller's.
        unsafe { std::slice::from_raw_parts_mut(self.address(register), n) }
    }
}
