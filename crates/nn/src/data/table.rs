//! Comma-separated files: numbers in columns, a label in one of them.

use super::Dataset;
use crate::error::{Error, Result};
use autodiff::{Element, Tensor};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Which column holds the label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LabelColumn {
    /// `label`, `class` or `target` if the header has one of these, else the last.
    #[default]
    Guess,
    /// By its name in the header.
    Name(String),
    /// By its position, from 0.
    Index(usize),
}

/// A number is a position, anything else a name.
impl std::str::FromStr for LabelColumn {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Index))
    }
}

/// What a table means: the names of features and classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The features, in order; `x0`, `x1`, … without a header.
    pub features: Vec<String>,
    /// The classes, in the order of their numbers: numerically if all are numbers, else by the alphabet.
    pub classes: Vec<String>,
    /// The position of the label among the columns, from 0.
    pub label: usize,
    /// Whether the file began with a header.
    pub header: bool,
}

/// Examples from a comma-separated file, every field but the label a number.
///
/// The first line is a header if one of its fields, the label apart, is no number. With a `schema` (of the training set),
/// labels and the number of columns must be those that it knows.
///
/// Time and memory: one pass; the numbers, and one line.
///
/// # Errors
/// [`Error::Data`] with file and line: a file that cannot be read, is empty or has no rows, a row of another length, a field
/// that is missing or no finite number, a label column that does not exist, an empty or unknown label.
pub fn csv<E: Element>(path: &Path, label: &LabelColumn, schema: Option<&Schema>) -> Result<(Dataset<E>, Schema)> {
    let file = path.display().to_string();
    let opened = File::open(path).map_err(|e| Error::Data { file: file.clone(), line: 0, reason: e.to_string() })?;
    read_csv(&file, BufReader::with_capacity(1 << 16, opened), label, schema)
}

/// [`csv()`] from any source; `file` is what errors call it.
///
/// # Errors
/// As [`csv()`].
pub fn read_csv<E: Element>(
    file: &str,
    source: impl Read,
    label: &LabelColumn,
    schema: Option<&Schema>,
) -> Result<(Dataset<E>, Schema)> {
    let fail = |line: u64, reason: String| Error::Data { file: file.to_owned(), line: line as usize, reason };
    let mut lines = Lines::new(source);
    let Some(first_line) = lines.next().map_err(|reason| fail(0, reason))? else {
        return Err(fail(1, "the file is empty".into()));
    };
    let width = lines.record.len();
    if width < 2 {
        let reason = format!("{width} column: at least one feature and the label are needed, separated by commas");
        return Err(fail(first_line, reason));
    }
    let names: Vec<String> = lines.record.iter().map(|f| String::from_utf8_lossy(f).into_owned()).collect();
    let names = names.iter().map(|n| n.trim_start_matches('\u{feff}').to_owned()).collect::<Vec<_>>();
    let known = ["label", "class", "target"];
    let named = |name: &str| names.iter().position(|n| n == name);
    let column = match label {
        LabelColumn::Index(i) if *i < width => *i,
        LabelColumn::Index(i) => return Err(fail(first_line, format!("there is no column {i}: there are {width}"))),
        LabelColumn::Name(name) => named(name).ok_or_else(|| {
            fail(first_line, format!("there is no column `{name}`; the first line has: {}", names.join(", ")))
        })?,
        LabelColumn::Guess => {
            let lower: Vec<String> = names.iter().map(|n| n.to_lowercase()).collect();
            known.iter().find_map(|k| lower.iter().position(|n| n == k)).unwrap_or(width - 1)
        }
    };
    let header = matches!(label, LabelColumn::Name(_))
        || names.iter().enumerate().any(|(i, n)| i != column && !n.is_empty() && n.parse::<f64>().is_err())
        || known.contains(&names[column].to_lowercase().as_str());
    let features: Vec<String> = if header {
        names.iter().enumerate().filter(|(i, _)| *i != column).map(|(_, n)| n.clone()).collect()
    } else {
        (0..width - 1).map(|i| format!("x{i}")).collect()
    };
    if let Some(schema) = schema {
        if schema.features.len() != width - 1 {
            let reason = format!("{} features, but the training set has {}", width - 1, schema.features.len());
            return Err(fail(first_line, reason));
        }
        if header && schema.header {
            let other = features.iter().zip(&schema.features).find(|(name, expected)| name != expected);
            if let Some((name, expected)) = other {
                let reason = format!("column `{name}` stands where the training set has `{expected}`");
                return Err(fail(first_line, reason));
            }
        }
    }
    let (mut numbers, mut labels) = (Vec::<E>::new(), Labels::default());
    let mut line = if header { lines.next().map_err(|reason| fail(0, reason))? } else { Some(first_line) };
    while let Some(at) = line {
        if lines.record.len() != width {
            return Err(fail(at, format!("{} fields where the first line has {width}", lines.record.len())));
        }
        for (i, field) in lines.record.iter().enumerate() {
            let text = std::str::from_utf8(field).map_err(|_| fail(at, format!("field {} is not UTF-8", i + 1)))?;
            if i == column {
                if text.is_empty() {
                    return Err(fail(at, "the label is missing".into()));
                }
                let new = labels.push(text);
                if new && schema.is_some_and(|schema| !schema.classes.iter().any(|c| c == text)) {
                    return Err(fail(at, format!("label `{text}` does not occur in the training set")));
                }
                continue;
            }
            let name = &features[if i > column { i - 1 } else { i }];
            numbers.push(element(text, name).map_err(|reason| fail(at, reason))?);
        }
        line = lines.next().map_err(|reason| fail(0, reason))?;
    }
    if labels.numbers.is_empty() {
        return Err(fail(first_line, "there is a header, but no rows".into()));
    }
    let (labels, classes) = labels.sorted(schema.map(|s| s.classes.as_slice()));
    let inputs = Tensor::new(&[labels.len(), width - 1], numbers)?;
    let data = Dataset::new(inputs, labels, classes.len())?;
    Ok((data, Schema { features, classes, label: column, header }))
}

