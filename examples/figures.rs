//! The figures of the documentation, from fixed seeds.
//!
//! `cargo run --release --example figures -- [DIRECTORY]` (docs/book/src/figures if none is named)

use autodiff::{Tensor, Value};
use bilevel::{
    Adam, Ask, AugmentedLagrangian, Data, Forward, GradientDescent, Implicit, Inner, Method, Options, Penalty, Problem,
    Reference, Reverse,
};
use figures::{COLORS, Figure, Series, color, colors_of};
use nn::cleaning::hyper_cleaning;
use nn::data::{Noise, digits};
use nn::reweight::{Kind, Setup, Training, example_weight};
use nn::train::{Schedule, Settings};
use nn::{Activation, Init, Mlp, loss, rng};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let folder =
        std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "docs/book/src/figures".to_owned()));
    std::fs::create_dir_all(&folder)?;
    for (name, figure) in all()? {
        std::fs::write(folder.join(format!("{name}.svg")), figure.document())?;
        println!("{name}");
    }
    Ok(())
}

/// Every figure with its name.
pub(crate) fn all() -> Outcome<Vec<(&'static str, Figure)>> {
    let page = |name: &str, query: &str, which: usize| -> Outcome<Figure> {
        let widget = teach::widget(name).ok_or("there is no such page")?;
        Ok(widget.figures(query)?.swap_remove(which))
    };
    Ok(vec![
        ("sweeps", sweeps()),
        ("cost", page("cost", "", 0)?),
        ("path", page("truncation", "T=30&K=8", 0)?),
        ("forgetting", page("truncation", "T=80&K=10", 1)?),
        ("memory", page("memory", "", 0)?),
        ("landscape", page("landscape", "steps=25&method=implicit&k=2", 0)?),
        ("trust", page("trust", "step=120", 0)?),
        ("hump", hump()?),
        ("implicit", implicit()?),
        ("methods", methods()?),
        ("weights", weights()?),
        ("meta-weight-net", meta_weight_net()?),
    ])
}

/// y = x₁·sin(x₀): the list, values and tangents on the way down, adjoints on the way up, at (1, 2) along (1, 0).
fn sweeps() -> Figure {
    let (x0, x1) = (1.0_f64, 2.0_f64);
    let lines = [
        ("x₀", x0, 1.0, x1 * x0.cos()),
        ("x₁", x1, 0.0, x0.sin()),
        ("a = sin x₀", x0.sin(), x0.cos(), x1),
        ("y = x₁ · a", x1 * x0.sin(), x1 * x0.cos(), 1.0),
    ];
    let mut figure = Figure::new("a list of four lines with values, tangents and adjoints")
        .size(560.0, 230.0)
        .bare()
        .x_range(0.0, 10.0)
        .y_range(-4.5, 1.4)
        .note((0.0, 1.0), "currentColor", "line")
        .note((3.0, 1.0), "currentColor", "value ↓")
        .note((5.2, 1.0), COLORS[5], "tangent ↓")
        .note((7.6, 1.0), COLORS[0], "adjoint ↑");
    for (i, (line, value, tangent, adjoint)) in lines.into_iter().enumerate() {
        let y = -(i as f64);
        figure = figure
            .note((0.0, y), "currentColor", line)
            .note((3.0, y), "currentColor", format!("{value:.4}"))
            .note((5.2, y), COLORS[5], format!("{tangent:.4}"))
            .note((7.6, y), COLORS[0], format!("{adjoint:.4}"));
    }
    let down = (4.95, 0.3);
    figure.arrow("", COLORS[5], down, (4.95, -3.3)).arrow("", COLORS[0], (7.35, -3.3), (7.35, 0.3))
}

/// Ridge regression with one penalty: XᵀX/N has the curvatures 0.05, 0.3 and 1.
fn ridge() -> (Problem, f64, f64) {
    let (h, b, target) = ([0.05, 0.3, 1.0], [0.05, -0.3, 0.8], [0.3, -0.4, 0.5]);
    let u = -3.0_f64;
    let exact = (0..3)
        .map(|j| {
            let v = b[j] / (h[j] + u.exp());
            (v - target[j]) * (-v * u.exp() / (h[j] + u.exp()))
        })
        .sum();
    let [h, b, target] = [h, b, target].map(Tensor::from);
    let problem = Problem::new(
        move |_, v| (v[0] - &target).square().sum_all() * 0.5,
        move |u, v| {
            let fit = (v[0].square() * v[0].constant(&h)).sum_all() * 0.5 - (v[0] * v[0].constant(&b)).sum_all();
            fit + u[0].exp() * v[0].square().sum_all() * 0.5
        },
    );
    (problem.diagnostics(false).threads(1), u, exact)
}

