//! The protocol, and the answers of the hand-written reference where they are beside the project.

use hypertape_gradbench::protocol::answer;
use serde_json::{Value, json};
use std::path::Path;

fn reply(message: &Value) -> Value {
    answer(&message.to_string()).unwrap()
}

#[test]
fn messages_are_answered() {
    assert_eq!(reply(&json!({"id": 0, "kind": "start", "eval": "hello"})), json!({"id": 0, "tool": "hypertape"}));
    assert_eq!(reply(&json!({"id": 1, "kind": "define", "module": "gmm"})), json!({"id": 1, "success": true}));
    let refused = reply(&json!({"id": 1, "kind": "define", "module": "gnn"}));
    assert_eq!((&refused["success"], &refused["error"]), (&json!(false), &json!("there is no module \"gnn\"")));
    assert_eq!(reply(&json!({"id": 3, "kind": "analysis", "of": 2, "valid": true})), json!({"id": 3}));
    assert!(answer("{").unwrap_err().to_string().contains("no JSON"));
}

#[test]
fn functions_run_as_often_as_asked_and_errors_are_answers() {
    let message = |function: &str, input: Value| json!({"id": 7, "kind": "evaluate", "module": "lse", "function": function, "input": input});
    let three = reply(&message("primal", json!({"x": [1.0, 2.0], "min_runs": 3, "min_seconds": 0.0})));
    assert_eq!((&three["id"], &three["success"]), (&json!(7), &json!(true)));
    assert_eq!(three["timings"].as_array().unwrap().len(), 3);
    assert!(three["timings"][0]["nanoseconds"].as_u64().unwrap() > 0);
    for (function, input, part) in [
        ("hessian", json!({"x": [1.0]}), "has no function \"hessian\""),
        ("primal", json!({"x": [1.0, "two"]}), "x: a number or a list is needed"),
        ("primal", json!({"x": [[1.0], [1.0, 2.0]]}), "a list of 2 among lists of 1"),
    ] {
        let found = reply(&message(function, input));
        assert_eq!(found["success"], false);
        assert!(found["error"].as_str().unwrap().contains(part), "{found}");
    }
    let point = json!({"start": [1.0, 1.0, 1.0], "min_runs": 1, "min_seconds": 0.0});
    for modes in ["ff", "rr"] {
        let message = json!({"id": 9, "kind": "evaluate", "module": "saddle", "function": modes, "input": point});
        assert_eq!(reply(&message)["error"], "saddle: `start` has 3 numbers, not 2");
    }
    // An infinity is no JSON, and no answer.
    let square = json!({"id": 8, "kind": "evaluate", "module": "hello", "function": "square", "input": 1e200});
    let found = reply(&square);
    assert_eq!((&found["success"], &found["error"]), (&json!(false), &json!("a result is not finite")));
}

/// The largest relative difference; structures must be equal.
fn deviation(found: &Value, expected: &Value) -> f64 {
    match (found, expected) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).map(|(a, b)| deviation(a, b)).fold(0.0, f64::max)
        }
        (Value::Object(a), Value::Object(b)) => {
            assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
            a.iter().map(|(key, a)| deviation(a, &b[key])).fold(0.0, f64::max)
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() / b.abs().max(1e-3)
        }
        _ => panic!("{found} is not like {expected}"),
    }
}

#[test]
fn answers_are_those_of_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/gradbench-recordings");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: the recordings are not beside the project");
        return;
    };
    let mut compared = 0;
    for file in files {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for pair in lines.chunks_exact(2) {
            let (message, expected) = (&pair[0]["message"], &pair[1]["expected"]);
            let found = reply(message);
            if message["kind"] != "evaluate" {
                continue;
            }
            assert_eq!(found["success"], true, "{module}: {found}");
            // The reference's gradient of ode is that of the exact solution: see `functions.rs`.
            let tolerance = match (module.as_str(), message["function"].as_str()) {
                ("ode", Some("gradient")) => 1e-3,
                ("particle" | "saddle", _) => 1e-4,
                _ => 1e-9,
            };
            let deviation = deviation(&found["output"], &expected["output"]);
            assert!(deviation <= tolerance, "{module} {}: {deviation:e}", message["function"]);
            compared += 1;
        }
    }
    assert!(compared >= 30, "{compared} answers were compared");
}
