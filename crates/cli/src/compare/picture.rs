//! The comparison as a drawing: error against cost, error against memory.

use crate::palette::color;
use bilevel::{Comparison, Row};
use plotters::prelude::*;
use std::error::Error;

/// Errors below this are drawn at it: they are rounding.
const LEAST: f64 = 1e-17;

/// All evaluations: a gradient, an HVP, a VJP or a JVP each cost a few values.
fn evaluations(row: &Row) -> f64 {
    (row.values + row.gradients + row.hvps + row.jvps + row.vjps).max(1) as f64
}

/// The comparison as an SVG document.
pub(super) fn svg(name: &str, comparison: &Comparison) -> Result<String, Box<dyn Error>> {
    let rows: Vec<(&Row, f64)> = comparison
        .methods
        .iter()
        .filter_map(|row| Some((row, row.relative_error.filter(|e| e.is_finite())?.max(LEAST))))
        .collect();
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (980, 420)).into_drawing_area();
        root.fill(&WHITE)?;
        let panels = root.split_evenly((1, 2));
        panel(&panels[0], &format!("{name}: error and evaluations"), "evaluations", &rows, evaluations)?;
        panel(&panels[1], &format!("{name}: error and memory"), "bytes", &rows, |row| row.peak_bytes.max(1) as f64)?;
        root.present()?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn panel(
    area: &Area<'_>,
    caption: &str,
    unit: &str,
    rows: &[(&Row, f64)],
    cost: impl Fn(&Row) -> f64,
) -> Result<(), Box<dyn Error>> {
    if rows.is_empty() {
        return Ok(());
    }
    let range = |values: &mut dyn Iterator<Item = f64>, room: f64| {
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(l, h), x| (l.min(x), h.max(x)));
        low / 2.0..high * room
    };
    let x = range(&mut rows.iter().map(|(row, _)| cost(row)), 20.0);
    let y = range(&mut rows.iter().map(|(_, error)| *error), 10.0);
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(70)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc(unit)
        .y_desc("relative error")
        .y_label_formatter(&|y| format!("{y:.0e}"))
        .x_label_formatter(&|x| format!("{x:.0e}"))
        .draw()?;
    for (i, (row, error)) in rows.iter().enumerate() {
        let color = color(i);
        let at = (cost(row), *error);
        chart.draw_series([Circle::new(at, 4, color.filled())])?;
        // Labels of points that are close to each other stand in turns above and below.
        let side = if i % 2 == 0 { -14 } else { 4 };
        let label = EmptyElement::at(at)
            + Text::new(row.method.clone(), (7, side), ("sans-serif", 12).into_font().color(&color));
        chart.draw_series([label])?;
    }
    Ok(())
}