fn relative(problem: &Problem, u: f64, exact: f64, method: &dyn Method<f64>) -> Outcome<f64> {
    let h = problem.hypergradient(&[Tensor::scalar(u)], &[Tensor::from([0.0; 3])], method)?;
    Ok(((h.gradient[0].item() - exact) / exact).abs())
}

/// The curse of unrolling: with the hyperparameter in the curvature, the derivative of the iterate gets worse before it gets
/// better, while the iterate only gets better. (Scieur, Gidel, Bertrand, Pedregosa, NeurIPS 2022.)
fn hump() -> Outcome<Figure> {
    let (h, b, u, start) = ([0.05, 0.3, 1.0], [0.05, 0.3, 0.8], -3.0_f64, -20.0);
    let solution = [0, 1, 2].map(|j| b[j] / (h[j] + u.exp()));
    let exact: f64 = (0..3).map(|j| -solution[j] * u.exp() / (h[j] + u.exp())).sum();
    let [curvatures, forces] = [h, b].map(Tensor::from);
    let problem = Problem::new(
        |_, v| v[0].sum_all(),
        move |u, v| {
            let fit = (v[0].square() * v[0].constant(&curvatures)).sum_all() * 0.5;
            fit - (v[0] * v[0].constant(&forces)).sum_all() + u[0].exp() * v[0].square().sum_all() * 0.5
        },
    );
    let problem = problem.diagnostics(false).threads(1);
    let far = (start - solution[0]).hypot(start - solution[1]).hypot(start - solution[2]);
    let (mut derivative, mut iterate) = (Vec::new(), Vec::new());
    for t in 1..=160 {
        let method = Forward::new(GradientDescent::new(0.9), t);
        let answer = problem.hypergradient(&[Tensor::scalar(u)], &[Tensor::from([start; 3])], &method)?;
        derivative.push((t as f64, ((answer.gradient[0].item() - exact) / exact).abs()));
        let v = answer.inner_solution[0].data();
        let left = (v[0] - solution[0]).hypot(v[1] - solution[1]).hypot(v[2] - solution[2]);
        iterate.push((t as f64, left / far));
    }
    Ok(Figure::new("error of the iterate and of its derivative against the number of inner steps")
        .x("inner steps T")
        .y("relative error")
        .log_y()
        .line(Series::new("iterate", iterate).color(COLORS[6]).dashed())
        .line(Series::new("derivative", derivative).color(COLORS[0])))
}

/// The implicit hypergradient: two errors, that of the inner solution and that of the linear system.
fn implicit() -> Outcome<Figure> {
    let (problem, u, exact) = ridge();
    let mut figure = Figure::new("error of the implicit hypergradient against the inner steps, by CG iterations")
        .x("inner steps T")
        .y("relative error")
        .log_y();
    for k in 1..=3 {
        let mut points = Vec::new();
        for t in (5..=150).step_by(5) {
            let inner = Inner::steps(GradientDescent::new(0.9), t);
            let method = Implicit::cg(inner).iterations(k).accept();
            points.push((t as f64, relative(&problem, u, exact, &method)?));
        }
        figure = figure.line(Series::new(format!("{k} of CG"), points).color(color(k - 1)));
    }
    Ok(figure)
}

/// Every family on one problem: error against evaluations, the size of a point for its memory.
fn methods() -> Outcome<Figure> {
    let (problem, u, _) = ridge();
    let (point, start) = ([Tensor::scalar(u)], [Tensor::from([0.0; 3])]);
    let ask = Ask { problem: &problem, u: &point, v0: &start, data: Data::NONE };
    let rule = GradientDescent::new(0.9);
    let reverse = Reverse::new(rule.clone(), 100);
    let ten = reverse.clone().last(10);
    let (forward, cg) = (Forward::new(rule.clone(), 100), Implicit::cg(Inner::steps(rule, 100)).iterations(3));
    let (penalty, lagrangian) = (Penalty::new(1e4), AugmentedLagrangian::new(10.0));
    let all: [&dyn Method<f64>; 6] = [&reverse, &ten, &forward, &cg, &penalty, &lagrangian];
    let table = problem.compare(&ask, &all, &Reference::FiniteDifferences(Inner::newton()))?;
    let names: Vec<&str> = table.methods.iter().map(|row| row.method.as_str()).collect();
    let mut figure = Figure::new("error of each method against its evaluations; the larger a point, the more it keeps")
        .size(620.0, 380.0)
        .x("evaluations")
        .y("relative error")
        .log_x()
        .log_y();
    for (row, color) in table.methods.iter().zip(colors_of(&names)) {
        let evaluations = (row.values + row.gradients + row.hvps + row.jvps + row.vjps) as f64;
        // Errors below this are those of the differences that they are compared with.
        let error = row.relative_error.unwrap_or(f64::NAN).max(1e-9);
        let radius = 2.0 + 1.5 * (row.peak_bytes.max(1) as f64).log10();
        figure = figure.points(Series::new(row.method.as_str(), [(evaluations, error)]).color(color).radius(radius));
    }
    Ok(figure)
}

