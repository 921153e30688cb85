//! Programs from programs: gradient, JVP, VJP, HVP, batch. Each runs the program on a richer carrier while recording.

use super::{Place, Program};
use crate::abstract_value::Abstract;
use crate::batched::Batched;
use crate::dual::Dual;
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tape::Tape;
use crate::value::Value;
use crate::var::Var;

/// What to do where an input does not reach the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disconnected {
    /// [`Error::Disconnected`].
    #[default]
    Error,
    /// Zeros, on purpose.
    Zeros,
}

impl Disconnected {
    /// Fills in the absent parts, or complains about them.
    pub(crate) fn resolve<V: Value>(
        self,
        parts: Vec<Option<V>>,
        like: &[V],
        inputs: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<V>> {
        let mut values = Vec::with_capacity(parts.len());
        let mut absent = Vec::new();
        for ((part, like), input) in parts.into_iter().zip(like).zip(inputs) {
            match part {
                Some(part) => values.push(part),
                None if self == Self::Zeros => values.push(like.zeros_like()),
                None => absent.push(input),
            }
        }
        if absent.is_empty() { Ok(values) } else { Err(Error::Disconnected { inputs: absent, output: 0 }) }
    }
}

/// Where a reverse sweep gets its cotangents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seed {
    /// One, at the first output.
    One,
    /// The same, and the values are outputs too.
    OneWithValue,
    /// From further inputs, one for each output.
    Inputs,
}

impl Program {
    pub(crate) fn check_wrt(&self, wrt: &[usize]) -> Result<()> {
        let len = self.inputs.len();
        if let Some((_, &index)) = wrt.iter().enumerate().find(|(position, i)| wrt[..*position].contains(i)) {
            return Err(Error::Repeated { what: "program input", index });
        }
        wrt.iter().find(|&&i| i >= len).map_or(Ok(()), |&index| Err(Error::Index { what: "program input", index, len }))
    }

    /// The gradient: same inputs; one output per input in `wrt`, in its shape.
    ///
    /// # Errors
    /// [`Error::NotScalar`] if the first output is not a scalar, [`Error::Disconnected`] if an input does not reach
    /// it, [`Error::Index`] if an input does not exist.
    pub fn grad(&self, wrt: &[usize]) -> Result<Self> {
        self.gradient(wrt, Disconnected::Error, false)
    }

    /// [`grad`](Program::grad), with a say in what happens to disconnected inputs.
    ///
    /// # Errors
    /// As [`grad`](Program::grad).
    pub fn grad_with(&self, wrt: &[usize], disconnected: Disconnected) -> Result<Self> {
        self.gradient(wrt, disconnected, false)
    }

    /// The value and the gradient: the outputs of the program, then those of [`grad`](Program::grad).
    ///
    /// # Errors
    /// As [`grad`](Program::grad).
    pub fn value_and_grad(&self, wrt: &[usize]) -> Result<Self> {
        self.gradient(wrt, Disconnected::Error, true)
    }

    fn gradient(&self, wrt: &[usize], disconnected: Disconnected, with_value: bool) -> Result<Self> {
        match self.output_shapes().first() {
            None => return Err(Error::Count { what: "program outputs", expected: 1, given: 0 }),
            Some(shape) if !shape.is_empty() => return Err(Error::NotScalar { output: 0, shape: shape.clone() }),
            Some(_) => {}
        }
        self.pull_back(wrt, disconnected, if with_value { Seed::OneWithValue } else { Seed::One })
    }

    /// The vector-Jacobian product: inputs, then a cotangent for every output; outputs: the cotangents of `wrt`.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if an input reaches no output, [`Error::Index`] if it does not exist.
    pub fn vjp(&self, wrt: &[usize]) -> Result<Self> {
        self.vjp_with(wrt, Disconnected::Error)
    }

    /// [`vjp`](Program::vjp), with a say in what happens to disconnected inputs.
    ///
    /// # Errors
    /// As [`vjp`](Program::vjp).
    pub fn vjp_with(&self, wrt: &[usize], disconnected: Disconnected) -> Result<Self> {
        self.pull_back(wrt, disconnected, Seed::Inputs)
    }

    /// Records the reverse sweep.
    fn pull_back(&self, wrt: &[usize], disconnected: Disconnected, seed: Seed) -> Result<Self> {
        self.check_wrt(wrt)?;
        let n = self.inputs.len();
        let mut shapes = self.input_shapes();
        if seed == Seed::Inputs {
            shapes.extend(self.output_shapes());
        }
        Self::try_record_shapes(&shapes, |x| {
            Tape::scope(|tape| {
                let inner: Vec<_> =
                    (0..n).map(|i| if wrt.contains(&i) { tape.var(x[i]) } else { tape.constant(x[i]) }).collect();
                let outputs = self.interpret(&inner);
                let mut results: Vec<Var<'_, Abstract>> = Vec::new();
                if seed == Seed::OneWithValue {
                    results.extend(outputs.iter().map(Var::value));
                }
                let seeds: Vec<_> = match seed {
                    Seed::Inputs => outputs.iter().copied().zip(x[n..].iter().copied()).collect(),
                    Seed::One | Seed::OneWithValue => vec![(outputs[0], outputs[0].value().ones_like())],
                };
                let wanted: Vec<_> = wrt.iter().map(|&i| inner[i]).collect();
                let like: Vec<_> = wrt.iter().map(|&i| x[i]).collect();
                results.extend(disconnected.resolve(tape.vjp(&seeds, &wanted), &like, wrt.iter().copied())?);
                Ok::<_, Error>(results)
            })
        })
    }

