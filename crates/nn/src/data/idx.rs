//! IDX files: the format of MNIST and its kin.

use super::Dataset;
use crate::error::{Error, Result};
use autodiff::{Element, Tensor};
use std::io::Read;
use std::path::Path;

/// Images and labels from two IDX files of bytes, gzipped or not; pixels scaled from 0…255 to 0…1, each image a row.
///
/// # Errors
/// [`Error::Data`] if a file cannot be read, is no IDX file of bytes, is cut short, or the two do not fit.
pub fn idx<E: Element>(images: &Path, labels: &Path, classes: usize) -> Result<Dataset<E>> {
    let (shape, pixels) = read(images)?;
    let (label_shape, found) = read(labels)?;
    let [rows, rest @ ..] = &shape[..] else { return fail(images, "a scalar holds no images".into()) };
    if label_shape[..] != [*rows] {
        return fail(labels, format!("labels of shape {label_shape:?} for {rows} images"));
    }
    // Their product with the rows was checked, but there may be no rows.
    let features = rest.iter().try_fold(1_usize, |n, &len| n.checked_mul(len));
    let Some(features) = features else { return fail(images, format!("shape {shape:?} is too large")) };
    let inputs = pixels.iter().map(|&p| E::from_f64(f64::from(p) / 255.0)).collect();
    Dataset::new(Tensor::new(&[*rows, features], inputs)?, found.into_iter().map(usize::from).collect(), classes)
}

fn fail<T>(file: &Path, reason: String) -> Result<T> {
    Err(Error::Data { file: file.display().to_string(), line: 0, reason })
}

/// The shape and the bytes.
fn read(path: &Path) -> Result<(Vec<usize>, Vec<u8>)> {
    let mut bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return fail(path, error.to_string()),
    };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut inflated = Vec::new();
        if let Err(error) = flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut inflated) {
            return fail(path, format!("damaged gzip: {error}"));
        }
        bytes = inflated;
    }
    // Two zeros, the type (8: bytes), the rank; the lengths, big-endian; the elements.
    let [0, 0, 8, rank, rest @ ..] = &bytes[..] else { return fail(path, "no IDX file of bytes".into()) };
    let rank = usize::from(*rank);
    let Some((lengths, data)) = rest.split_at_checked(4 * rank) else { return fail(path, "cut short".into()) };
    let shape: Vec<usize> =
        lengths.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let size = shape.iter().try_fold(1_usize, |n, &len| n.checked_mul(len));
    if size != Some(data.len()) {
        return fail(path, format!("{} elements for shape {shape:?}", data.len()));
    }
    Ok((shape, data.to_vec()))
}
