//! Live pages where one can *see* a derivative: each is a function from its controls to a piece of HTML, computed by
//! `autodiff` and `bilevel` as any user would call them, natively or as WebAssembly.
//!
//! ```
//! let truncation = teach::widget("truncation").unwrap();
//! let html = truncation.render("T=50&K=10")?;
//! assert!(html.contains("<svg") && html.contains("K-RMD"));
//! assert!(truncation.render("T=many").is_err());
//! # Ok::<(), String>(())
//! ```

mod control;
mod cost;
mod landscape;
mod memory;
mod page;
mod stepper;
mod truncation;
mod trust;
#[cfg(target_family = "wasm")]
mod wasm;

pub use control::{Control, Values};
pub use page::{Engine, page};

use figures::{Figure, escape};

/// A page: what it shows, what can be set, and how it is drawn.
#[derive(Clone, Debug)]
pub struct Widget {
    /// Its name in file names and addresses.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What there is to see, in a few sentences.
    pub about: &'static str,
    /// What can be set.
    pub controls: Vec<Control>,
    draw: fn(&Values) -> Result<View, String>,
}

/// What is drawn.
#[derive(Debug, Default)]
struct View {
    figures: Vec<Figure>,
    /// Where the first figure is dragged: two controls, their range, and the corners in pixels.
    drag: Option<String>,
    /// Tables, a sentence, numbers.
    rest: String,
}

impl Widget {
    /// The part of the page below the controls: figures, a table, a sentence that says what is seen, and under
    /// `<data>` the numbers in full.
    ///
    /// # Errors
    /// What is wrong with a setting, in words. Settings that are not given are at their defaults.
    pub fn render(&self, query: &str) -> Result<String, String> {
        let view = (self.draw)(&Values::read(&self.controls, query)?)?;
        let figures: String = view.figures.iter().map(Figure::inline).collect();
        let drag = view.drag.map_or(String::new(), |drag| format!(" data-drag=\"{drag}\""));
        let figures =
            if figures.is_empty() { figures } else { format!("<div class=\"figures\"{drag}>{figures}</div>\n") };
        Ok(figures + &view.rest)
    }

    /// The figures alone, to stand in a text.
    ///
    /// # Errors
    /// As [`render`](Widget::render).
    pub fn figures(&self, query: &str) -> Result<Vec<Figure>, String> {
        Ok((self.draw)(&Values::read(&self.controls, query)?)?.figures)
    }
}

/// All pages.
pub fn widgets() -> Vec<Widget> {
    vec![
        stepper::widget(),
        cost::widget(),
        truncation::widget(),
        landscape::widget(),
        memory::widget(),
        trust::widget(),
    ]
}

/// The page of a name.
pub fn widget(name: &str) -> Option<Widget> {
    widgets().into_iter().find(|widget| widget.name == name)
}

/// What a page shows for a question: a widget's part, or what is wrong, as HTML.
pub fn answer(name: &str, query: &str) -> String {
    let found = widget(name).ok_or_else(|| format!("there is no page `{name}`"));
    let wrong = |message: String| format!("<p class=\"error\" role=\"alert\">{}</p>\n", escape(&message));
    found.and_then(|widget| widget.render(query)).unwrap_or_else(wrong)
}

/// A sentence that says what is seen; screen readers are told when it changes.
fn sentence(text: &str) -> String {
    format!("<p class=\"words\">{}</p>\n", escape(text))
}

/// A number in full, for tests and for the curious.
fn data(name: &str, value: f64) -> String {
    format!("<data data-name=\"{name}\" value=\"{value}\"></data>\n")
}

/// How far a control of time goes with the other settings as they are.
fn most(name: &str, value: usize) -> String {
    format!("<data data-most=\"{name}\" value=\"{value}\"></data>\n")
}

/// A table with a heading.
fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let line = |kind: &str, cells: &mut dyn Iterator<Item = &str>| -> String {
        let cells: String = cells.map(|cell| format!("<{kind}>{}</{kind}>", escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = rows.iter().map(|row| line("td", &mut row.iter().map(String::as_str))).collect();
    format!("<table>{}{body}</table>\n", line("th", &mut heading.iter().copied()))
}

/// In words what an engine's error means here.
fn failed(error: impl std::fmt::Display) -> String {
    error.to_string()
}
