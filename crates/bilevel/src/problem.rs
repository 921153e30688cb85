//! The problem: outer and inner objective as closures, recorded and differentiated once per shape.

use crate::dynamics::Dynamics;
use crate::error::{Error, Result};
use crate::method::{Hypergradient, Method};
use autodiff::{Abstract, Disconnected, Element, Program, Shape, Tensor, Value, Var};
use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// `(u, v, data) ↦ objective`.
type Objective =
    dyn for<'t> Fn(&[Var<'t, Abstract>], &[Var<'t, Abstract>], &[Var<'t, Abstract>]) -> Var<'t, Abstract> + Send + Sync;

/// The update rule, and the shapes of u, v, outer and inner data.
type Key = (TypeId, [Vec<Shape>; 4]);

/// Arrays that the objectives are evaluated on and that are not differentiated: examples, labels, a minibatch.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a, E: Element> {
    /// For the outer objective.
    pub outer: &'a [Tensor<E>],
    /// For the inner objective.
    pub inner: &'a [Tensor<E>],
}

impl<E: Element> Data<'_, E> {
    /// No data.
    pub const NONE: Self = Self { outer: &[], inner: &[] };
}

/// min over `u` of `f(u, v(u))`, where `v(u)` comes from minimising `g(u, ·)`.
///
/// `u` and `v` are ordered sets of tensors. The closures are recorded once per set of shapes; their derivatives and the
/// inner step are programs, which the methods run as often as they need.
pub struct Problem {
    outer: Box<Objective>,
    inner: Box<Objective>,
    recorded: Mutex<HashMap<Key, Arc<Recorded>>>,
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem").finish_non_exhaustive()
    }
}

