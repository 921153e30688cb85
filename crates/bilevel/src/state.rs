//! The state of an outer loop in one file.

use crate::error::{Error, Result};
use crate::method::Memory;
use autodiff::{Element, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
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

impl<E: Element> State<E> {
    /// Writes to a file beside it first, so that what was there stays whole until the new one is.
    pub(crate) fn save(&self, path: &Path, settings: &str) -> Result<()> {
        let fail = |reason: String| Error::File { file: path.display().to_string(), reason };
        let dtype = if E::NAME == "f64" { Dtype::F64 } else { Dtype::F32 };
        let mut entries: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::new();
        let mut put = |name: String, x: &Tensor<E>| {
            let bytes = x.data().iter().flat_map(|x| to_bytes(*x)).collect();
            entries.insert(name, (dtype, x.dims().to_vec(), bytes));
        };
        for (name, tensors) in self.sets() {
            tensors.iter().enumerate().for_each(|(i, x)| put(format!("{name}/{i:04}"), x));
        }
        for (name, tensors) in self.memory.all_tensors() {
            tensors.iter().enumerate().for_each(|(i, x)| put(format!("memory/{name}/{i:04}"), x));
        }
        let own = [
            (ITERATION, self.iteration as f64),
            (INNER_STEPS, self.inner_steps as f64),
            (BEST, self.best),
            (STALE, self.stale as f64),
        ];
        let own = own.into_iter().map(|(name, x)| (format!("number/{name}"), x));
        for (name, x) in own.chain(self.memory.all_numbers().map(|(name, x)| (format!("memory-number/{name}"), x))) {
            entries.insert(name, (Dtype::F64, Vec::new(), x.to_le_bytes().to_vec()));
        }
        let views = entries
            .iter()
            .map(|(name, (dtype, shape, bytes))| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)))
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| fail(e.to_string()))?;
        let metadata = HashMap::from([("settings".to_owned(), settings.to_owned())]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| fail(e.to_string()))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".partial");
        let beside = std::path::PathBuf::from(beside);
        // On the disk before it takes the old one's place.
        let write = || {
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, path)
        };
        write().map_err(|e| fail(e.to_string()))
    }

    fn sets(&self) -> [(&'static str, &[Tensor<E>]); 4] {
        [("u", &self.u), ("optimizer", &self.optimizer), ("v0", &self.v0), ("best", &self.best_u)]
    }

    pub(crate) fn load(path: &Path, settings: &str) -> Result<Self> {
        let fail = |reason: String| Error::File { file: path.display().to_string(), reason };
        let bytes = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(format!("no safetensors file: {e}")))?;
        let saved = header.metadata().as_ref().and_then(|m| m.get("settings").cloned()).unwrap_or_default();
        if saved != settings {
            return Err(fail(format!("it was saved by another set-up:\n  saved   {saved}\n  running {settings}")));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|e| fail(e.to_string()))?;
        let mut sets: BTreeMap<String, Vec<Tensor<E>>> = BTreeMap::new();
        let mut memory = Memory::default();
        let mut numbers = HashMap::new();
        let mut views = file.tensors();
        views.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, view) in views {
            if let Some(name) = name.strip_prefix("number/") {
                numbers.insert(
                    name.to_owned(),
                    number(view.data()).ok_or_else(|| fail(format!("`{name}` is cut short")))?,
                );
            } else if let Some(name) = name.strip_prefix("memory-number/") {
                let x = number(view.data()).ok_or_else(|| fail(format!("`{name}` is cut short")))?;
                memory.keep_number(name, x);
            } else {
                let Some((set, _)) = name.rsplit_once('/') else { return Err(fail(format!("`{name}` is unknown"))) };
                let size = size_of::<E>();
                let data: Vec<E> = view.data().chunks_exact(size).filter_map(from_bytes).collect();
                let tensor = Tensor::new(view.shape(), data).map_err(|e| fail(format!("`{name}`: {e}")))?;
                sets.entry(set.to_owned()).or_default().push(tensor);
            }
        }
        let mut take = |name: &str| sets.remove(name).unwrap_or_default();
        let (u, optimizer, v0, best_u) = (take("u"), take("optimizer"), take("v0"), take("best"));
        for (name, tensors) in sets {
            match name.strip_prefix("memory/") {
                Some(name) => memory.keep(name, tensors),
                None => return Err(fail(format!("`{name}` is unknown"))),
            }
        }
        let get = |name: &str| numbers.get(name).copied().ok_or_else(|| fail(format!("`{name}` is missing")));
        let (iteration, best, stale) = (get(ITERATION)? as usize, get(BEST)?, get(STALE)? as usize);
        let inner_steps = get(INNER_STEPS)? as usize;
        Ok(Self { u, optimizer, v0, best_u, memory, iteration, inner_steps, best, stale })
    }
}

fn number(bytes: &[u8]) -> Option<f64> {
    Some(f64::from_le_bytes(bytes.try_into().ok()?))
}

/// The bits, little-endian.
fn to_bytes<E: Element>(x: E) -> Vec<u8> {
    if E::NAME == "f64" { x.to_f64().to_le_bytes().to_vec() } else { (x.to_f64() as f32).to_le_bytes().to_vec() }
}

fn from_bytes<E: Element>(bytes: &[u8]) -> Option<E> {
    match bytes.len() {
        8 => number(bytes).map(E::from_f64),
        _ => Some(E::from_f64(f64::from(f32::from_le_bytes(bytes.try_into().ok()?)))),
    }
}
