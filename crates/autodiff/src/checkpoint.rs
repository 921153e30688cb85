//! `checkpoint`: memory for time, chosen by hand.

use crate::abstract_value::Abstract;
use crate::error::Result;
use crate::op::{Call, Op};
use crate::program::Program;
use crate::value::Value;
use crate::var::Var;

/// Computes `f(inputs)` so that nothing inside `f` is kept for the reverse pass: there, `f` is computed again.
///
/// `f` is recorded once, for the shapes of the inputs. It may only use the inputs that it is given.
///
/// Time: one more evaluation of `f` in the reverse pass. Memory: the inputs and the output, and, while `f` is reversed,
/// its values. Holds for tapes, programs and executables alike. (Griewank 1992; Chen, Xu, Zhang, Guestrin 2016.)
///
/// ```
/// use autodiff::{Abstract, Value, Var, checkpoint, grad};
/// // A chain of 4 × 8 sines: 4 values are kept, not 32.
/// fn chain<'t>(x: &[Var<'t, Abstract>]) -> Var<'t, Abstract> {
///     (0..8).fold(x[0], |y, _| y.sin())
/// }
/// let g = grad(
///     |x| (0..4).fold(x[0], |y, _| checkpoint(&[&y], chain).expect("one input")),
///     &[0.5],
/// )?;
/// let plain = grad(|x| (0..32).fold(x[0], |y, _| y.sin()), &[0.5])?;
/// assert!((g[0] - plain[0]).abs() < 1e-15);
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Count`](crate::Error::Count) without inputs.
#[track_caller]
pub fn checkpoint<V: Value, F>(inputs: &[&V], f: F) -> Result<V>
where
    F: for<'t> FnOnce(&[Var<'t, Abstract>]) -> Var<'t, Abstract>,
{
    let shapes: Vec<_> = inputs.iter().map(|x| x.shape()).collect();
    let program = Program::record_shapes(&shapes, |x| vec![f(x)])?;
    Ok(V::apply(&Op::Call(Call::outputs(program).swap_remove(0)), inputs))
}

impl Program {
    /// The outputs of the program, run so that nothing inside is kept for the reverse pass; see [`checkpoint`].
    ///
    /// An interpreted program is run once for each output; an [`Executable`](crate::Executable) shares the work.
    #[track_caller]
    pub fn checkpoint<V: Value>(&self, inputs: &[&V]) -> Vec<V> {
        Call::outputs(self.clone()).into_iter().map(|call| V::apply(&Op::Call(call), inputs)).collect()
    }
}
