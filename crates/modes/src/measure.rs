//! Timing.

use std::time::Instant;

/// The time of one run, from many.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Timing {
    /// Half of the samples are faster.
    pub median: f64,
    /// A quarter of the samples are faster.
    pub lower: f64,
    /// A quarter of the samples are slower.
    pub upper: f64,
    /// Number of samples; short runs are timed in groups.
    pub samples: usize,
}

impl Timing {
    /// The distance between the quartiles, as a fraction of the median.
    pub fn spread(&self) -> f64 {
        (self.upper - self.lower) / self.median
    }
}

/// Times a function for about so many seconds, at least five samples.
pub(crate) fn time(seconds: f64, mut f: impl FnMut()) -> Timing {
    let start = Instant::now();
    f();
    let once = start.elapsed().as_secs_f64().max(1e-9);
    // Groups long enough for the clock.
    let group = (2e-5 / once).clamp(1.0, 1e5) as usize;
    let mut samples = Vec::new();
    let begin = Instant::now();
    while samples.len() < 5 || (begin.elapsed().as_secs_f64() < seconds && samples.len() < 10_000) {
        let start = Instant::now();
        (0..group).for_each(|_| f());
        samples.push(start.elapsed().as_secs_f64() / group as f64);
    }
    samples.sort_by(f64::total_cmp);
    let at = |fraction: f64| samples[((samples.len() - 1) as f64 * fraction).round() as usize];
    Timing { median: at(0.5), lower: at(0.25), upper: at(0.75), samples: samples.len() }
}
