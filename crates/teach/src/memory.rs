//! What is kept while a trajectory is differentiated: cells filled, freed and computed again.

use crate::{Control, Values, View, Widget, data, failed, most, sentence, table};
use autodiff::{Tensor, Value, next_kept};
use bilevel::{Forward, GradientDescent, Keep, Method, Problem, Reverse};
use figures::{Color, Figure, method_color};

pub(crate) fn widget() -> Widget {
    Widget {
        name: "memory",
        title: "What has to be remembered?",
        about: "A run of T steps, differentiated. Time goes to the right, first the run, then the way back; each row is the state \
                after one step, dark while it is kept. The counts beneath are those of the engine's own reports.",
        controls: vec![
            Control::Choice {
                name: "method",
                label: "method",
                options: &["checkpointed", "reverse", "truncated", "forward"],
            },
            Control::range("T", "steps T", (2.0, 40.0), 1.0, 24.0),
            Control::range("K", "steps back K, truncated", (1.0, 40.0), 1.0, 6.0),
            Control::range("c", "states kept, checkpointed", (1.0, 40.0), 1.0, 4.0),
            Control::range("m", "hyperparameters m, forward", (1.0, 8.0), 1.0, 3.0),
            Control::Time { name: "t", label: "time", most: 1000.0, default: 1000.0, stride: 1000.0 },
        ],
        draw,
    }
}

/// What a method does, moment by moment: which states are kept, how many steps were computed and how many differentiated.
#[derive(Default)]
struct Film {
    kept: Vec<Vec<usize>>,
    steps: Vec<usize>,
    back: Vec<usize>,
}

impl Film {
    fn show(&mut self, kept: &[usize], at_hand: Option<usize>, steps: usize, back: usize) {
        self.kept.push(kept.iter().copied().chain(at_hand).collect());
        self.steps.push(steps);
        self.back.push(back);
    }

    /// The last `window` steps of a run walked back over, with so many places to keep states in: by the engine's schedule.
    fn reversed(steps: usize, window: usize, places: usize) -> Self {
        let mut film = Self::default();
        let first = steps - window;
        let mut computed = 0;
        film.show(&[], Some(0), 0, 0);
        for t in 1..=first {
            computed += 1;
            film.show(&[], Some(t), computed, 0);
        }
        let mut kept = vec![first];
        for back in 0..window {
            let step = steps - 1 - back;
            kept.retain(|k| *k <= step);
            let mut here = kept.last().copied().unwrap_or(first);
            let mut next = next_kept(here, step + 1, places - kept.len());
            while here < step {
                here += 1;
                computed += 1;
                film.show(&kept, Some(here), computed, back);
                if next == Some(here) {
                    kept.push(here);
                    next = next_kept(here, step + 1, places - kept.len());
                }
            }
            if back == 0 {
                computed += 1;
                film.show(&kept, Some(steps), computed, 0);
            }
            film.show(&kept, None, computed, back + 1);
        }
        film
    }

    /// The present state alone, and its tangents.
    fn forward(steps: usize) -> Self {
        let mut film = Self::default();
        (0..=steps).for_each(|t| film.show(&[], Some(t), t, t));
        film
    }
}

/// Numbers in a state.
const N: usize = 100;

thread_local! {
    /// Compiled once for each number of hyperparameters.
    static PROBLEM: Problem = Problem::new(
        |_, v| v[0].square().mean_all(),
        |u, v| ((v[0] - 1.0).square() * u[0].exp().sum_all()).sum_all() * 0.5,
    )
    .diagnostics(false)
    .threads(1);
}

