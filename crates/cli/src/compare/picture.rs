//! The comparison as a drawing: error against cost, error against memory.

use bilevel::{Comparison, Row};
use figures::{Figure, Series, colors_of, panels};

/// Errors below this are drawn at it: they are rounding.
const LEAST: f64 = 1e-17;

/// All evaluations: a gradient, an HVP, a VJP or a JVP each cost a few values.
fn evaluations(row: &Row) -> f64 {
    (row.values + row.gradients + row.hvps + row.jvps + row.vjps).max(1) as f64
}

/// The comparison as an SVG document.
pub(super) fn svg(name: &str, comparison: &Comparison) -> String {
    let with_error = |row: &Row| row.relative_error.filter(|e| e.is_finite()).map(|e| e.max(LEAST));
    let names: Vec<&str> = comparison.methods.iter().map(|row| row.method.as_str()).collect();
    let colors = colors_of(&names);
    let panel = |unit: &str, cost: &dyn Fn(&Row) -> f64| {
        let figure = Figure::new(format!("{name}: error and {unit}")).captioned().size(490.0, 420.0);
        let figure = figure.x(unit).y("relative error").log_x().log_y();
        comparison.methods.iter().zip(&colors).fold(figure, |figure, (row, color)| match with_error(row) {
            Some(error) => {
                let point = Series::new(row.method.clone(), [(cost(row), error)]);
                figure.points(point.color(color).radius(4.0))
            }
            None => figure,
        })
    };
    let both = [panel("evaluations", &evaluations), panel("bytes", &|row| row.peak_bytes.max(1) as f64)];
    panels(&format!("{name}: error of each method against its cost"), &both, 2)
}
