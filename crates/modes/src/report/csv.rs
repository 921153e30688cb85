//! A row a measurement.

use crate::bench::Bench;
use crate::error::{Error, Result};

/// The measurements as comma-separated values, with a header.
///
/// # Errors
/// [`Error::Csv`](crate::Error::Csv) if a row cannot be written.
pub fn csv(bench: &Bench) -> Result<String> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "function",
        "n",
        "m",
        "task",
        "mode",
        "directions",
        "median_seconds",
        "lower_quartile_seconds",
        "upper_quartile_seconds",
        "samples",
        "multiple_of_primal",
        "predicted_multiple",
        "ops",
        "flops",
        "peak_bytes",
    ])?;
    for row in &bench.rows {
        writer.write_record([
            row.function.clone(),
            row.n.to_string(),
            row.m.to_string(),
            row.task.name().to_owned(),
            row.mode.name().to_owned(),
            row.directions.to_string(),
            row.seconds.median.to_string(),
            row.seconds.lower.to_string(),
            row.seconds.upper.to_string(),
            row.seconds.samples.to_string(),
            row.multiple.to_string(),
            row.predicted.map(|p| p.to_string()).unwrap_or_default(),
            row.ops.to_string(),
            row.flops.to_string(),
            row.peak_bytes.to_string(),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|e| Error::Csv(e.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
