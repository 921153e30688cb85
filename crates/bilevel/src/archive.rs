//! Tensors, numbers and words in one file.

use crate::error::{Error, Result};
use autodiff::{Element, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a safetensors file holds: named tensors, named numbers (in double precision), named texts. The same contents make
/// the same bytes.
///
/// ```
/// use autodiff::Tensor;
/// use bilevel::Archive;
/// let mut archive = Archive::<f32>::default();
/// archive.tensors.insert("w".into(), Tensor::from([1.0, 2.0]));
/// archive.numbers.insert("epoch".into(), 3.0);
/// let path = std::env::temp_dir().join("hypertape-archive.safetensors");
/// archive.save(&path)?;
/// assert_eq!(Archive::load(&path)?, archive);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Archive<E: Element> {
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor<E>>,
    /// Numbers by name; their names in the file begin with `number/`.
    pub numbers: BTreeMap<String, f64>,
    /// Texts by name: the entry `hypertape` of the file's metadata, as JSON.
    pub texts: BTreeMap<String, String>,
}

impl<E: Element> Default for Archive<E> {
    fn default() -> Self {
        Self { tensors: BTreeMap::new(), numbers: BTreeMap::new(), texts: BTreeMap::new() }
    }
}

/// The names of numbers begin with it.
const NUMBER: &str = "number/";

impl<E: Element> Archive<E> {
    /// Puts a set of tensors under one name, `name/0000` and so on.
    pub fn put(&mut self, name: &str, tensors: &[Tensor<E>]) {
        for (i, x) in tensors.iter().enumerate() {
            self.tensors.insert(format!("{name}/{i:04}"), x.clone());
        }
    }

    /// Takes the set out again; empty if there is none.
    pub fn take(&mut self, name: &str) -> Vec<Tensor<E>> {
        (0..).map_while(|i| self.tensors.remove(&format!("{name}/{i:04}"))).collect()
    }

    /// Writes the file: to one beside it first, so that what was there stays whole until the new one is on the disk.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let fail = |reason: String| Error::File { file: path.display().to_string(), reason };
        let dtype = if E::NAME == "f64" { Dtype::F64 } else { Dtype::F32 };
        let tensors = self.tensors.iter().map(|(name, x)| {
            let bytes: Vec<u8> = x.data().iter().flat_map(|x| to_bytes(*x)).collect();
            (name.clone(), (dtype, x.dims().to_vec(), bytes))
        });
        let numbers = self
            .numbers
            .iter()
            .map(|(name, x)| (format!("{NUMBER}{name}"), (Dtype::F64, Vec::new(), x.to_le_bytes().to_vec())));
        let entries: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = tensors.chain(numbers).collect();
        let views = entries
            .iter()
            .map(|(name, (dtype, shape, bytes))| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)))
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| fail(e.to_string()))?;
        // The format's writer takes a map without an order: one entry holds all texts, so that bytes are the same.
        let texts = serde_json::to_string(&self.texts).map_err(|e| fail(e.to_string()))?;
        let metadata = HashMap::from([(TEXTS.to_owned(), texts)]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| fail(e.to_string()))?;
        write_whole(path, &bytes).map_err(|e| fail(e.to_string()))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, is no safetensors file, or holds tensors of another element type.
    pub fn load(path: &Path) -> Result<Self> {
        let fail = |reason: String| Error::File { file: path.display().to_string(), reason };
        let bytes = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(format!("no safetensors file: {e}")))?;
        let texts = header.metadata().as_ref().and_then(|m| m.get(TEXTS));
        let texts = texts.map_or(Ok(BTreeMap::new()), |t| serde_json::from_str(t));
        let mut archive = Self { texts: texts.map_err(|e| fail(e.to_string()))?, ..Self::default() };
        let file = SafeTensors::deserialize(&bytes).map_err(|e| fail(e.to_string()))?;
        let dtype = if E::NAME == "f64" { Dtype::F64 } else { Dtype::F32 };
        for (name, view) in file.tensors() {
            if let Some(name) = name.strip_prefix(NUMBER) {
                let number = number(view.data()).ok_or_else(|| fail(format!("`{name}` is no number")))?;
                archive.numbers.insert(name.to_owned(), number);
            } else {
                if view.dtype() != dtype {
                    return Err(fail(format!("`{name}` is of type {:?}, not {}", view.dtype(), E::NAME)));
                }
                let data: Vec<E> = view.data().chunks_exact(size_of::<E>()).filter_map(from_bytes).collect();
                let tensor = Tensor::new(view.shape(), data).map_err(|e| fail(format!("`{name}`: {e}")))?;
                archive.tensors.insert(name, tensor);
            }
        }
        Ok(archive)
    }
}

/// The one entry of the metadata.
const TEXTS: &str = "hypertape";

/// Writes to a file beside it, and puts that in its place when it is on the disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
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
