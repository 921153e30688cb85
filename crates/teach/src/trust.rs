//! Which examples deserve trust: a small network learns on points of which some labels are flipped.

use crate::{Control, Values, View, Widget, data, failed, sentence};
use autodiff::{Program, Tensor, Value};
use bilevel::{Data, GradientDescent, Problem, Reverse, Symbol, VirtualStep, example_weights};
use figures::{COLORS, Figure, Series};
use std::cell::RefCell;

pub(crate) fn widget() -> Widget {
    Widget {
        name: "trust",
        title: "Which examples deserve trust?",
        about: "Points of two kinds, some with the wrong label (ringed). A network with eight hidden units learns them step by step. \
                With learning to reweight, each step first asks: would a little more weight on this point help on the few \
                trusted ones (squares)? Hyper-cleaning keeps a number for each point, and moves it along the hypergradient \
                of every step. The size of a point is its weight.",
        controls: vec![
            Control::Choice { name: "method", label: "method", options: &["l2rw", "hyper-cleaning", "plain"] },
            Control::range("noise", "labels flipped, %", (0.0, 45.0), 1.0, 30.0),
            Control::range("rate", "learning rate", (0.1, 2.0), 0.1, 1.0),
            Control::range("outer", "outer rate, hyper-cleaning", (10.0, 500.0), 10.0, 200.0),
            Control::Time { name: "step", label: "step", most: 300.0, default: 60.0, stride: 20.0 },
        ],
        draw,
    }
}

const POINTS: usize = 60;
const TRUSTED: usize = 10;
const HIDDEN: usize = 8;

/// A number in [−1, 1] that looks random and is always the same.
fn wave(i: usize, k: u64) -> f64 {
    let mut x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ k.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x >> 11) as f64 / (1_u64 << 52) as f64) - 1.0
}

/// Two moons: a point and whether it is of the upper one.
fn moon(i: usize, salt: u64) -> ([f64; 2], bool) {
    let angle = std::f64::consts::FRAC_PI_2 * (wave(i, salt) + 1.0);
    let (upper, noise) = (i.is_multiple_of(2), [0.15 * wave(i, salt + 1), 0.15 * wave(i, salt + 2)]);
    let at = if upper { [angle.cos() - 0.5, angle.sin() - 0.25] } else { [0.5 - angle.cos(), 0.25 - angle.sin()] };
    ([at[0] + noise[0], at[1] + noise[1]], upper)
}

fn set(count: usize, salt: u64) -> (Tensor<f64>, Vec<f64>) {
    let all: Vec<([f64; 2], bool)> = (0..count).map(|i| moon(i, salt)).collect();
    let signs = all.iter().map(|(_, upper)| if *upper { 1.0 } else { -1.0 }).collect();
    (Tensor::from_fn(&[count, 2], |i| all[i[0]].0[i[1]]), signs)
}

/// The network's output for rows of points: two layers.
fn output<V: Value>(v: &[V], x: &V) -> V {
    let hidden = x.matmul(&v[0]).plus(&v[1]).tanh();
    hidden.matmul(&v[2]).plus(&v[3])
}

