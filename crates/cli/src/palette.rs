//! Colours.

use plotters::style::RGBColor;

/// Colours that colour-blind readers tell apart, also on dark ground. (Okabe, Ito 2008; grey in place of black.)
pub(crate) const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
];

/// The colour of the thing with this number.
pub(crate) fn color(i: usize) -> RGBColor {
    COLORS[i % COLORS.len()]
}
