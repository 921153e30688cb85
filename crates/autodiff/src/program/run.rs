//! Running a program over a carrier.

use super::{Kind, Program};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::value::Value;
use smallvec::SmallVec;

impl Program {
    /// Interprets the program over any carrier.
    ///
    /// Each value is dropped after its last use. Time: that of the ops; memory: the live values.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if the inputs are not those the program was recorded for.
    #[track_caller]
    pub fn run<V: Value>(&self, inputs: &[V]) -> Result<Vec<V>> {
        self.check_inputs("input", &inputs.iter().map(Value::shape).collect::<Vec<_>>())?;
        Ok(self.interpret(inputs))
    }

    /// [`run`](Program::run) where the inputs are known to fit: to call a recorded program inside a closure that is
    /// being recorded.
    ///
    /// # Panics
    /// If they do not fit, with what [`run`](Program::run) would report.
    #[track_caller]
    pub fn eval<V: Value>(&self, inputs: &[V]) -> Vec<V> {
        self.run(inputs).unwrap_or_else(|error| panic!("program: {error}"))
    }

    fn check_inputs(&self, what: &'static str, shapes: &[Shape]) -> Result<()> {
        let expected = self.input_shapes();
        if expected.len() != shapes.len() {
            return Err(Error::Count { what: "program inputs", expected: expected.len(), given: shapes.len() });
        }
        for (index, (expected, given)) in expected.into_iter().zip(shapes).enumerate() {
            if expected != *given {
                return Err(Error::Input { what, index, expected, given: given.clone() });
            }
        }
        Ok(())
    }

    /// [`run`](Program::run) on inputs that are known to fit.
    #[track_caller]
    pub(crate) fn interpret<V: Value>(&self, inputs: &[V]) -> Vec<V> {
        let last = self.last_uses();
        let mut values: Vec<Option<V>> = vec![None; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            let value = match &node.kind {
                Kind::Input(position) => inputs[*position].clone(),
                Kind::Constant(constant) => inputs[0].lift(constant),
                Kind::Op(op) => {
                    let args: SmallVec<[&V; 4]> = node.args.iter().map(|&a| live(&values, a)).collect();
                    V::apply(op, &args)
                }
            };
            values[i] = Some(value);
            for &arg in &node.args {
                if last[arg as usize] == i as u32 {
                    values[arg as usize] = None;
                }
            }
        }
        self.outputs.iter().map(|&o| live(&values, o).clone()).collect()
    }
}

fn live<V>(values: &[Option<V>], place: u32) -> &V {
    values[place as usize].as_ref().expect("a value is kept until its last use, and outputs to the end")
}
