//! Label noise, with its convention stated.

use super::{Transition, shuffled};
use crate::Rng;
use crate::error::{Error, Result, configuration};
use rand::RngExt;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Which labels are changed, and to what.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Noise {
    /// Each label is redrawn with this probability, uniformly over **all** classes: on average `rate·(1 − 1/classes)`
    /// of the labels are wrong.
    Uniform(f64),
    /// Exactly this fraction of the labels (rounded to a whole number) is moved to one of the **other** classes,
    /// uniformly: that fraction is wrong.
    UniformOther(f64),
    /// Each label is replaced by one class with this probability; the labels of that class stay.
    Flip {
        /// The probability.
        rate: f64,
        /// The class.
        to: usize,
    },
    /// Each label is replaced by that of the next class (the last by the first) with this probability.
    Next(f64),
    /// Each label is redrawn by the probabilities in the row of its class.
    Asymmetric(Transition),
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform(rate) => write!(f, "uniform:{rate}"),
            Self::UniformOther(rate) => write!(f, "uniform-other:{rate}"),
            Self::Flip { rate, to } => write!(f, "flip:{rate}:{to}"),
            Self::Next(rate) => write!(f, "flip:{rate}"),
            Self::Asymmetric(transition) => write!(f, "asym:{}", transition.name()),
        }
    }
}

/// `uniform:RATE`, `uniform-other:RATE`, `flip:RATE`, `flip:RATE:CLASS` or `asym:FILE`, as `Display` writes it; a bare rate is
/// `uniform-other`. The file, read at once, is that of [`Transition::read`].
impl FromStr for Noise {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let reason = format!(
                "`{text}` is none of uniform:RATE, uniform-other:RATE, flip:RATE, flip:RATE:CLASS, asym:FILE, RATE"
            );
            Error::Configuration { setting: "noise", reason }
        };
        let (name, values) = text.split_once(':').unwrap_or(("uniform-other", text));
        let rate = |text: &str| match text.parse::<f64>() {
            Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
            Ok(rate) => configuration("noise", format!("rate {rate} is not between 0 and 1")),
            Err(_) => Err(wrong()),
        };
        match name {
            "uniform" => Ok(Self::Uniform(rate(values)?)),
            "uniform-other" => Ok(Self::UniformOther(rate(values)?)),
            "flip" => {
                let Some((value, to)) = values.split_once(':') else { return Ok(Self::Next(rate(values)?)) };
                Ok(Self::Flip { rate: rate(value)?, to: to.parse().map_err(|_| wrong())? })
            }
            "asym" => Ok(Self::Asymmetric(Transition::read(Path::new(values))?)),
            _ => Err(wrong()),
        }
    }
}

impl Noise {
    /// The noisy labels.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) for a rate outside [0, 1], too few classes, or a transition matrix
    /// of another number of classes.
    pub fn apply(&self, labels: &[usize], classes: usize, rng: &mut Rng) -> Result<Vec<usize>> {
        if let Self::Uniform(rate) | Self::UniformOther(rate) | Self::Flip { rate, .. } | Self::Next(rate) = *self
            && !(0.0..=1.0).contains(&rate)
        {
            return configuration("noise", format!("rate {rate} is not between 0 and 1"));
        }
        let mut noisy = labels.to_vec();
        match *self {
            Self::Asymmetric(ref transition) => transition.redraw(&mut noisy, classes, rng)?,
            Self::Uniform(rate) => {
                for label in &mut noisy {
                    if rng.random_bool(rate) {
                        *label = rng.random_range(0..classes);
                    }
                }
            }
            Self::UniformOther(rate) => {
                if classes < 2 {
                    return configuration("noise", "moving labels to another class needs at least two classes");
                }
                let wrong = (rate * labels.len() as f64).round() as usize;
                for i in shuffled(labels.len(), rng).into_iter().take(wrong) {
                    noisy[i] = (labels[i] + rng.random_range(1..classes)) % classes;
                }
            }
            Self::Next(rate) => {
                for label in &mut noisy {
                    if rng.random_bool(rate) {
                        *label = (*label + 1) % classes.max(1);
                    }
                }
            }
            Self::Flip { rate, to } => {
                if to >= classes {
                    return configuration("noise", format!("class {to} is not below the number of classes, {classes}"));
                }
                for label in &mut noisy {
                    if rng.random_bool(rate) {
                        *label = to;
                    }
                }
            }
        }
        Ok(noisy)
    }
}
