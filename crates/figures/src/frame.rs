//! Where things stand on the page.

use crate::axis::{Fitted, Ticks};
use crate::color::Color;
use crate::marks::{Mark, Series};
use crate::svg::{Anchor, Svg, number};

/// Size of the text, in pixels.
pub(crate) const TEXT: f64 = 13.0;

/// About how wide a text is.
pub(crate) fn width(text: &str) -> f64 {
    0.56 * TEXT * text.chars().count() as f64
}

/// Where the axes stand.
pub(crate) struct Frame {
    pub(crate) x: Fitted,
    pub(crate) y: Fitted,
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Marks may stand over the edge of the frame by so many pixels.
const EDGE: f64 = 7.0;

/// Lines that leave the frame go on this far, in frames; the rest is cut off.
const BEYOND: f64 = 20.0;

impl Frame {
    fn across(&self, x: f64) -> Option<f64> {
        Some(self.left + self.x.place(x)?.clamp(-BEYOND, BEYOND) * self.width)
    }

    fn down(&self, y: f64) -> Option<f64> {
        Some(self.top + (1.0 - self.y.place(y)?.clamp(-BEYOND, BEYOND)) * self.height)
    }

    /// Marks, cut off at the frame's edge.
    pub(crate) fn marks(&self, svg: &mut Svg, marks: &[Mark]) {
        let numbers =
            [self.left - EDGE, self.top - EDGE, self.width + 2.0 * EDGE, self.height + 2.0 * EDGE].map(number);
        let [x, y, w, h] = &numbers;
        svg.push(&format!(
            "<svg x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" viewBox=\"{}\" overflow=\"hidden\">",
            numbers.join(" ")
        ));
        marks.iter().for_each(|mark| self.mark(svg, mark));
        svg.push("</svg>");
    }