    /// The Jacobian-vector product: inputs, then a tangent for each input in `wrt`; outputs: those of the program,
    /// then their tangents.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if an output depends on none of the inputs, [`Error::Index`] if one does not exist.
    pub fn jvp(&self, wrt: &[usize]) -> Result<Self> {
        self.jvp_with(wrt, Disconnected::Error)
    }

    /// [`jvp`](Program::jvp), with a say in what happens to outputs that depend on none of the inputs.
    ///
    /// # Errors
    /// As [`jvp`](Program::jvp).
    pub fn jvp_with(&self, wrt: &[usize], disconnected: Disconnected) -> Result<Self> {
        self.check_wrt(wrt)?;
        let n = self.inputs.len();
        let inputs = self.input_shapes();
        let shapes: Vec<Shape> = inputs.iter().cloned().chain(wrt.iter().map(|&i| inputs[i].clone())).collect();
        Self::try_record_shapes(&shapes, |x| {
            let tangent = |i: usize| wrt.iter().position(|&w| w == i).map(|position| x[n + position]);
            let duals: Vec<_> = (0..n).map(|i| Dual::from_parts(x[i], tangent(i))).collect();
            let outputs = self.interpret(&duals);
            let mut results: Vec<_> = outputs.iter().map(Dual::value).collect();
            for (output, y) in outputs.iter().enumerate() {
                match (y.tangent_part(), disconnected) {
                    (Some(&t), _) => results.push(t),
                    (None, Disconnected::Zeros) => results.push(y.value().zeros_like()),
                    (None, Disconnected::Error) => return Err(Error::Disconnected { inputs: wrt.to_vec(), output }),
                }
            }
            Ok(results)
        })
    }

    /// The Hessian-vector product of the first output, forward over reverse: inputs, then a tangent for each input in
    /// `wrt`; outputs: `∇²f·v`, one per input in `wrt`. Where second derivatives are structurally zero, zeros.
    ///
    /// # Errors
    /// As [`grad`](Program::grad).
    pub fn hvp(&self, wrt: &[usize]) -> Result<Self> {
        let gradient = self.grad(wrt)?;
        let product = gradient.jvp_with(wrt, Disconnected::Zeros)?;
        Ok(product.with_outputs(product.outputs[wrt.len()..].to_vec()).without_dead_code())
    }

    /// The program over a batch of `size` examples: each input with a mapped axis where `in_axes` says so (shared by
    /// all examples where it says `None`), each output with a mapped axis where `out_axes` says.
    ///
    /// # Errors
    /// [`Error::Count`] if an axis is not given for every input and output, [`Error::Index`] if one is beyond the rank.
    pub fn batch(&self, size: usize, in_axes: &[Option<usize>], out_axes: &[usize]) -> Result<Self> {
        let count = |what, expected: usize, given: usize| {
            if expected == given { Ok(()) } else { Err(Error::Count { what, expected, given }) }
        };
        count("input axes", self.inputs.len(), in_axes.len())?;
        count("output axes", self.outputs.len(), out_axes.len())?;
        let inside = |axis: usize, shape: &Shape| {
            if axis <= shape.len() {
                Ok(())
            } else {
                Err(Error::Index { what: "mapped axis", index: axis, len: shape.len() + 1 })
            }
        };
        let mut shapes = self.input_shapes();
        for (shape, axis) in shapes.iter_mut().zip(in_axes) {
            if let Some(axis) = *axis {
                inside(axis, shape)?;
                shape.insert(axis, size);
            }
        }
        for (shape, &axis) in self.output_shapes().iter().zip(out_axes) {
            inside(axis, shape)?;
        }
        Self::record_shapes(&shapes, |x| {
            let batched: Vec<_> = x
                .iter()
                .zip(in_axes)
                .map(|(&x, axis)| axis.map_or_else(|| Batched::shared(x), |axis| Batched::mapped(x, axis)))
                .collect();
            self.interpret(&batched).into_iter().zip(out_axes).map(|(y, &axis)| y.into_value(axis, size)).collect()
        })
    }

    /// The program with other outputs, chosen among its values.
    pub(crate) fn with_outputs(&self, outputs: Vec<Place>) -> Self {
        Self { outputs, ..self.clone() }
    }
}
