//! What a method keeps from one outer step to the next.

use autodiff::{Element, Tensor};
use std::collections::BTreeMap;

/// Named sets of tensors and named numbers; empty before the first outer step. Everything that a method remembers is
/// here, so that a saved run can go on with the same bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory<E: Element> {
    tensors: BTreeMap<String, Vec<Tensor<E>>>,
    numbers: BTreeMap<String, f64>,
}

impl<E: Element> Memory<E> {
    /// A set of tensors.
    pub fn tensors(&self, name: &str) -> Option<&[Tensor<E>]> {
        self.tensors.get(name).map(Vec::as_slice)
    }

    /// Takes a set of tensors out.
    pub fn take(&mut self, name: &str) -> Option<Vec<Tensor<E>>> {
        self.tensors.remove(name)
    }

    /// Keeps a set of tensors.
    pub fn keep(&mut self, name: &str, tensors: Vec<Tensor<E>>) {
        self.tensors.insert(name.to_owned(), tensors);
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    /// Keeps a number.
    pub fn keep_number(&mut self, name: &str, value: f64) {
        self.numbers.insert(name.to_owned(), value);
    }

    /// Counts the calls under a name: the number before this one.
    pub fn count(&mut self, name: &str) -> usize {
        let before = self.number(name).unwrap_or(0.0);
        self.keep_number(name, before + 1.0);
        before as usize
    }

    /// All sets of tensors, by name.
    pub fn all_tensors(&self) -> impl Iterator<Item = (&str, &[Tensor<E>])> {
        self.tensors.iter().map(|(name, tensors)| (name.as_str(), tensors.as_slice()))
    }

    /// All numbers, by name.
    pub fn all_numbers(&self) -> impl Iterator<Item = (&str, f64)> {
        self.numbers.iter().map(|(name, &value)| (name.as_str(), value))
    }
}
