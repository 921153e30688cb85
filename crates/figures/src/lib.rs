//! Small figures as SVG text, for reports, books and pages that redraw many times a second.
//!
//! Drawing libraries bring fonts, back ends and more code than a page may weigh; what is drawn here are a dozen marks on two
//! axes. Text and axes have the colour of the page around them, so that a figure reads on light ground and dark. Lines are
//! named where they end, not in a legend. The same figure is the same text everywhere: coordinates are rounded to hundredths.
//!
//! ```
//! use figures::{Figure, Series, method_color};
//! let error = |k: f64| (k, 0.5_f64.powf(k));
//! let svg = Figure::new("error of truncation")
//!     .x("K")
//!     .y("relative error")
//!     .log_y()
//!     .line(Series::new("truncated", (1..20).map(|k| error(f64::from(k)))).color(method_color("truncated")))
//!     .document();
//! assert!(svg.starts_with("<svg") && svg.contains("relative error"));
//! ```
#![forbid(unsafe_code)]

mod axis;
mod color;
mod contour;
mod figure;
mod frame;
mod marks;
mod panels;
mod picture;
mod svg;

pub use color::{COLORS, Color, color, colors_of, method_color};
pub use figure::Figure;
pub use marks::Series;
pub use panels::panels;
pub use picture::picture;
pub use svg::escape;
