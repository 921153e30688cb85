//! Checking derivatives: against finite differences, against the other mode, by the dot-product test, to any order.
//!
//! Derivatives are linear maps, so they are checked as such. For a random direction `t` and a random cotangent `c`,
//! `J·t` by forward mode must equal a central difference of `f(x + h·t)`, and `⟨c, J·t⟩ = ⟨Jᵀ·c, t⟩` must hold between
//! forward and reverse mode to rounding. For order `k` this is done to the derivative programs of order `k − 1`, for
//! every sequence of modes: forward over reverse, reverse over reverse, and so on, `2ᵏ` of them.

use crate::error::Result;
use crate::program::{Disconnected, Program};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::value::Value;
use crate::var::Var;
use crate::{Abstract, Error};
use std::fmt;

/// A way to take one derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// JVP.
    Forward,
    /// VJP.
    Reverse,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        })
    }
}

/// What a derivative was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// A central difference, fourth order in the step.
    FiniteDifference,
    /// The same number from the other mode: `⟨c, J·t⟩` and `⟨Jᵀ·c, t⟩`.
    OtherMode,
}

/// One comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The modes, first applied first.
    pub modes: Vec<Mode>,
    /// What was compared with.
    pub against: Against,
    /// The output, or `None` for a dot product.
    pub output: Option<usize>,
    /// The derivative.
    pub derivative: f64,
    /// What it should be.
    pub expected: f64,
    /// The difference, relative to the size of the numbers involved.
    pub error: f64,
    /// The error allowed.
    pub tolerance: f64,
}

impl Comparison {
    /// Whether the error is within the tolerance. NaN is not.
    pub fn passes(&self) -> bool {
        self.error <= self.tolerance
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modes: Vec<String> = self.modes.iter().rev().map(Mode::to_string).collect();
        write!(f, "{}", modes.join(" over "))?;
        match self.output {
            Some(output) => write!(f, ", output {output}")?,
            None => f.write_str(", dot product")?,
        }
        let against = match self.against {
            Against::FiniteDifference => "finite difference",
            Against::OtherMode => "other mode",
        };
        write!(
            f,
            ": derivative {:e}, {against} {:e}, error {:.1e} (allowed {:.0e})",
            self.derivative, self.expected, self.error, self.tolerance
        )
    }
}

/// All comparisons of a check. `Display` prints the failures, or one line if there are none.
#[derive(Clone, Debug)]
pub struct Report {
    /// The comparisons made.
    pub comparisons: Vec<Comparison>,
}

impl Report {
    /// Whether every comparison passes.
    pub fn passes(&self) -> bool {
        self.comparisons.iter().all(Comparison::passes)
    }

    /// The comparisons that fail.
    pub fn failures(&self) -> impl Iterator<Item = &Comparison> {
        self.comparisons.iter().filter(|c| !c.passes())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, failed) = (self.comparisons.len(), self.failures().count());
        if failed == 0 {
            let worst = self.comparisons.iter().map(|c| c.error).fold(0.0, f64::max);
            return write!(f, "derivatives agree: {all} comparisons, largest error {worst:.1e}");
        }
        write!(f, "{failed} of {all} comparisons of derivatives fail:")?;
        self.failures().take(10).try_for_each(|c| write!(f, "\n  {c}"))?;
        if failed > 10 { write!(f, "\n  … and {} more", failed - 10) } else { Ok(()) }
    }
}

/// Settings of a check.
///
/// ```
/// use autodiff::{Tensor, Value, check::Check};
/// let x = [Tensor::from([0.3, -0.8]), Tensor::from([1.2, 0.5])];
/// let report = Check::new().order(3).closure(|x| vec![(x[0] * x[1].exp()).tanh()], &x)?;
/// assert!(report.passes(), "{report}");
/// # Ok::<(), autodiff::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Check {
    order: usize,
    tolerance: f64,
    step: f64,
}

impl Default for Check {
    fn default() -> Self {
        // The step balances truncation, h⁴, against rounding, ε/h.
        Self { order: 1, tolerance: 1e-7, step: f64::EPSILON.powf(0.2) }
    }
}

