//! `hypertape reweight` and `predict`, as a user meets them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hypertape-reweight-{name}-{}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn hypertape(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hypertape")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two clouds of points, a part of the labels wrong: every `wrong`-th.
fn clouds(rows: usize, wrong: Option<usize>, salt: u64) -> String {
    let mut text = "x,y,kind\n".to_owned();
    for i in 0..rows {
        let wave = |k: u64| ((i as u64 * 7919 + salt * 104_729 + k * 1_299_709) % 10_007) as f64 / 10_007.0 - 0.5;
        let side = if i % 2 == 0 { 1.0 } else { -1.0 };
        let label = wrong.is_some_and(|w| i % w == 0) != (i % 2 == 0);
        text += &format!("{:.4},{:.4},{}\n", side + wave(1), wave(2) * 3.0, if label { "up" } else { "down, or so" });
    }
    text.replace("down, or so", "\"down, or so\"")
}

const FINAL: [&str; 4] = ["weights.csv", "model.safetensors", "results.json", "report.html"];

#[test]
fn ones_own_files_give_weights_a_model_and_a_report() {
    let folder = Folder::new("own");
    let train = folder.file("train.csv", &clouds(300, Some(5), 1));
    let clean = folder.file("clean.csv", &clouds(40, None, 2));
    let test = folder.file("test.csv", &clouds(200, None, 3));
    let out = folder.path("out");
    let args = [
        "reweight",
        "--train",
        &train,
        "--clean",
        &clean,
        "--test",
        &test,
        "--out",
        &out,
        "--seeds",
        "2",
        "--epochs",
        "20",
        "--batch",
        "30",
        "--hidden",
        "16",
        "--methods",
        "plain,l2rw,meta-weight-net,hyper-cleaning:truncated:5",
        "--inner-steps",
        "20",
        "--rate",
        "0.05",
        "--meta-rate",
        "0.01",
    ];
    let run = hypertape(&args);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let table = text(&run.stdout);
    assert!(table.contains("l2rw") && table.contains("test accuracy") && table.contains("report.html"), "{table}");
    // Every example has its weight and rank; the wrong ones stand first.
    let mut rows: Vec<(usize, String, f64, usize)> = Vec::new();
    let mut reader = csv::Reader::from_path(Path::new(&out).join("weights.csv")).unwrap();
    assert_eq!(reader.headers().unwrap(), &["row", "label", "weight", "suspicion_rank", "predicted"][..]);
    for record in reader.records() {
        let r = record.unwrap();
        rows.push((r[0].parse().unwrap(), r[1].to_owned(), r[2].parse().unwrap(), r[3].parse().unwrap()));
        assert!(["up", "down, or so"].contains(&&r[4]));
    }
    assert_eq!(rows.iter().map(|r| r.0).collect::<Vec<_>>(), (0..300).collect::<Vec<_>>());
    let mut ranks: Vec<usize> = rows.iter().map(|r| r.3).collect();
    let first: Vec<usize> = rows.iter().filter(|r| r.3 <= 50).map(|r| r.0).collect();
    let found = first.iter().filter(|row| **row % 5 == 0).count();
    assert!(found >= 45, "{found} of the 50 most suspicious are wrong");
    ranks.sort_unstable();
    assert_eq!(ranks, (1..=300).collect::<Vec<_>>());
    // The results can be read, the report stands alone.
    let results: serde_json::Value =
        serde_json::from_slice(&fs::read(Path::new(&out).join("results.json")).unwrap()).unwrap();
    assert_eq!(results["accuracy_on"], "test");
    for method in ["plain", "l2rw", "meta-weight-net", "hyper-cleaning:truncated:5"] {
        let accuracy = results["methods"][method]["accuracy"].as_array().unwrap();
        let least = if method == "plain" { 0.6 } else { 0.9 };
        assert!(accuracy.len() == 2 && accuracy.iter().all(|a| a.as_f64().unwrap() > least), "{method}: {accuracy:?}");
    }
    let report = fs::read_to_string(Path::new(&out).join("report.html")).unwrap();
    assert!(report.matches("<svg").count() >= 3 && report.contains("down, or so"));
    assert!(!report.contains("http://") || report.contains("http://www.w3.org/2000/svg"), "nothing is fetched");
    assert!(!report.contains("https://") && !report.contains("<script"), "nothing is fetched, nothing runs");
    // The model says what the report counted, on rows with a label and without.
    let model = Path::new(&out).join("model.safetensors").display().to_string();
    let predicted = hypertape(&["predict", "--model", &model, &test]);
    assert!(predicted.status.success(), "{}", text(&predicted.stderr));
    let said: Vec<String> =
        csv::Reader::from_reader(&predicted.stdout[..]).records().map(|r| r.unwrap()[1].to_owned()).collect();
    let right = said.iter().enumerate().filter(|(i, s)| (s.as_str() == "up") == (i % 2 == 0)).count();
    let counted = results["methods"]["l2rw"]["accuracy"][0].as_f64().unwrap();
    assert_eq!(right as f64 / 200.0, counted);
    let bare: String = fs::read_to_string(&test)
        .unwrap()
        .lines()
        .map(|l| l.splitn(3, ',').take(2).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    let bare = folder.file("bare.csv", &bare);
    assert_eq!(hypertape(&["predict", "--model", &model, &bare]).stdout, predicted.stdout);
}

/// The rows of a file of clouds as two files of NumPy: features as f64, labels as bytes.
fn arrays(folder: &Folder, name: &str, csv: &str) -> String {
    let npy = |descr: &str, shape: String, numbers: Vec<u8>| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &numbers].concat()
    };
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.splitn(3, ',').collect()).collect();
    let x = rows.iter().flat_map(|r| [&r[0], &r[1]]).flat_map(|x| x.parse::<f64>().unwrap().to_le_bytes()).collect();
    let y = rows.iter().map(|r| u8::from(r[2] == "up")).collect();
    let paths = [folder.path(&format!("{name}-x.npy")), folder.path(&format!("{name}-y.npy"))];
    fs::write(&paths[0], npy("<f8", format!("({}, 2)", rows.len()), x)).unwrap();
    fs::write(&paths[1], npy("|u1", format!("({},)", rows.len()), y)).unwrap();
    paths.join(",")
}

