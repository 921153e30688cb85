//! The probabilities with which labels of one class are taken for another.

use super::table::{Lines, finite};
use crate::Rng;
use crate::error::{Error, Result, configuration};
use rand::RngExt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A transition matrix: row i holds, for each class j, the probability that an example of class i is labelled j. Rows and
/// columns are in the order of the classes' numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    name: String,
    /// Each row summed up: the last is 1.
    cumulative: Vec<Vec<f64>>,
}

/// How far the sum of a row may be from 1: files are rounded.
const ROOM: f64 = 1e-6;

impl Transition {
    /// From rows of probabilities.
    ///
    /// # Errors
    /// [`Error::Configuration`] if it is not square, a number is negative, or a row's sum is not 1 (to 1e-6).
    pub fn new(name: &str, rows: &[Vec<f64>]) -> Result<Self> {
        let classes = rows.len();
        let mut cumulative = Vec::with_capacity(classes);
        for (i, row) in rows.iter().enumerate() {
            let wrong = |reason: String| configuration("transition matrix", format!("{name}, row {i}: {reason}"));
            if row.len() != classes {
                return wrong(format!("{} numbers where there are {classes} rows", row.len()));
            }
            if let Some(p) = row.iter().find(|p| !(0.0..=1.0).contains(*p)) {
                return wrong(format!("{p} is no probability"));
            }
            let total: f64 = row.iter().sum();
            if (total - 1.0).abs() > ROOM {
                return wrong(format!("the sum is {total}, not 1"));
            }
            let mut sum = 0.0;
            cumulative.push(row.iter().map(|p| (sum += p / total, sum).1).collect());
        }
        if classes == 0 {
            return configuration("transition matrix", format!("{name} has no rows"));
        }
        Ok(Self { name: name.to_owned(), cumulative })
    }

    /// From a file of comma-separated numbers, a line for each class, without a header.
    ///
    /// # Errors
    /// [`Error::Data`] with file and line for what cannot be read, and as [`new`](Transition::new).
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let fail = |line: u64, reason: String| Error::Data { file: file.clone(), line: line as usize, reason };
        let mut lines = Lines::new(BufReader::new(File::open(path).map_err(|e| fail(0, e.to_string()))?));
        let mut rows = Vec::new();
        while let Some(at) = lines.next().map_err(|reason| fail(0, reason))? {
            let fields = lines.record.iter().enumerate();
            let number = |(i, field): (usize, &[u8])| finite(&String::from_utf8_lossy(field), &format!("column {i}"));
            rows.push(fields.map(number).collect::<std::result::Result<_, _>>().map_err(|reason| fail(at, reason))?);
        }
        Self::new(&file, &rows)
    }

    /// Where it came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Each label replaced by one drawn from its row.
    pub(super) fn redraw(&self, labels: &mut [usize], classes: usize, rng: &mut Rng) -> Result<()> {
        if self.cumulative.len() != classes {
            let rows = self.cumulative.len();
            return configuration("transition matrix", format!("{} has {rows} rows for {classes} classes", self.name));
        }
        for label in labels {
            let row = &self.cumulative[*label];
            let at: f64 = rng.random();
            // The last sum may be a rounding below 1.
            *label = row
                .iter()
                .position(|&sum| at < sum)
                .unwrap_or_else(|| row.iter().rposition(|&sum| sum < row[classes - 1]).map_or(0, |last| last + 1));
        }
        Ok(())
    }
}
