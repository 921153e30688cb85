//! Every workload against the values on which the peers and finite differences agree.

use hypertape_peers::inputs::Inputs;
use hypertape_peers::values::flat;
use hypertape_peers::workload::{CASES, job};
use std::path::{Path, PathBuf};

fn reference() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/peers/ref");
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: the peers' inputs are not beside the project");
    None
}

/// The largest difference, as a fraction of the root mean square of what is expected.
fn deviation(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = (expected.iter().map(|x| x * x).sum::<f64>() / expected.len() as f64).sqrt();
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / scale
}

/// Without the two that take a minute each in a test build; the benchmark checks them too.
fn is_quick(name: &str, option: &str) -> bool {
    name != "W4" && !option.starts_with("mlp-full") && !option.starts_with("mlp-K50")
}

#[test]
fn values_are_those_of_the_reference() {
    let Some(folder) = reference() else { return };
    let inputs = Inputs::open(&folder).unwrap();
    let mut checked = 0;
    for (name, options) in CASES {
        for option in options.iter().filter(|option| is_quick(name, option)) {
            let case = if option.is_empty() { name.to_owned() } else { format!("{name}_{option}") };
            let expected = inputs.expected(&case).unwrap();
            let found = job::<f64>(&inputs, name, option, 2).unwrap().run().unwrap();
            for (result, numbers) in expected {
                let (_, parts) = found.iter().find(|(name, _)| *name == result).unwrap();
                let deviation = deviation(&flat(parts), &numbers);
                assert!(deviation <= 1e-10, "{case}: {result} is off by {deviation:e}");
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "{checked} results were checked");
}

#[test]
fn unknown_workloads_and_options_are_explained() {
    let Some(folder) = reference() else { return };
    let inputs = Inputs::open(&folder).unwrap();
    let error = |name, option| job::<f64>(&inputs, name, option, 1).err().unwrap().to_string();
    assert!(error("W0", "").contains("no workload W0; there are W1, W2"));
    assert!(error("W8", "grid").contains("W8 has no option \"grid\""));
    assert!(Inputs::open(Path::new("nowhere")).unwrap_err().to_string().contains("manifest.json"));
}
