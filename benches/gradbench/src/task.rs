//! What is timed.

use crate::Result;
use autodiff::{CompileOptions, Executable, Program, Tensor};
use serde_json::Value;

/// A function on its inputs, ready to be run again and again.
pub trait Task {
    /// One run.
    ///
    /// # Errors
    /// What the library reports.
    fn run(&mut self) -> Result<()>;

    /// The result of the last run.
    ///
    /// # Errors
    /// If there was no run.
    fn output(&self) -> Result<Value>;
}

/// One thread, as the other tools of the benchmark.
pub(crate) fn options() -> CompileOptions {
    CompileOptions::default().threads(1)
}

/// A function that is one program, recorded and compiled in its first run.
pub(crate) struct Compiled<R, J> {
    record: R,
    executable: Option<Executable<f64>>,
    inputs: Vec<Tensor<f64>>,
    outputs: Vec<Tensor<f64>>,
    json: J,
}

/// A task of a program, its inputs, and the JSON of its outputs.
pub(crate) fn compiled<R, J>(inputs: Vec<Tensor<f64>>, record: R, json: J) -> Box<dyn Task>
where
    R: Fn() -> autodiff::Result<Program> + 'static,
    J: Fn(&[Tensor<f64>]) -> Value + 'static,
{
    Box::new(Compiled { record, executable: None, inputs, outputs: Vec::new(), json })
}

impl<R, J> Task for Compiled<R, J>
where
    R: Fn() -> autodiff::Result<Program>,
    J: Fn(&[Tensor<f64>]) -> Value,
{
    fn run(&mut self) -> Result<()> {
        let executable = match &mut self.executable {
            Some(executable) => executable,
            None => {
                let executable = self.executable.insert((self.record)()?.compile(options()));
                self.outputs = executable.output_shapes().iter().map(|shape| Tensor::zeros(shape)).collect();
                executable
            }
        };
        Ok(executable.run_into(&self.inputs, &mut self.outputs)?)
    }

    fn output(&self) -> Result<Value> {
        Ok((self.json)(&self.outputs))
    }
}

/// The only output as nested lists.
pub(crate) fn first(outputs: &[Tensor<f64>]) -> Value {
    outputs.first().map_or(Value::Null, crate::json::nested)
}

/// A function that is plain Rust.
pub(crate) struct Direct<F> {
    function: F,
    result: Option<Value>,
}

/// A task of a closure.
pub(crate) fn direct<F: FnMut() -> Result<Vec<f64>> + 'static>(function: F) -> Box<dyn Task> {
    Box::new(Direct { function, result: None })
}

impl<F: FnMut() -> Result<Vec<f64>>> Task for Direct<F> {
    fn run(&mut self) -> Result<()> {
        let numbers = (self.function)()?;
        self.result = Some(match numbers[..] {
            [one] => Value::from(one),
            _ => Value::from(numbers),
        });
        Ok(())
    }

    fn output(&self) -> Result<Value> {
        self.result.clone().ok_or_else(|| "nothing was run".into())
    }
}
