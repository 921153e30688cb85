//! The UCI digits, inside the crate.

use super::Dataset;
use crate::error::{Error, Result};
use autodiff::{Element, Tensor};
use std::io::{BufRead, BufReader};

/// Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0).
static DIGITS: &[u8] = include_bytes!("../../data/digits.csv.gz");

const PIXELS: usize = 64;

/// The 1,797 digits of 8×8 pixels, scaled from 0…16 to 0…1; ten classes.
///
/// # Errors
/// [`Error::Data`] if the file inside the crate is damaged.
pub fn digits<E: Element>() -> Result<Dataset<E>> {
    let fail = |line: usize, reason: String| Error::Data { file: "digits.csv.gz (built in)".into(), line, reason };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (i, line) in BufReader::new(flate2::read::GzDecoder::new(DIGITS)).lines().enumerate() {
        let line = line.map_err(|e| fail(i + 1, e.to_string()))?;
        if line.starts_with('#') {
            continue;
        }
        let numbers: std::result::Result<Vec<u8>, _> = line.split(',').map(str::parse).collect();
        let numbers = numbers.map_err(|e| fail(i + 1, e.to_string()))?;
        let [row @ .., label] = &numbers[..] else { return Err(fail(i + 1, "an empty line".into())) };
        if row.len() != PIXELS {
            return Err(fail(i + 1, format!("{PIXELS} pixels expected, {} found", row.len())));
        }
        pixels.extend(row.iter().map(|&p| E::from_f64(f64::from(p) / 16.0)));
        labels.push(usize::from(*label));
    }
    Dataset::new(Tensor::new(&[labels.len(), PIXELS], pixels)?, labels, 10)
}
