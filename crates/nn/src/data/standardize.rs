//! Features of mean 0 and deviation 1.

use super::Dataset;
use crate::error::{Result, configuration};
use autodiff::{Element, Tensor};

/// `(x − mean) / deviation` for each feature, fitted on one data set and applied to others.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardize {
    /// The means.
    pub mean: Vec<f64>,
    /// The deviations of a population; 1 for a feature that is constant.
    pub deviation: Vec<f64>,
}

impl Standardize {
    /// Of the features of a data set.
    ///
    /// Time: two passes; sums in double precision.
    pub fn fit<E: Element>(data: &Dataset<E>) -> Self {
        let (rows, width) = (data.len().max(1) as f64, data.inputs().dims()[1]);
        let mut mean = vec![0.0; width];
        let rows_of = || data.inputs().data().chunks_exact(width.max(1));
        for row in rows_of() {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += x.to_f64() / rows);
        }
        let mut deviation = vec![0.0; width];
        for row in rows_of() {
            let pairs = deviation.iter_mut().zip(row.iter().zip(&mean));
            pairs.for_each(|(d, (x, m))| *d += (x.to_f64() - m).powi(2) / rows);
        }
        // Rounding leaves a constant a deviation beside its size.
        let of = |(d, m): (&f64, &f64)| if d.sqrt() <= 1e-7 * m.abs() { 1.0 } else { d.sqrt() };
        let deviation = deviation.iter().zip(&mean).map(of).map(|d| if d == 0.0 { 1.0 } else { d }).collect();
        Self { mean, deviation }
    }

    /// Leaves features as they are.
    pub fn identity(features: usize) -> Self {
        Self { mean: vec![0.0; features], deviation: vec![1.0; features] }
    }

    /// The same examples, standardised.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if the number of features is another.
    pub fn apply<E: Element>(&self, data: &Dataset<E>) -> Result<Dataset<E>> {
        Dataset::new(self.rows(data.inputs())?, data.labels().to_vec(), data.classes())
    }

    /// Rows `[examples, features]`, standardised.
    ///
    /// # Errors
    /// As [`apply`](Standardize::apply).
    pub fn rows<E: Element>(&self, rows: &Tensor<E>) -> Result<Tensor<E>> {
        let width = rows.dims()[1];
        if width != self.mean.len() {
            return configuration("features", format!("{width} where {} were standardised", self.mean.len()));
        }
        let scales = self.mean.iter().zip(&self.deviation).cycle();
        let one = |(x, (m, d)): (&E, (&f64, &f64))| E::from_f64((x.to_f64() - m) / d);
        Ok(Tensor::new(rows.dims(), rows.data().iter().zip(scales).map(one).collect::<Vec<E>>())?)
    }
}
