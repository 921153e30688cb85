//! An update rule that moves tensors along gradients that come from elsewhere: u, or v of a penalised objective.

use crate::dynamics::{Dynamics, Hyper, Step};
use crate::error::{Error, Result, configuration};
use crate::programs::culprit;
use crate::vector;
use autodiff::{CompileOptions, Element, Executable, Program, Shape, Tensor};

/// The compiled rule, for some shapes.
pub(crate) struct Mover<E: Element> {
    executable: Executable<E>,
    program: Program,
    hyper: Vec<Hyper>,
    slots: usize,
}

impl<E: Element> Mover<E> {
    pub(crate) fn new(dynamics: &dyn Dynamics, x: &[Tensor<E>]) -> Result<Self> {
        dynamics.check(x.len())?;
        let hyper = dynamics.hyper();
        if hyper.iter().any(|h| matches!(h, Hyper::Upper(_))) {
            return configuration("hyperparameter", "this rule moves no inner variables: it cannot take a part of u");
        }
        let (shapes, n, slots) = (vector::shapes(x), x.len(), dynamics.slots());
        let state: Vec<Shape> = shapes.iter().cycle().take(n * slots).cloned().collect();
        let scalars = vec![Shape::new(); hyper.len() + 1];
        let program = Program::record_shapes(&[&shapes[..], &shapes, &state, &scalars].concat(), |x| {
            let (point, rest) = x.split_at(n);
            let (gradient, rest) = rest.split_at(n);
            let (state, scalars) = rest.split_at(n * slots);
            let (hyper, count) = scalars.split_at(scalars.len() - 1);
            dynamics.step(&Step::new(point, gradient, state, hyper, count[0]))
        })?
        .simplify();
        if program.output_shapes() != [&shapes[..], &state].concat() {
            let given = program.output_shapes();
            return configuration("optimiser", format!("a step gives shapes {given:?} for tensors of {shapes:?}"));
        }
        Ok(Self { executable: program.compile(CompileOptions::default()), program, hyper, slots })
    }

    /// A state that has seen nothing.
    pub(crate) fn start(&self, x: &[Tensor<E>]) -> Vec<Tensor<E>> {
        vector::zeros(x).iter().cycle().take(self.slots * x.len()).cloned().collect()
    }

    /// Moves x and the rule's state by one step, the first being 0.
    pub(crate) fn step(
        &mut self,
        step: usize,
        x: &mut Vec<Tensor<E>>,
        gradient: &[Tensor<E>],
        state: &mut Vec<Tensor<E>>,
    ) -> Result<()> {
        let scalars = self.hyper.iter().filter_map(|h| h.value(step)).chain([(step + 1) as f64]);
        let scalars: Vec<Tensor<E>> = scalars.map(|c| Tensor::scalar(E::from_f64(c))).collect();
        let inputs = [&x[..], gradient, state, &scalars].concat();
        let mut next = self.executable.run(&inputs)?;
        if !vector::is_finite(&next) {
            let op = culprit(&self.program, &inputs).unwrap_or_default();
            return Err(Error::NonFinite { what: "a step of the optimiser", step, op });
        }
        *state = next.split_off(x.len());
        *x = next;
        Ok(())
    }
}
