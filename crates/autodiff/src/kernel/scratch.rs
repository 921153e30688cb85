//! Room on the stack for what a kernel copies.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

/// Elements that are not yet written. They begin with a cache line: a register that is read from two takes twice as long.
#[repr(align(64))]
pub(crate) struct Scratch<E, const N: usize>([MaybeUninit<E>; N]);

impl<E, const N: usize> Scratch<E, N> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; N])
    }
}

impl<E, const N: usize> Deref for Scratch<E, N> {
    type Target = [MaybeUninit<E>];

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<E, const N: usize> DerefMut for Scratch<E, N> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
