//! Timing as all peers do it.

use std::time::Instant;

/// Times of single calls.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Seconds of each call, or of each group of short ones, per call; sorted.
    pub seconds: Vec<f64>,
}

impl Timing {
    /// The median.
    pub fn median(&self) -> f64 {
        let n = self.seconds.len();
        if n.is_multiple_of(2) {
            f64::midpoint(self.seconds[n / 2 - 1], self.seconds[n / 2])
        } else {
            self.seconds[n / 2]
        }
    }

    /// The fastest.
    pub fn fastest(&self) -> f64 {
        self.seconds[0]
    }
}

/// Single calls after a warm-up of 0.4 s; short calls are timed in groups of at least 2 ms.
pub fn measure(mut call: impl FnMut(), least: usize) -> Timing {
    let since = |start: Instant| start.elapsed().as_secs_f64();
    let (mut calls, mut one, start) = (0, 1e-7_f64, Instant::now());
    while calls < 2 || (since(start) < 0.4 && calls < 500) {
        let begin = Instant::now();
        call();
        one = since(begin);
        calls += 1;
    }
    let group = ((0.002 / one.max(1e-7)) as usize).max(1);
    let (mut seconds, start) = (Vec::new(), Instant::now());
    loop {
        let begin = Instant::now();
        (0..group).for_each(|_| call());
        seconds.push(since(begin) / group as f64);
        let spent = since(start);
        if (seconds.len() >= least && spent >= 1.2) || (seconds.len() >= 3 && spent > 60.0) {
            break;
        }
    }
    seconds.sort_by(f64::total_cmp);
    Timing { seconds }
}

/// A line of the process's status, in MiB; 0 where there is none.
pub fn memory(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key));
    let number = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse::<f64>().ok());
    number.unwrap_or(0.0) / 1024.0
}