/// Hyper-cleaning of 200 digits, half of them wrong: the mean weights of right and wrong labels, with their spread.
fn weights() -> Outcome<Figure> {
    let mut rng = rng(0);
    let [train, trusted] = digits::<f64>()?.split([200, 200], &mut rng)?;
    let labels = Noise::UniformOther(0.5).apply(train.labels(), 10, &mut rng)?;
    let wrong: Vec<bool> = labels.iter().zip(train.labels()).map(|(a, b)| a != b).collect();
    let mlp = Mlp::new(&[64, 10], Activation::Relu)?;
    let problem = hyper_cleaning(&mlp, 1e-3).diagnostics(false).threads(1);
    let outer = [trusted.inputs().clone(), loss::one_hot(trusted.labels(), 10)?];
    let inner = [train.inputs().clone(), loss::one_hot(&labels, 10)?];
    let (u, start) = ([Tensor::zeros(&[200])], [Tensor::zeros(&[64, 10]), Tensor::zeros(&[10])]);
    let ask = Ask { problem: &problem, u: &u, v0: &start, data: Data::new(&outer, &inner) };
    let (method, optimizer) = (Reverse::new(GradientDescent::new(1.0), 40).last(5), Adam::new(0.3));
    let mut solver = problem.solve(&ask, &method, &optimizer, Options::default().iterations(40))?;
    let mut curves: [Vec<(f64, f64, f64)>; 2] = Default::default();
    loop {
        for (kind, curve) in curves.iter_mut().enumerate() {
            let of = solver.u()[0].data().iter().zip(&wrong).filter(|(_, w)| usize::from(**w) == kind);
            let weights: Vec<f64> = of.map(|(u, _)| u.sigmoid()).collect();
            let mean = weights.iter().sum::<f64>() / weights.len() as f64;
            let spread = (weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / weights.len() as f64).sqrt();
            curve.push((solver.iteration() as f64, mean, spread));
        }
        match solver.next() {
            Some(event) => drop(event?),
            None => break,
        }
    }
    let mut figure = Figure::new("weights of examples over the outer steps").x("outer steps").y("weight σ(u)");
    for ((name, color), curve) in [("right label", COLORS[0]), ("wrong label", COLORS[1])].into_iter().zip(&curves) {
        let line = Series::new(name, curve.iter().map(|(t, mean, _)| (*t, *mean))).color(color);
        figure = figure.line(line.band(curve.iter().map(|(t, mean, spread)| (*t, mean - spread, mean + spread))));
    }
    Ok(figure)
}

/// What Meta-Weight-Net thinks of losses, from epoch to epoch.
fn meta_weight_net() -> Outcome<Figure> {
    let mut rng = rng(0);
    let [noisy, trusted] = digits::<f64>()?.split([500, 100], &mut rng)?;
    let noisy = noisy.with_labels(Noise::UniformOther(0.4).apply(noisy.labels(), 10, &mut rng)?)?;
    let setup = Setup {
        mlp: Mlp::new(&[64, 32, 10], Activation::Tanh)?,
        init: Init::Glorot,
        kind: Kind::MetaWeightNet { rate: 2e-3, normalize: true },
        settings: Settings { epochs: 40, batch: 50, rate: Schedule::Constant(0.05) },
        trusted_batch: 100,
        momentum: 0.9,
        decay: 0.0,
        seed: 0,
    };
    let losses: Vec<f64> = (0..=40).map(|i| 0.15 * f64::from(i)).collect();
    let mut run = Training::new(setup, &noisy, &trusted)?;
    let mut figure =
        Figure::new("weight by loss, as Meta-Weight-Net learns it").x("loss").y("V(loss)").y_range(0.0, 1.0);
    let mut looks = 0;
    while !run.is_done() {
        run.epoch()?;
        if [1, 5, 10, 20, 40].contains(&run.epochs()) {
            let v = example_weight(run.meta_params(), &Tensor::from(losses.clone()));
            let points = losses.iter().copied().zip(v.data().iter().copied());
            figure = figure.line(Series::new(format!("epoch {}", run.epochs()), points).color(color(looks)));
            looks += 1;
        }
    }
    Ok(figure)
}
