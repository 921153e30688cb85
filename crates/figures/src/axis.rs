//! Axes: from numbers to places, and the numbers that are written beside them.

/// How numbers are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scale {
    #[default]
    Linear,
    /// By their logarithm; what is not positive is not shown.
    Log,
    /// Whole numbers are names of things.
    Names,
}

/// What an axis shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) scale: Scale,
    /// From where to where; from the data where it is not given.
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) names: Vec<String>,
}

/// Numbers that are written on an axis, with their text.
pub(crate) type Ticks = Vec<(f64, String)>;

/// An axis that knows from where to where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fitted {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    /// Fitted to numbers. `from_zero`: bars stand on 0.
    pub(crate) fn fit(&self, numbers: impl Iterator<Item = f64>, from_zero: bool) -> Fitted {
        let shown = |x: &f64| x.is_finite() && (self.scale != Scale::Log || *x > 0.0);
        let (low, high) =
            numbers.filter(shown).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let (low, high) = match (self.range, self.scale) {
            (Some((low, high)), scale) => {
                let positive = scale != Scale::Log || low > 0.0;
                assert!(low < high && positive, "an axis from {low} to {high}, {scale:?}");
                (low, high)
            }
            (None, Scale::Names) => (-0.6, self.names.len() as f64 - 0.4),
            (None, _) if low > high => (if self.scale == Scale::Log { 0.1 } else { 0.0 }, 1.0),
            (None, Scale::Linear) => {
                let low = if from_zero { low.min(0.0) } else { low };
                let room = if high > low { 0.04 * (high - low) } else { 0.5 * high.abs().max(1.0) };
                (if from_zero && low == 0.0 { 0.0 } else { low - room }, high + room)
            }
            (None, Scale::Log) => {
                let room = if high > low { (high / low).powf(0.04).max(1.1) } else { 2.0 };
                (low / room, high * room)
            }
        };
        Fitted { scale: self.scale, low, high }
    }

    /// The numbers to write, with their text.
    pub(crate) fn ticks(&self, fitted: Fitted) -> Ticks {
        match self.scale {
            Scale::Names => self.names.iter().enumerate().map(|(i, n)| (i as f64, n.clone())).collect(),
            Scale::Linear => linear(fitted.low, fitted.high),
            Scale::Log => logarithmic(fitted.low, fitted.high),
        }
    }
}

impl Fitted {
    /// Where a number stands between 0 and 1, or outside; `None` if it cannot be shown.
    pub(crate) fn place(self, x: f64) -> Option<f64> {
        let place = match self.scale {
            Scale::Log if x > 0.0 => (x / self.low).ln() / (self.high / self.low).ln(),
            Scale::Log => return None,
            _ => (x - self.low) / (self.high - self.low),
        };
        place.is_finite().then_some(place)
    }

    /// The least number of the axis.
    pub(crate) fn low(self) -> f64 {
        self.low
    }
}

fn linear(low: f64, high: f64) -> Ticks {
    let rough = (high - low) / 5.0;
    let unit = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * unit).find(|s| *s >= rough * 0.999).unwrap_or(unit);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    let whole = (step * 1.000_001).log10().floor();
    // Large numbers share one power of ten, written with each.
    let exponent = if step >= 1e5 { (low.abs().max(high.abs()) * 1.000_001).log10().floor() } else { 0.0 };
    let digits = (exponent - whole).max(0.0) as usize;
    let text = |x: f64| {
        let number = format!("{:.digits$}", x / 10_f64.powf(exponent)).replace('-', "−");
        if exponent > 0.0 && x != 0.0 { format!("{number}·10{}", superscript(exponent as i32)) } else { number }
    };
    (first..=last).map(|i| i as f64 * step).map(|x| (x, text(x))).collect()
}

fn logarithmic(low: f64, high: f64) -> Ticks {
    let (first, last) = ((low.log10() - 1e-9).ceil() as i32, (high.log10() + 1e-9).floor() as i32);
    let plain = |x: f64, e: i32| if (-2..=4).contains(&e) { format!("{x}") } else { format!("10{}", superscript(e)) };
    if last - first < 2 {
        // Less than three decades: 1, 2 and 5 of each.
        let all = (first - 1..=last).flat_map(|e| [1.0, 2.0, 5.0].map(|m| (m, e)));
        let shown =
            all.map(|(m, e)| (m * 10_f64.powi(e), m, e)).filter(|(x, ..)| *x >= low * 0.999 && *x <= high * 1.001);
        let text = |x: f64, m: f64, e: i32| {
            if (-3..=4).contains(&e) {
                format!("{}", (x * 1e6).round() / 1e6)
            } else {
                format!("{m}·10{}", superscript(e))
            }
        };
        let shown: Ticks = shown.map(|(x, m, e)| (x, text(x, m, e))).collect();
        // Between two of them, numbers are as good as evenly spread.
        return if shown.len() < 2 { linear(low, high) } else { shown };
    }
    let every = (last - first) / 6 + 1;
    (first..=last).step_by(every as usize).map(|e| (10_f64.powi(e), plain(10_f64.powi(e), e))).collect()
}

fn superscript(n: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32('⁰' as u32 + (c as u32 - '0' as u32)).unwrap_or(c),
    };
    n.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: &[(f64, String)]) -> Vec<&str> {
        ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_range() {
        assert_eq!(texts(&linear(0.0, 1.0)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&linear(-3.2, 12.0)), ["0", "5", "10"]);
        assert_eq!(texts(&linear(-0.011, 0.012)), ["−0.010", "−0.005", "0.000", "0.005", "0.010"]);
        assert_eq!(texts(&linear(0.0, 1e6)), ["0.0", "0.2·10⁶", "0.4·10⁶", "0.6·10⁶", "0.8·10⁶", "1.0·10⁶"]);
        assert_eq!(texts(&linear(1e7, 1.04e7)), ["1.00·10⁷", "1.01·10⁷", "1.02·10⁷", "1.03·10⁷", "1.04·10⁷"]);
        assert_eq!(texts(&logarithmic(0.12, 0.19)), ["0.12", "0.14", "0.16", "0.18"]);
        assert_eq!(texts(&logarithmic(0.9, 1100.0)), ["1", "10", "100", "1000"]);
        assert_eq!(texts(&logarithmic(1e-12, 1.0)), ["10⁻¹²", "10⁻⁹", "10⁻⁶", "10⁻³", "1"]);
        assert_eq!(texts(&logarithmic(0.03, 0.6)), ["0.05", "0.1", "0.2", "0.5"]);
    }

    #[test]
    fn places_run_from_0_to_1() {
        let axis = Axis { scale: Scale::Log, range: Some((1.0, 100.0)), ..Axis::default() };
        let fitted = axis.fit(std::iter::empty(), false);
        assert!((fitted.place(10.0).unwrap() - 0.5).abs() < 1e-15);
        assert_eq!((fitted.place(0.0), fitted.place(-1.0), fitted.place(f64::NAN)), (None, None, None));
        let bars = Axis::default().fit([2.0, 4.0].into_iter(), true);
        assert_eq!(bars.place(0.0), Some(0.0));
    }
}
