//! `hypertape compare` as its users meet it.

use serde_json::Value;
use std::process::{Command, Output};

fn compare(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hypertape")).arg("compare").args(args).output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = compare(&[args, &["--json", "-"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The relative error of a method.
fn error(results: &Value, method: &str) -> f64 {
    let rows = results["methods"].as_array().unwrap();
    let row = rows.iter().find(|row| row["method"] == method).unwrap();
    row["relative_error"].as_f64().unwrap_or_else(|| panic!("{row}"))
}

#[test]
fn every_problem_has_its_reference_and_methods_agree_with_it() {
    let closed = ["quadratic", "ridge", "weighted-least-squares", "nonconvex"];
    for problem in closed {
        let methods = "reverse,checkpointed,forward,implicit-cg,penalty,augmented-lagrangian";
        let results = json(&[problem, "--inner-steps", "1000", "--methods", methods]);
        assert_eq!((&results["problem"], &results["reference"]), (&problem.into(), &"closed-form".into()));
        for method in methods.split(',') {
            let tolerance = if method == "penalty" { 1e-3 } else { 1e-7 };
            assert!(error(&results, method) < tolerance, "{problem}, {method}: {results}");
        }
    }
    let results =
        json(&["--problem", "imaml-sinusoid", "--inner-steps", "150", "--methods", "reverse,implicit-cg,first-order"]);
    assert_eq!(results["reference"], "finite-differences");
    assert!(error(&results, "reverse") < 1e-7 && error(&results, "implicit-cg") < 1e-7);
    assert!(error(&results, "first-order") > 1e-3);
}

#[test]
fn every_method_of_the_list_runs() {
    let list = compare(&["--list"]);
    let text = String::from_utf8(list.stdout).unwrap();
    let methods = text.lines().skip_while(|line| *line != "methods").skip(1);
    let names: Vec<String> = methods
        .filter_map(|line| line.split_whitespace().next())
        .map(|name| {
            let name = name.split('[').next().unwrap();
            name.replace(":K", ":10").replace(":N", ":5").replace(":BYTES", ":1000000")
        })
        .collect();
    assert!(names.len() >= 20, "{text}");
    let results = json(&["quadratic", "--methods", &names.join(","), "--inner-steps", "200", "--seed", "3"]);
    for (row, name) in results["methods"].as_array().unwrap().iter().zip(&names) {
        assert_eq!(&row["method"], name.as_str());
        // Through the initial point: this problem's is given, and that is said.
        assert_eq!(row["failure"].is_null(), name != "first-order", "{row}");
        for count in ["gradients", "hvps", "peak_bytes"] {
            assert!(row[count].is_u64(), "{row}");
        }
        assert!(row["seconds"].is_number());
    }
    assert!(error(&results, "truncated:10") > error(&results, "reverse"));
}

#[test]
fn files_hold_what_the_screen_shows() {
    let directory = std::env::temp_dir().join(format!("hypertape-compare-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (json, csv, svg) = (path("r.json"), path("r.csv"), path("r.svg"));
    let output = compare(&["ridge", "--methods", "reverse,truncated:5", "--json", &json, "--csv", &csv, "--svg", &svg]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("truncated:5") && text.contains("closed-form"), "{text}");
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let results: Value = serde_json::from_str(&read(&json)).unwrap();
    assert_eq!(results["methods"].as_array().unwrap().len(), 2);
    assert!(read(&csv).lines().nth(1).unwrap().starts_with("reverse,"));
    let drawing = read(&svg);
    assert!(drawing.contains("<svg") && drawing.contains("truncated:5") && drawing.contains("bytes"));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_a_method_could_not_do_stands_below_its_row() {
    let table = compare(&["ridge", "--inner-steps", "5", "--methods", "residuals:1000000"]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("note: no residuals: no result of a step takes 256 operations an element"), "{text}");
}

#[test]
fn the_same_seed_is_the_same_problem() {
    let errors = |seed: &str| error(&json(&["quadratic", "--methods", "truncated:3", "--seed", seed]), "truncated:3");
    assert_eq!(errors("7"), errors("7"));
    assert!((errors("7") - errors("8")).abs() > 0.0);
}

#[test]
fn what_cannot_be_asked_for_is_said_with_exit_code_2() {
    let wrong: [(&[&str], &str); 8] = [
        (&["cubic"], "there is no problem `cubic`"),
        (&["--methods", "backward"], "there is no method `backward`"),
        (&["--methods", "truncated"], "truncated:10"),
        (&["--methods", "neumann:many"], "`many` is not a number"),
        (&["--methods", "forward:3"], "takes no `3`"),
        (&["--methods", "residuals"], "how many bytes? Say `residuals:1000000`"),
        (&["--inner-steps", "0"], "at least one"),
        (&["--json", "/no/such/place"], "cannot write"),
    ];
    for (args, message) in wrong {
        let output = compare(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(message), "{args:?}: {text}");
    }
}
