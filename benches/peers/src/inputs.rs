//! The inputs that all peers share: raw arrays and a manifest.

use crate::Result;
use autodiff::{Element, Tensor};
use std::path::{Path, PathBuf};

/// A folder with `manifest.json` and the arrays it names.
#[derive(Debug)]
pub struct Inputs {
    folder: PathBuf,
    manifest: serde_json::Value,
}

impl Inputs {
    /// Reads the manifest.
    ///
    /// # Errors
    /// If the file is missing or is no JSON.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("manifest.json");
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let manifest = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// An array, its raw numbers times its scale. The division is done in `E`, as the peers do it.
    ///
    /// # Errors
    /// If the manifest does not know the array or the file does not hold it.
    pub fn array<E: Element>(&self, name: &str) -> Result<Tensor<E>> {
        let entry = &self.manifest["arrays"][name];
        let text = |key: &str| entry[key].as_str().ok_or_else(|| format!("manifest.json: {name} has no {key}"));
        let shape: Vec<usize> = serde_json::from_value(entry["shape"].clone())?;
        let path = self.folder.join(text("file")?);
        let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let raw: Vec<E> = match text("dtype")? {
            "float32" => {
                let words = bytes.as_chunks::<4>().0.iter();
                words.map(|&b| E::from_f64(f64::from(f32::from_le_bytes(b)))).collect()
            }
            "uint8" => bytes.iter().map(|&b| E::from_f64(f64::from(b))).collect(),
            "int8" => bytes.iter().map(|&b| E::from_f64(f64::from(b.cast_signed()))).collect(),
            other => return Err(format!("manifest.json: {name} has an unknown dtype, {other}").into()),
        };
        let scale = entry["scale"].as_f64().unwrap_or(1.0);
        let divisor = E::from_f64((1.0 / scale).round());
        let data = if scale == 1.0 { raw } else { raw.into_iter().map(|x| x / divisor).collect() };
        Tensor::new(&shape, data).map_err(|e| format!("{}: {e}", path.display()).into())
    }

    /// Weights and biases of a network, layer by layer.
    ///
    /// # Errors
    /// As [`array`](Inputs::array).
    pub fn network<E: Element>(&self, tag: &str) -> Result<Vec<Tensor<E>>> {
        let layers = self.manifest[tag]["sizes"].as_array().map_or(1, |sizes| sizes.len() - 1);
        let mut params = Vec::new();
        for layer in 0..layers {
            params.push(self.array(&format!("{tag}_W{layer}"))?);
            params.push(self.array(&format!("{tag}_b{layer}"))?);
        }
        Ok(params)
    }

    /// The first rows of images and one-hot labels, `set` being `train` or `val`.
    ///
    /// # Errors
    /// As [`array`](Inputs::array).
    pub fn digits<E: Element>(&self, set: &str, rows: usize) -> Result<[Tensor<E>; 2]> {
        let x = self.array::<E>(&format!("X{set}"))?.rows(..rows);
        let labels: Vec<usize> =
            self.array::<f64>(&format!("y{set}"))?.data()[..rows].iter().map(|&y| y as usize).collect();
        Ok([x, nn::loss::one_hot(&labels, 10)?])
    }

    /// Labels 0 and 1 as −1 and 1.
    ///
    /// # Errors
    /// As [`array`](Inputs::array).
    pub fn signs<E: Element>(&self, name: &str) -> Result<Tensor<E>> {
        Ok(self.array::<E>(name)?.map(|y| y + y - E::from_f64(1.0)))
    }

    /// A setting of a workload.
    ///
    /// # Errors
    /// If it is not there.
    pub fn setting(&self, workload: &str, key: &str) -> Result<f64> {
        let value = &self.manifest["constants"][workload][key];
        value.as_f64().ok_or_else(|| format!("manifest.json: constants of {workload} have no number {key}").into())
    }

    /// A list of settings of a workload.
    ///
    /// # Errors
    /// If it is not there.
    pub fn settings(&self, workload: &str, key: &str) -> Result<Vec<f64>> {
        serde_json::from_value(self.manifest["constants"][workload][key].clone())
            .map_err(|e| format!("manifest.json: constants of {workload}, {key}: {e}").into())
    }

    /// What the reference says a workload computes: all numbers of each result that it holds in full.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn expected(&self, case: &str) -> Result<Vec<(String, Vec<f64>)>> {
        let text = std::fs::read_to_string(self.folder.join("expected.json"))?;
        let all: serde_json::Value = serde_json::from_str(&text)?;
        let mut found = Vec::new();
        for name in all[case]["values"].as_object().into_iter().flat_map(|values| values.keys()) {
            let path = self.folder.join(format!("expected/{case}.{name}.f64.bin"));
            if path.exists() {
                let bytes = std::fs::read(path)?;
                let numbers = bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect();
                found.push((name.clone(), numbers));
            }
        }
        Ok(found)
    }
}