    pub(crate) fn at(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.across(x)?, self.down(y)?))
    }

    pub(crate) fn axes(&self, svg: &mut Svg, x: &str, y: &str, ticks: &(Ticks, Ticks)) {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        for (value, text) in &ticks.1 {
            if let Some(at) = self.down(*value) {
                svg.path(&[(self.left, at), (right, at)], false, "stroke=\"currentColor\" stroke-opacity=\"0.12\"");
                svg.label((self.left - 6.0, at + 0.35 * TEXT), Anchor::End, "", text);
            }
        }
        let mut free = f64::NEG_INFINITY;
        for (value, text) in &ticks.0 {
            if let Some(at) = self.across(*value) {
                svg.path(&[(at, bottom), (at, bottom + 4.0)], false, "stroke=\"currentColor\"");
                // A text that would run into the one before it is left out.
                if at - 0.5 * width(text) > free + 6.0 {
                    svg.label((at, bottom + 6.0 + TEXT), Anchor::Middle, "", text);
                    free = at + 0.5 * width(text);
                }
            }
        }
        svg.path(&[(self.left, bottom), (right, bottom)], false, "stroke=\"currentColor\"");
        svg.label((self.left + 0.5 * self.width, bottom + 12.0 + 2.2 * TEXT), Anchor::Middle, "", x);
        let (cx, cy) = (0.9 * TEXT, self.top + 0.5 * self.height);
        let turn = format!("transform=\"rotate(-90 {} {})\"", number(cx), number(cy));
        svg.label((cx, cy), Anchor::Middle, &turn, y);
    }

    fn mark(&self, svg: &mut Svg, mark: &Mark) {
        match mark {
            Mark::Line(series) => self.line(svg, series),
            Mark::Points(series) => {
                let style = format!("fill=\"{}\"", series.color);
                for at in series.points.iter().filter_map(|p| self.at(*p)) {
                    svg.circle(at, series.radius, &style);
                }
            }
            Mark::Boxes { color, boxes, opacity, .. } => {
                let style = format!("fill=\"{color}\" fill-opacity=\"{}\"", number(*opacity));
                for b in boxes {
                    // On a logarithmic axis a bar stands on its end.
                    let foot = self.y.place(b[2]).map_or_else(|| self.y.low(), |_| b[2]);
                    let corners = (self.at((b[0], foot)), self.at((b[1], b[3])));
                    if let (Some((x0, y0)), Some((x1, y1))) = corners {
                        svg.rectangle([x0, y0, x1, y1], &style);
                    }
                }
            }
            Mark::Arrow { color, from, to, .. } => {
                let (Some(a), Some(b)) = (self.at(*from), self.at(*to)) else { return };
                let (dx, dy) = (b.0 - a.0, b.1 - a.1);
                let length = dx.hypot(dy);
                svg.path(&[a, b], false, &format!("stroke=\"{color}\" stroke-width=\"2\" fill=\"none\""));
                if length > 0.0 {
                    let (ux, uy) = (dx / length, dy / length);
                    let wing = |s: f64| (b.0 - 9.0 * ux + s * 4.0 * uy, b.1 - 9.0 * uy - s * 4.0 * ux);
                    svg.path(&[b, wing(1.0), wing(-1.0)], true, &format!("fill=\"{color}\""));
                }
            }
            Mark::Ring { at, color, radius, square } => {
                let style = format!("stroke=\"{color}\" stroke-width=\"1.6\" fill=\"none\"");
                match (self.at(*at), square) {
                    (Some((x, y)), true) => svg.rectangle([x - radius, y - radius, x + radius, y + radius], &style),
                    (Some(at), false) => svg.circle(at, *radius, &style),
                    (None, _) => {}
                }
            }
            // Written with the names.
            Mark::Note { .. } => {}
            Mark::Segments { color, segments, opacity } => {
                let mut d = String::new();
                for [a, b] in segments {
                    if let (Some(a), Some(b)) = (self.at(*a), self.at(*b)) {
                        d += &format!("M{} {}L{} {}", number(a.0), number(a.1), number(b.0), number(b.1));
                    }
                }
                let opacity = number(*opacity);
                svg.push(&format!("<path d=\"{d}\" stroke=\"{color}\" stroke-opacity=\"{opacity}\" fill=\"none\"/>"));
            }
        }
    }

    fn line(&self, svg: &mut Svg, series: &Series) {
        let edge = |b: &(f64, f64, f64)| Some((self.across(b.0)?, self.down(b.1)?, self.down(b.2)?));
        let band: Vec<Option<(f64, f64, f64)>> = series.band.iter().map(edge).collect();
        for piece in band.split(Option::is_none).filter(|piece| piece.len() > 1) {
            let there = piece.iter().flatten().map(|(x, low, _)| (*x, *low));
            let back = piece.iter().rev().flatten().map(|(x, _, high)| (*x, *high));
            let around: Vec<(f64, f64)> = there.chain(back).collect();
            svg.path(&around, true, &format!("fill=\"{}\" fill-opacity=\"0.18\"", series.color));
        }
        let dash = if series.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let style = format!("stroke=\"{}\" stroke-width=\"2\" fill=\"none\"{dash}", series.color);
        let places: Vec<Option<(f64, f64)>> = series.points.iter().map(|p| self.at(*p)).collect();
        for piece in places.split(Option::is_none).filter(|piece| !piece.is_empty()) {
            let points: Vec<(f64, f64)> = piece.iter().flatten().copied().collect();
            match points[..] {
                [alone] => svg.circle(alone, 2.5, &format!("fill=\"{}\"", series.color)),
                _ => svg.path(&points, false, &style),
            }
        }
    }

    /// The names of lines and points at their ends, pushed apart where they would cover each other; those of boxes above.
    pub(crate) fn names(&self, svg: &mut Svg, marks: &[Mark]) {
        type Name<'n> = (f64, f64, Color, &'n str);
        let mut names: Vec<Name<'_>> = marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Line(s) | Mark::Points(s) if !s.label.is_empty() => {
                    let (x, y) = s.points.iter().rev().find_map(|p| self.at(*p))?;
                    let (right, bottom) = (self.left + self.width, self.top + self.height);
                    Some((x.clamp(self.left, right), y.clamp(self.top, bottom), s.color, s.label.as_str()))
                }
                Mark::Arrow { label, color, from, to } if !label.is_empty() => {
                    let ((x0, _), (x, y)) = (self.at(*from)?, self.at(*to)?);
                    // Beyond the head, on whichever side that is.
                    Some((if x < x0 { x - width(label) - 10.0 } else { x }, y, *color, label.as_str()))
                }
                Mark::Note { at, color, text } => {
                    let (x, y) = self.at(*at)?;
                    Some((x, y, *color, text.as_str()))
                }
                _ => None,
            })
            .collect();
        names.sort_by(|a, b| a.1.total_cmp(&b.1));
        let line = 1.15 * TEXT;
        let beside = |a: &Name<'_>, b: &Name<'_>| a.0 + width(a.3) < b.0 || b.0 + width(b.3) < a.0;
        for i in 1..names.len() {
            let (above, rest) = names.split_at_mut(i);
            let lowest = above.iter().filter(|name| !beside(name, &rest[0])).map(|name| name.1 + line);
            rest[0].1 = lowest.fold(rest[0].1, f64::max);
        }
        // What was pushed below the axis goes up again.
        let floor = self.top + self.height;
        for i in (0..names.len()).rev() {
            let (rest, below) = names.split_at_mut(i + 1);
            let highest = below.iter().filter(|name| !beside(name, &rest[i])).map(|name| name.1 - line);
            rest[i].1 = highest.fold(rest[i].1.min(floor), f64::min);
        }
        for (x, y, color, text) in names {
            svg.label((x + 6.0, y + 0.35 * TEXT), Anchor::Start, &format!("style=\"fill:{color}\""), text);
        }
        let boxes = marks.iter().filter_map(|mark| match mark {
            Mark::Boxes { label, color, .. } if !label.is_empty() => Some((label, color)),
            _ => None,
        });
        for (i, (label, color)) in boxes.enumerate() {
            let at = (self.left + self.width, self.top + TEXT * (1.0 + 1.2 * i as f64));
            svg.label(at, Anchor::End, &format!("style=\"fill:{color}\""), label);
        }
    }
}
