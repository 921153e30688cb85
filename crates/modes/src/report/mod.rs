//! Results in forms that people and programs read.

mod csv;
mod svg;
mod table;

pub use csv::csv;
pub use svg::svg;
pub use table::table;
