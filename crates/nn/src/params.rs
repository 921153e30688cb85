//! Parameters: a named, ordered set of tensors.

use crate::error::{Error, Result};
use autodiff::{Element, Tensor};

/// Tensors with names, in a fixed order.
///
/// Transforms and optimisers work on the plain slice, [`tensors`](Params::tensors); names are for people and files.
#[derive(Clone, Debug, PartialEq)]
pub struct Params<E: Element> {
    names: Vec<String>,
    tensors: Vec<Tensor<E>>,
}

impl<E: Element> Params<E> {
    /// A set from pairs of a name and a tensor.
    ///
    /// # Errors
    /// [`Error::Configuration`] if a name appears twice.
    pub fn new(pairs: impl IntoIterator<Item = (String, Tensor<E>)>) -> Result<Self> {
        let (names, tensors): (Vec<String>, Vec<Tensor<E>>) = pairs.into_iter().unzip();
        for (i, name) in names.iter().enumerate() {
            if names[..i].contains(name) {
                let reason = format!("the name `{name}` appears twice");
                return Err(Error::Configuration { setting: "parameters", reason });
            }
        }
        Ok(Self { names, tensors })
    }

    /// The tensors in order.
    pub fn tensors(&self) -> &[Tensor<E>] {
        &self.tensors
    }

    /// The tensors in order, to write to.
    pub fn tensors_mut(&mut self) -> &mut [Tensor<E>] {
        &mut self.tensors
    }

    /// The names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The tensor with a name.
    pub fn get(&self, name: &str) -> Option<&Tensor<E>> {
        self.iter().find(|(n, _)| *n == name).map(|(_, tensor)| tensor)
    }

    /// Names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<E>)> {
        self.names.iter().map(String::as_str).zip(&self.tensors)
    }

    /// The number of numbers.
    pub fn count(&self) -> usize {
        self.tensors.iter().map(Tensor::len).sum()
    }
}
