//! Grey pictures.

use crate::svg::escape;
use std::fmt::Write;

/// A square picture of shades from 0 to 1, row by row, as SVG to stand inside a page, in the colour of the text around it.
///
/// # Panics
/// If `side` is zero.
#[track_caller]
pub fn picture(title: &str, pixels: &[f64], side: usize) -> String {
    const SHADES: usize = 8;
    assert!(side > 0, "picture: a side of 0");
    let mut paths = vec![String::new(); SHADES + 1];
    for (i, p) in pixels.iter().enumerate() {
        let shade = (p.clamp(0.0, 1.0) * SHADES as f64).round() as usize;
        if shade > 0 {
            let _ = write!(paths[shade], "M{} {}h1v1h-1z", i % side, i / side);
        }
    }
    let title = escape(title);
    let mut text = format!(
        "<svg role=\"img\" aria-label=\"{title}\" class=\"picture\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">"
    );
    for (shade, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let opacity = shade as f64 / SHADES as f64;
        let _ = write!(text, "<path fill=\"currentColor\" fill-opacity=\"{opacity}\" d=\"{path}\"/>");
    }
    text + "</svg>"
}
