//! The update rule in a session: where it begins, a step, and what a step does to tangents and cotangents.

use super::Session;
use crate::dynamics::Dynamics;
use crate::error::Result;
use crate::kind::{Kind, Reach};
use crate::vector::{self, Tensors};
use autodiff::{Element, Tensor};

impl<E: Element> Session<'_, E> {
    /// The initial state: v₀, given or from u, and the update rule's zeros.
    pub(crate) fn initial(&mut self, v0: &[Tensor<E>]) -> Result<Vec<Tensor<E>>> {
        let mut state = if self.has_start() { self.run(Kind::Start, &[])? } else { v0.to_vec() };
        if !vector::is_finite(&state) {
            return Err(self.not_finite("the initial inner point", 0, None, &[]));
        }
        let slots = self.dynamics.map_or(0, Dynamics::slots);
        let zeros = vector::zeros(&state);
        state.extend(zeros.iter().cycle().take(slots * self.m).cloned());
        Ok(state)
    }

    /// The values of hyperparameters and the count, at a step.
    fn hyper(&self, step: usize) -> Vec<Tensor<E>> {
        let scalar = |c: f64| Tensor::scalar(E::from_f64(c));
        let mut values: Vec<Tensor<E>> = self.constants.iter().flatten().cloned().collect();
        if values.len() < self.constants.len() {
            let hyper = self.dynamics.map(Dynamics::hyper).unwrap_or_default();
            values = hyper.iter().filter_map(|h| h.value(step)).map(scalar).collect();
        }
        values.push(scalar((step + 1) as f64));
        values
    }

    /// Φ(s)
    pub(crate) fn step(&mut self, step: usize, state: &[Tensor<E>]) -> Result<Vec<Tensor<E>>> {
        self.ledger.counts.gradients += 1;
        let (data, hyper) = (self.data.inner_at(step), self.hyper(step));
        self.checked("the inner iterate", step, Kind::Step, &[state, &data, &hyper])
    }

    /// Φ(s), and ∇_v g before the step.
    pub(crate) fn step_seen(&mut self, step: usize, state: &[Tensor<E>]) -> Result<(Tensors<E>, Tensors<E>)> {
        self.ledger.counts.gradients += 1;
        let (data, hyper) = (self.data.inner_at(step), self.hyper(step));
        let mut next = self.checked("the inner iterate", step, Kind::StepSeen, &[state, &data, &hyper])?;
        let gradient = next.split_off(state.len());
        Ok((next, gradient))
    }

    /// How far the cotangents of a step flow.
    fn reach(&self, step: usize) -> Reach {
        match step {
            _ if self.later_steps_only => Reach::Later,
            0 if !self.has_start() => Reach::First,
            _ => Reach::Whole,
        }
    }

    /// Φ(s), and residuals for [`step_vjp_with`](Session::step_vjp_with).
    pub(crate) fn step_keeping(&mut self, step: usize, state: &[Tensor<E>]) -> Result<(Tensors<E>, Tensors<E>)> {
        self.ledger.counts.gradients += 1;
        let (data, hyper) = (self.data.inner_at(step), self.hyper(step));
        let (kind, parts) = (Kind::StepKeeping(self.reach(step)), [state, &data, &hyper]);
        let mut next = self.run(kind, &parts)?;
        // A result within the step may be infinite, as one that is not kept: tanh ∞ is 1.
        let residuals = next.split_off(state.len());
        if vector::is_finite(&next) {
            Ok((next, residuals))
        } else {
            Err(self.not_finite("the inner iterate", step, Some(kind), &parts))
        }
    }

    /// Bytes of a step's residuals. The first step of a given initial point may have fewer than others.
    pub(crate) fn residual_bytes(&mut self, step: usize, state: &[Tensor<E>]) -> Result<usize> {
        let kind = Kind::StepKeeping(self.reach(step));
        let shapes = &self.compiled(kind)?.output_shapes()[state.len()..];
        Ok(shapes.iter().map(|shape| shape.iter().product::<usize>() * size_of::<E>()).sum())
    }

    /// The cotangents of u and, unless it is the first step of a given initial point, of s.
    pub(crate) fn step_vjp(
        &mut self,
        step: usize,
        state: &[Tensor<E>],
        cotangent: &[Tensor<E>],
    ) -> Result<(Tensors<E>, Tensors<E>)> {
        self.step_vjp_with(step, state, cotangent, None)
    }

    /// [`step_vjp`](Session::step_vjp) with the residuals of the step, if it has any.
    pub(crate) fn step_vjp_with(
        &mut self,
        step: usize,
        state: &[Tensor<E>],
        cotangent: &[Tensor<E>],
        residuals: Option<&[Tensor<E>]>,
    ) -> Result<(Tensors<E>, Tensors<E>)> {
        self.ledger.counts.vjps += 1;
        let (data, hyper, reach) = (self.data.inner_at(step), self.hyper(step), self.reach(step));
        let whole = [state, &data, &hyper, cotangent];
        let found = match residuals {
            Some(residuals) => self.run(Kind::StepVjpKept(reach), &[state, &data, &hyper, cotangent, residuals]),
            None => self.run(Kind::StepVjp(reach), &whole),
        };
        let mut parts = found?;
        if !vector::is_finite(&parts) {
            // Residuals may be what is not finite: without them, the operation is named that made them.
            return Err(self.not_finite("the hypergradient", step, Some(Kind::StepVjp(reach)), &whole));
        }
        let by_state = parts.split_off(self.n);
        Ok((parts, by_state))
    }

    /// Φ(s) and its tangents for many directions: `du` and `ds` have a first axis of directions.
    pub(crate) fn step_jvp(
        &mut self,
        step: usize,
        state: &[Tensor<E>],
        du: &[Tensor<E>],
        ds: &[Tensor<E>],
    ) -> Result<(Tensors<E>, Tensors<E>)> {
        let directions = du[0].dims()[0];
        self.ledger.counts.gradients += 1;
        self.ledger.counts.jvps += directions;
        let (data, hyper) = (self.data.inner_at(step), self.hyper(step));
        let parts = [state, &data, &hyper, du, ds];
        let mut next = self.checked("the inner iterate or its tangents", step, Kind::StepJvp(directions), &parts)?;
        let tangents = next.split_off(state.len());
        Ok((next, tangents))
    }

    /// The cotangent of u that reaches it through the initial point, from that of the initial state; `None` without a
    /// `start`.
    pub(crate) fn start_vjp(&mut self, cotangent: &[Tensor<E>]) -> Result<Option<Vec<Tensor<E>>>> {
        // The slots begin at zero, whatever u is.
        let by_v = &cotangent[..cotangent.len().min(self.m)];
        self.start_product(Kind::StartVjp, by_v)
    }

    fn start_product(&mut self, kind: Kind, cotangent: &[Tensor<E>]) -> Result<Option<Vec<Tensor<E>>>> {
        if !self.has_start() {
            return Ok(None);
        }
        self.ledger.counts.vjps += 1;
        self.run(kind, &[cotangent]).map(Some)
    }

    /// [`start_vjp`](Session::start_vjp) where nothing else is differentiated.
    pub(crate) fn start_only_vjp(&mut self, cotangent: &[Tensor<E>]) -> Result<Option<Vec<Tensor<E>>>> {
        self.start_product(Kind::StartOnlyVjp, cotangent)
    }

    /// The tangents of v₀; `None` without a `start`.
    pub(crate) fn start_jvp(&mut self, du: &[Tensor<E>]) -> Result<Option<Vec<Tensor<E>>>> {
        let directions = du[0].dims()[0];
        if !self.has_start() {
            return Ok(None);
        }
        self.ledger.counts.jvps += directions;
        self.run(Kind::StartJvp(directions), &[du]).map(Some)
    }
}
