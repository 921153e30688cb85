//! Forward against reverse: which is cheaper, and what it keeps in memory.

use crate::{Control, Values, View, Widget, data, failed, sentence, table};
use autodiff::{Counts, Program, Value};
use figures::{COLORS, Figure, Series};

pub(crate) fn widget() -> Widget {
    Widget {
        name: "cost",
        title: "Forward or reverse?",
        about: "The whole Jacobian of y = W₂ tanh(W₁ tanh(W₀ x)), from n numbers to m through layers of 32. Forward mode takes a \
                sweep for each input, reverse mode one for each output and keeps what it met on the way. The operations and \
                bytes are counted on the programs that the engine records.",
        controls: vec![
            Control::range("n", "inputs n", (1.0, 64.0), 1.0, 24.0),
            Control::range("m", "outputs m", (1.0, 64.0), 1.0, 4.0),
        ],
        draw,
    }
}

const WIDTH: usize = 32;

/// Forward and reverse mode, as counted.
fn costs(n: usize, m: usize) -> Result<[Counts; 2], String> {
    let shapes: [&[usize]; 4] = [&[n], &[WIDTH, n], &[WIDTH, WIDTH], &[m, WIDTH]];
    let f =
        Program::record(&shapes, |a| a[3].matmul(&a[2].matmul(&a[1].matmul(&a[0]).tanh()).tanh())).map_err(failed)?;
    // All unit vectors at once: (x, W…, directions) ↦ all tangents; (x, W…, cotangents) ↦ all pullbacks.
    let sweep = |program: Program, directions: usize| -> Result<Counts, String> {
        let mut axes = vec![None; 4];
        axes.push(Some(0));
        let outputs = vec![0; program.output_shapes().len()];
        Ok(program.batch(directions, &axes, &outputs).map_err(failed)?.simplify().counts())
    };
    Ok([sweep(f.jvp(&[0]).map_err(failed)?, n)?, sweep(f.vjp(&[0]).map_err(failed)?, m)?])
}

fn draw(values: &Values) -> Result<View, String> {
    let (n, m) = (values.count("n"), values.count("m"));
    let [forward, reverse] = costs(n, m)?;
    let mut curves = [Vec::new(), Vec::new()];
    for inputs in [1, 2, 4, 8, 16, 32, 64] {
        for (curve, counts) in curves.iter_mut().zip(costs(inputs, m)?) {
            curve.push((inputs as f64, counts.flops as f64));
        }
    }
    let [along_forward, along_reverse] = curves;
    let here = |counts: &Counts| [(n as f64, counts.flops as f64)];
    let figure = Figure::new("floating-point operations against the number of inputs")
        .x("inputs n")
        .y("operations")
        .log_x()
        .log_y()
        .line(Series::new("forward", along_forward).color(COLORS[5]))
        .line(Series::new("reverse", along_reverse).color(COLORS[0]))
        .points(Series::new("", here(&forward)).color(COLORS[5]).radius(5.0))
        .points(Series::new("", here(&reverse)).color(COLORS[0]).radius(5.0));
    let bytes = |counts: &Counts| counts.peak_bytes(8) as f64;
    let memory = Figure::new("bytes alive at once")
        .size(280.0, 320.0)
        .y("bytes alive")
        .bars([("forward", bytes(&forward), COLORS[5]), ("reverse", bytes(&reverse), COLORS[0])]);
    let row = |name: &str, sweeps: usize, c: &Counts| {
        vec![name.to_owned(), sweeps.to_string(), c.flops.to_string(), c.peak_bytes(8).to_string()]
    };
    let (cheaper, factor) = if forward.flops <= reverse.flops {
        ("forward", reverse.flops as f64 / forward.flops as f64)
    } else {
        ("reverse", forward.flops as f64 / reverse.flops as f64)
    };
    let words = format!("{n} inputs, {m} outputs: {cheaper} mode is cheaper, by a factor of {factor:.1}.");
    Ok(View {
        figures: vec![figure, memory],
        drag: None,
        rest: format!(
            "{}{}{}{}",
            table(
                &["", "sweeps", "operations", "bytes alive"],
                &[row("forward", n, &forward), row("reverse", m, &reverse)]
            ),
            sentence(&words),
            data("forward", forward.flops as f64),
            data("reverse", reverse.flops as f64)
        ),
    })
}
