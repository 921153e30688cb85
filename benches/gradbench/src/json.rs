//! Arrays from JSON, and back.

use crate::Result;
use autodiff::Tensor;
use serde_json::Value;

/// A number, by its name.
pub(crate) fn number(input: &Value, name: &str) -> Result<f64> {
    input[name].as_f64().ok_or_else(|| format!("the input has no number {name}").into())
}

/// A count, by its name.
pub(crate) fn count(input: &Value, name: &str) -> Result<usize> {
    let number = input[name].as_u64().ok_or_else(|| format!("the input has no count {name}"))?;
    Ok(usize::try_from(number)?)
}

/// An array of nested lists, by its name; the lists of one level must be equally long.
pub(crate) fn tensor(input: &Value, name: &str) -> Result<Tensor<f64>> {
    let (mut shape, mut data) = (Vec::new(), Vec::new());
    collect(&input[name], 0, &mut shape, &mut data).map_err(|e| format!("{name}: {e}"))?;
    Ok(Tensor::new(&shape, data).map_err(|e| format!("{name}: {e}"))?)
}

fn collect(value: &Value, depth: usize, shape: &mut Vec<usize>, data: &mut Vec<f64>) -> Result<()> {
    if let Some(items) = value.as_array() {
        match shape.get(depth) {
            None => shape.push(items.len()),
            Some(&len) if len == items.len() => {}
            Some(len) => return Err(format!("a list of {} among lists of {len}", items.len()).into()),
        }
        return items.iter().try_for_each(|item| collect(item, depth + 1, shape, data));
    }
    data.push(value.as_f64().ok_or("a number or a list is needed")?);
    Ok(())
}

/// Nested lists of an array.
pub(crate) fn nested(x: &Tensor<f64>) -> Value {
    match x.rank() {
        0 => Value::from(x.item()),
        1 => Value::from(x.data()),
        _ => (0..x.dims()[0]).map(|i| nested(&x.row(i))).collect(),
    }
}
