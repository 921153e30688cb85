//! On noisy labels, an inner problem that is solved too well has learnt the noise by heart, and its hypergradients with it.
//!
//! A network with one hidden layer trains on 300 digits of which 120 have a wrong label, for T steps; a weight for each is
//! learnt from 100 trusted digits, by the last five steps of the trajectory or by the implicit equation. Or the network is
//! never trained to the end: one step of it for each step of the weights (online).
//!
//! `cargo run --release --example memorisation -- [SEEDS] [LONGEST T] [FILE.svg]`

use autodiff::Tensor;
use bilevel::{Adam, Ask, Data, GradientDescent, Implicit, Inner, LinearSolver, Method, Options, Reverse};
use figures::{Figure, Series, color, method_color};
use nn::cleaning::hyper_cleaning;
use nn::data::{Dataset, Noise, digits};
use nn::train::evaluate;
use nn::{Activation, Init, Mlp, loss, rng};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What the weights are worth, and what was learnt with them.
#[derive(Clone, Copy, Default)]
struct Found {
    /// Of a wrong and a right label, how often the wrong one has the smaller weight.
    auc: f64,
    /// On test digits, with the weights.
    accuracy: f64,
    /// How many of the wrong labels the network says again: at first, when all weights are still equal; online at the end.
    memorised: f64,
}

struct Experiment {
    mlp: Mlp,
    noisy: Dataset<f32>,
    wrong: Vec<bool>,
    trusted: Dataset<f32>,
    test: Dataset<f32>,
    start: Vec<Tensor<f32>>,
}

impl Experiment {
    fn new(seed: u64) -> Outcome<Self> {
        let mut rng = rng(seed);
        let all = digits::<f32>()?;
        let [trusted, others] = all.draw_evenly(100, &mut rng)?;
        let (train, test) = others.split_at(300);
        let (train, trusted, test) = (all.select(train), all.select(&trusted), all.select(test));
        let labels = Noise::UniformOther(0.4).apply(train.labels(), 10, &mut rng)?;
        let wrong = labels.iter().zip(train.labels()).map(|(a, b)| a != b).collect();
        let mlp = Mlp::new(&[64, 64, 10], Activation::Tanh)?;
        let start = mlp.init(Init::Glorot, &mut rng).tensors().to_vec();
        Ok(Self { mlp, noisy: train.with_labels(labels)?, wrong, trusted, test, start })
    }

    fn run(&self, method: &dyn Method<f32>, options: Options) -> Outcome<Found> {
        let wrong: Vec<usize> = (0..self.noisy.len()).filter(|&i| self.wrong[i]).collect();
        let wrong = self.noisy.select(&wrong);
        let problem = hyper_cleaning(&self.mlp, 0.0).diagnostics(false);
        let arrays = |set: &Dataset<f32>| -> Outcome<[Tensor<f32>; 2]> {
            Ok([set.inputs().clone(), loss::one_hot(set.labels(), 10)?])
        };
        let (outer, inner) = (arrays(&self.trusted)?, arrays(&self.noisy)?);
        let u = [Tensor::zeros(&[self.noisy.len()])];
        let ask = Ask { problem: &problem, u: &u, v0: &self.start, data: Data::new(&outer, &inner) };
        let optimizer = Adam::new(0.3);
        let mut solver = problem.solve(&ask, method, &optimizer, options)?;
        let (mut found, mut first) = (Found::default(), true);
        for event in &mut solver {
            let event = event?;
            found.accuracy = evaluate(&self.mlp, &event.inner_solution, &self.test);
            // A network that is trained anew each time is looked at before the weights help it.
            if std::mem::take(&mut first) || options.warm_start {
                found.memorised = evaluate(&self.mlp, &event.inner_solution, &wrong);
            }
        }
        let of = |wrong: bool| self.wrong.iter().zip(solver.u()[0].data()).filter(move |(w, _)| **w == wrong);
        let pairs = of(true)
            .flat_map(|(_, a)| of(false).map(move |(_, b)| if a == b { 0.5 } else { f64::from(u8::from(a < b)) }));
        let (count, smaller) = pairs.fold((0.0, 0.0), |(n, sum), x| (n + 1.0, sum + x));
        found.auc = smaller / count;
        Ok(found)
    }
}

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let seeds: u64 = args.next().map_or(Ok(1), |text| text.parse())?;
    let longest: usize = args.next().map_or(Ok(300), |text| text.parse())?;
    let lengths: Vec<usize> = [10, 30, 100, 300, 1000, 3000].into_iter().filter(|t| *t <= longest).collect();
    if lengths.is_empty() || seeds == 0 {
        return Err("at least one seed, and a longest T of at least 10, are needed".into());
    }
    let experiments: Vec<Experiment> = (0..seeds).map(Experiment::new).collect::<Outcome<_>>()?;
    let rule = GradientDescent::new(1.0);
    let mean = |method: &dyn Method<f32>, options: Options| -> Outcome<Found> {
        let mut mean = Found::default();
        for experiment in &experiments {
            let found = experiment.run(method, options)?;
            mean.auc += found.auc / seeds as f64;
            mean.accuracy += found.accuracy / seeds as f64;
            mean.memorised += found.memorised / seeds as f64;
        }
        Ok(mean)
    };
    println!("{seeds} seeds; AUC: of a wrong and a right label, how often the wrong one weighs less");
    println!("{:<12} {:>5} {:>7} {:>14} {:>22}", "", "T", "AUC", "test accuracy", "wrong labels by heart");
    let row = |name: &str, t: usize, found: &Found| {
        let (accuracy, memorised) = (100.0 * found.accuracy, 100.0 * found.memorised);
        println!("{name:<12} {t:>5} {:>7.3} {accuracy:>12.1} % {memorised:>20.1} %", found.auc);
    };
    let mut curves: [Vec<(f64, f64)>; 3] = Default::default();
    for &t in &lengths {
        let truncated = Reverse::new(rule.clone(), t).last(5);
        // GMRES, damped: the Hessian of a network is not positive definite on the way, and singular at the end.
        let solver = LinearSolver::Gmres { restart: 20 };
        let implicit = Implicit::new(Inner::steps(rule.clone(), t), solver).iterations(20).damping(0.1).accept();
        for (i, (name, method)) in
            [("truncated:5", &truncated as &dyn Method<f32>), ("implicit", &implicit)].into_iter().enumerate()
        {
            let found = mean(method, Options::default().iterations(30))?;
            row(name, t, &found);
            curves[i].push((t as f64, found.auc));
            curves[2].push((t as f64, found.memorised));
        }
    }
    // As many outer steps as ten times the others: each costs one inner step.
    let found = mean(&Reverse::new(rule, 1), Options::default().iterations(300).warm_start())?;
    row("online", 1, &found);
    let [truncated, implicit, mut memorised] = curves;
    memorised.dedup();
    let online = [(lengths[0] as f64, found.auc), (*lengths.last().unwrap_or(&10) as f64, found.auc)];
    let figure = Figure::new("weights learnt from an inner problem that is solved ever better")
        .x("inner steps T")
        .y("AUC of the weights; wrong labels by heart")
        .log_x()
        .line(Series::new("online, one step", online).color(color(3)).dashed())
        .line(Series::new("truncated, K = 5", truncated).color(method_color("truncated")))
        .line(Series::new("implicit", implicit).color(method_color("implicit")))
        .line(Series::new("by heart", memorised).color(color(6)).dashed());
    if let Some(path) = args.next() {
        std::fs::write(path, figure.document())?;
    }
    Ok(())
}
