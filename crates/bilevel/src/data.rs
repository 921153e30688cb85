//! What the objectives are evaluated on: arrays that are not differentiated, whole or in minibatches.

use crate::error::{Result, configuration};
use autodiff::{Element, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Minibatches by number of the step: the same step always gets the same batch, so that a trajectory can be replayed.
/// All batches have the same shapes.
pub trait Batches<E: Element>: Sync {
    /// The arrays of a step, counted from 0.
    fn batch(&self, step: usize) -> Vec<Tensor<E>>;

    /// The number of different batches, if they repeat in order after that many steps.
    fn period(&self) -> Option<usize> {
        None
    }
}

impl<E: Element, F: Fn(usize) -> Vec<Tensor<E>> + Sync> Batches<E> for F {
    fn batch(&self, step: usize) -> Vec<Tensor<E>> {
        self(step)
    }
}

/// Arrays, or minibatches of them.
#[derive(Clone, Copy)]
pub enum Source<'a, E: Element> {
    /// The same at every step.
    Whole(&'a [Tensor<E>]),
    /// A batch for each step.
    Batches(&'a dyn Batches<E>),
}

impl<E: Element> fmt::Debug for Source<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(arrays) => f.debug_tuple("Whole").field(arrays).finish(),
            Self::Batches(_) => f.write_str("Batches"),
        }
    }
}

impl<'a, E: Element> Source<'a, E> {
    /// The arrays of a step.
    pub fn at(&self, step: usize) -> Cow<'a, [Tensor<E>]> {
        match self {
            Self::Whole(arrays) => Cow::Borrowed(arrays),
            Self::Batches(batches) => Cow::Owned(batches.batch(step)),
        }
    }
}

/// The data of both objectives: examples, labels, whatever their closures find in their third argument.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a, E: Element> {
    /// For the outer objective.
    pub outer: Source<'a, E>,
    /// For the inner objective.
    pub inner: Source<'a, E>,
    /// The numbers of the first outer and inner batch: an outer loop goes on where its last step ended.
    pub(crate) first: [usize; 2],
}

impl<'a, E: Element> Data<'a, E> {
    /// No data.
    pub const NONE: Self = Self { outer: Source::Whole(&[]), inner: Source::Whole(&[]), first: [0, 0] };

    /// Whole arrays for both objectives.
    pub fn new(outer: &'a [Tensor<E>], inner: &'a [Tensor<E>]) -> Self {
        Self { outer: Source::Whole(outer), inner: Source::Whole(inner), first: [0, 0] }
    }

    /// The outer arrays of a step.
    pub(crate) fn outer_at(&self, step: usize) -> Cow<'a, [Tensor<E>]> {
        self.outer.at(self.first[0] + step)
    }

    /// The inner arrays of a step.
    pub(crate) fn inner_at(&self, step: usize) -> Cow<'a, [Tensor<E>]> {
        self.inner.at(self.first[1] + step)
    }

    /// With minibatches for the inner objective.
    #[must_use]
    pub fn inner_batches(self, batches: &'a dyn Batches<E>) -> Self {
        Self { inner: Source::Batches(batches), ..self }
    }

    /// With minibatches for the outer objective.
    #[must_use]
    pub fn outer_batches(self, batches: &'a dyn Batches<E>) -> Self {
        Self { outer: Source::Batches(batches), ..self }
    }
}

/// Minibatches of rows, drawn without replacement, shuffled anew for each pass from a seed.
///
/// A batch holds the chosen rows of each array and, last, their numbers, so that an upper variable with an element for
/// each example can be gathered: `u[0].gather(&data[2], 0)`. A rest that fills no batch is left out of its pass.
#[derive(Debug)]
pub struct Rows<E: Element> {
    arrays: Vec<Tensor<E>>,
    rows: usize,
    size: usize,
    seed: u64,
    /// Whether every pass has an order of its own.
    shuffled: bool,
    /// The order of the last pass that was asked for.
    order: Mutex<(usize, Vec<usize>)>,
}

impl<E: Element> Rows<E> {
    /// Batches of `size` rows.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if the arrays differ in length, or there are fewer rows than
    /// a batch holds.
    pub fn new(arrays: &[Tensor<E>], size: usize, seed: u64) -> Result<Self> {
        let rows = arrays.first().and_then(|x| x.dims().first().copied()).unwrap_or(0);
        if arrays.iter().any(|x| x.dims().first() != Some(&rows)) {
            return configuration("minibatches", "all arrays must have the same number of rows");
        }
        if size == 0 || size > rows {
            return configuration("minibatches", format!("{size} rows a batch cannot be drawn from {rows} rows"));
        }
        let arrays = arrays.to_vec();
        Ok(Self { arrays, rows, size, seed, shuffled: true, order: Mutex::new((usize::MAX, Vec::new())) })
    }

    /// With the same batches in the same order in every pass, as methods need that remember each batch.
    #[must_use]
    pub fn repeating(self) -> Self {
        Self { shuffled: false, ..self }
    }

    /// Batches in a pass.
    pub fn batches_in_pass(&self) -> usize {
        self.rows / self.size
    }
}

impl<E: Element> Batches<E> for Rows<E> {
    fn batch(&self, step: usize) -> Vec<Tensor<E>> {
        let (pass, position) = (step / self.batches_in_pass(), step % self.batches_in_pass());
        let pass = if self.shuffled { pass } else { 0 };
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if order.0 != pass {
            // A generator for each pass, so that any pass can be asked for in any order.
            let seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(pass as u64);
            let mut all: Vec<usize> = (0..self.rows).collect();
            all.shuffle(&mut rand_pcg::Pcg64::seed_from_u64(seed));
            *order = (pass, all);
        }
        let chosen = &order.1[position * self.size..(position + 1) * self.size];
        let numbers = chosen.iter().map(|&i| E::from_f64(i as f64)).collect::<Vec<_>>();
        self.arrays.iter().map(|x| x.take_rows(chosen)).chain([Tensor::from(numbers)]).collect()
    }

    fn period(&self) -> Option<usize> {
        (!self.shuffled).then(|| self.batches_in_pass())
    }
}
