//! A drawing: multiples of the primal against the number of inputs, one curve a mode, one panel a function.

use crate::bench::{Bench, Row};
use crate::mode::{Mode, Task};
use figures::{COLORS, Color, Figure, Series, panels};

/// One colour a mode, told apart by colour-blind readers.
fn color(mode: Mode) -> Color {
    match mode {
        Mode::Primal => "currentColor",
        Mode::Forward | Mode::ForwardAll => COLORS[0],
        Mode::ReverseTape => COLORS[4],
        Mode::ReverseProgram => COLORS[3],
        Mode::ReverseExecutable | Mode::ReverseAll => COLORS[1],
        Mode::Sparse => COLORS[2],
        Mode::ForwardOverReverse => COLORS[5],
        Mode::ReverseOverForward => "#785ef0",
        Mode::ReverseOverReverse => "#a02c2c",
        Mode::ForwardOverForward => COLORS[6],
    }
}

/// What and how, and its points.
type Curve = (Task, Mode, Vec<(f64, f64)>);

/// The measurements as an SVG document.
pub fn svg(bench: &Bench) -> String {
    let mut functions: Vec<&str> = Vec::new();
    for row in &bench.rows {
        if !functions.contains(&row.function.as_str()) {
            functions.push(&row.function);
        }
    }
    let panel = |name: &&str| {
        let mut curves: Vec<Curve> = Vec::new();
        let rows = bench.rows.iter().filter(|r: &&Row| r.function == *name && r.mode != Mode::Primal);
        for row in rows {
            let point = (row.n as f64, row.multiple);
            match curves.iter_mut().find(|(task, mode, _)| (*task, *mode) == (row.task, row.mode)) {
                Some((.., points)) => points.push(point),
                None => curves.push((row.task, row.mode, vec![point])),
            }
        }
        let figure = Figure::new(*name).captioned().size(560.0, 380.0);
        let figure = figure.x("inputs").y("evaluations of the function").log_x().log_y();
        // A mode that serves two tasks has two lines of one colour, the second one broken.
        let order: Vec<(Task, Mode)> = curves.iter().map(|(task, mode, _)| (*task, *mode)).collect();
        curves.into_iter().enumerate().fold(figure, |figure, (i, (task, mode, points))| {
            let twice = order.iter().filter(|(_, m)| *m == mode).count() > 1;
            let again = order[..i].iter().any(|(_, m)| *m == mode);
            let name = if twice { format!("{}, {}", mode.name(), task.name()) } else { mode.name().to_owned() };
            let dots = Series::new("", points.clone()).color(color(mode));
            let line = Series::new(name, points).color(color(mode));
            figure.line(if again { line.dashed() } else { line }).points(dots)
        })
    };
    let figures: Vec<Figure> = functions.iter().map(panel).collect();
    panels("cost of each mode against the number of inputs", &figures, figures.len().clamp(1, 3))
}
