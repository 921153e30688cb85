//! All methods on one problem, beside the truth.

use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::method::{Ask, Memory, Method};
use crate::problem::Problem;
use crate::report::Report;
use crate::vector::{axpy, count, dot, norm, unflat, unit};
use autodiff::Tensor;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::fmt;

/// What the methods are compared with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reference {
    /// The hypergradient that is known to be right.
    ClosedForm(Vec<Tensor<f64>>),
    /// Finite differences of the whole inner solve, of fourth order: by every coordinate of u if there are at most
    /// [`COORDINATES`], else along so many random directions, and what is compared is the part along those.
    FiniteDifferences(Inner),
}

/// The most coordinates of u that finite differences take one by one, and the number of directions beyond.
pub const COORDINATES: usize = 64;

/// What one method did.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub method: String,
    /// ‖h − reference‖ / ‖reference‖.
    pub relative_error: Option<f64>,
    /// Between h and the reference, in degrees.
    pub angle: Option<f64>,
    /// Evaluations.
    pub values: usize,
    /// Evaluations.
    pub gradients: usize,
    /// Evaluations.
    pub hvps: usize,
    /// Evaluations.
    pub jvps: usize,
    /// Evaluations.
    pub vjps: usize,
    /// Bytes of iterates and of tape, at most.
    pub peak_bytes: usize,
    /// Wall time of the second call: what is recorded and compiled at the first is not counted.
    pub seconds: f64,
    /// The method's own statement about its error, over ‖h‖, and whether it is a bound. Methods that differentiate a
    /// trajectory speak of the `v_T` that they reach, the others of the inner minimiser.
    pub error_estimate: Option<(f64, bool)>,
    /// Why there is no hypergradient.
    pub failure: Option<String>,
    /// What the method wants to be known.
    pub warnings: Vec<String>,
}

/// A comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// `closed-form` or `finite-differences`.
    pub reference: &'static str,
    /// How many numbers are compared: all of u, or the number of random directions.
    pub compared: usize,
    /// A method each, in the order they were given.
    pub methods: Vec<Row>,
}

impl Problem {
    /// Takes the hypergradient by every method, and compares. A method that fails gets a row that says why.
    ///
    /// Time: twice that of each method (the first call compiles), and for finite differences four inner solves for each
    /// coordinate or direction.
    ///
    /// # Errors
    /// If there is no reference to compare with: finite differences that fail, a closed form of other shapes.
    pub fn compare(
        &self,
        ask: &Ask<'_, f64>,
        methods: &[&dyn Method<f64>],
        reference: &Reference,
    ) -> Result<Comparison> {
        self.compare_with(ask, methods, reference, |_| ())
    }

    /// [`compare`](Problem::compare), telling an observer the position of each method before it begins.
    ///
    /// # Errors
    /// As [`compare`](Problem::compare).
    pub fn compare_with(
        &self,
        ask: &Ask<'_, f64>,
        methods: &[&dyn Method<f64>],
        reference: &Reference,
        mut observe: impl FnMut(usize),
    ) -> Result<Comparison> {
        let m = count(ask.u);
        let (name, directions, truth) = match reference {
            Reference::ClosedForm(exact) => {
                if exact.len() != ask.u.len() {
                    let reason = format!("{} tensors in closed form for {} of u", exact.len(), ask.u.len());
                    return crate::error::configuration("reference", reason);
                }
                for (i, (exact, u)) in exact.iter().zip(ask.u).enumerate() {
                    if exact.dims() != u.dims() {
                        let (given, expected) = (exact.dims().to_vec(), u.dims().to_vec());
                        return Err(Error::Shape { name: self.name(0, i), given, expected });
                    }
                }
                let all: Vec<_> = (0..m).map(|i| unit(i, ask.u)).collect();
                let truth = all.iter().map(|d| dot(d, exact)).collect::<Vec<f64>>();
                ("closed-form", all, truth)
            }
            Reference::FiniteDifferences(inner) => {
                let directions = directions(ask.u);
                let truth = directions.iter().map(|d| difference(ask, inner, d)).collect::<Result<_>>()?;
                ("finite-differences", directions, truth)
            }
        };
        let mut rows = Vec::with_capacity(methods.len());
        for (i, &method) in methods.iter().enumerate() {
            observe(i);
            rows.push(row(ask, method, &directions, &truth));
        }
        Ok(Comparison { reference: name, compared: directions.len(), methods: rows })
    }
}

/// Unit vectors, or random signs.
fn directions(u: &[Tensor<f64>]) -> Vec<Vec<Tensor<f64>>> {
    let m = count(u);
    if m <= COORDINATES {
        return (0..m).map(|i| unit(i, u)).collect();
    }
    let mut rng = rand_pcg::Pcg64::seed_from_u64(0);
    let scale = 1.0 / (m as f64).sqrt();
    let mut random = || {
        let signs: Vec<f64> = (0..m).map(|_| if rng.random_bool(0.5) { scale } else { -scale }).collect();
        unflat(&signs, u)
    };
    (0..COORDINATES).map(|_| random()).collect()
}

