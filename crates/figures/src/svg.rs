//! Text of SVG.

use std::fmt::Write;

/// A growing document.
#[derive(Debug, Default)]
pub(crate) struct Svg {
    pub(crate) text: String,
}

/// Where text stands against its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A coordinate in hundredths, without zeros at its end.
pub(crate) fn number(x: f64) -> String {
    let rounded = (x * 100.0).round() / 100.0;
    // Adding zero makes −0 a 0.
    format!("{}", rounded + 0.0)
}

/// Text that may stand in SVG and HTML, also between double quotes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Svg {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A path through points; `style` are its attributes.
    pub(crate) fn path(&mut self, points: &[(f64, f64)], closed: bool, style: &str) {
        let mut d = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{} {}", if i == 0 { "M" } else { "L" }, number(*x), number(*y));
        }
        if closed {
            d.push('Z');
        }
        self.push(&format!("<path d=\"{d}\" {style}/>"));
    }

    pub(crate) fn label(&mut self, (x, y): (f64, f64), anchor: Anchor, style: &str, text: &str) {
        let (x, y, anchor, text) = (number(x), number(y), anchor.name(), escape(text));
        self.push(&format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" {style}>{text}</text>"));
    }

    pub(crate) fn rectangle(&mut self, [x0, y0, x1, y1]: [f64; 4], style: &str) {
        let (x, y) = (number(x0.min(x1)), number(y0.min(y1)));
        let (width, height) = (number((x1 - x0).abs()), number((y1 - y0).abs()));
        self.push(&format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {style}/>"));
    }

    pub(crate) fn circle(&mut self, (x, y): (f64, f64), radius: f64, style: &str) {
        let (x, y, r) = (number(x), number(y), number(radius));
        self.push(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" {style}/>"));
    }
}
