//! What conjugate gradients say about the spectrum, for free.

/// The coefficients of a run of conjugate gradients: they are those of the Lanczos process, whose tridiagonal matrix has
/// the Ritz values as eigenvalues. (Golub, Van Loan: Matrix computations, section 11.3.)
#[derive(Clone, Debug, Default)]
pub(crate) struct Lanczos {
    steps: Vec<f64>,
    ratios: Vec<f64>,
}

impl Lanczos {
    /// An iteration's step length, and `‖r₊‖²/‖r‖²`.
    pub(super) fn push(&mut self, step: f64, ratio: f64) {
        self.steps.push(step);
        self.ratios.push(ratio);
    }

    /// The smallest and the largest Ritz value: inside the spectrum, and close to its ends after some iterations.
    ///
    /// Time: linear in the iterations.
    pub(crate) fn extremes(&self) -> Option<(f64, f64)> {
        let k = self.steps.len();
        if k == 0 {
            return None;
        }
        let diagonal: Vec<f64> = (0..k)
            .map(|i| 1.0 / self.steps[i] + if i > 0 { self.ratios[i - 1] / self.steps[i - 1] } else { 0.0 })
            .collect();
        let squares: Vec<f64> = (1..k).map(|i| self.ratios[i - 1] / self.steps[i - 1].powi(2)).collect();
        // All eigenvalues are in Gershgorin's interval.
        let reach = |i: usize| {
            let side = |j: Option<usize>| j.and_then(|j| squares.get(j)).map_or(0.0, |s| s.sqrt());
            side(i.checked_sub(1)) + side(Some(i))
        };
        let low = (0..k).map(|i| diagonal[i] - reach(i)).fold(f64::INFINITY, f64::min);
        let high = (0..k).map(|i| diagonal[i] + reach(i)).fold(f64::NEG_INFINITY, f64::max);
        // How many are below x: the negative pivots of T − x.
        let below = |x: f64| {
            let mut pivot = 1.0;
            (0..k)
                .filter(|&i| {
                    let off = if i > 0 { squares[i - 1] / pivot } else { 0.0 };
                    pivot = diagonal[i] - x - off;
                    if pivot == 0.0 {
                        pivot = f64::MIN_POSITIVE;
                    }
                    pivot < 0.0
                })
                .count()
        };
        let bisect = |many: usize| {
            let (mut a, mut b) = (low, high);
            for _ in 0..64 {
                let middle = 0.5 * (a + b);
                if below(middle) < many { a = middle } else { b = middle }
            }
            0.5 * (a + b)
        };
        Some((bisect(1), bisect(k)))
    }
}
