//! NumPy's files of one array. The format is a line of text and the numbers; libraries that read it bring a parser generator
//! with a C compiler.

use super::{Dataset, Schema};
use crate::error::{Error, Result};
use autodiff::{Element, Tensor, Value};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

/// The type of the numbers, little-endian.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
}

/// Up to here every whole number is an `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What stands before the numbers.
struct Header {
    kind: Kind,
    bytes: usize,
    shape: Vec<usize>,
}

/// An array of an `.npy` file (`numpy.save`), with its shape: booleans, integers of 1 to 8 bytes and floats of 4 or 8, in C order.
///
/// Time and memory: one pass; the numbers, and a buffer.
///
/// # Errors
/// [`Error::Data`] if it cannot be read: no such file, another format, type or order, fewer or more numbers than its shape
/// says, a number that is not finite.
pub fn npy<E: Element>(path: &Path) -> Result<Tensor<E>> {
    let fail = |reason: String| Error::Data { file: path.display().to_string(), line: 0, reason };
    let (mut source, header) = open(path)?;
    let count = header.shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
    let count = count.ok_or_else(|| fail(format!("the shape {:?} is too large", header.shape)))?;
    // The file's length, not its claim, decides what is allocated.
    let mut numbers = Vec::with_capacity(count.min(1 << 20));
    let mut item = [0; 8];
    for i in 0..count {
        let bytes = &mut item[..header.bytes];
        source.read_exact(bytes).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => fail(format!("it ends after {i} of {count} numbers, shape {:?}", header.shape)),
            _ => fail(e.to_string()),
        })?;
        let x = number(header.kind, bytes);
        let narrow = E::from_f64(x);
        if !narrow.to_f64().is_finite() {
            return Err(fail(format!("number {i} is {x}, which is not finite as {}", E::NAME)));
        }
        if matches!(header.kind, Kind::Signed | Kind::Unsigned) && x.abs() > EXACT {
            return Err(fail(format!("number {i} is {x:.0}: whole numbers beyond 2⁵³ would be rounded")));
        }
        numbers.push(narrow);
    }
    if source.read(&mut item).map_err(|e| fail(e.to_string()))? > 0 {
        return Err(fail(format!("it goes on after {count} numbers, shape {:?}", header.shape)));
    }
    Ok(Tensor::new(&header.shape, numbers)?)
}

/// The shape of the array of an `.npy` file; its numbers are not read.
///
/// # Errors
/// As [`npy`].
pub fn npy_shape(path: &Path) -> Result<Vec<usize>> {
    Ok(open(path)?.1.shape)
}

fn open(path: &Path) -> Result<(BufReader<File>, Header)> {
    let fail = |reason: String| Error::Data { file: path.display().to_string(), line: 0, reason };
    let mut source = BufReader::with_capacity(1 << 16, File::open(path).map_err(|e| fail(e.to_string()))?);
    let header = header(&mut source).map_err(fail)?;
    Ok((source, header))
}

fn header(source: &mut impl Read) -> std::result::Result<Header, String> {
    let short = |e: std::io::Error| match e.kind() {
        ErrorKind::UnexpectedEof => "it is no .npy file: too short".to_owned(),
        _ => e.to_string(),
    };
    let mut start = [0; 8];
    source.read_exact(&mut start).map_err(short)?;
    if start[..6] != *b"\x93NUMPY" {
        return Err("it is no .npy file".into());
    }
    let mut length = [0; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    source.read_exact(&mut length[..width]).map_err(short)?;
    let length = u64::from(u32::from_le_bytes(length));
    let mut text = Vec::new();
    source.take(length).read_to_end(&mut text).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let value = |key: &str| {
        let quoted = [format!("'{key}':"), format!("\"{key}\":")];
        let at = quoted.iter().find_map(|key| text.find(key).map(|at| at + key.len()));
        at.map(|at| text[at..].trim_start()).ok_or_else(|| format!("its header has no `{key}`: {text}"))
    };
    if !value("fortran_order")?.starts_with("False") {
        return Err("it is in Fortran order; save numpy.ascontiguousarray(x)".into());
    }
    let kind = value("descr")?;
    let mut quotes = kind.split(['\'', '"']);
    let name = quotes.nth(1).unwrap_or_default();
    let kinds: &[(Kind, usize, &[&str])] = &[
        (Kind::Bool, 1, &["|b1"]),
        (Kind::Signed, 1, &["|i1"]),
        (Kind::Signed, 2, &["<i2"]),
        (Kind::Signed, 4, &["<i4"]),
        (Kind::Signed, 8, &["<i8"]),
        (Kind::Unsigned, 1, &["|u1"]),
        (Kind::Unsigned, 2, &["<u2"]),
        (Kind::Unsigned, 4, &["<u4"]),
        (Kind::Unsigned, 8, &["<u8"]),
        (Kind::Float, 4, &["<f4"]),
        (Kind::Float, 8, &["<f8"]),
    ];
    let found = kinds.iter().find(|(_, _, names)| names.contains(&name));
    let Some(&(kind, bytes, _)) = found else {
        return Err(format!("its type is `{name}`; save x.astype('float32')"));
    };
    let shape = value("shape")?;
    let inside = shape.strip_prefix('(').and_then(|s| s.split_once(')')).map(|(inside, _)| inside);
    let inside = inside.ok_or_else(|| format!("its shape is no shape: {shape}"))?;
    let sizes = inside.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::parse::<usize>);
    let shape = sizes.collect::<std::result::Result<_, _>>().map_err(|_| format!("its shape is no shape: {shape}"))?;
    Ok(Header { kind, bytes, shape })
}

