//! The landscape of an outer objective over two hyperparameters, with an arrow for each method.

use crate::{Control, Values, View, Widget, data, failed, sentence, table};
use autodiff::{Tensor, Value};
use bilevel::{Forward, GradientDescent, Implicit, Inner, Method, Problem, Reverse};
use figures::{Figure, Series, method_color};
use std::cell::RefCell;

pub(crate) fn widget() -> Widget {
    Widget {
        name: "landscape",
        title: "Downhill, but where is down?",
        about: "Ridge regression with a penalty eᵘ for each of two features, judged on other data: the lines are the levels of what \
                the exactly solved inner problem would score. Each arrow has the direction of minus a hypergradient; drag the point, or let it \
                walk down by the chosen method.",
        controls: vec![
            Control::Choice {
                name: "method",
                label: "method that walks",
                options: &["truncated", "reverse", "forward", "implicit", "exact"],
            },
            Control::range("T", "inner steps T", (2.0, 60.0), 1.0, 20.0),
            Control::range("K", "steps back K", (1.0, 60.0), 1.0, 3.0),
            Control::range("k", "CG iterations", (1.0, 2.0), 1.0, 1.0),
            Control::range("u1", "u₁", (-5.0, 1.0), 0.05, 0.0),
            Control::range("u2", "u₂", (-5.0, 1.0), 0.05, -3.5),
            Control::Time { name: "steps", label: "outer steps", most: 40.0, default: 0.0, stride: 6.0 },
        ],
        draw,
    }
}

/// XᵀX/N, Xᵀy/N and the same of the other data.
const A: [[f64; 2]; 2] = [[1.0, 0.45], [0.45, 0.4]];
const B: [f64; 2] = [1.1, 0.75];
const A_VAL: [[f64; 2]; 2] = [[0.9, 0.1], [0.1, 0.6]];
const B_VAL: [f64; 2] = [0.677, 0.4127];
const RATE: f64 = 0.5;
const SPAN: (f64, f64) = (-5.0, 1.0);

/// Solution of a symmetric system of two.
fn solve(a: [[f64; 2]; 2], b: [f64; 2]) -> [f64; 2] {
    let determinant = a[0][0] * a[1][1] - a[0][1] * a[1][0];
    [(b[0] * a[1][1] - b[1] * a[0][1]) / determinant, (a[0][0] * b[1] - a[1][0] * b[0]) / determinant]
}

/// F(u) and its gradient: v* = (A + diag eᵘ)⁻¹b, w = (A + diag eᵘ)⁻¹∇f(v*), dF/duⱼ = −eᵘʲ v*ⱼ wⱼ.
fn exact(u: [f64; 2]) -> (f64, [f64; 2]) {
    let h = [[A[0][0] + u[0].exp(), A[0][1]], [A[1][0], A[1][1] + u[1].exp()]];
    let v = solve(h, B);
    let image = [0, 1].map(|i| A_VAL[i][0] * v[0] + A_VAL[i][1] * v[1]);
    let value = 0.5 * (v[0] * image[0] + v[1] * image[1]) - B_VAL[0] * v[0] - B_VAL[1] * v[1];
    let w = solve(h, [image[0] - B_VAL[0], image[1] - B_VAL[1]]);
    (value, [0, 1].map(|j| -u[j].exp() * v[j] * w[j]))
}

/// ½ vᵀAv − bᵀv: least squares up to a constant.
fn problem() -> Problem {
    let matrix = |a: [[f64; 2]; 2]| Tensor::from_rows(a);
    let (a, b, a_val, b_val) = (matrix(A), Tensor::from(B), matrix(A_VAL), Tensor::from(B_VAL));
    Problem::new(
        move |_, v| {
            let image = v[0].constant(&a_val).matmul(&v[0]);
            (image * v[0]).sum_all() * 0.5 - (v[0].constant(&b_val) * v[0]).sum_all()
        },
        move |u, v| {
            let image = v[0].constant(&a).matmul(&v[0]);
            let fit = (image * v[0]).sum_all() * 0.5 - (v[0].constant(&b) * v[0]).sum_all();
            fit + (u[0].exp() * v[0].square()).sum_all() * 0.5
        },
    )
    .diagnostics(false)
    .threads(1)
}

/// The points of a walk downhill.
type Way = Vec<[f64; 2]>;

thread_local! {
    /// Compiled once.
    static PROBLEM: Problem = problem();
    /// The last walk and its settings: more steps of the same one go on from it.
    static WALK: RefCell<Option<(Values, Way)>> = const { RefCell::new(None) };
}

fn draw(values: &Values) -> Result<View, String> {
    let settings = values.without("steps");
    PROBLEM.with(|problem| {
        WALK.with_borrow_mut(|last| {
            let walk = last.take().filter(|(of, _)| *of == settings);
            let begin = || (settings, vec![[values.number("u1"), values.number("u2")]]);
            let (_, way) = last.insert(walk.unwrap_or_else(begin));
            look(problem, values, way)
        })
    })
}

