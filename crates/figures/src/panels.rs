//! Figures beside each other.

use crate::figure::Figure;
use crate::svg::number;

/// Several figures in rows of so many, as one document that stands alone. They should be of one size.
///
/// # Panics
/// If there are no columns.
#[track_caller]
pub fn panels(title: &str, figures: &[Figure], columns: usize) -> String {
    assert!(columns > 0, "panels: no columns");
    let (width, height) =
        figures.iter().map(Figure::extent).fold((0.0_f64, 0.0_f64), |(w, h), (a, b)| (w.max(a), h.max(b)));
    let rows = figures.len().div_ceil(columns);
    let all = (number(width * columns.min(figures.len()) as f64), number(height * rows as f64));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {} {}\">{}\n",
        crate::svg::escape(title),
        all.0,
        all.1,
        crate::figure::ALONE
    );
    for (i, figure) in figures.iter().enumerate() {
        let (x, y) = ((i % columns) as f64 * width, (i / columns) as f64 * height);
        text += &figure.placed((x, y));
    }
    text + "</svg>\n"
}
