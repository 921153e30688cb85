//! Programs of whole Jacobians and Hessians: one JVP or VJP, batched over the rows of the identity.

use super::{Disconnected, Program};
use crate::error::{Error, Result};
use crate::shape::{Shape, size};
use crate::tensor::Tensor;
use crate::value::Value;

impl Program {
    /// The Jacobian of each output by one input: the same inputs; an output of shape `s` becomes one of shape `s` followed
    /// by the shape of the input.
    ///
    /// Each output takes the mode that needs fewer directions: forward mode for an input that is not larger than the
    /// output, else reverse mode. All directions are worked on at once, so memory grows with their number.
    ///
    /// ```
    /// use autodiff::{Program, Tensor, Value};
    /// let f = Program::record(&[&[3]], |x| x[0].cumsum(0).square())?;
    /// let jacobian = f.jacobian(0)?;
    /// let x = Tensor::from([1.0, 1.0, 1.0]);
    /// assert_eq!(jacobian.run(&[x])?[0], Tensor::from_rows([[2.0, 0.0, 0.0], [4.0, 4.0, 0.0], [6.0, 6.0, 6.0]]));
    /// # Ok::<(), autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Disconnected`] if the input does not reach an output, [`Error::Index`] if it does not exist.
    pub fn jacobian(&self, wrt: usize) -> Result<Self> {
        self.check_wrt(&[wrt])?;
        let inputs = self.input_shapes();
        let x = inputs[wrt].clone();
        let parts: Result<Vec<Self>> =
            self.outputs.iter().map(|&o| self.with_outputs(vec![o]).dense(wrt, &x)).collect();
        let parts = parts?;
        let program = Self::record_shapes(&inputs, |v| parts.iter().map(|part| part.eval(v)[0]).collect())?;
        Ok(program.simplify())
    }

    /// The Jacobian of the only output.
    fn dense(&self, wrt: usize, x: &Shape) -> Result<Self> {
        let y = self.output_shapes().swap_remove(0);
        let forward = size(x) <= size(&y);
        let (one, n) = if forward {
            let jvp = self.jvp(&[wrt])?;
            (jvp.with_outputs(jvp.outputs[1..].to_vec()).without_dead_code(), size(x))
        } else {
            (self.vjp(&[wrt])?, size(&y))
        };
        let rank = self.inputs.len();
        let axes: Vec<Option<usize>> = (0..=rank).map(|i| (i == rank).then_some(0)).collect();
        // The direction goes last where it is an element of the input, and first where it is one of the output.
        let all = one.batch(n, &axes, &[if forward { y.len() } else { 0 }])?;
        let direction: Shape = [n].into_iter().chain(if forward { x.clone() } else { y.clone() }).collect();
        let identity = Tensor::<f64>::eye(n).reshape(&direction);
        let shape: Shape = y.iter().chain(x).copied().collect();
        Self::record_shapes(&self.input_shapes(), |v| {
            let identity = v[0].constant(&identity);
            vec![all.eval(&[v, &[identity]].concat())[0].reshape(&shape)]
        })
    }

    /// The block of the Hessian of a scalar program by two of its inputs, of the shape of the one followed by that of
    /// the other: forward over reverse, all directions at once.
    ///
    /// ```
    /// use autodiff::{Program, Tensor, Value};
    /// let f = Program::record(&[&[2]], |x| x[0].square().sum_all() + x[0].prod(&[0]))?;
    /// let hessian = f.hessian(0, 0)?.run(&[Tensor::from([3.0, 4.0])])?;
    /// assert_eq!(hessian[0], Tensor::from_rows([[2.0, 1.0], [1.0, 2.0]]));
    /// # Ok::<(), autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`grad`](Program::grad), and [`Error::Disconnected`] if the gradient by the first input does not depend on the
    /// second.
    pub fn hessian(&self, first: usize, second: usize) -> Result<Self> {
        match self.grad_with(&[first], Disconnected::Error)?.jacobian(second) {
            Err(Error::Disconnected { .. }) => Err(Error::Disconnected { inputs: vec![second], output: 0 }),
            other => other,
        }
    }
}