impl Problem {
    /// A problem without data: `outer(u, v)` and `inner(u, v)`, each a scalar.
    pub fn new<F, G>(outer: F, inner: G) -> Self
    where
        F: for<'t> Fn(&[Var<'t, Abstract>], &[Var<'t, Abstract>]) -> Var<'t, Abstract> + Send + Sync + 'static,
        G: for<'t> Fn(&[Var<'t, Abstract>], &[Var<'t, Abstract>]) -> Var<'t, Abstract> + Send + Sync + 'static,
    {
        Self::with_data(move |u, v, _| outer(u, v), move |u, v, _| inner(u, v))
    }

    /// A problem on data: `outer(u, v, data)` and `inner(u, v, data)`, each a scalar, each with its own data.
    pub fn with_data<F, G>(outer: F, inner: G) -> Self
    where
        F: for<'t> Fn(&[Var<'t, Abstract>], &[Var<'t, Abstract>], &[Var<'t, Abstract>]) -> Var<'t, Abstract>
            + Send
            + Sync
            + 'static,
        G: for<'t> Fn(&[Var<'t, Abstract>], &[Var<'t, Abstract>], &[Var<'t, Abstract>]) -> Var<'t, Abstract>
            + Send
            + Sync
            + 'static,
    {
        Self { outer: Box::new(outer), inner: Box::new(inner), recorded: Mutex::default() }
    }

    /// The hypergradient at `u`, with the inner problem started from `v0`, by a method.
    ///
    /// # Errors
    /// What the method reports.
    pub fn hypergradient<E: Element, M: Method>(
        &self,
        u: &[Tensor<E>],
        v0: &[Tensor<E>],
        method: &M,
    ) -> Result<Hypergradient<E>> {
        method.hypergradient(self, u, v0, Data::NONE)
    }

    /// [`hypergradient`](Problem::hypergradient) of a problem with data.
    ///
    /// # Errors
    /// What the method reports.
    pub fn hypergradient_on<E: Element, M: Method>(
        &self,
        u: &[Tensor<E>],
        v0: &[Tensor<E>],
        data: Data<'_, E>,
        method: &M,
    ) -> Result<Hypergradient<E>> {
        method.hypergradient(self, u, v0, data)
    }

    /// The programs for these shapes and this update rule, recorded at the first call.
    ///
    /// # Errors
    /// [`Error::Detached`] or [`Error::Unused`] if a variable is not connected; shape errors of the closures panic with
    /// their line.
    pub fn recorded<E: Element, D: Dynamics>(
        &self,
        u: &[Tensor<E>],
        v: &[Tensor<E>],
        data: Data<'_, E>,
        dynamics: &D,
    ) -> Result<Arc<Recorded>> {
        let shapes = |x: &[Tensor<E>]| x.iter().map(Value::shape).collect::<Vec<_>>();
        let key = (TypeId::of::<D>(), [shapes(u), shapes(v), shapes(data.outer), shapes(data.inner)]);
        let cached = self.recorded.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(recorded) = cached {
            return Ok(recorded);
        }
        let recorded = Arc::new(self.record(&key.1, dynamics)?);
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&recorded));
        Ok(recorded)
    }

    fn record<D: Dynamics>(&self, [u, v, outer, inner]: &[Vec<Shape>; 4], dynamics: &D) -> Result<Recorded> {
        if u.is_empty() || v.is_empty() {
            let reason = "at least one upper and one inner variable are needed".to_owned();
            return Err(Error::Configuration { setting: "variables", reason });
        }
        let (n, m) = (u.len(), v.len());
        let uv: Vec<usize> = (0..n + m).collect();
        let all = |data: &[Shape]| [u, v, data].concat();

        let objective = |f: &Objective, data: &[Shape]| -> Result<Program> {
            Ok(Program::record_shapes(&all(data), |x| vec![f(&x[..n], &x[n..n + m], &x[n + m..])])?)
        };
        let f = objective(&self.outer, outer)?;
        let g = objective(&self.inner, inner)?;
        let unused =
            |program: &Program, wrt: usize| matches!(program.grad(&[wrt]), Err(autodiff::Error::Disconnected { .. }));
        // Some inner variables may serve the inner objective only, but not all.
        if (0..m).all(|i| unused(&f, n + i)) {
            return Err(Error::Unused);
        }

        // (u, v, data) ↦ f, f_u, f_v. Where f does not use u, its part is zero, rightly.
        let f_grad = f.grad_with(&uv, Disconnected::Zeros)?;
        let outer_program = Program::record_shapes(&all(outer), |x| [f.eval(x), f_grad.eval(x)].concat())?.simplify();
        // (u, v, data, hyper) ↦ Φ(v, ∇_v g).
        let wrt_v: Vec<usize> = (n..n + m).collect();
        let g_grad = g.grad(&wrt_v)?;
        let scalars = vec![Shape::new(); dynamics.hyper().len()];
        let step = Program::record_shapes(&[all(inner), scalars].concat(), |x| {
            let (inputs, hyper) = x.split_at(n + m + inner.len());
            let gradient = g_grad.eval(inputs);
            inputs[n..n + m].iter().zip(&gradient).map(|(v, g)| D::step(v, g, hyper)).collect()
        })?
        .simplify();
        // Its VJP: … and a cotangent for each v ↦ cotangents of u and v.
        let step_vjp = step.vjp_with(&uv, Disconnected::Zeros)?.simplify();
        let first_step_vjp = step.vjp_with(&uv[..n], Disconnected::Zeros)?.simplify();
        for index in 0..n {
            let through_step = matches!(step.vjp(&[index]), Err(autodiff::Error::Disconnected { .. }));
            if through_step && unused(&f, index) {
                return Err(Error::Detached { index });
            }
        }
        Ok(Recorded { outer: outer_program, step, step_vjp, first_step_vjp })
    }
}

/// What a problem becomes for given shapes and a given update rule.
#[derive(Debug)]
pub struct Recorded {
    /// `(u, v, outer data) ↦ f, f_u…, f_v…`
    pub outer: Program,
    /// `(u, v, inner data, hyper) ↦ Φ…`, the next iterate.
    pub step: Program,
    /// `(u, v, inner data, hyper, cotangent of Φ…) ↦ cotangents of u…, of v…`
    pub step_vjp: Program,
    /// The same, cotangents of u… only: where the initial point is given, nothing flows on to it.
    pub first_step_vjp: Program,
}
