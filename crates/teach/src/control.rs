//! What can be set on a page, and what it is set to.

/// Something that can be set.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// A number on a slider.
    Range {
        /// Its name in the query.
        name: &'static str,
        /// What it is.
        label: &'static str,
        /// From.
        least: f64,
        /// To.
        most: f64,
        /// In steps of.
        step: f64,
        /// At first.
        default: f64,
    },
    /// A number on a slider that a button moves by itself: time.
    Time {
        /// Its name in the query.
        name: &'static str,
        /// What it is.
        label: &'static str,
        /// Up to; from 0 in steps of 1.
        most: f64,
        /// At first.
        default: f64,
        /// How many steps one answer may add to those that were computed already: the page asks for a later time in such
        /// strides.
        stride: f64,
    },
    /// One of several words.
    Choice {
        /// Its name in the query.
        name: &'static str,
        /// What it is.
        label: &'static str,
        /// The words; the first is the default.
        options: &'static [&'static str],
    },
    /// A line of text.
    Text {
        /// Its name in the query.
        name: &'static str,
        /// What it is.
        label: &'static str,
        /// At first.
        default: &'static str,
    },
}

impl Control {
    /// A number on a slider.
    pub(crate) fn range(
        name: &'static str,
        label: &'static str,
        (least, most): (f64, f64),
        step: f64,
        default: f64,
    ) -> Self {
        Self::Range { name, label, least, most, step, default }
    }

    /// Its name in the query.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Range { name, .. }
            | Self::Time { name, .. }
            | Self::Choice { name, .. }
            | Self::Text { name, .. } => name,
        }
    }
}

/// Settings, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    numbers: Vec<(&'static str, f64)>,
    words: Vec<(&'static str, String)>,
}

impl Values {
    /// Settings from a query like `T=50&K=10`, percent-encoded; what is not there is at its default.
    ///
    /// # Errors
    /// A name that there is not, a number that is none or outside of its range, a word that is no option.
    pub fn read(controls: &[Control], query: &str) -> Result<Self, String> {
        let mut given: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !controls.iter().any(|c| c.name() == name) {
                let names: Vec<&str> = controls.iter().map(Control::name).collect();
                return Err(format!("there is no `{name}` to set; there are {}", names.join(", ")));
            }
            given.push((name.to_owned(), decode(value)));
        }
        let found = |name: &str| given.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let (mut numbers, mut words) = (Vec::new(), Vec::new());
        for control in controls {
            let name = control.name();
            match *control {
                Control::Range { default, least, most, .. } => {
                    numbers.push((name, number(name, found(name), default, least, most)?));
                }
                Control::Time { default, most, .. } => {
                    numbers.push((name, number(name, found(name), default, 0.0, most)?));
                }
                Control::Choice { options, .. } => {
                    let word = found(name).unwrap_or(options[0]);
                    if !options.contains(&word) {
                        return Err(format!("{name}: `{word}` is none of {}", options.join(", ")));
                    }
                    words.push((name, word.to_owned()));
                }
                Control::Text { default, .. } => words.push((name, found(name).unwrap_or(default).to_owned())),
            }
        }
        Ok(Self { numbers, words })
    }

    /// The same but for the time: settings that a run shares with all its moments.
    pub fn without(&self, time: &str) -> Self {
        let numbers = self.numbers.iter().filter(|(name, _)| *name != time).copied().collect();
        Self { numbers, words: self.words.clone() }
    }

    /// A number.
    ///
    /// # Panics
    /// If there is no control of this name.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        let found = self.numbers.iter().find(|(n, _)| *n == name);
        found.unwrap_or_else(|| panic!("there is no control `{name}`")).1
    }

    /// A whole number.
    ///
    /// # Panics
    /// As [`number`](Values::number).
    #[track_caller]
    pub fn count(&self, name: &str) -> usize {
        self.number(name).round().max(0.0) as usize
    }

    /// A word or a line of text.
    ///
    /// # Panics
    /// As [`number`](Values::number).
    #[track_caller]
    pub fn word(&self, name: &str) -> &str {
        let found = self.words.iter().find(|(n, _)| *n == name);
        &found.unwrap_or_else(|| panic!("there is no control `{name}`")).1
    }
}

fn number(name: &str, text: Option<&str>, default: f64, least: f64, most: f64) -> Result<f64, String> {
    let Some(text) = text else { return Ok(default) };
    match text.parse::<f64>() {
        Ok(x) if (least..=most).contains(&x) => Ok(x),
        Ok(x) => Err(format!("{name}: {x} is not between {least} and {most}")),
        Err(_) => Err(format!("{name}: `{text}` is no number")),
    }
}

/// `%20` and `+` as what they stand for; what is no encoding stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let pair = text.get(i + 1..i + 3).filter(|_| bytes[i] == b'%');
        let (byte, width) = match (bytes[i], pair.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (_, Some(byte)) => (byte, 3),
            (b'+', _) => (b' ', 1),
            (byte, _) => (byte, 1),
        };
        out.push(byte);
        i += width;
    }
    String::from_utf8_lossy(&out).into_owned()
}
