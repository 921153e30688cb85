//! The figures in docs/book/src/figures are those that the program draws.

#[path = "../examples/figures.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod drawing;

use std::path::Path;

/// Text in pieces: numbers, and what is between them.
fn pieces(text: &str) -> Vec<Result<f64, &str>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digit = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
        let end = rest.find(|c| digit(c) != rest.starts_with(digit)).unwrap_or(rest.len());
        pieces.push(rest[..end].parse().map_err(|_| &rest[..end]));
        rest = &rest[end..];
    }
    pieces
}

#[test]
fn what_is_drawn_is_what_is_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/book/src/figures");
    let drawn = drawing::all().unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), drawn.len(), "a figure too many, or too few");
    for (name, figure) in drawn {
        let kept = std::fs::read_to_string(folder.join(format!("{name}.svg"))).unwrap();
        let drawn = figure.document();
        let (kept, drawn) = (pieces(&kept), pieces(&drawn));
        assert_eq!(kept.len(), drawn.len(), "{name}: run `cargo run --release --example figures`");
        for (a, b) in kept.iter().zip(&drawn) {
            // Half a pixel: kernels of other machines round otherwise.
            let near = match (a, b) {
                (Ok(a), Ok(b)) => (a - b).abs() <= 0.5,
                (a, b) => a == b,
            };
            assert!(near, "{name}: {a:?} is kept, {b:?} is drawn: run `cargo run --release --example figures`");
        }
    }
}
