//! The state of an outer loop in one file.

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::method::Memory;
use autodiff::{Element, Tensor};
use std::path::Path;

/// Everything that an outer loop goes on from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State<E: Element> {
    pub(crate) u: Vec<Tensor<E>>,
    pub(crate) optimizer: Vec<Tensor<E>>,
    pub(crate) v0: Vec<Tensor<E>>,
    pub(crate) best_u: Vec<Tensor<E>>,
    pub(crate) memory: Memory<E>,
    pub(crate) iteration: usize,
    /// Inner steps of all calls.
    pub(crate) inner_steps: usize,
    pub(crate) best: f64,
    /// Outer steps since the best value.
    pub(crate) stale: usize,
}

const ITERATION: &str = "iteration";
const INNER_STEPS: &str = "inner steps";
const BEST: &str = "best";
const STALE: &str = "stale";
const SETTINGS: &str = "settings";
/// What a method remembers begins with it.
const MEMORY: &str = "memory/";

impl<E: Element> State<E> {
    pub(crate) fn save(&self, path: &Path, settings: &str) -> Result<()> {
        let mut archive = Archive::default();
        for (name, tensors) in
            [("u", &self.u), ("optimizer", &self.optimizer), ("v0", &self.v0), ("best", &self.best_u)]
        {
            archive.put(name, tensors);
        }
        for (name, tensors) in self.memory.all_tensors() {
            archive.put(&format!("{MEMORY}{name}"), tensors);
        }
        let own = [
            (ITERATION, self.iteration as f64),
            (INNER_STEPS, self.inner_steps as f64),
            (BEST, self.best),
            (STALE, self.stale as f64),
        ];
        archive.numbers.extend(own.map(|(name, x)| (name.to_owned(), x)));
        archive.numbers.extend(self.memory.all_numbers().map(|(name, x)| (format!("{MEMORY}{name}"), x)));
        archive.texts.insert(SETTINGS.to_owned(), settings.to_owned());
        archive.save(path)
    }

    pub(crate) fn load(path: &Path, settings: &str) -> Result<Self> {
        let fail = |reason: String| Error::File { file: path.display().to_string(), reason };
        let mut archive = Archive::<E>::load(path)?;
        let saved = archive.texts.remove(SETTINGS).unwrap_or_default();
        if saved != settings {
            return Err(fail(format!("it was saved by another set-up:\n  saved   {saved}\n  running {settings}")));
        }
        let (u, optimizer, v0, best_u) =
            (archive.take("u"), archive.take("optimizer"), archive.take("v0"), archive.take("best"));
        let mut memory = Memory::default();
        while let Some(first) = archive.tensors.keys().next() {
            let set = first.rsplit_once('/').map(|(set, _)| set.to_owned());
            let tensors = set.as_deref().map(|set| archive.take(set)).unwrap_or_default();
            match set.as_deref().and_then(|set| set.strip_prefix(MEMORY)) {
                Some(name) if !tensors.is_empty() => memory.keep(name, tensors),
                _ => return Err(fail("it holds what no outer loop saves".to_owned())),
            }
        }
        for (name, &x) in &archive.numbers {
            if let Some(name) = name.strip_prefix(MEMORY) {
                memory.keep_number(name, x);
            }
        }
        let get = |name: &str| archive.numbers.get(name).copied().ok_or_else(|| fail(format!("`{name}` is missing")));
        let (iteration, best, stale) = (get(ITERATION)? as usize, get(BEST)?, get(STALE)? as usize);
        let inner_steps = get(INNER_STEPS)? as usize;
        Ok(Self { u, optimizer, v0, best_u, memory, iteration, inner_steps, best, stale })
    }
}