fn loss<'t>(v: &[Symbol<'t>], data: &[Symbol<'t>]) -> Symbol<'t> {
    (-(output(v, &data[0]) * data[1])).softplus()
}

/// Where a run is after a step.
#[derive(Clone)]
struct Moment {
    params: Vec<Tensor<f64>>,
    weights: Tensor<f64>,
    /// What hyper-cleaning knows of each point: its weight is 2σ(u) of the average.
    u: Tensor<f64>,
}

/// What every run is made with, compiled once.
struct Programs {
    reweighting: Problem,
    cleaning: Problem,
    gradient: Program,
}

impl Programs {
    fn new() -> Result<Self, autodiff::Error> {
        let reweighting = Problem::with_data(
            |_, v, data| loss(v, data).mean_all(),
            |u, v, data| (loss(v, data).reshape(&[POINTS]) * u[0]).sum_all(),
        );
        let cleaning = Problem::with_data(
            |_, v, data| loss(v, data).mean_all(),
            |u, v, data| (loss(v, data).reshape(&[POINTS]) * u[0].sigmoid() * 2.0).mean_all(),
        );
        let shapes: Vec<&[usize]> =
            vec![&[2, HIDDEN], &[HIDDEN], &[HIDDEN, 1], &[1], &[POINTS, 2], &[POINTS, 1], &[POINTS]];
        let gradient = Program::record(&shapes, |a| (loss(&a[..4], &a[4..6]).reshape(&[POINTS]) * a[6]).sum_all())
            .and_then(|f| f.grad(&[0, 1, 2, 3]))?;
        Ok(Self {
            reweighting: reweighting.diagnostics(false).threads(1),
            cleaning: cleaning.diagnostics(false).threads(1),
            gradient: gradient.simplify(),
        })
    }
}

/// A run: all its moments, as far as it got.
struct Run {
    settings: Values,
    moments: Vec<Moment>,
    noisy: [Tensor<f64>; 2],
    trusted: [Tensor<f64>; 2],
    flipped: Vec<bool>,
}

thread_local! {
    static PROGRAMS: Result<Programs, autodiff::Error> = Programs::new();
    /// The last run: a later step of the same one goes on from it, an earlier one is there.
    static LAST: RefCell<Option<Run>> = const { RefCell::new(None) };
}

impl Run {
    fn new(settings: Values) -> Self {
        let (x, mut y) = set(POINTS, 1);
        let (x_trusted, y_trusted) = set(TRUSTED, 20);
        let wrong = (settings.number("noise") / 100.0 * POINTS as f64).round() as usize;
        let mut order: Vec<usize> = (0..POINTS).collect();
        order.sort_by(|a, b| wave(*a, 40).total_cmp(&wave(*b, 40)));
        let mut flipped = vec![false; POINTS];
        for &i in &order[..wrong] {
            flipped[i] = true;
            y[i] = -y[i];
        }
        let rows = |y: &[f64]| Tensor::from_fn(&[y.len(), 1], |i| y[i[0]]);
        let weight = |rows: usize, columns: usize, salt: u64| {
            Tensor::from_fn(&[rows, columns], |i| wave(i[0] * columns + i[1], salt))
        };
        let params = vec![weight(2, HIDDEN, 60), Tensor::zeros(&[HIDDEN]), weight(HIDDEN, 1, 61), Tensor::zeros(&[1])];
        Self {
            settings,
            moments: vec![Moment {
                params,
                weights: Tensor::full(&[POINTS], 1.0 / POINTS as f64),
                u: Tensor::zeros(&[POINTS]),
            }],
            noisy: [x, rows(&y)],
            trusted: [x_trusted, rows(&y_trusted)],
            flipped,
        }
    }

    /// The moment after `now`.
    fn step(&self, programs: &Programs, now: &Moment) -> Result<Moment, String> {
        let (rate, outer) = (self.settings.number("rate"), self.settings.number("outer"));
        let data = Data::new(&self.trusted, &self.noisy);
        let mut next = now.clone();
        match self.settings.word("method") {
            "hyper-cleaning" => {
                let step = Reverse::new(GradientDescent::new(rate), 1);
                let u = [now.u.clone()];
                let h = programs.cleaning.hypergradient_on(&u, &now.params, data, &step).map_err(failed)?;
                next.u = &now.u - &h.gradient[0] * outer;
                next.weights = next.u.sigmoid() * (2.0 / POINTS as f64);
                next.params = h.inner_solution;
                return Ok(next);
            }
            "l2rw" => {
                let zeros = [Tensor::zeros(&[POINTS])];
                let virtual_step = VirtualStep::new(rate);
                let h =
                    programs.reweighting.hypergradient_on(&zeros, &now.params, data, &virtual_step).map_err(failed)?;
                next.weights = example_weights(&h.gradient[0]);
            }
            _ => {}
        }
        let inputs = [&now.params[..], &self.noisy, std::slice::from_ref(&next.weights)].concat();
        let gradient = programs.gradient.run(&inputs).map_err(failed)?;
        next.params.iter_mut().zip(&gradient).for_each(|(p, g)| *p = &*p - g * rate);
        Ok(next)
    }

    /// Goes on until so many steps are done.
    fn reach(&mut self, programs: &Programs, steps: usize) -> Result<(), String> {
        while self.moments.len() <= steps {
            let next = self.step(programs, &self.moments[self.moments.len() - 1])?;
            self.moments.push(next);
        }
        Ok(())
    }
}

/// The share of points that lie on the right side.
fn accuracy(params: &[Tensor<f64>]) -> f64 {
    let (x, y) = set(200, 80);
    let out = output(params, &x);
    out.data().iter().zip(y).filter(|(o, y)| *o * y > 0.0).count() as f64 / 200.0
}

fn draw(values: &Values) -> Result<View, String> {
    let (settings, steps) = (values.without("step"), values.count("step"));
    LAST.with_borrow_mut(|last| {
        let run = last.take().filter(|run| run.settings == settings);
        let run = last.insert(run.unwrap_or_else(|| Run::new(settings)));
        PROGRAMS.with(|programs| run.reach(programs.as_ref().map_err(failed)?, steps))?;
        Ok(picture(run, steps))
    })
}

fn picture(run: &Run, steps: usize) -> View {
    let now = &run.moments[steps];
    const GRID: usize = 25;
    const SPAN: (f64, f64) = (-1.8, 1.8);
    let at = |i: usize| SPAN.0 + (SPAN.1 - SPAN.0) * i as f64 / (GRID - 1) as f64;
    let grid = Tensor::from_fn(&[GRID * GRID, 2], |i| at([i[0] % GRID, i[0] / GRID][i[1]]));
    let surface = output(&now.params, &grid);
    let mut figure =
        Figure::new("points sized by their weight, flipped labels ringed, and the line between the classes")
            .size(460.0, 440.0)
            .x("x₁")
            .y("x₂")
            .x_range(SPAN.0, SPAN.1)
            .y_range(SPAN.0, SPAN.1)
            .contours("currentColor", surface.data(), GRID, (SPAN, SPAN), &[0.0]);
    let place = |x: &Tensor<f64>, i: usize| (x.data()[2 * i], x.data()[2 * i + 1]);
    let weights: Vec<f64> = now.weights.data().iter().map(|w| w * POINTS as f64).collect();
    for (i, weight) in weights.iter().enumerate() {
        let color = if run.noisy[1].data()[i] > 0.0 { COLORS[0] } else { COLORS[4] };
        let point = [place(&run.noisy[0], i)];
        figure = figure.points(Series::new("", point).color(color).radius(1.0 + 3.0 * weight.sqrt()));
        if run.flipped[i] {
            figure = figure.ring(point[0], COLORS[1], 8.0);
        }
    }
    for i in 0..TRUSTED {
        let color = if run.trusted[1].data()[i] > 0.0 { COLORS[0] } else { COLORS[4] };
        figure = figure.square(place(&run.trusted[0], i), color, 5.0);
    }
    let of = |kind: bool| -> Vec<f64> {
        weights.iter().zip(&run.flipped).filter(|(_, f)| **f == kind).map(|(w, _)| *w).collect()
    };
    let most = weights.iter().copied().fold(1.0, f64::max);
    let histogram = Figure::new("histogram of the weights")
        .size(360.0, 260.0)
        .x("weight, 1 is the average")
        .y("points")
        .histogram("right label", COLORS[2], &of(false), (0.0, most), 24)
        .histogram("flipped", COLORS[1], &of(true), (0.0, most), 24);
    let mean = |x: Vec<f64>| x.iter().sum::<f64>() / x.len().max(1) as f64;
    let mut about = format!("mean weight {:.2} of right labels", mean(of(false)));
    if run.flipped.contains(&true) {
        about += &format!(", {:.2} of flipped ones", mean(of(true)));
    }
    let accuracy = accuracy(&now.params);
    let words = format!(
        "{} after {steps} steps: {:.1} % of 200 other points on the right side; {about}.",
        run.settings.word("method"),
        100.0 * accuracy
    );
    View {
        figures: vec![figure, histogram],
        drag: None,
        rest: format!("{}{}{}", sentence(&words), data("accuracy", accuracy), data("first", now.params[0].data()[0])),
    }
}
