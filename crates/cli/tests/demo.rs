//! The command as a person runs it.

use std::process::{Command, Output};

fn hypertape(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hypertape")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_demonstration_keeps_its_promises() {
    let out = hypertape(&["--json", "-"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let results: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&results["experiment"], &results["data"], &results["noise"]),
        (&"reweight".into(), &"digits".into(), &"uniform-other:0.4".into())
    );
    let mean = |method: &str, what: &str| {
        let numbers: Vec<f64> =
            results["methods"][method][what].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert_eq!(numbers.len(), 3);
        numbers.iter().sum::<f64>() / 3.0
    };
    let (plain, l2rw) = (mean("plain", "accuracy"), mean("l2rw", "accuracy"));
    assert!(l2rw >= plain + 0.15 && l2rw >= 0.90, "plain {plain}, l2rw {l2rw}");
    assert!(mean("l2rw", "weight_ratio") < 0.4);
    assert!(mean("oracle", "accuracy") > l2rw && mean("clean-only", "accuracy") > plain);
    // With JSON on standard output, people read standard error.
    let people = text(&out.stderr);
    assert!(people.contains("test accuracy") && people.contains("most suspicious training labels"), "{people}");
    assert_eq!(people.matches(", w ").count(), 10);
}

#[test]
fn runs_are_seeded() {
    let run = |seed: &str| {
        let out = hypertape(&["--seeds", "1", "--epochs", "2", "--seed", seed, "--json", "-"]);
        let mut results: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        for method in ["plain", "clean-only", "l2rw", "oracle"] {
            results["methods"][method]["seconds"] = 0.into();
        }
        results
    };
    assert_eq!(run("4"), run("4"));
    assert_ne!(run("4"), run("5"));
}

#[test]
fn wrong_inputs_are_explained_with_exit_code_2() {
    for (args, part) in [
        (&["--noise", "1.5"][..], "rate 1.5 is not between 0 and 1"),
        (&["--noise", "lots"], "none of uniform:RATE"),
        (&["--noise", "flip:0.4:12"], "class 12 is not a digit"),
        (&["--seeds", "0"], "0"),
        (&["--epochs", "-1"], "-1"),
        (&["--sead", "1"], "--seed"),
        (&["--json", "/no/such/folder/out.json"], "/no/such/folder/out.json"),
        (&["extra"], "extra"),
    ] {
        let out = hypertape(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        let message = text(&out.stderr);
        assert!(message.contains(part), "{args:?}: {message}");
        assert!(out.stdout.is_empty());
    }
}

#[test]
fn help_and_version_are_there() {
    let help = text(&hypertape(&["--help"]).stdout);
    for part in ["--seed", "--seeds", "--noise", "--json", "Learn which labels to trust"] {
        assert!(help.contains(part), "{help}");
    }
    assert!(text(&hypertape(&["--version"]).stdout).starts_with("hypertape 0."));
}
