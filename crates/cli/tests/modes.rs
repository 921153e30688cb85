//! `hypertape modes` as a person runs it.

use std::process::{Command, Output};

fn modes(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hypertape")).arg("modes").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn functions_and_expressions_are_measured() {
    let out = modes(&[
        "--function",
        "rosenbrock",
        "--expression",
        "sum(sin(x)^2)",
        "--n",
        "8",
        "--seconds",
        "0",
        "--json",
        "-",
    ]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let results: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let rows = results["rows"].as_array().unwrap();
    for name in ["rosenbrock", "sum(sin(x)^2)"] {
        let own: Vec<_> = rows.iter().filter(|r| r["function"] == name).collect();
        assert!(own.iter().any(|r| r["mode"] == "forward over reverse" && r["task"] == "hvp"));
        assert!(own.iter().all(|r| r["seconds"]["median"].as_f64().unwrap() > 0.0));
    }
    // With JSON on standard output, people read standard error.
    assert!(text(&out.stderr).contains("reverse, executable"));
}

#[test]
fn the_list_names_every_function() {
    let out = text(&modes(&["--list"]).stdout);
    assert!(
        ["rosenbrock", "mlp", "tall", "wide", "rk4", "ba", "expressions: x,"].iter().all(|name| out.contains(name))
    );
}

#[test]
fn wrong_inputs_are_explained_with_exit_code_2() {
    for (args, part) in [
        (&["--function", "rosenbork"][..], "no function \"rosenbork\"; there are rosenbrock"),
        (&["--expression", "sum(sin(x)"], "a closing bracket is missing"),
        (&["--n", "0"], "no size of 0"),
        (&["--n", "many"], "many"),
        (&["--seconds=-1"], "not below 0"),
        (&["--json", "/nowhere/x.json"], "cannot write"),
        (&["--json", "-", "--csv", "-"], "only one of --json, --csv and --svg"),
        (&["--epochs", "3"], "--epochs"),
    ] {
        let out = modes(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(text(&out.stderr).contains(part), "{args:?}: {}", text(&out.stderr));
    }
}
