//! A drawing: multiples of the primal against the number of inputs, one curve a mode, one panel a function.

use crate::bench::{Bench, Row};
use crate::error::{Error, Result};
use crate::mode::{Mode, Task};
use plotters::prelude::*;

/// One colour a mode, told apart by colour-blind readers. (Okabe, Ito 2008.)
fn color(mode: Mode) -> RGBColor {
    match mode {
        Mode::Primal => RGBColor(0, 0, 0),
        Mode::Forward | Mode::ForwardAll => RGBColor(0, 114, 178),
        Mode::ReverseTape => RGBColor(230, 159, 0),
        Mode::ReverseProgram => RGBColor(204, 121, 167),
        Mode::ReverseExecutable | Mode::ReverseAll => RGBColor(213, 94, 0),
        Mode::Sparse => RGBColor(0, 158, 115),
        Mode::ForwardOverReverse => RGBColor(86, 180, 233),
        Mode::ReverseOverForward => RGBColor(120, 94, 240),
        Mode::ReverseOverReverse => RGBColor(128, 0, 0),
        Mode::ForwardOverForward => RGBColor(110, 110, 110),
    }
}

/// The measurements as an SVG document.
///
/// # Errors
/// [`Error::Plot`] if it cannot be drawn.
pub fn svg(bench: &Bench) -> Result<String> {
    let mut functions: Vec<&str> = Vec::new();
    for row in &bench.rows {
        if !functions.contains(&row.function.as_str()) {
            functions.push(&row.function);
        }
    }
    let columns = functions.len().clamp(1, 3);
    let lines = functions.len().div_ceil(columns).max(1);
    let mut text = String::new();
    {
        let size = (420 * columns as u32 + 220, 340 * lines as u32);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&root, bench, &functions, columns, lines).map_err(|e| Error::Plot(e.to_string()))?;
        root.present().map_err(|e| Error::Plot(e.to_string()))?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw(root: &Area<'_>, bench: &Bench, functions: &[&str], columns: usize, lines: usize) -> Drawn {
    root.fill(&WHITE)?;
    let (panels, legend) = root.split_horizontally(420 * columns as u32);
    for (panel, name) in panels.split_evenly((lines, columns)).iter().zip(functions) {
        let rows: Vec<&Row> = bench.rows.iter().filter(|r| r.function == *name && r.mode != Mode::Primal).collect();
        self::panel(panel, name, &rows)?;
    }
    let mut seen: Vec<Mode> = Vec::new();
    for row in bench.rows.iter().filter(|r| r.mode != Mode::Primal) {
        if !seen.contains(&row.mode) {
            seen.push(row.mode);
        }
    }
    for (i, mode) in seen.into_iter().enumerate() {
        let y = 30 + 22 * i as i32;
        legend.draw(&PathElement::new([(8, y + 6), (34, y + 6)], color(mode).stroke_width(2)))?;
        legend.draw(&Text::new(mode.name(), (42, y), ("sans-serif", 14)))?;
    }
    Ok(())
}

/// What and how, and its points.
type Curve = (Task, Mode, Vec<(f64, f64)>);

fn panel(area: &Area<'_>, name: &str, rows: &[&Row]) -> Drawn {
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        if low < high { low * 0.8..high * 1.25 } else { low * 0.5..low * 2.0 + f64::MIN_POSITIVE }
    };
    if rows.is_empty() {
        return Ok(());
    }
    let (x, y) = (range(&mut rows.iter().map(|r| r.n as f64)), range(&mut rows.iter().map(|r| r.multiple)));
    let mut chart = ChartBuilder::on(area)
        .caption(name, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(34)
        .y_label_area_size(70)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    chart.configure_mesh().light_line_style(WHITE).x_desc("inputs").y_desc("evaluations of the function").draw()?;
    let mut curves: Vec<Curve> = Vec::new();
    for row in rows {
        let point = (row.n as f64, row.multiple);
        match curves.iter_mut().find(|(task, mode, _)| (*task, *mode) == (row.task, row.mode)) {
            Some((.., points)) => points.push(point),
            None => curves.push((row.task, row.mode, vec![point])),
        }
    }
    for (_, mode, points) in curves {
        let style = color(mode);
        chart.draw_series(LineSeries::new(points.iter().copied(), style.stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|p| Circle::new(p, 3, style.filled())))?;
    }
    Ok(())
}
