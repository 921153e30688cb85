//! What is drawn on the axes.

use crate::color::{COLORS, Color};

/// A named row of points.
#[derive(Clone, Debug)]
pub struct Series {
    pub(crate) label: String,
    pub(crate) color: Color,
    pub(crate) points: Vec<(f64, f64)>,
    /// x, low, high.
    pub(crate) band: Vec<(f64, f64, f64)>,
    pub(crate) dashed: bool,
    pub(crate) radius: f64,
}

impl Series {
    /// Points with a name, which stands where they end; an empty name is not written.
    pub fn new(label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            label: label.into(),
            color: COLORS[0],
            points: points.into_iter().collect(),
            band: Vec::new(),
            dashed: false,
            radius: 3.0,
        }
    }

    /// In a colour.
    #[must_use]
    pub fn color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    /// With a band behind it: x, low, high.
    #[must_use]
    pub fn band(mut self, band: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        self.band = band.into_iter().collect();
        self
    }

    /// As a broken line.
    #[must_use]
    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }

    /// With points of another size, in pixels; 3 if not given.
    #[must_use]
    pub fn radius(mut self, radius: f64) -> Self {
        self.radius = radius;
        self
    }
}

/// A shape on the axes.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    Line(Series),
    Points(Series),
    /// Rectangles: x from, x to, y from, y to.
    Boxes {
        label: String,
        color: Color,
        boxes: Vec<[f64; 4]>,
        opacity: f64,
    },
    Arrow {
        label: String,
        color: Color,
        from: (f64, f64),
        to: (f64, f64),
    },
    /// A circle or a square around a point, of this radius in pixels.
    Ring {
        at: (f64, f64),
        color: Color,
        radius: f64,
        square: bool,
    },
    /// A text beside a point.
    Note {
        at: (f64, f64),
        color: Color,
        text: String,
    },
    /// Segments between pairs of points.
    Segments {
        color: Color,
        segments: Vec<[(f64, f64); 2]>,
        opacity: f64,
    },
}