/// The derivative of the outer value along a direction, the inner problem solved anew at each point.
fn difference(ask: &Ask<'_, f64>, inner: &Inner, direction: &[Tensor<f64>]) -> Result<f64> {
    let h = 1e-3 * norm(ask.u).max(1.0) / (count(ask.u) as f64).sqrt().max(1.0);
    let h = h / norm(direction);
    let at = |h: f64| -> Result<f64> {
        let mut u = ask.u.to_vec();
        axpy(h, direction, &mut u);
        let moved = Ask { u: &u, ..*ask };
        let mut session = moved.session(inner.dynamics())?;
        let solved = inner.solve(&mut session, ask.v0, false, false)?;
        session.outer_value(&solved.v, 0)
    };
    Ok((8.0 * (at(h)? - at(-h)?) - (at(2.0 * h)? - at(-2.0 * h)?)) / (12.0 * h))
}

fn row(ask: &Ask<'_, f64>, method: &dyn Method<f64>, directions: &[Vec<Tensor<f64>>], truth: &[f64]) -> Row {
    let run = || method.hypergradient(ask, &mut Memory::default());
    let found = run().and_then(|_| run());
    let size = found.as_ref().map_or(f64::NAN, |h| norm(&h.gradient));
    let (gradient, report, failure) = match found {
        Ok(h) => (Some(h.gradient), h.report, None),
        Err(error) => (None, Report::default(), Some(error.to_string())),
    };
    let found: Option<Vec<f64>> = gradient.map(|g| directions.iter().map(|d| dot(d, &g)).collect());
    let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let relative_error = found.as_ref().map(|found| {
        let difference: Vec<f64> = found.iter().zip(truth).map(|(a, b)| a - b).collect();
        length(&difference) / length(truth)
    });
    let angle = found.as_ref().map(|found| {
        // By the half angle: exact for small ones, where the cosine is flat.
        let (a, b) = (length(found), length(truth));
        let side = |sign: f64| {
            let sum: Vec<f64> = found.iter().zip(truth).map(|(x, y)| x / a + sign * y / b).collect();
            length(&sum)
        };
        2.0 * side(-1.0).atan2(side(1.0)).to_degrees()
    });
    // What the report alone costs is no part of the method.
    let c = report.counts - report.diagnostic_counts;
    Row {
        method: method.name(),
        relative_error,
        angle,
        values: c.values,
        gradients: c.gradients,
        hvps: c.hvps,
        jvps: c.jvps,
        vjps: c.vjps,
        peak_bytes: report.trajectory_bytes + report.tape_bytes,
        seconds: report.seconds,
        error_estimate: report.error.map(|e| (e.value() / size, e.is_bound())),
        failure,
        warnings: report.warnings,
    }
}

impl Comparison {
    /// As comma-separated values with a header.
    ///
    /// # Errors
    /// [`Error::File`] if a row cannot be written.
    pub fn csv(&self) -> Result<String> {
        let fail = |reason: String| Error::File { file: "csv".into(), reason };
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = [
            "method",
            "relative_error",
            "angle_degrees",
            "values",
            "gradients",
            "hvps",
            "jvps",
            "vjps",
            "peak_bytes",
            "seconds",
            "error_estimate",
            "estimate_is_bound",
            "failure",
        ];
        writer.write_record(header).map_err(|e| fail(e.to_string()))?;
        let number = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
        for row in &self.methods {
            let record = [
                row.method.clone(),
                number(row.relative_error),
                number(row.angle),
                row.values.to_string(),
                row.gradients.to_string(),
                row.hvps.to_string(),
                row.jvps.to_string(),
                row.vjps.to_string(),
                row.peak_bytes.to_string(),
                row.seconds.to_string(),
                number(row.error_estimate.map(|e| e.0)),
                row.error_estimate.map(|e| e.1.to_string()).unwrap_or_default(),
                row.failure.clone().unwrap_or_default(),
            ];
            writer.write_record(record).map_err(|e| fail(e.to_string()))?;
        }
        let bytes = writer.into_inner().map_err(|e| fail(e.to_string()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// As JSON: the fields of [`Comparison`] and [`Row`].
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|e| Error::File { file: "json".into(), reason: e.to_string() })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22} {:>10} {:>9} {:>22} {:>7} {:>6} {:>7} {:>6} {:>10} {:>10}",
            "method", "rel. error", "angle", "says of itself", "grads", "HVPs", "JVPs", "VJPs", "bytes", "ms"
        )?;
        for row in &self.methods {
            if let Some(failure) = &row.failure {
                writeln!(f, "{:<22} {failure}", row.method)?;
                continue;
            }
            let says = match row.error_estimate {
                Some((0.0, true)) => "exact for its v_T".to_owned(),
                Some((value, true)) => format!("≤ {value:.1e} (bound)"),
                Some((value, false)) => format!("≈ {value:.1e} (estimate)"),
                None => "–".to_owned(),
            };
            writeln!(
                f,
                "{:<22} {:>10.1e} {:>8.3}° {:>22} {:>7} {:>6} {:>7} {:>6} {:>10} {:>10.3}",
                row.method,
                row.relative_error.unwrap_or(f64::NAN),
                row.angle.unwrap_or(f64::NAN),
                says,
                row.gradients,
                row.hvps,
                row.jvps,
                row.vjps,
                row.peak_bytes,
                row.seconds * 1e3
            )?;
            for warning in &row.warnings {
                writeln!(f, "{:<22} note: {warning}", "")?;
            }
        }
        write!(f, "reference: {}; {} numbers compared", self.reference, self.compared)
    }
}
