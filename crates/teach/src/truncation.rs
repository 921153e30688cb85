//! How fast a hypergradient forgets: the last K steps of T, beside the whole trajectory and the exact one.

use crate::{Control, Values, View, Widget, data, failed, sentence, table};
use autodiff::{Tensor, Value};
use bilevel::{Forward, GradientDescent, Implicit, Inner, Method, Problem, Reverse};
use figures::{Figure, Series, method_color};

pub(crate) fn widget() -> Widget {
    Widget {
        name: "truncation",
        title: "How many steps back?",
        about: "An inner problem is solved by T steps of gradient descent: min over v of ½ Σ hⱼ(vⱼ − 1)² + ½eᵘ‖v‖², with h = \
                (0.15, 1). The outer objective is ½‖v − (0, 0.3)‖². How does it change with u? Reverse mode follows all \
                steps back, truncated reverse mode the last K: what it misses shrinks as (1 − ημ)ᴷ, where μ is the least \
                curvature. (All of these η are below 2/L, where descent converges.)",
        controls: vec![
            Control::range("T", "inner steps T", (1.0, 120.0), 1.0, 30.0),
            Control::range("K", "steps back K", (1.0, 120.0), 1.0, 10.0),
            Control::range("eta", "step size η", (0.02, 0.9), 0.02, 0.4),
            Control::range("u", "hyperparameter u", (-4.0, 0.0), 0.1, -2.0),
        ],
        draw,
    }
}

const CURVATURES: [f64; 2] = [0.15, 1.0];
const TARGET: [f64; 2] = [0.0, 0.3];

/// The inner solution, and dF/du in closed form: `Σ (v*ⱼ − tⱼ)·∂v*ⱼ/∂u` with `v* = h/(h + eᵘ)`.
fn exact(u: f64) -> ([f64; 2], f64) {
    let solution = CURVATURES.map(|h| h / (h + u.exp()));
    let slopes = CURVATURES.map(|h| -h * u.exp() / (h + u.exp()).powi(2));
    let total = (0..2).map(|j| (solution[j] - TARGET[j]) * slopes[j]).sum();
    (solution, total)
}

fn problem() -> Problem {
    let [h, target] = [CURVATURES, TARGET].map(Tensor::from);
    Problem::new(
        move |_, v| (v[0] - &target).square().sum_all() * 0.5,
        move |u, v| {
            let fit = ((v[0] - 1.0).square() * v[0].constant(&h)).sum_all();
            (fit + u[0].exp() * v[0].square().sum_all()) * 0.5
        },
    )
    .diagnostics(false)
    .threads(1)
}

thread_local! {
    /// Compiled once.
    static PROBLEM: Problem = problem();
}

fn draw(values: &Values) -> Result<View, String> {
    PROBLEM.with(|problem| look(problem, values))
}

fn look(problem: &Problem, values: &Values) -> Result<View, String> {
    let (steps, eta, u) = (values.count("T"), values.number("eta"), values.number("u"));
    let k = values.count("K").min(steps);
    let (solution, truth) = exact(u);
    let rule = GradientDescent::new(eta);
    let (point, start) = ([Tensor::scalar(u)], [Tensor::from([0.0, 0.0])]);
    let take = |method: &dyn Method<f64>| problem.hypergradient(&point, &start, method).map_err(failed);
    let reverse = Reverse::new(rule.clone(), steps);
    let whole = take(&reverse)?;
    let truncated = take(&reverse.clone().last(k))?;
    let forward = take(&Forward::new(rule.clone(), steps))?;
    // The accuracy of CG is not what this page is about: two iterations solve two dimensions.
    let implicit = take(&Implicit::cg(Inner::steps(rule.clone(), steps)).iterations(2).accept())?;

    // The path, step by step: what the engine does, done once more to be seen.
    let mut path = vec![(0.0, 0.0)];
    for t in 0..steps {
        let (a, b) = path[t];
        let next = |x: f64, h: f64| x - eta * (h * (x - 1.0) + u.exp() * x);
        path.push((next(a, CURVATURES[0]), next(b, CURVATURES[1])));
    }
    let tail = path[steps + 1 - k..].to_vec();
    let way = Figure::new("the inner path in the plane, its last K steps marked")
        .size(420.0, 320.0)
        .x("v₁")
        .y("v₂")
        .line(Series::new("", path.clone()).color(method_color("")))
        .points(Series::new(format!("last {k}"), tail).color(method_color("truncated")))
        .ring((solution[0], solution[1]), method_color("exact"), 7.0)
        .note((solution[0], solution[1]), method_color("exact"), "v*");

    let relative = |g: f64| ((g - truth) / truth).abs();
    let of = |h: &bilevel::Hypergradient<f64>| h.gradient[0].item();
    let mu = CURVATURES[0] + u.exp();
    let mut errors = Vec::new();
    let mut at = 1;
    while at <= steps {
        // The last steps of a run are a run from where they begin, all of it walked back.
        let (a, b) = path[steps - at];
        let last = Reverse::new(rule.clone(), at);
        let back = problem.hypergradient(&point, &[Tensor::from([a, b])], &last).map_err(failed)?;
        errors.push((at as f64, relative(of(&back))));
        at = (at + 1).max(at * 3 / 2);
    }
    let first = errors[0].1;
    let rate = |k: f64| first * (1.0 - eta * mu).abs().powf(k - 1.0);
    let forgetting = Figure::new("error against the number of steps back")
        .size(420.0, 320.0)
        .x("K")
        .y("relative error")
        .log_y()
        .line(
            Series::new("slope (1 − ημ)ᴷ", errors.iter().map(|(k, _)| (*k, rate(*k)))).color(method_color("")).dashed(),
        )
        .line(Series::new("K-RMD", errors.clone()).color(method_color("truncated")))
        .points(Series::new("", [(k as f64, relative(of(&truncated)))]).color(method_color("truncated")).radius(5.0));

    let rows: Vec<Vec<String>> = [
        ("exact", truth),
        ("RMD, all steps", of(&whole)),
        ("FMD, forward", of(&forward)),
        ("K-RMD", of(&truncated)),
        ("implicit, at v_T", of(&implicit)),
    ]
    .iter()
    .map(|(name, g)| {
        vec![
            (*name).to_owned(),
            format!("{g:.8}"),
            if relative(*g) == 0.0 { "0".to_owned() } else { format!("{:.1e}", relative(*g)) },
        ]
    })
    .collect();
    let words = format!(
        "With T = {steps}, going {k} steps back gives dF/du = {:.6} where the exact one is {truth:.6}: off by {:.1} %. All \
         steps: off by {:.1} %.",
        of(&truncated),
        100.0 * relative(of(&truncated)),
        100.0 * relative(of(&whole)),
    );
    Ok(View {
        figures: vec![way, forgetting],
        drag: None,
        rest: format!(
            "{}{}{}{}",
            table(&["", "dF/du", "relative error"], &rows),
            sentence(&words),
            data("truncated", of(&truncated)),
            data("exact", truth) + &data("end", path[steps].0) + &data("solution", whole.inner_solution[0].data()[0])
        ),
    })
}
