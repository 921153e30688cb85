//! What a workload computed, in the form that all peers report.

use autodiff::{Element, Tensor};
use serde_json::{Map, Value, json};

/// Named results; each is one array, or several one behind the other.
pub type Values<E> = Vec<(&'static str, Vec<Tensor<E>>)>;

/// All numbers of one result.
pub fn flat<E: Element>(parts: &[Tensor<E>]) -> Vec<f64> {
    parts.iter().flat_map(|part| part.data().iter().map(|x| x.to_f64())).collect()
}

/// Shape, sum, norm and first numbers of each result.
pub fn summary<E: Element>(values: &Values<E>) -> Value {
    let mut all = Map::new();
    for (name, parts) in values {
        let numbers = flat(parts);
        let shape = match &parts[..] {
            [one] => one.dims().to_vec(),
            _ => vec![numbers.len()],
        };
        let norm = numbers.iter().map(|x| x * x).sum::<f64>().sqrt();
        let first = &numbers[..numbers.len().min(4)];
        let sum = numbers.iter().sum::<f64>();
        all.insert((*name).to_owned(), json!({"shape": shape, "sum": sum, "l2": norm, "first": first}));
    }
    Value::Object(all)
}