/// Rows of numbers from a comma-separated file in the columns of a training set with these features, whose label stood at
/// `label`; a column more is taken to be the label, and not looked at. A header is left out.
///
/// # Errors
/// [`Error::Data`] as [`csv()`]; also if columns have other names.
pub fn numbers<E: Element>(path: &Path, features: &[String], label: usize) -> Result<Tensor<E>> {
    let file = path.display().to_string();
    let fail = |line: u64, reason: String| Error::Data { file: file.clone(), line: line as usize, reason };
    let opened = File::open(path).map_err(|e| fail(0, e.to_string()))?;
    let mut lines = Lines::new(BufReader::with_capacity(1 << 16, opened));
    let mut numbers = Vec::new();
    let (mut rows, mut width) = (0, None);
    while let Some(at) = lines.next().map_err(|reason| fail(0, reason))? {
        let record = &lines.record;
        let width = *width.get_or_insert(record.len());
        if record.len() != width {
            return Err(fail(at, format!("{} fields where the first line has {width}", record.len())));
        }
        if width != features.len() && width != features.len() + 1 {
            return Err(fail(at, format!("{width} fields for {} features, and perhaps a label", features.len())));
        }
        let labelled = width > features.len();
        let fields = record.iter().enumerate().filter(|(i, _)| !(labelled && *i == label)).map(|(_, field)| field);
        let texts: Vec<_> = fields.map(String::from_utf8_lossy).collect();
        if rows == 0 && texts.iter().map(AsRef::as_ref).eq(features.iter().map(String::as_str)) {
            continue;
        }
        for (text, name) in texts.iter().zip(features) {
            numbers.push(element(text, name).map_err(|reason| fail(at, reason))?);
        }
        rows += 1;
    }
    if rows == 0 {
        return Err(fail(1, "there are no rows".into()));
    }
    Ok(Tensor::new(&[rows, features.len()], numbers)?)
}

/// A field that must be a number.
pub(super) fn finite(text: &str, name: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ if text.is_empty() => Err(format!("`{name}` is missing")),
        _ => Err(format!("`{name}` is `{text}`, no finite number")),
    }
}

/// A field as an element: it must be finite as such, too.
fn element<E: Element>(text: &str, name: &str) -> std::result::Result<E, String> {
    let x = E::from_f64(finite(text, name)?);
    if x.to_f64().is_finite() { Ok(x) } else { Err(format!("`{name}` is `{text}`, too large for {}", E::NAME)) }
}

/// The records of a file, one at a time, with the number of their line.
pub(super) struct Lines<R> {
    reader: csv::Reader<R>,
    pub(super) record: csv::ByteRecord,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        let mut builder = csv::ReaderBuilder::new();
        let reader = builder.has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(source);
        Self { reader, record: csv::ByteRecord::new() }
    }

    pub(super) fn next(&mut self) -> std::result::Result<Option<u64>, String> {
        let found = self.reader.read_byte_record(&mut self.record).map_err(|e| e.to_string())?;
        Ok(found.then(|| self.record.position().map_or(0, csv::Position::line)))
    }
}

/// Labels as numbers, in the order they were met.
#[derive(Default)]
struct Labels {
    names: Vec<String>,
    known: std::collections::HashMap<String, usize>,
    numbers: Vec<usize>,
}

impl Labels {
    /// Whether it is a new one.
    fn push(&mut self, name: &str) -> bool {
        let known = self.known.get(name).copied();
        let number = known.unwrap_or(self.names.len());
        if known.is_none() {
            self.names.push(name.to_owned());
            self.known.insert(name.to_owned(), number);
        }
        self.numbers.push(number);
        known.is_none()
    }

    /// Renumbered in the order of the classes: those given, or sorted.
    fn sorted(self, classes: Option<&[String]>) -> (Vec<usize>, Vec<String>) {
        let classes = classes.map_or_else(
            || {
                let mut classes = self.names.clone();
                let number = |s: &String| s.parse::<f64>().ok();
                if classes.iter().all(|c| number(c).is_some()) {
                    classes.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(std::cmp::Ordering::Equal));
                } else {
                    classes.sort();
                }
                classes
            },
            <[String]>::to_vec,
        );
        let place = |name: &String| classes.iter().position(|c| c == name).unwrap_or(0);
        let places: Vec<usize> = self.names.iter().map(place).collect();
        (self.numbers.iter().map(|&i| places[i]).collect(), classes)
    }
}
