//! Messages and answers: <https://github.com/gradbench/gradbench>.

use crate::{Result, eval};
use serde_json::{Value, json};
use std::time::Instant;

/// The answer to a message.
///
/// # Errors
/// If the message is no JSON object.
pub fn answer(line: &str) -> Result<Value> {
    let message: Value = serde_json::from_str(line).map_err(|e| format!("no JSON: {e}"))?;
    let id = &message["id"];
    let module = message["module"].as_str().unwrap_or_default();
    Ok(match message["kind"].as_str() {
        Some("start") => json!({"id": id, "tool": "hypertape"}),
        Some("define") if eval::MODULES.contains(&module) => json!({"id": id, "success": true}),
        Some("define") => json!({"id": id, "success": false, "error": format!("there is no module {module:?}")}),
        Some("evaluate") => match evaluate(module, &message) {
            Ok((output, nanoseconds)) => {
                let timing = |n: &u64| json!({"name": "evaluate", "nanoseconds": n});
                let timings: Vec<Value> = nanoseconds.iter().map(timing).collect();
                json!({"id": id, "success": true, "output": output, "timings": timings})
            }
            Err(error) => json!({"id": id, "success": false, "error": error.to_string()}),
        },
        _ => json!({"id": id}),
    })
}

/// Runs a function as often as it is asked to: its output, and the nanoseconds of each run.
fn evaluate(module: &str, message: &Value) -> Result<(Value, Vec<u64>)> {
    let function = message["function"].as_str().ok_or("the message names no function")?;
    let input = &message["input"];
    let mut task = eval::task(module, function, input)?;
    let least_runs = input["min_runs"].as_u64().unwrap_or(1).max(1);
    let least_seconds = input["min_seconds"].as_f64().unwrap_or(0.0);
    let mut nanoseconds = Vec::new();
    let mut seconds = 0.0;
    while (nanoseconds.len() as u64) < least_runs || seconds < least_seconds {
        let start = Instant::now();
        task.run()?;
        let elapsed = start.elapsed();
        nanoseconds.push(u64::try_from(elapsed.as_nanos())?);
        seconds += elapsed.as_secs_f64();
    }
    let output = task.output()?;
    finite(&output)?;
    Ok((output, nanoseconds))
}

/// JSON has no numbers that are not finite: they come out as null, which is not an answer.
fn finite(output: &Value) -> Result<()> {
    match output {
        Value::Null => Err("a result is not finite".into()),
        Value::Array(items) => items.iter().try_for_each(finite),
        Value::Object(fields) => fields.values().try_for_each(finite),
        _ => Ok(()),
    }
}
