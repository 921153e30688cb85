//! A program, walked along: values, tangents down the list, adjoints up.

use crate::{Control, Values, View, Widget, data, failed, most, sentence};
use autodiff::{Kind, Program, Tape, Tensor, Value, Var};
use figures::escape;
use modes::Expression;
use std::fmt::Write;

pub(crate) fn widget() -> Widget {
    Widget {
        name: "stepper",
        title: "A program is a list",
        about: "An expression in the array x is recorded as a list, one operation a line. Forward mode walks down: each line has its \
                value, and its tangent from those above. Reverse mode walks down for the values, keeps them, and comes back up: \
                each line hands its adjoint to those that it was made of.",
        controls: vec![
            Control::Text { name: "f", label: "expression in x", default: "sum(sin(x)^2 * exp(-x))" },
            Control::Choice { name: "mode", label: "direction", options: &["reverse", "forward"] },
            Control::Time { name: "step", label: "step", most: 120.0, default: 120.0, stride: 120.0 },
        ],
        draw,
    }
}

/// The point, and the direction of forward mode.
const X: [f64; 2] = [0.5, 1.5];
const DX: [f64; 2] = [1.0, 0.0];

/// A column that fills: the number at each line, or nothing where the derivative does not go.
type Column = Vec<Option<Tensor<f64>>>;

/// Values, tangents and adjoints of every line, by the engine.
fn walk(program: &Program) -> (Column, Column, Column) {
    let (x, dx) = (Tensor::from(X), Tensor::from(DX));
    Tape::scope(|tape: Tape<'_, Tensor<f64>>| {
        let mut lines: Vec<Var<'_, Tensor<f64>>> = Vec::new();
        let mut input = None;
        for node in program.nodes() {
            let line = match node.kind() {
                Kind::Input(_) => *input.insert(tape.var(x.clone())),
                Kind::Constant(constant) => tape.constant(x.lift(constant)),
                Kind::Op(op) => {
                    let args: Vec<&Var<'_, _>> = node.args().iter().map(|&a| &lines[a as usize]).collect();
                    Var::apply(op, &args)
                }
            };
            lines.push(line);
        }
        let values = lines.iter().map(|line| Some(line.value())).collect();
        let tangents = input.map_or_else(|| vec![None; lines.len()], |x| tape.jvp(&[(x, dx)], &lines));
        let last = lines[program.outputs()[0] as usize];
        let adjoints = tape.vjp(&[(last, last.value().ones_like())], &lines);
        (values, tangents, adjoints)
    })
}

fn draw(values: &Values) -> Result<View, String> {
    let expression = Expression::parse(values.word("f")).map_err(failed)?;
    let program = Program::record(&[&[X.len()]], |x| expression.eval(&x[0])).map_err(failed)?;
    let lines = program.nodes().len();
    if lines > 60 {
        return Err(format!("{lines} lines are too many to look at: 60 at most"));
    }
    let reverse = values.word("mode") == "reverse";
    let steps = if reverse { 2 * lines } else { lines };
    let step = values.count("step").min(steps);
    let (value, tangent, adjoint) = walk(&program);
    let show = |x: &Option<Tensor<f64>>| match x {
        None => "·".to_owned(),
        Some(x) => {
            let numbers: Vec<String> = x.data().iter().take(4).map(|x| format!("{x:.4}")).collect();
            numbers.join(", ") + if x.len() > 4 { ", …" } else { "" }
        }
    };
    // Down the list, then up again: the line that is being worked on, and which adjoints are there.
    let down = step.min(lines);
    let up = step - down;
    let reached = |i: usize| i + up >= lines;
    let (mut text, mut live) = (String::new(), 0);
    let heading = if reverse { "adjoint" } else { "tangent" };
    let _ = writeln!(text, "<table class=\"list\"><tr><th>line</th><th>is</th><th>value</th><th>{heading}</th></tr>");
    for (i, node) in program.nodes().iter().enumerate() {
        let is = match node.kind() {
            Kind::Input(_) => "x".to_owned(),
            Kind::Constant(_) => "constant".to_owned(),
            Kind::Op(op) => {
                let args: Vec<String> = node.args().iter().map(|a| format!("%{a}")).collect();
                format!("{op} {}", args.join(" "))
            }
        };
        let size: usize = node.shape().iter().product::<usize>() * 8;
        let filled = i < down;
        let derived = if reverse { up > 0 && reached(i) } else { filled };
        // On the way up, a value is dropped once its line is done.
        if filled && !(reverse && up > 0 && reached(i)) {
            live += size;
        }
        if derived {
            live += size;
        }
        let at = if up == 0 { i + 1 == down } else { i + up == lines };
        let cell = |there: bool, x: &Option<Tensor<f64>>| if there { show(x) } else { String::new() };
        let derivative = if reverse { &adjoint[i] } else { &tangent[i] };
        let mark = if at { " class=\"now\"" } else { "" };
        let (is, value, derivative) = (escape(&is), cell(filled, &value[i]), cell(derived, derivative));
        let _ = writeln!(text, "<tr{mark}><td>%{i}</td><td>{is}</td><td>{value}</td><td>{derivative}</td></tr>");
    }
    text += "</table>\n";
    let first = |x: &Column, i: usize| x[i].as_ref().map_or(f64::NAN, |x| x.data()[0]);
    // Inputs and constants are lines, but no operations.
    let ops = |lines: &[autodiff::Node]| lines.iter().filter(|n| matches!(n.kind(), Kind::Op(_))).count();
    let nodes = program.nodes();
    let operations = ops(&nodes[..down]) + if reverse { ops(&nodes[lines - up..]) } else { ops(&nodes[..down]) };
    let numbers: usize = nodes[program.outputs()[0] as usize].shape().iter().product();
    let whole = if numbers == 1 { "the whole gradient" } else { "the gradient of the sum of what comes out" };
    let words = if reverse {
        format!(
            "Step {step} of {steps}: {down} lines computed, {up} adjoints handed on; {operations} operations, about {live} bytes \
             alive. At the end, the adjoint of x is {whole}."
        )
    } else {
        format!(
            "Step {step} of {steps}: {down} lines computed, each with its tangent; {operations} operations, about {live} bytes if \
             every line is kept. At the end, the tangent of the last line is the derivative along (1, 0)."
        )
    };
    let last = program.outputs()[0] as usize;
    let input = program.nodes().iter().position(|n| matches!(n.kind(), Kind::Input(_))).unwrap_or(0);
    Ok(View {
        rest: format!(
            "{text}{}{}{}{}",
            most("step", steps) + &sentence(&words),
            data("value", first(&value, last)),
            data("tangent", first(&tangent, last)),
            data("adjoint", first(&adjoint, input))
        ),
        ..View::default()
    })
}
