//! What the demonstration prints and writes.

use crate::args::{Args, Files};
use crate::demo::{Method, Outcome};
use crate::measure::{number, percent};
use crate::picture;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where people read: standard output, or standard error if standard output carries JSON.
pub(crate) struct Stream(Box<dyn Write>);

impl Stream {
    pub(crate) fn new(to_stderr: bool) -> Self {
        Self(if to_stderr { Box::new(io::stderr()) } else { Box::new(io::stdout()) })
    }

    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "{}", text.trim_end())
    }
}

/// Where a result goes: a file, opened before the work, or standard output.
pub(crate) enum Sink {
    Stdout,
    File(PathBuf, File),
}

/// The files of a command's results.
pub(crate) struct Sinks {
    json: Option<Sink>,
    csv: Option<Sink>,
    svg: Option<Sink>,
}

impl Sinks {
    /// Opens all: a file that cannot be written should be known before the work, not after.
    pub(crate) fn open(files: &Files) -> Result<Self, Box<dyn std::error::Error>> {
        let open = |path: &Option<PathBuf>| path.as_deref().map(Sink::open).transpose();
        let sinks = Self { json: open(&files.json)?, csv: open(&files.csv)?, svg: open(&files.svg)? };
        if sinks.to_stdout() > 1 {
            return Err("only one of --json, --csv and --svg can go to standard output".into());
        }
        Ok(sinks)
    }

    fn to_stdout(&self) -> usize {
        [&self.json, &self.csv, &self.svg].into_iter().flatten().filter(|sink| sink.is_stdout()).count()
    }

    /// Writes what was asked for; gives the stream that is left for people.
    pub(crate) fn write<E: Into<Box<dyn std::error::Error>>>(
        self,
        json: impl FnOnce() -> Result<String, E>,
        csv: impl FnOnce() -> Result<String, E>,
        svg: impl FnOnce() -> String,
    ) -> Result<Stream, Box<dyn std::error::Error>> {
        let stream = Stream::new(self.to_stdout() > 0);
        if let Some(sink) = self.json {
            sink.write(&json().map_err(Into::into)?)?;
        }
        if let Some(sink) = self.csv {
            sink.write(&csv().map_err(Into::into)?)?;
        }
        if let Some(sink) = self.svg {
            sink.write(&svg())?;
        }
        Ok(stream)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", .path.display())]
pub(crate) struct CannotWrite {
    path: PathBuf,
    source: io::Error,
}

impl Sink {
    pub(crate) fn open(path: &Path) -> Result<Self, CannotWrite> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let file = File::options().create(true).append(true).open(path);
        file.map(|file| Self::File(path.into(), file)).map_err(|source| CannotWrite { path: path.into(), source })
    }

    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout)
    }

    pub(crate) fn write(self, text: &str) -> Result<(), CannotWrite> {
        match self {
            Self::Stdout => {
                writeln!(io::stdout(), "{}", text.trim_end()).map_err(|source| CannotWrite { path: "-".into(), source })
            }
            Self::File(path, mut file) => {
                let written = file.set_len(0).and_then(|()| writeln!(file, "{}", text.trim_end()));
                written.map_err(|source| CannotWrite { path, source })
            }
        }
    }
}

/// The table of test accuracies.
pub(crate) fn table(out: &mut Stream, outcome: &Outcome) -> io::Result<()> {
    let out = &mut out.0;
    if outcome.interrupted {
        writeln!(out, "interrupted; the results so far:")?;
    }
    writeln!(out, "{:<12} {:>6} {:>22} {:>16} {:>9}", "method", "seeds", "test accuracy", "weight ratio", "seconds")?;
    for scores in outcome.scores.iter().filter(|s| !s.accuracy.is_empty()) {
        let (name, seeds) = (scores.method.name(), scores.accuracy.len());
        let (accuracy, ratio) = (percent(&scores.accuracy), number(&scores.weight_ratio));
        writeln!(out, "{name:<12} {seeds:>6} {accuracy:>22} {ratio:>16} {:>9.1}", scores.seconds)?;
    }
    writeln!(
        out,
        "\nweight ratio: mean weight of wrongly labelled examples over that of correctly labelled ones, last fifth of the epochs"
    )
}

/// The most suspicious labels, five pictures to a line.
pub(crate) fn suspicious(out: &mut Stream, outcome: &Outcome) -> io::Result<()> {
    let out = &mut out.0;
    if outcome.suspects.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nThe ten most suspicious training labels of the first seed, least weight first:")?;
    for line in outcome.suspects.chunks(5) {
        writeln!(out)?;
        let titles: Vec<String> = line.iter().map(|s| format!("{:<18}", format!("labelled {}", s.label))).collect();
        writeln!(out, "{}", titles.concat().trim_end())?;
        let pictures: Vec<Vec<String>> = line.iter().map(|s| picture::rows(&s.pixels)).collect();
        for row in 0..pictures[0].len() {
            let rows: Vec<String> = pictures.iter().map(|p| format!("{:<18}", p[row])).collect();
            writeln!(out, "{}", rows.concat().trim_end())?;
        }
        let verdicts = line.iter().map(|s| {
            let truth = if s.label == s.truth { "is right".to_owned() } else { format!("is a {}", s.truth) };
            format!("{:<18}", format!("{truth}, w {:.3}", s.weight))
        });
        writeln!(out, "{}", verdicts.collect::<String>().trim_end())?;
    }
    Ok(())
}

/// The results as JSON.
pub(crate) fn json(args: &Args, outcome: &Outcome) -> Value {
    let methods: Map<String, Value> = outcome
        .scores
        .iter()
        .filter(|s| !s.accuracy.is_empty())
        .map(|s| {
            let mut entry = json!({ "accuracy": s.accuracy, "seconds": s.seconds });
            if s.method == Method::L2rw {
                entry["weight_ratio"] = json!(s.weight_ratio);
            }
            (s.method.name().to_owned(), entry)
        })
        .collect();
    let mut results = json!({
        "experiment": "reweight",
        "data": "digits",
        "noise": args.noise.to_string(),
        "seeds": args.seeds,
        "methods": methods,
    });
    if outcome.interrupted {
        results["interrupted"] = json!(true);
    }
    results
}
