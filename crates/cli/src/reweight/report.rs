//! The report: one HTML file that needs nothing beside it.

use super::source::{Examples, Source};
use super::summary::{Entry, Summary, learnt_curves};
use super::{Results, run};
use crate::args;
use crate::measure::{mean_and_deviation, number, percent};
use autodiff::Element;
use figures::{Color, Figure, Series, color, colors_of, escape};
use std::error::Error;
use std::fmt::Write;

type Failure = Box<dyn Error>;

/// Suspects that are shown.
const SHOWN: usize = 24;

/// Classes of which a confusion matrix can still be read.
const READABLE: usize = 20;

const STYLE: &str = "
:root { color-scheme: light dark; --card: #f4f4f2; --line: #ccc; }
@media (prefers-color-scheme: dark) { :root { --card: #222; --line: #444; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
section { background: var(--card); border-radius: .5rem; padding: 1rem; margin: 1rem 0; overflow-x: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
.charts section { margin: 0; }
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
.suspects { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .7rem; }
.suspects figure { margin: 0; } figcaption { font-size: .8rem; }
.wrong { font-weight: 700; }
";

pub(super) fn html<E: Element>(
    args: &args::Reweight,
    source: &Source<E>,
    summary: &Summary,
    examples: &Examples<E>,
    results: &[Results<E>],
) -> Result<String, Failure> {
    let mut page = String::new();
    let name = escape(&source.name);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\"><title>Reweighting of {name}</title><style>{STYLE}</style></head><body>\n\
         <h1>Which labels of {name} deserve trust?</h1>\n"
    )?;
    section(&mut page, "In words", &words(args, source, summary, examples, results))?;
    section(&mut page, "Methods", &table(summary))?;
    page.push_str("<div class=\"charts\">\n");
    section(&mut page, "Accuracy over the epochs", &accuracy(summary))?;
    let chosen = &results[summary.chosen];
    if let Some(weights) = &chosen.records[0].weights {
        section(&mut page, &format!("Weights by {}", escape(&chosen.method.name)), &histogram(summary, weights))?;
    }
    if let Some(text) = roc(summary) {
        section(&mut page, "Wrong label or not", &text)?;
    }
    if let Some(curves) = learnt_curves(results) {
        section(&mut page, "What Meta-Weight-Net has learnt", &learnt(curves))?;
    }
    page.push_str("</div>\n");
    if let Some(weights) = &chosen.records[0].weights {
        let title = format!("The most suspicious examples, by {}", escape(&chosen.method.name));
        section(&mut page, &title, &suspects(source, summary, examples, weights)?)?;
    }
    section(&mut page, "Confusion", &confusion(source, summary))?;
    page.push_str("</body></html>\n");
    Ok(page)
}

fn section(page: &mut String, title: &str, body: &str) -> std::fmt::Result {
    writeln!(page, "<section><h2>{title}</h2>\n{body}\n</section>")
}

fn words<E: Element>(
    args: &args::Reweight,
    source: &Source<E>,
    summary: &Summary,
    examples: &Examples<E>,
    results: &[Results<E>],
) -> String {
    let entries = &summary.entries;
    let chosen = &entries[summary.chosen];
    let mean = |x: &[f64]| mean_and_deviation(x).0;
    let on = if summary.judged == "test" {
        format!("{} test examples", examples.test.as_ref().map_or(0, nn::data::Dataset::len))
    } else {
        "the trusted examples themselves, which flatters every method that was trained on them".to_owned()
    };
    let mut text = format!(
        "<p>{} examples with labels that may be wrong, {} that are trusted, {} classes; accuracy is that on {on}; means \
         over {} seeds, with the standard deviation.",
        examples.train.len(),
        examples.trusted.len(),
        source.schema.classes.len(),
        args.seeds
    );
    if let Some(noise) = &args.noise {
        let wrong = summary.wrong.as_ref().map_or(0, |w| w.iter().filter(|w| **w).count());
        text += &format!(
            " For the experiment, noise was added ({}): {wrong} labels of the first seed are wrong.",
            escape(&noise.to_string())
        );
    }
    text += "</p>";
    if let Some(plain) = entries.iter().find(|e| e.name == "plain").filter(|p| p.name != chosen.name) {
        let gain = 100.0 * (mean(&chosen.accuracy) - mean(&plain.accuracy));
        let verdict = if gain > 0.5 {
            format!("gains {gain:.1} points over plain training")
        } else if gain < -0.5 {
            format!("loses {:.1} points against plain training: here, plain training is the better choice", -gain)
        } else {
            "is about as good as plain training".to_owned()
        };
        text += &format!(
            "<p><b>{}</b> {verdict} ({} against {}).",
            escape(&chosen.name),
            percent(&chosen.accuracy),
            percent(&plain.accuracy)
        );
        if !chosen.auc.is_empty() {
            text += &format!(
                " A wrong label has a smaller weight than a right one in {:.0} of 100 pairs.",
                100.0 * mean(&chosen.auc)
            );
        }
        text += "</p>";
    }
    if args.refit {
        text += "<p>Curves of hyper-cleaning are those of its inner problem; its accuracy in the table is that of the network \
                 that was trained anew on what was kept and what is trusted.</p>";
    }
    if let Some(weights) = &results[summary.chosen].records[0].weights {
        let none = weights.iter().filter(|w| **w < 1e-3).count();
        text += &format!(
            "<p>Begin with the examples of suspicion rank 1 and on in weights.csv: {none} of them have a weight near nothing. A \
             small weight means that training on an example did not help on the trusted ones; a wrong label is one reason, \
             a rare kind of example another.</p>"
        );
    }
    text
}

fn table(summary: &Summary) -> String {
    let mut text = format!(
        "<table><tr><th>method</th><th>{} accuracy</th><th>balanced</th><th>AUC</th><th>F1</th></tr>",
        summary.judged
    );
    for e in &summary.entries {
        text += &format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&e.name),
            percent(&e.accuracy),
            percent(&e.balanced),
            number(&e.auc),
            number(&e.f1)
        );
    }
    text + "</table>"
}

fn accuracy(summary: &Summary) -> String {
    // For each method: epoch, mean and deviation.
    let curves: Vec<Vec<(f64, f64, f64)>> = summary.entries.iter().map(|e| over_epochs(&e.curves)).collect();
    let epochs = curves.iter().map(Vec::len).max().unwrap_or(0).max(1);
    // The first steps from nothing would leave no room for what is compared: the second half sets the scale.
    let late = curves.iter().flat_map(|c| &c[c.len() / 2..]).map(|p| p.1);
    let low = (late.fold(100.0, f64::min) - 10.0).max(0.0);
    let figure = Figure::new("accuracy over the epochs").x("epoch").y("accuracy, %");
    let mut figure = figure.x_range(0.0, epochs as f64 + 0.5).y_range(low, 101.0);
    for ((e, curve), color) in summary.entries.iter().zip(&curves).zip(colors_of(&names(summary))) {
        let line = Series::new(e.name.as_str(), curve.iter().map(|(x, m, _)| (*x, *m)));
        let spread = curve.iter().filter(|_| e.curves.len() > 1);
        figure = figure.line(line.color(color).band(spread.map(|(x, m, d)| (*x, m - d, m + d))));
    }
    figure.inline()
}

fn names(summary: &Summary) -> Vec<&str> {
    summary.entries.iter().map(|e| e.name.as_str()).collect()
}

/// Epoch from 1, mean and deviation of several curves, in percent.
fn over_epochs(curves: &[Vec<f64>]) -> Vec<(f64, f64, f64)> {
    let length = curves.iter().map(Vec::len).min().unwrap_or(0);
    let at = |epoch: usize| {
        let all: Vec<f64> = curves.iter().map(|c| 100.0 * c[epoch]).collect();
        let (mean, deviation) = mean_and_deviation(&all);
        (epoch as f64 + 1.0, mean, deviation)
    };
    (0..length).map(at).collect()
}

fn histogram(summary: &Summary, weights: &[f64]) -> String {
    const BINS: usize = 40;
    let end = weights.iter().copied().filter(|w| w.is_finite()).fold(0.0, f64::max);
    let range = (0.0, if end > 0.0 { end } else { 1.0 });
    let of = |wrong: &[bool], kind: bool| -> Vec<f64> {
        weights.iter().zip(wrong).filter(|(_, w)| **w == kind).map(|(w, _)| *w).collect()
    };
    let figure = Figure::new("histogram of the weights").x("weight").y("examples");
    match &summary.wrong {
        Some(wrong) => figure.histogram("right label", color(0), &of(wrong, false), range, BINS).histogram(
            "wrong label",
            color(1),
            &of(wrong, true),
            range,
            BINS,
        ),
        None => figure.histogram("", color(0), weights, range, BINS),
    }
    .inline()
}

fn roc(summary: &Summary) -> Option<String> {
    let chance = Series::new("chance", [(0.0, 0.0), (1.0, 1.0)]).color(color(6)).dashed();
    let figure = Figure::new("ROC of small weights as a sign of wrong labels")
        .x("right labels below the threshold")
        .y("wrong labels below it")
        .x_range(0.0, 1.0)
        .y_range(0.0, 1.02);
    let colors = colors_of(&names(summary));
    let with: Vec<_> = summary.entries.iter().zip(colors).filter_map(|(e, c)| Some((e, c, e.roc.as_ref()?))).collect();
    if with.is_empty() {
        return None;
    }
    let draw = |figure: Figure, (e, color, points): (&Entry, Color, &Vec<(f64, f64)>)| {
        figure.line(Series::new(e.name.as_str(), points.iter().copied()).color(color))
    };
    Some(with.into_iter().fold(figure.line(chance), draw).inline())
}

fn learnt(curves: &[(usize, Vec<f64>)]) -> String {
    let most = curves.iter().flat_map(|(_, v)| v).copied().fold(0.0, f64::max);
    let figure = Figure::new("weight by loss, as learnt").x("loss").y("V(loss)");
    let figure = figure.x_range(0.0, 8.0).y_range(0.0, (1.05 * most).max(1e-3));
    let draw = |figure: Figure, (i, (epoch, v)): (usize, &(usize, Vec<f64>))| {
        let points = run::losses().into_iter().zip(v.iter().copied());
        figure.line(Series::new(format!("epoch {epoch}"), points).color(color(i)))
    };
    curves.iter().enumerate().fold(figure, draw).inline()
}

fn suspects<E: Element>(
    source: &Source<E>,
    summary: &Summary,
    examples: &Examples<E>,
    weights: &[f64],
) -> Result<String, Failure> {
    let classes = &source.schema.classes;
    let shown = summary.suspects.iter().take(SHOWN);
    let label = |i: usize| escape(&classes[examples.train.labels()[i]]);
    let verdict = |i: usize| match &examples.truth {
        Some(truth) if truth[i] == examples.train.labels()[i] => "label is right".to_owned(),
        Some(truth) => format!("<span class=\"wrong\">is {}</span>", escape(&classes[truth[i]])),
        None => format!("model says {}", escape(&classes[summary.predicted[i]])),
    };
    let mut text = String::new();
    if let Some(side) = source.side {
        text += "<div class=\"suspects\">";
        // In the units of the file; brighter than 1 is scaled down.
        let pixels = |i: usize| -> Vec<f64> {
            let row = examples.train.inputs().row(i);
            let scales = source.standardize.deviation.iter().zip(&source.standardize.mean);
            row.data().iter().zip(scales).map(|(x, (deviation, mean))| x.to_f64() * deviation + mean).collect()
        };
        let brightest = shown.clone().flat_map(|&i| pixels(i)).fold(1.0, f64::max);
        for &i in shown {
            let pixels: Vec<f64> = pixels(i).iter().map(|p| p / brightest).collect();
            let picture = figures::picture(&format!("row {}", examples.rows[i]), &pixels, side);
            write!(
                text,
                "<figure>{picture}<figcaption>row {}: labelled {}, {}, weight {:.3}</figcaption></figure>",
                examples.rows[i],
                label(i),
                verdict(i),
                weights[i]
            )?;
        }
        return Ok(text + "</div>");
    }
    const COLUMNS: usize = 8;
    text += "<table><tr><th>row</th><th>label</th><th></th><th>weight</th>";
    source.schema.features.iter().take(COLUMNS).for_each(|f| text += &format!("<th>{}</th>", escape(f)));
    text += "</tr>";
    for &i in shown {
        write!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.3}</td>",
            examples.rows[i],
            label(i),
            verdict(i),
            weights[i]
        )?;
        let row = examples.train.inputs().row(i);
        for (j, x) in row.data().iter().take(COLUMNS).enumerate() {
            // In the units of the file.
            write!(text, "<td>{:.4}</td>", x.to_f64() * source.standardize.deviation[j] + source.standardize.mean[j])?;
        }
        text += "</tr>";
    }
    text += "</table>";
    if source.schema.features.len() > COLUMNS {
        write!(text, "<p>The first {COLUMNS} of {} features.</p>", source.schema.features.len())?;
    }
    Ok(text)
}

fn confusion<E: Element>(source: &Source<E>, summary: &Summary) -> String {
    let entry = &summary.entries[summary.chosen];
    let classes = &source.schema.classes;
    if classes.len() > READABLE {
        return format!(
            "<p>There are {} classes: too many for a table; results.json has the accuracies.</p>",
            classes.len()
        );
    }
    let mut text = format!(
        "<p>{}, first seed, {} examples. Rows: the label; columns: what the model says.</p><table><tr><th></th>",
        escape(&entry.name),
        summary.judged
    );
    classes.iter().for_each(|c| text += &format!("<th>{}</th>", escape(c)));
    text += "</tr>";
    for (class, row) in classes.iter().zip(&entry.confusion) {
        text += &format!("<tr><td>{}</td>", escape(class));
        row.iter().for_each(|n| text += &format!("<td>{}</td>", if *n == 0 { "·".to_owned() } else { n.to_string() }));
        text += "</tr>";
    }
    text + "</table>"
}
