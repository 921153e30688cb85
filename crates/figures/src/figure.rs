//! A figure: two axes, marks on them, and its text.

use crate::axis::{Axis, Scale, Ticks};
use crate::color::Color;
use crate::contour::level_line;
use crate::frame::{Frame, TEXT, width};
use crate::marks::{Mark, Series};
use crate::svg::{Anchor, Svg, escape, number};

/// A figure that is being put together; see the [crate's example](crate).
#[derive(Clone, Debug)]
pub struct Figure {
    title: String,
    size: (f64, f64),
    x: Axis,
    y: Axis,
    marks: Vec<Mark>,
    captioned: bool,
    bare: bool,
}

/// The style of what stands alone.
pub(crate) const ALONE: &str =
    "<style>.figure{color:#222}@media(prefers-color-scheme:dark){.figure{color:#ddd}}</style>";

/// Room above and below the axes.
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

impl Figure {
    /// An empty figure; the title describes it to those who do not see it.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            size: (560.0, 320.0),
            x: Axis::default(),
            y: Axis::default(),
            marks: Vec::new(),
            captioned: false,
            bare: false,
        }
    }

    /// Of this width and height, in pixels; 560 by 320 if not given.
    #[must_use]
    pub fn size(mut self, width: f64, height: f64) -> Self {
        self.size = (width, height);
        self
    }

    /// With its title written above it.
    #[must_use]
    pub fn captioned(mut self) -> Self {
        self.captioned = true;
        self
    }

    /// Without axes: for what is no function.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// What x is.
    #[must_use]
    pub fn x(mut self, label: impl Into<String>) -> Self {
        self.x.label = label.into();
        self
    }

    /// What y is.
    #[must_use]
    pub fn y(mut self, label: impl Into<String>) -> Self {
        self.y.label = label.into();
        self
    }

    /// x by its logarithm; numbers that are not positive are not drawn.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.x.scale = Scale::Log;
        self
    }

    /// y by its logarithm; numbers that are not positive are not drawn.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.y.scale = Scale::Log;
        self
    }

    /// x from here to there; what lies outside is cut off. Drawing panics if `low` is not below `high`, or not positive on a
    /// logarithmic axis.
    #[must_use]
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x.range = Some((low, high));
        self
    }

    /// y from here to there; what lies outside is cut off. Drawing panics if `low` is not below `high`, or not positive on a
    /// logarithmic axis.
    #[must_use]
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y.range = Some((low, high));
        self
    }

    /// A line through points in order; what cannot be drawn (NaN, not positive on a logarithmic axis) interrupts it.
    #[must_use]
    pub fn line(mut self, series: Series) -> Self {
        self.marks.push(Mark::Line(series));
        self
    }

    /// Points.
    #[must_use]
    pub fn points(mut self, series: Series) -> Self {
        self.marks.push(Mark::Points(series));
        self
    }

    /// A bar from 0 for each name, in its colour.
    #[must_use]
    pub fn bars<'a>(mut self, bars: impl IntoIterator<Item = (&'a str, f64, Color)>) -> Self {
        self.x.scale = Scale::Names;
        for (name, value, color) in bars {
            let at = self.x.names.len() as f64;
            self.x.names.push(name.to_owned());
            let boxes = vec![[at - 0.35, at + 0.35, 0.0, value]];
            self.marks.push(Mark::Boxes { label: String::new(), color, boxes, opacity: 0.9 });
        }
        self
    }

    /// How many of the values lie in each of `bins` equal parts of the range; what is not finite, or outside, is left out.
    ///
    /// # Panics
    /// If there are no bins, or the range is empty.
    #[must_use]
    #[track_caller]
    pub fn histogram(
        mut self,
        label: impl Into<String>,
        color: Color,
        values: &[f64],
        (low, high): (f64, f64),
        bins: usize,
    ) -> Self {
        assert!(bins > 0 && low < high, "histogram: {bins} bins from {low} to {high}");
        let width = (high - low) / bins as f64;
        let mut counts = vec![0_u32; bins];
        for x in values.iter().filter(|x| (low..=high).contains(*x)) {
            counts[(((x - low) / width) as usize).min(bins - 1)] += 1;
        }
        let boxes = counts.iter().enumerate().filter(|(_, n)| **n > 0);
        let at = |i: usize| low + i as f64 * width;
        let boxes = boxes.map(|(i, n)| [at(i), at(i + 1), 0.0, f64::from(*n)]).collect();
        self.marks.push(Mark::Boxes { label: label.into(), color, boxes, opacity: 0.55 });
        self
    }

    /// A row of cells from one x to another, each darker the larger its value is (0 to 1), between two y.
    #[must_use]
    pub fn strip(mut self, color: Color, x: (f64, f64), y: (f64, f64), values: &[f64]) -> Self {
        let step = (x.1 - x.0) / values.len().max(1) as f64;
        let mut at = 0;
        // Neighbours of one value are one box.
        for run in values.chunk_by(|a, b| a == b) {
            let [from, to] = [at, at + run.len()].map(|i| x.0 + i as f64 * step);
            at += run.len();
            if run[0] > 0.0 {
                let boxes = vec![[from, to, y.0, y.1]];
                self.marks.push(Mark::Boxes { label: String::new(), color, boxes, opacity: run[0].min(1.0) });
            }
        }
        self
    }

    /// Level lines of values on a grid, row by row from the lowest y, over a range of x and y.
    ///
    /// # Panics
    /// If the number of values is no multiple of the number of columns.
    #[must_use]
    #[track_caller]
    pub fn contours(
        mut self,
        color: Color,
        values: &[f64],
        columns: usize,
        (x, y): ((f64, f64), (f64, f64)),
        levels: &[f64],
    ) -> Self {
        assert!(
            columns > 1 && values.len().is_multiple_of(columns),
            "contours: {} values in {columns} columns",
            values.len()
        );
        let rows = values.len() / columns;
        let place = |(i, j): (f64, f64)| {
            (x.0 + i / (columns - 1) as f64 * (x.1 - x.0), y.0 + j / (rows.max(2) - 1) as f64 * (y.1 - y.0))
        };
        for level in levels {
            let segments = level_line(values, columns, *level).into_iter().map(|[a, b]| [place(a), place(b)]).collect();
            self.marks.push(Mark::Segments { color, segments, opacity: 0.6 });
        }
        self
    }

    /// An arrow, named at its head.
    #[must_use]
    pub fn arrow(mut self, label: impl Into<String>, color: Color, from: (f64, f64), to: (f64, f64)) -> Self {
        self.marks.push(Mark::Arrow { label: label.into(), color, from, to });
        self
    }

    /// A circle around a point, of this radius in pixels.
    #[must_use]
    pub fn ring(mut self, at: (f64, f64), color: Color, radius: f64) -> Self {
        self.marks.push(Mark::Ring { at, color, radius, square: false });
        self
    }

    /// A square around a point, of this half width in pixels.
    #[must_use]
    pub fn square(mut self, at: (f64, f64), color: Color, radius: f64) -> Self {
        self.marks.push(Mark::Ring { at, color, radius, square: true });
        self
    }

    /// A text to the right of a point.
    #[must_use]
    pub fn note(mut self, at: (f64, f64), color: Color, text: impl Into<String>) -> Self {
        self.marks.push(Mark::Note { at, color, text: text.into() });
        self
    }

    /// SVG to stand inside a page, whose colour of text it takes.
    pub fn inline(&self) -> String {
        self.draw(None, "")
    }

    /// SVG to stand alone: dark text on light ground, light text where the reader's screen is dark.
    pub fn document(&self) -> String {
        self.draw(None, ALONE)
    }

    /// SVG as a part of a larger one, its corner there.
    pub(crate) fn placed(&self, corner: (f64, f64)) -> String {
        self.draw(Some(corner), "")
    }

    /// Its width and height.
    pub(crate) fn extent(&self) -> (f64, f64) {
        self.size
    }

    /// Where a point of the axes stands in the figure, in pixels from its upper left corner; `None` if it cannot be drawn.
    pub fn locate(&self, point: (f64, f64)) -> Option<(f64, f64)> {
        self.frame().0.at(point)
    }

    fn frame(&self) -> (Frame, (Ticks, Ticks)) {
        let boxed = self.marks.iter().any(|m| matches!(m, Mark::Boxes { .. }));
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        self.marks.iter().for_each(|mark| reach(mark, &mut xs, &mut ys));
        let (x, y) = (self.x.fit(xs.into_iter(), false), self.y.fit(ys.into_iter(), boxed));
        let ticks = (self.x.ticks(x), self.y.ticks(y));
        let labels = self.marks.iter().filter_map(|m| match m {
            Mark::Line(s) | Mark::Points(s) if !s.label.is_empty() => Some(width(&s.label)),
            Mark::Arrow { label, .. } => Some(width(label)),
            Mark::Note { text, .. } => Some(width(text)),
            _ => None,
        });
        let left = 34.0 + ticks.1.iter().map(|t| width(&t.1)).fold(0.0, f64::max);
        let right = 16.0 + labels.fold(0.0, f64::max);
        let top = TOP + if self.captioned { 1.8 * TEXT } else { 0.0 };
        let frame = Frame {
            x,
            y,
            left,
            top,
            width: (self.size.0 - left - right).max(40.0),
            height: (self.size.1 - top - BOTTOM).max(40.0),
        };
        (frame, ticks)
    }

    fn draw(&self, corner: Option<(f64, f64)>, style: &str) -> String {
        let (frame, ticks) = self.frame();
        let mut svg = Svg::default();
        let (w, h, title) = (number(self.size.0), number(self.size.1), escape(&self.title));
        let corner = corner.map_or(String::new(), |(x, y)| format!(" x=\"{}\" y=\"{}\"", number(x), number(y)));
        svg.push(&format!(
            "<svg{corner} width=\"{w}\" height=\"{h}\" xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"{TEXT}\" fill=\"currentColor\">{style}"
        ));
        if self.captioned {
            svg.label((frame.left, 1.5 * TEXT), Anchor::Start, "font-weight=\"600\"", &self.title);
        }
        if !self.bare {
            frame.axes(&mut svg, &self.x.label, &self.y.label, &ticks);
        }
        frame.marks(&mut svg, &self.marks);
        frame.names(&mut svg, &self.marks);
        svg.text + "</svg>\n"
    }
}

/// How far a mark goes.
fn reach(mark: &Mark, xs: &mut Vec<f64>, ys: &mut Vec<f64>) {
    let mut point = |(x, y): (f64, f64)| {
        xs.push(x);
        ys.push(y);
    };
    match mark {
        Mark::Line(s) | Mark::Points(s) => {
            s.points.iter().copied().for_each(&mut point);
            s.band.iter().for_each(|(x, low, high)| [*low, *high].into_iter().for_each(|y| point((*x, y))));
        }
        Mark::Boxes { boxes, .. } => boxes.iter().for_each(|b| {
            point((b[0], b[2]));
            point((b[1], b[3]));
        }),
        Mark::Arrow { from, to, .. } => [*from, *to].into_iter().for_each(point),
        Mark::Note { at, .. } | Mark::Ring { at, .. } => point(*at),
        Mark::Segments { segments, .. } => segments.iter().flatten().copied().for_each(point),
    }
}
