//! Labelled examples, seeded splits, label noise.

#[cfg(feature = "digits")]
mod digits;
#[cfg(feature = "digits")]
mod idx;
mod imbalance;
mod noise;
mod npy;
mod standardize;
mod table;
mod transition;

#[cfg(feature = "digits")]
pub use digits::digits;
#[cfg(feature = "digits")]
pub use idx::idx;
pub use imbalance::imbalance;
pub use noise::Noise;
pub use npy::{npy, npy_pair, npy_shape};
pub use standardize::Standardize;
pub use table::{LabelColumn, Schema, csv, numbers, read_csv};
pub use transition::Transition;

use crate::Rng;
use crate::error::{Result, configuration};
use autodiff::{Element, Tensor};
use rand::seq::SliceRandom;

/// Examples in rows, and their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<E: Element> {
    inputs: Tensor<E>,
    labels: Vec<usize>,
    classes: usize,
}

impl<E: Element> Dataset<E> {
    /// A data set from inputs `[examples, features]` and labels below `classes`.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if the numbers of rows and labels differ, or a label is too large.
    pub fn new(inputs: Tensor<E>, labels: Vec<usize>, classes: usize) -> Result<Self> {
        if inputs.rank() != 2 || inputs.dims()[0] != labels.len() {
            return configuration("data", format!("inputs of shape {:?} for {} labels", inputs.dims(), labels.len()));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes) {
            return configuration("data", format!("label {label} is not below the number of classes, {classes}"));
        }
        Ok(Self { inputs, labels, classes })
    }

    /// The inputs, one example a row.
    pub fn inputs(&self) -> &Tensor<E> {
        &self.inputs
    }

    /// The labels.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The examples with the given numbers, in that order.
    ///
    /// # Panics
    /// If one does not exist.
    #[track_caller]
    #[must_use]
    pub fn select(&self, examples: &[usize]) -> Self {
        Self {
            inputs: self.inputs.take_rows(examples),
            labels: examples.iter().map(|&i| self.labels[i]).collect(),
            classes: self.classes,
        }
    }

    /// These examples, then others with as many features and classes.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if features or classes differ in number.
    pub fn concat(&self, other: &Self) -> Result<Self> {
        let (a, b) = (self.inputs.dims()[1], other.inputs.dims()[1]);
        if a != b || self.classes != other.classes {
            let (c, d) = (self.classes, other.classes);
            return configuration("data", format!("{a} features and {c} classes, then {b} features and {d} classes"));
        }
        let numbers = [self.inputs.data(), other.inputs.data()].concat();
        let labels = [&self.labels[..], &other.labels].concat();
        Self::new(Tensor::new(&[labels.len(), a], numbers)?, labels, self.classes)
    }

    /// The same examples with other labels.
    ///
    /// # Errors
    /// As [`new`](Dataset::new).
    pub fn with_labels(&self, labels: Vec<usize>) -> Result<Self> {
        Self::new(self.inputs.clone(), labels, self.classes)
    }

    /// Disjoint parts of the given sizes, drawn at random.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if there are not enough examples.
    pub fn split<const N: usize>(&self, sizes: [usize; N], rng: &mut Rng) -> Result<[Self; N]> {
        let total: usize = sizes.iter().sum();
        if total > self.len() {
            return configuration("split", format!("parts {sizes:?} need {total} examples, there are {}", self.len()));
        }
        let order = shuffled(self.len(), rng);
        let mut start = 0;
        Ok(sizes.map(|size| {
            start += size;
            self.select(&order[start - size..start])
        }))
    }

    /// The numbers of so many examples drawn at random, as many of each class as can be, and those of all others in random
    /// order. For the trusted examples, which are few: a class that none of them shows cannot be learnt from them.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if there are not enough examples.
    pub fn draw_evenly(&self, count: usize, rng: &mut Rng) -> Result<[Vec<usize>; 2]> {
        if count > self.len() {
            return configuration("draw", format!("{count} of {} examples", self.len()));
        }
        let share = count.div_ceil(self.classes.max(1));
        let mut taken = vec![0; self.classes];
        let (mut chosen, mut others) = (Vec::with_capacity(count), Vec::with_capacity(self.len() - count));
        for i in shuffled(self.len(), rng) {
            let taken = &mut taken[self.labels[i]];
            if chosen.len() < count && *taken < share {
                *taken += 1;
                chosen.push(i);
            } else {
                others.push(i);
            }
        }
        // A class may have fewer than its share.
        let rest = others.len() - (count - chosen.len());
        chosen.extend(others.drain(rest..));
        Ok([chosen, others])
    }
}

/// `0..n` in random order.
pub fn shuffled(n: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(rng);
    order
}