impl Check {
    /// First order, an error of 1e-7 against finite differences.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks derivatives up to this order.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// The error allowed against finite differences, relative to the size of the numbers involved.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The step of the finite differences, relative to directions of size one.
    #[must_use]
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// Checks a closure at a point.
    ///
    /// # Errors
    /// What recording the closure gives.
    pub fn closure<F>(&self, f: F, x: &[Tensor<f64>]) -> Result<Report>
    where
        F: for<'t> FnOnce(&[Var<'t, Abstract>]) -> Vec<Var<'t, Abstract>>,
    {
        let shapes: Vec<Shape> = x.iter().map(Value::shape).collect();
        let wrt: Vec<usize> = (0..x.len()).collect();
        self.program(&Program::record_shapes(&shapes, f)?, &wrt, x)
    }

    /// Checks a program at a point, with respect to the inputs `wrt`.
    ///
    /// Time: `O(2ᵏ)` runs of derivative programs of order `k`, each for one direction.
    ///
    /// # Errors
    /// [`Error::Count`], [`Error::Input`] or [`Error::Index`] if the point does not fit the program.
    pub fn program(&self, program: &Program, wrt: &[usize], x: &[Tensor<f64>]) -> Result<Report> {
        program.run(x)?;
        if let Some(&index) = wrt.iter().find(|&&i| i >= x.len()) {
            return Err(Error::Index { what: "program input", index, len: x.len() });
        }
        let mut report = Report { comparisons: Vec::new() };
        self.descend(program, wrt, x, &mut Vec::new(), &mut report)?;
        Ok(report)
    }

    fn descend(
        &self,
        f: &Program,
        wrt: &[usize],
        x: &[Tensor<f64>],
        modes: &mut Vec<Mode>,
        report: &mut Report,
    ) -> Result<()> {
        if modes.len() == self.order {
            return Ok(());
        }
        let salt = modes.len() as f64 + modes.iter().filter(|m| **m == Mode::Reverse).count() as f64 * 0.37;
        let values = f.run(x)?;
        let tangents: Vec<Tensor<f64>> = wrt.iter().map(|&i| direction(&x[i], salt + i as f64)).collect();
        let cotangents: Vec<Tensor<f64>> =
            values.iter().enumerate().map(|(i, y)| direction(y, salt + 0.5 - i as f64)).collect();
        let with = |extra: &[Tensor<f64>]| -> Vec<Tensor<f64>> { x.iter().chain(extra).cloned().collect() };

        let forward = f.jvp_with(wrt, Disconnected::Zeros)?;
        let reverse = f.vjp_with(wrt, Disconnected::Zeros)?;
        let forward_x = with(&tangents);
        let reverse_x = with(&cotangents);
        let pushed = forward.run(&forward_x)?.split_off(values.len());
        let pulled = reverse.run(&reverse_x)?;
        let differences = self.difference(f, wrt, x, &tangents)?;

        modes.push(Mode::Forward);
        for (output, (pushed, difference)) in pushed.iter().zip(&differences).enumerate() {
            // The error of a difference is relative to the function's values as well.
            let scale = largest(&values[output]).max(largest(difference)).max(1.0);
            for (&derivative, &expected) in pushed.data().iter().zip(difference.data()) {
                let error = (derivative - expected).abs() / scale;
                let (against, tolerance) = (Against::FiniteDifference, self.tolerance);
                let modes = modes.clone();
                report.comparisons.push(Comparison {
                    modes,
                    against,
                    output: Some(output),
                    derivative,
                    expected,
                    error,
                    tolerance,
                });
            }
        }
        modes.pop();
        modes.push(Mode::Reverse);
        let (by_forward, size_forward) = dot(&cotangents, &pushed);
        let (by_reverse, size_reverse) = dot(&pulled, &tangents);
        report.comparisons.push(Comparison {
            modes: modes.clone(),
            against: Against::OtherMode,
            output: None,
            derivative: by_reverse,
            expected: by_forward,
            error: (by_reverse - by_forward).abs() / size_forward.max(size_reverse).max(f64::MIN_POSITIVE),
            tolerance: 1e-10,
        });
        self.descend(&reverse, wrt, &reverse_x, modes, report)?;
        modes.pop();
        modes.push(Mode::Forward);
        self.descend(&forward.tangent_outputs(values.len()), wrt, &forward_x, modes, report)?;
        modes.pop();
        Ok(())
    }

    /// `(8(f₊ − f₋) − (f₊₊ − f₋₋)) / 12h` along a direction.
    fn difference(&self, f: &Program, wrt: &[usize], x: &[Tensor<f64>], t: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>> {
        let at = |h: f64| {
            let mut moved = x.to_vec();
            for (&i, t) in wrt.iter().zip(t) {
                moved[i] = &moved[i] + t * h;
            }
            f.run(&moved)
        };
        let h = self.step;
        let (near, far) = ((at(h)?, at(-h)?), (at(2.0 * h)?, at(-2.0 * h)?));
        let outputs = near.0.iter().zip(&near.1).zip(far.0.iter().zip(&far.1));
        Ok(outputs.map(|((p, m), (pp, mm))| ((p - m) * 8.0 - (pp - mm)) / (12.0 * h)).collect())
    }
}

impl Program {
    /// The outputs from one on: the tangents of a JVP.
    fn tangent_outputs(&self, from: usize) -> Self {
        self.with_outputs(self.outputs()[from..].to_vec()).without_dead_code()
    }
}

/// A direction with elements of size about one, none of them small, different for every salt.
fn direction(like: &Tensor<f64>, salt: f64) -> Tensor<f64> {
    let mut i = 0.0;
    like.map(|_| {
        i += 1.0;
        let angle = 2.399_963 * i + 1.7 * salt;
        angle.cos() + 0.3 * angle.sin().signum()
    })
}

/// `Σ a·b`, and the size of its terms.
fn dot(a: &[Tensor<f64>], b: &[Tensor<f64>]) -> (f64, f64) {
    let terms = a.iter().zip(b).flat_map(|(a, b)| a.data().iter().zip(b.data()).map(|(a, b)| a * b));
    terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
}

fn largest(x: &Tensor<f64>) -> f64 {
    x.data().iter().fold(0.0, |m, x| m.max(x.abs()))
}