fn look(problem: &Problem, values: &Values, way: &mut Way) -> Result<View, String> {
    let (steps, inner) = (values.count("steps"), values.count("T"));
    let (k, iterations) = (values.count("K").min(inner), values.count("k"));
    let rule = GradientDescent::new(RATE);
    let reverse = Reverse::new(rule.clone(), inner);
    let truncated = reverse.clone().last(k);
    let forward = Forward::new(rule.clone(), inner);
    let implicit = Implicit::cg(Inner::steps(rule, inner)).iterations(iterations).accept();
    let start = [Tensor::from([0.0, 0.0])];
    let take = |name: &str, u: [f64; 2]| -> Result<[f64; 2], String> {
        let method: &dyn Method<f64> = match name {
            "truncated" => &truncated,
            "reverse" => &reverse,
            "forward" => &forward,
            "implicit" => &implicit,
            _ => return Ok(exact(u).1),
        };
        let h = problem.hypergradient(&[Tensor::from(u)], &start, method).map_err(failed)?;
        Ok([h.gradient[0].data()[0], h.gradient[0].data()[1]])
    };
    let walker = values.word("method");
    for t in way.len() - 1..steps {
        let u = way[t];
        let g = take(walker, u)?;
        // Outer steps of one length, shorter towards the end of the slope.
        let length = g[0].hypot(g[1]).max(1e-12);
        let stride = 0.25 * (length / (length + 0.01));
        way.push([0, 1].map(|j| (u[j] - stride * g[j] / length).clamp(SPAN.0, SPAN.1)));
    }
    let here = way[steps];
    const GRID: usize = 31;
    let at = |i: usize| SPAN.0 + (SPAN.1 - SPAN.0) * i as f64 / (GRID - 1) as f64;
    let grid: Vec<f64> = (0..GRID * GRID).map(|i| exact([at(i % GRID), at(i / GRID)]).0).collect();
    let least = grid.iter().copied().fold(f64::INFINITY, f64::min);
    let levels: Vec<f64> = (1..12).map(|i| least + 0.0006 * f64::from(i * i)).collect();
    let mut figure = Figure::new("levels of the outer objective over u₁ and u₂, arrows of the methods")
        .size(480.0, 430.0)
        .x("u₁")
        .y("u₂")
        .x_range(SPAN.0, SPAN.1)
        .y_range(SPAN.0, SPAN.1)
        .contours("currentColor", &grid, GRID, (SPAN, SPAN), &levels)
        .line(Series::new("", way[..=steps].iter().map(|u| (u[0], u[1]))).color(method_color(walker)))
        .points(Series::new("", [(here[0], here[1])]).color("currentColor").radius(6.0));
    let truth = take("exact", here)?;
    let (mut rows, mut angles) = (Vec::new(), Vec::new());
    for name in ["truncated", "reverse", "forward", "implicit", "exact"] {
        let g = take(name, here)?;
        let length = g[0].hypot(g[1]);
        let cosine = (g[0] * truth[0] + g[1] * truth[1]) / (length * truth[0].hypot(truth[1]));
        let angle = cosine.clamp(-1.0, 1.0).acos().to_degrees();
        rows.push(vec![name.to_owned(), format!("({:.5}, {:.5})", g[0], g[1]), format!("{angle:.1}°")]);
        angles.push((name, angle, g));
        // Forward mode has the reverse one's arrow: they are the same number.
        if length > 0.0 && name != "forward" {
            let tip = (here[0] - 1.1 * g[0] / length, here[1] - 1.1 * g[1] / length);
            figure = figure.arrow(name, method_color(name), (here[0], here[1]), tip);
        }
    }
    let corner = |x| figure.locate((x, x)).unwrap_or((0.0, 0.0));
    let ((x0, y0), (x1, y1)) = (corner(SPAN.0), corner(SPAN.1));
    let drag = format!("u1 u2 {} {} {x0} {y0} {x1} {y1}", SPAN.0, SPAN.1);
    let (_, angle, g) = angles.iter().find(|a| a.0 == walker).copied().unwrap_or(angles[0]);
    let words = format!(
        "At u = ({:.2}, {:.2}) after {steps} outer steps, F = {:.4}; {walker} points {angle:.1}° away from the exact direction.",
        here[0],
        here[1],
        exact(here).0
    );
    Ok(View {
        figures: vec![figure],
        drag: Some(drag),
        rest: format!(
            "{}{}{}{}{}",
            table(&["", "dF/du", "angle to exact"], &rows),
            sentence(&words),
            data("g1", g[0]),
            data("g2", g[1]),
            data("F", exact(here).0)
        ),
    })
}