#[test]
fn arrays_of_numpy_say_what_the_same_rows_as_text_say() {
    let folder = Folder::new("npy");
    let (noisy, trusted) = (clouds(200, Some(4), 1), clouds(40, None, 2));
    // The classes in the same order: `down` is 0.
    let csv = [folder.file("train.csv", &noisy), folder.file("clean.csv", &trusted)];
    let npy = [arrays(&folder, "train", &noisy), arrays(&folder, "clean", &trusted)];
    let asym = folder.file("asym.csv", "0.8,0.2\n0,1\n");
    let mut read = Vec::new();
    for (name, [train, clean]) in [("csv", &csv), ("npy", &npy)] {
        let out = folder.path(name);
        let noise = format!("asym:{asym}");
        let mut args = vec!["reweight", "--train", train, "--clean", clean, "--out", &out, "--noise", &noise];
        args.extend(["--methods", "l2rw,hyper-cleaning:truncated:3", "--inner-steps", "10", "--refit", "--quiet"]);
        args.extend(["--epochs", "8", "--hidden", "8", "--seeds", "1"]);
        let run = hypertape(&args);
        assert!(run.status.success(), "{}", text(&run.stderr));
        let weights = fs::read_to_string(Path::new(&out).join("weights.csv")).unwrap();
        read.push(weights.replace("\"down, or so\"", "0").replace("up", "1"));
        let results: serde_json::Value =
            serde_json::from_slice(&fs::read(Path::new(&out).join("results.json")).unwrap()).unwrap();
        assert!(results["noise_convention"].as_str().unwrap().contains("the row of its class"), "{results}");
        let model = Path::new(&out).join("model.safetensors").display().to_string();
        let features = clean.split_once(',').map_or(clean.as_str(), |(features, _)| features);
        read.push(
            text(&hypertape(&["predict", "--model", &model, features]).stdout)
                .replace("\"down, or so\"", "0")
                .replace("up", "1"),
        );
    }
    assert!(read[0].lines().count() == 201 && read[1].lines().count() == 41);
    assert_eq!(read[0], read[2]);
    assert_eq!(read[1], read[3]);
}