fn number(kind: Kind, bytes: &[u8]) -> f64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let unsigned = u64::from_le_bytes(wide);
    match (kind, bytes.len()) {
        (Kind::Float, 4) => f64::from(f32::from_bits(unsigned as u32)),
        (Kind::Float, _) => f64::from_bits(unsigned),
        (Kind::Signed, n) => {
            // The sign of the item's highest bit goes up to the top.
            let shift = 64 - 8 * n as u32;
            ((unsigned << shift) as i64 >> shift) as f64
        }
        (Kind::Bool, _) => f64::from(unsigned != 0),
        (Kind::Unsigned, _) => unsigned as f64,
    }
}

/// Examples from two `.npy` files: features `[examples, …]`, of which all axes but the first are one after the other in a row,
/// and labels `[examples]`, whole numbers. Classes are the labels that occur, in order; with a `schema` (of the training
/// set), those that it knows.
///
/// # Errors
/// As [`npy`], and if the arrays do not fit each other or the schema.
pub fn npy_pair<E: Element>(features: &Path, labels: &Path, schema: Option<&Schema>) -> Result<(Dataset<E>, Schema)> {
    let fail = |path: &Path, reason: String| Err(Error::Data { file: path.display().to_string(), line: 0, reason });
    // Adding zero makes −0 the same class as 0.
    let (x, y) = (npy::<E>(features)?, npy::<f64>(labels)? + 0.0);
    if x.rank() < 2 || x.is_empty() {
        return fail(features, format!("shape {:?}: examples in rows are needed, [examples, features]", x.dims()));
    }
    let (rows, width) = (x.dims()[0], x.dims()[1..].iter().product());
    if y.dims() != [rows] {
        return fail(labels, format!("shape {:?} for the labels of {rows} examples", y.dims()));
    }
    if let Some((i, label)) = y.data().iter().enumerate().find(|(_, y)| y.fract() != 0.0) {
        return fail(labels, format!("label {i} is {label}, no whole number"));
    }
    if let Some(schema) = schema.filter(|schema| schema.features.len() != width) {
        return fail(features, format!("{width} features, but the training set has {}", schema.features.len()));
    }
    let names: Vec<String> = schema.map_or_else(
        || {
            let mut distinct = y.data().to_vec();
            distinct.sort_by(f64::total_cmp);
            distinct.dedup();
            distinct.iter().map(f64::to_string).collect()
        },
        |schema| schema.classes.clone(),
    );
    let known: std::collections::HashMap<&str, usize> =
        names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
    let mut numbers = Vec::with_capacity(rows);
    for (i, label) in y.data().iter().enumerate() {
        let Some(number) = known.get(label.to_string().as_str()) else {
            return fail(labels, format!("label {label} (number {i}) does not occur in the training set"));
        };
        numbers.push(*number);
    }
    let data = Dataset::new(x.reshape(&[rows, width]), numbers, names.len())?;
    let features = (0..width).map(|i| format!("x{i}")).collect();
    Ok((data, Schema { features, classes: names, label: width, header: false }))
}