fn draw(values: &Values) -> Result<View, String> {
    let (steps, name) = (values.count("T"), values.word("method"));
    let (k, places, m) = (values.count("K").min(steps), values.count("c").min(steps), values.count("m"));
    let film = match name {
        "reverse" => Film::reversed(steps, steps, steps),
        "truncated" => Film::reversed(steps, k, k),
        "forward" => Film::forward(steps),
        _ => Film::reversed(steps, steps, places),
    };
    let moments = film.kept.len();
    let now = values.count("t").min(moments - 1);
    // Checkpoints are a way to do reverse mode.
    let color: Color = method_color(if name == "checkpointed" { "reverse" } else { name });
    let mut figure = Figure::new("states kept over time")
        .size(480.0, 340.0)
        .x("time")
        .y("state after step")
        .x_range(0.0, moments as f64)
        .y_range(-0.5, steps as f64 + 0.5);
    for row in 0..=steps {
        let cells: Vec<f64> =
            film.kept[..=now].iter().map(|kept| if kept.contains(&row) { 0.8 } else { 0.0 }).collect();
        let y = row as f64;
        figure = figure.strip(color, (0.0, cells.len() as f64), (y - 0.42, y + 0.42), &cells);
    }
    // The same run on the engine.
    let reverse = Reverse::new(GradientDescent::new(0.05), steps);
    let method: Box<dyn Method<f64>> = match name {
        "reverse" => Box::new(reverse),
        "truncated" => Box::new(reverse.last(k)),
        "forward" => Box::new(Forward::new(GradientDescent::new(0.05), steps)),
        _ => Box::new(reverse.keep(Keep::Bytes((places + 2) * 8 * N))),
    };
    let report = PROBLEM
        .with(|problem| problem.hypergradient(&[Tensor::zeros(&[m])], &[Tensor::zeros(&[N])], &*method))
        .map_err(failed)?
        .report;
    let states = report.trajectory_bytes as f64 / (8 * N) as f64;
    let counts = report.counts;
    let rows = vec![
        vec!["states kept at once, at most".to_owned(), format!("{states:.1}")],
        vec!["bytes for them (100 numbers each)".to_owned(), report.trajectory_bytes.to_string()],
        vec!["gradients: of the steps, and one outer".to_owned(), counts.gradients.to_string()],
        vec!["steps back (VJPs)".to_owned(), counts.vjps.to_string()],
        vec!["steps of tangents (JVPs)".to_owned(), counts.jvps.to_string()],
    ];
    let words = format!(
        "{name}: at time {now}, states kept: {}; {} steps were computed, {} differentiated. In all, {:.1} states' worth of \
         memory at once.",
        film.kept[now].len(),
        film.steps[now],
        film.back[now],
        states
    );
    Ok(View {
        figures: vec![figure],
        drag: None,
        rest: format!(
            "{}{}{}{}",
            table(&["", "the engine's report"], &rows),
            sentence(&words),
            data("bytes", report.trajectory_bytes as f64),
            most("t", moments - 1) + &data("vjps", counts.vjps as f64) + &data("gradients", counts.gradients as f64)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_film_keeps_what_the_engine_keeps() {
        for (query, film, at_hand) in [
            ("method=reverse&T=20", Film::reversed(20, 20, 20), 0),
            ("method=truncated&T=20&K=6", Film::reversed(20, 6, 6), 0),
            ("method=checkpointed&T=20&c=4", Film::reversed(20, 20, 4), 2),
            ("method=checkpointed&T=23&c=3", Film::reversed(23, 23, 3), 2),
        ] {
            let html = widget().render(query).unwrap();
            let value = |name: &str| {
                let rest = html.split_once(&format!("data-name=\"{name}\" value=\"")).unwrap().1;
                rest.split_once('"').unwrap().0.parse::<f64>().unwrap() as usize
            };
            assert_eq!(value("vjps"), *film.back.last().unwrap(), "{query}");
            // And one gradient of the outer objective.
            assert_eq!(value("gradients"), film.steps.last().unwrap() + 1, "{query}");
            // States that are kept, without the one at hand, which the engine counts where it computes states again.
            let kept = film.kept.iter().zip(&film.steps).map(|(kept, _)| kept.len()).max().unwrap() - 1;
            assert_eq!(value("bytes"), 800 * (kept + at_hand), "{query}");
        }
    }
}