#[test]
fn a_run_that_is_killed_anywhere_goes_on_to_the_same_bytes() {
    let folder = Folder::new("killed");
    let train = folder.file("train.csv", &clouds(400, Some(3), 5));
    let clean = folder.file("clean.csv", &clouds(40, None, 6));
    let (whole, pieces) = (folder.path("whole"), folder.path("pieces"));
    let args = |out: &str| -> Vec<String> {
        let args = [
            "reweight",
            "--train",
            &train,
            "--clean",
            &clean,
            "--out",
            out,
            "--seeds",
            "2",
            "--epochs",
            "60",
            "--batch",
            "20",
            "--hidden",
            "32",
            "--methods",
            "plain,l2rw,hyper-cleaning:truncated:3",
            "--inner-steps",
            "30",
            "--quiet",
            "--resume",
        ];
        args.iter().map(|a| (*a).to_owned()).collect()
    };
    let start = |out: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypertape"));
        command.args(args(out)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let clock = std::time::Instant::now();
    assert!(start(&whole).wait().unwrap().success());
    let length = clock.elapsed();
    // Twenty kills, each a little later than the last within a tenth of the whole: at whatever it does then.
    for i in 0..20_u32 {
        let mut child = start(&pieces);
        std::thread::sleep(Duration::from_millis(5) + length / 10 * (1 + i % 7) / 7);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = start(&pieces).wait_with_output().unwrap();
    assert!(last.status.success(), "{}", text(&last.stderr));
    for name in FINAL {
        let read = |out: &str| fs::read(Path::new(out).join(name)).unwrap();
        assert!(read(&whole) == read(&pieces), "{name} differs");
    }
}

#[test]
fn what_cannot_work_is_said_and_nothing_is_written() {
    let folder = Folder::new("wrong");
    let good = folder.file("good.csv", &clouds(40, None, 1));
    let empty = folder.file("empty.csv", "");
    let header = folder.file("header.csv", "x,y,kind\n");
    let ragged = folder.file("ragged.csv", "x,y,kind\n1,2,up\n3,down\n");
    let missing = folder.file("missing.csv", "x,y,kind\n1,,up\n3,4,down\n");
    let words = folder.file("words.csv", "x,y,kind\n1,two,up\n3,4,down\n");
    let nan = folder.file("nan.csv", "x,y,kind\n1,NaN,up\n3,4,down\n");
    let unlabelled = folder.file("unlabelled.csv", "x,y,kind\n1,2,\n3,4,down\n");
    let single = folder.file("single.csv", "x,y,kind\n1,2,up\n3,4,up\n");
    let stranger = folder.file("stranger.csv", "x,y,kind\n1,2,sideways\n");
    let wide = folder.file("wide.csv", "x,y,z,kind\n1,2,3,up\n");
    let renamed = folder.file("renamed.csv", "x,z,kind\n1,2,up\n");
    let binary = folder.path("binary.csv");
    fs::write(&binary, [0x1f, 0x8b, 0, 1, 2, 3, 255, 254, 10, 7]).unwrap();
    let array = folder.path("array.npy");
    fs::write(&array, b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}\n").unwrap();
    let asym = folder.file("asym.csv", "0.5,0.6\n0,1\n");
    let semicolons = folder.file("semicolons.csv", "x;y;kind\n1;2;up\n");
    let nowhere = folder.path("nowhere.csv");
    let taken = folder.file("taken", "a file, not a folder");
    let out = folder.path("out");
    let train = |file: &str| vec!["--train".to_owned(), file.to_owned(), "--clean".into(), good.clone()];
    let clean = |file: &str| vec!["--train".to_owned(), good.clone(), "--clean".into(), file.to_owned()];
    let test = |file: &str| [clean(&good), vec!["--test".to_owned(), file.to_owned()]].concat();
    let with = |more: &[&str]| [clean(&good), more.iter().map(|s| (*s).to_owned()).collect()].concat();
    let digits =
        |more: &[&str]| -> Vec<String> { ["--data", "digits"].iter().chain(more).map(|s| (*s).to_owned()).collect() };
    let cases: Vec<(Vec<String>, &str)> = vec![
        (vec![], "no data"),
        (vec!["--train".into(), good.clone()], "--clean"),
        (vec!["--clean".into(), good.clone()], "--train"),
        (train(&nowhere), "nowhere.csv"),
        (train(&empty), "the file is empty"),
        (train(&header), "no rows"),
        (train(&ragged), "ragged.csv, line 3: 2 fields where the first line has 3"),
        (train(&missing), "missing.csv, line 2: `y` is missing"),
        (train(&words), "`y` is `two`"),
        (train(&nan), "no finite number"),
        (train(&unlabelled), "the label is missing"),
        (train(&single), "all labels are `up`"),
        (train(&binary), "binary.csv"),
        (train(&semicolons), "separated by commas"),
        (train(&folder.path("")), "hypertape"),
        (clean(&nowhere), "nowhere.csv"),
        (clean(&empty), "empty.csv, line 1"),
        (clean(&header), "no rows"),
        (clean(&stranger), "label `sideways` does not occur in the training set"),
        (clean(&wide), "3 features, but the training set has 2"),
        (clean(&renamed), "column `z` stands where the training set has `y`"),
        (test(&nowhere), "nowhere.csv"),
        (test(&ragged), "line 3"),
        (test(&stranger), "sideways"),
        (with(&["--label", "colour"]), "no column `colour`"),
        (with(&["--label", "7"]), "no column 7"),
        (with(&["--methods", "magic"]), "no method `magic`"),
        (with(&["--methods", "plain,plain"]), "twice"),
        (with(&["--methods", "oracle"]), "--noise"),
        (with(&["--methods", "hyper-cleaning:truncated:0"]), "K must be a positive number"),
        (with(&["--methods", "hyper-cleaning:newton"]), "no method"),
        (with(&["--noise", "loud"]), "loud"),
        (with(&["--noise", "uniform:1.5"]), "not between 0 and 1"),
        (with(&["--noise", &format!("asym:{asym}")]), "row 0: the sum is 1.1"),
        (with(&["--noise", &format!("asym:{nowhere}")]), "nowhere.csv"),
        (train(&array), "two arrays are needed"),
        (
            [train(&format!("{array},{array}")), vec!["--label".into(), "y".into()]].concat(),
            "--label is for comma-separated",
        ),
        (with(&["--refit"]), "--refit is for hyper-cleaning"),
        (train(&format!("{array},{array}")), "its header has no `fortran_order`"),
        (train(&format!("{array},{}", folder.path("no.npy"))), "array.npy"),
        (with(&["--imbalance", "0.5"]), "at least 1"),
        (with(&["--epochs", "0"]), "0"),
        (with(&["--seeds", "0"]), "0"),
        (with(&["--batch", "0"]), "--batch 0"),
        (with(&["--clean-batch", "0"]), "--clean-batch 0"),
        (with(&["--rate", "-1"]), "-1"),
        (with(&["--rate", "nan"]), "positive"),
        (with(&["--momentum", "1"]), "below 1"),
        (with(&["--decay", "-0.1"]), "-0.1"),
        (with(&["--damping", "nan"]), "--damping NaN"),
        (with(&["--hidden", "12,many"]), "--hidden 12,many"),
        (with(&["--precision", "f16"]), "f16"),
        (with(&["--schedule", "never"]), "never"),
        (with(&["--sizes", "10,10"]), "--data"),
        (digits(&["--sizes", "5000,100"]), "1797 examples"),
        (digits(&["--sizes", "100"]), "two numbers"),
        (digits(&["--classes", "4,4"]), "two different classes"),
        (vec!["--data".into(), "mnist".into()], "--dir"),
        (vec!["--data".into(), "mnist".into(), "--dir".into(), folder.path("")], "train-images-idx3-ubyte"),
        (vec!["--data".into(), "faces".into()], "faces"),
    ];
    assert!(cases.len() >= 40);
    for (args, words) in &cases {
        let mut all = vec!["reweight".to_owned(), "--out".into(), out.clone()];
        all.extend(args.iter().cloned());
        let run = Command::new(env!("CARGO_BIN_EXE_hypertape")).args(&all).output().unwrap();
        let message = text(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.contains(words), "{args:?}: {message}");
        assert!(!Path::new(&out).exists(), "{args:?} wrote something");
    }
    let run = hypertape(&["reweight", "--train", &good, "--clean", &good, "--out", &taken]);
    assert!(run.status.code() == Some(2) && text(&run.stderr).contains("taken"), "{}", text(&run.stderr));
    // Another set-up is not resumed; models that are none are refused.
    let base = ["reweight", "--train", &good, "--clean", &good, "--out", &out, "--epochs", "2", "--quiet"];
    assert!(hypertape(&base).status.success());
    let run = hypertape(&[&base[..], &["--resume", "--rate", "0.5"]].concat());
    assert!(run.status.code() == Some(2) && text(&run.stderr).contains("other settings"), "{}", text(&run.stderr));
    for model in [&good, &nowhere] {
        let run = hypertape(&["predict", "--model", model, &good]);
        assert!(run.status.code() == Some(2) && text(&run.stderr).contains(model.as_str()), "{}", text(&run.stderr));
    }
    let model = Path::new(&out).join("model.safetensors").display().to_string();
    for (rows, words) in
        [(&nowhere, "nowhere.csv"), (&ragged, "line 3"), (&wide, "4 fields for 2 features"), (&words, "`y`")]
    {
        let run = hypertape(&["predict", "--model", &model, rows]);
        assert!(run.status.code() == Some(2) && text(&run.stderr).contains(words), "{rows}: {}", text(&run.stderr));
    }
}

#[test]
fn the_report_is_clean_in_a_browser() {
    let Some(browser) = support::browser() else { return };
    let folder = Folder::new("browser");
    let out = folder.path("out");
    let run = hypertape(&[
        "reweight",
        "--data",
        "digits",
        "--noise",
        "uniform-other:0.4",
        "--epochs",
        "10",
        "--seeds",
        "2",
        "--methods",
        "plain,l2rw,meta-weight-net",
        "--out",
        &out,
        "--quiet",
    ]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let page = format!("file://{}", Path::new(&out).join("report.html").display());
    let profile = folder.path("profile");
    let shot = folder.path("shot.png");
    for scheme in ["0", "1"] {
        let run = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1200,2000"])
            .args([&format!("--blink-settings=preferredColorScheme={scheme}"), &format!("--user-data-dir={profile}")])
            .args([&format!("--screenshot={shot}"), &page])
            .output()
            .unwrap();
        let log = text(&run.stderr);
        assert!(run.status.success() && !log.contains("CONSOLE"), "{log}");
        // A page that shows charts and digits is no plain sheet, which compresses to next to nothing.
        assert!(fs::metadata(&shot).unwrap().len() > 60_000);
    }
    let run = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            &format!("--user-data-dir={profile}"),
            "--dump-dom",
            &page,
        ])
        .output()
        .unwrap();
    let dom = text(&run.stdout);
    assert!(dom.contains("Accuracy over the epochs") && dom.matches("<svg").count() >= 4 + 24, "{}", dom.len());
}
