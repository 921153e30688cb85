//! The drawings of the report: SVG whose text takes the colour of the page around it.

use plotters::prelude::*;
use std::error::Error;
use std::ops::Range;

type Failure = Box<dyn Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

const SIZE: (u32, u32) = (560, 320);

/// A line, and the band between two others around it.
pub(super) struct Line {
    pub(super) color: RGBColor,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) band: Option<Vec<(f64, f64, f64)>>,
}

/// Axes: what they show, and from where to where.
pub(super) struct Axes<'a> {
    pub(super) x: (&'a str, Range<f64>),
    pub(super) y: (&'a str, Range<f64>),
}

/// Draws into an SVG document that is described by its title.
fn document(title: &str, draw: impl FnOnce(&Area<'_>) -> Result<(), Failure>) -> Result<String, Failure> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area)?;
        area.present()?;
    }
    // Black is the library's colour for axes and text.
    let text = text.replace("\"#000000\"", "\"currentColor\"");
    let head = format!("<svg role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {} {}\" ", SIZE.0, SIZE.1);
    Ok(match text.find("<svg ") {
        Some(at) => head + &text[at + 5..].replacen(&format!("width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1), "", 1),
        None => text,
    })
}

/// Lines over one another.
pub(super) fn lines(title: &str, axes: &Axes<'_>, lines: &[Line]) -> Result<String, Failure> {
    document(title, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(46)
            .y_label_area_size(64)
            .build_cartesian_2d(axes.x.1.clone(), axes.y.1.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_desc(axes.x.0)
            .y_desc(axes.y.0)
            .label_style(("sans-serif", 15))
            .axis_desc_style(("sans-serif", 15))
            .draw()?;
        for line in lines {
            if let Some(band) = &line.band {
                let there = band.iter().map(|(x, low, _)| (*x, *low));
                let back = band.iter().rev().map(|(x, _, high)| (*x, *high));
                chart.draw_series([Polygon::new(there.chain(back).collect::<Vec<_>>(), line.color.mix(0.18))])?;
            }
            chart.draw_series(LineSeries::new(line.points.iter().copied(), line.color.stroke_width(2)))?;
        }
        Ok(())
    })
}

/// Counts of values in equal bins from 0 to `end`, one group behind another.
pub(super) fn histogram(title: &str, what: &str, end: f64, groups: &[(RGBColor, Vec<f64>)]) -> Result<String, Failure> {
    const BINS: usize = 40;
    let end = if end > 0.0 { end } else { 1.0 };
    let count = |values: &[f64]| {
        let mut bins = vec![0_u32; BINS];
        for x in values.iter().filter(|x| x.is_finite()) {
            bins[((x / end * BINS as f64) as usize).min(BINS - 1)] += 1;
        }
        bins
    };
    let counted: Vec<(RGBColor, Vec<u32>)> = groups.iter().map(|(color, values)| (*color, count(values))).collect();
    let most = counted.iter().flat_map(|(_, bins)| bins).copied().max().unwrap_or(1).max(1);
    document(title, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(46)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..end, 0.0..f64::from(most) * 1.05)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .disable_x_mesh()
            .x_desc(what)
            .y_desc("examples")
            .label_style(("sans-serif", 15))
            .axis_desc_style(("sans-serif", 15))
            .draw()?;
        let width = end / BINS as f64;
        for (color, bins) in &counted {
            chart.draw_series(bins.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| {
                let x = i as f64 * width;
                Rectangle::new([(x, 0.0), (x + width, f64::from(*n))], color.mix(0.55).filled())
            }))?;
        }
        Ok(())
    })
}

/// A picture of shades from 0 to 1 in rows, as a small SVG document.
pub(super) fn picture(title: &str, pixels: &[f64], side: usize) -> String {
    const SHADES: usize = 8;
    let mut paths = vec![String::new(); SHADES + 1];
    for (i, p) in pixels.iter().enumerate() {
        let shade = (p.clamp(0.0, 1.0) * SHADES as f64).round() as usize;
        if shade > 0 {
            paths[shade].push_str(&format!("M{} {}h1v1h-1z", i % side, i / side));
        }
    }
    let mut text = format!(
        "<svg role=\"img\" aria-label=\"{title}\" class=\"picture\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">"
    );
    for (shade, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let opacity = shade as f64 / SHADES as f64;
        text.push_str(&format!("<path fill=\"currentColor\" fill-opacity=\"{opacity}\" d=\"{path}\"/>"));
    }
    text + "</svg>"
}
