//! One evaluation of a method: the compiled primitives of a problem at one u, counted as they are used.

mod steps;

use crate::data::Data;
use crate::dynamics::Dynamics;
use crate::error::{Error, Result, configuration};
use crate::kind::Kind;
use crate::ledger::Ledger;
use crate::problem::{Key, Problem};
use crate::programs::{Programs, culprit};
use crate::report::Report;
use crate::vector::{self, Tensors};
use autodiff::{CompileOptions, Element, Executable, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

/// f, f_u and f_v at a point.
pub(crate) struct OuterGradient<E: Element> {
    pub(crate) value: f64,
    pub(crate) by_u: Vec<Tensor<E>>,
    pub(crate) by_v: Vec<Tensor<E>>,
}

/// The inputs of Hessian-vector products at one point, all but the vector.
pub(crate) struct Hessian<E: Element> {
    inputs: Vec<Tensor<E>>,
    /// Where the vector goes.
    vector: usize,
    kind: Kind,
}

/// λ and γ of `f + ⟨λ, g_v⟩ + γ/2 ‖g_v‖²`.
pub(crate) struct Penalty<E: Element> {
    pub(crate) multipliers: Vec<Tensor<E>>,
    pub(crate) gamma: f64,
}

pub(crate) struct Session<'a, E: Element> {
    problem: &'a Problem,
    programs: Arc<Programs>,
    dynamics: Option<&'a dyn Dynamics>,
    key: Key,
    pub(crate) u: Vec<Tensor<E>>,
    pub(crate) data: Data<'a, E>,
    executables: HashMap<Kind, Executable<E>>,
    /// Hyperparameters that are constant, made once; `None` for schedules.
    constants: Vec<Option<Tensor<E>>>,
    inputs: Vec<Tensor<E>>,
    ledger: Ledger,
    /// Whether the way back ends before the initial point.
    pub(crate) later_steps_only: bool,
    /// Number of tensors of u and of v.
    pub(crate) n: usize,
    pub(crate) m: usize,
}

impl<E: Element> Drop for Session<'_, E> {
    fn drop(&mut self) {
        for (what, executable) in self.executables.drain() {
            self.problem.give(key_of(&self.key, what), executable);
        }
    }
}

fn key_of(key: &Key, what: Kind) -> Key {
    let structure = if what.uses_dynamics() { key.structure.clone() } else { None };
    Key { what, structure, ..key.clone() }
}

impl<'a, E: Element> Session<'a, E> {
    /// Records the problem for these shapes. `v` is any inner point: it is its shapes that count.
    pub(crate) fn new(
        problem: &'a Problem,
        u: &[Tensor<E>],
        v: &[Tensor<E>],
        data: Data<'a, E>,
        dynamics: Option<&'a dyn Dynamics>,
    ) -> Result<Self> {
        let ledger = Ledger::new();
        let inner = data.inner_at(0);
        let v_shapes = match &problem.start {
            Some(_) if !v.is_empty() => {
                return configuration("v0", "this problem's `start` gives the initial point; pass `&[]`");
            }
            Some(start) => autodiff::Program::record_shapes(&vector::shapes(u), |u| start(u))?.output_shapes(),
            None => vector::shapes(v),
        };
        let shapes = [vector::shapes(u), v_shapes, vector::shapes(&data.outer_at(0)), vector::shapes(&inner)];
        let structure = dynamics.map(|d| Arc::from(d.structure()));
        let (n, m) = (u.len(), shapes[1].len());
        let key = problem.key(shapes, structure);
        let programs = problem.recorded(&key.shapes)?;
        let scalar = |c: f64| Tensor::scalar(E::from_f64(c));
        let constants = dynamics.map(Dynamics::hyper).unwrap_or_default();
        let constants = constants.iter().filter_map(|hyper| match hyper {
            crate::Hyper::Constant(c) => Some(Some(scalar(*c))),
            crate::Hyper::Schedule(_) => Some(None),
            crate::Hyper::Upper(_) => None,
        });
        let constants = constants.collect();
        let session = Self {
            problem,
            programs,
            dynamics,
            key,
            u: u.to_vec(),
            data,
            executables: HashMap::new(),
            constants,
            inputs: Vec::new(),
            ledger,
            later_steps_only: false,
            n,
            m,
        };
        if !vector::is_finite(u) {
            return Err(session.not_finite("u", 0, None, &[]));
        }
        Ok(session)
    }

    /// The executable of a primitive that is evaluated now.
    fn executable(&mut self, kind: Kind) -> Result<&mut Executable<E>> {
        self.ledger.evaluates(kind);
        self.compiled(kind)
    }

    /// The executable of a primitive, compiled at its first use.
    fn compiled(&mut self, kind: Kind) -> Result<&mut Executable<E>> {
        if !self.executables.contains_key(&kind) {
            let found = self.problem.take(&key_of(&self.key, kind));
            let executable = match found {
                Some(found) => found,
                None => {
                    let program = self.programs.get(kind, self.dynamics)?;
                    program.compile(CompileOptions::default().threads(self.key.threads))
                }
            };
            self.executables.insert(kind, executable);
        }
        Ok(self.executables.get_mut(&kind).expect("it was put there just now"))
    }

    /// Runs a primitive on u and more inputs.
    fn run(&mut self, kind: Kind, parts: &[&[Tensor<E>]]) -> Result<Vec<Tensor<E>>> {
        let mut inputs = std::mem::take(&mut self.inputs);
        inputs.extend_from_slice(&self.u);
        for part in parts {
            inputs.extend_from_slice(part);
        }
        let outputs = self.executable(kind).and_then(|e| Ok(e.run(&inputs)?));
        inputs.clear();
        self.inputs = inputs;
        outputs
    }

    /// The error for what is not finite, with the operation that made it so.
    fn not_finite(&self, what: &'static str, step: usize, kind: Option<Kind>, parts: &[&[Tensor<E>]]) -> Error {
        let inputs: Vec<Tensor<E>> = self.u.iter().chain(parts.iter().copied().flatten()).cloned().collect();
        // The objective itself first: its lines are the user's.
        let objective = match kind {
            Some(Kind::Outer | Kind::OuterValue) => Some(&self.programs.outer),
            Some(Kind::InnerGradient | Kind::InnerValue | Kind::InnerBoth) => Some(&self.programs.inner),
            _ => None,
        };
        let op = objective.and_then(|program| culprit(program, &inputs));
        let op = op.or_else(|| culprit(&self.programs.get(kind?, self.dynamics).ok()?, &inputs));
        Error::NonFinite { what, step, op: op.unwrap_or_else(|| "an input was not finite to begin with".to_owned()) }
    }

    fn checked(
        &mut self,
        what: &'static str,
        step: usize,
        kind: Kind,
        parts: &[&[Tensor<E>]],
    ) -> Result<Vec<Tensor<E>>> {
        let outputs = self.run(kind, parts)?;
        if vector::is_finite(&outputs) { Ok(outputs) } else { Err(self.not_finite(what, step, Some(kind), parts)) }
    }

    pub(crate) fn has_start(&self) -> bool {
        self.problem.start.is_some()
    }

    /// Whether both objectives are quadratic in v.
    pub(crate) fn quadratic(&self) -> bool {
        self.programs.quadratic()
    }

    /// f, f_u, f_v; `step` says which outer batch, and where an error happened.
    pub(crate) fn outer(&mut self, v: &[Tensor<E>], batch: usize, step: usize) -> Result<OuterGradient<E>> {
        self.ledger.counts.gradients += 1;
        let data = self.data.outer_at(batch);
        let mut all = self.checked("the outer objective or its gradient", step, Kind::Outer, &[v, &data])?;
        let by_v = all.split_off(1 + self.n);
        let by_u = all.split_off(1);
        Ok(OuterGradient { value: all[0].item().to_f64(), by_u, by_v })
    }

    pub(crate) fn outer_value(&mut self, v: &[Tensor<E>], batch: usize) -> Result<f64> {
        self.ledger.counts.values += 1;
        let data = self.data.outer_at(batch);
        Ok(self.checked("the outer objective", 0, Kind::OuterValue, &[v, &data])?[0].item().to_f64())
    }

    /// g; not checked, since a line search may look beyond where it is finite.
    pub(crate) fn inner_value(&mut self, v: &[Tensor<E>], batch: usize) -> Result<f64> {
        self.ledger.counts.values += 1;
        let data = self.data.inner_at(batch);
        Ok(self.run(Kind::InnerValue, &[v, &data])?[0].item().to_f64())
    }

    /// g and g_v.
    pub(crate) fn inner(&mut self, v: &[Tensor<E>], batch: usize, step: usize) -> Result<(f64, Vec<Tensor<E>>)> {
        self.ledger.counts.gradients += 1;
        let data = self.data.inner_at(batch);
        let mut all = self.checked("the inner objective or its gradient", step, Kind::InnerGradient, &[v, &data])?;
        let gradient = all.split_off(1);
        Ok((all[0].item().to_f64(), gradient))
    }

    /// Evaluations for the report alone: `None` where the problem does without, or where an objective is not finite where
    /// the report would look, which is no fault of the answer: then there is a word about it.
    pub(crate) fn diagnose<T>(&mut self, look: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if !self.problem.diagnostics {
            return Ok(None);
        }
        match self.for_report(look) {
            Ok(seen) => Ok(Some(seen)),
            Err(Error::NonFinite { what, op, .. }) => {
                self.ledger.knows_less(what, &op);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// Evaluations that are counted as made for the report.
    pub(crate) fn for_report<T>(&mut self, look: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self.ledger.begin_report();
        let seen = look(self);
        self.ledger.end_report(before);
        seen
    }

    /// g and ‖∇_v g‖ after so many steps, on the last step's batch, for the report.
    pub(crate) fn look(&mut self, v: &[Tensor<E>], steps: usize) -> Result<(Option<f64>, Option<f64>)> {
        let seen = self.diagnose(|s| s.inner(v, steps.saturating_sub(1), steps))?;
        Ok(seen.map_or((None, None), |(value, gradient)| (Some(value), Some(vector::norm(&gradient)))))
    }

    /// Whether g can be differentiated twice: the inside of custom operations is not known.
    pub(crate) fn has_second_derivatives(&self) -> bool {
        self.programs.has_second_derivatives()
    }

    /// g, g_u, g_v.
    pub(crate) fn inner_both(
        &mut self,
        v: &[Tensor<E>],
        batch: usize,
        step: usize,
    ) -> Result<(f64, Tensors<E>, Tensors<E>)> {
        self.ledger.counts.gradients += 1;
        let data = self.data.inner_at(batch);
        let mut all = self.checked("the inner objective or its gradient", step, Kind::InnerBoth, &[v, &data])?;
        let by_v = all.split_off(1 + self.n);
        let by_u = all.split_off(1);
        Ok((all[0].item().to_f64(), by_u, by_v))
    }

    /// Prepares products with the Hessian of g by v at a point: what does not depend on the vector is computed once.
    pub(crate) fn hessian(&mut self, v: &[Tensor<E>], batch: usize) -> Result<Hessian<E>> {
        let data = self.data.inner_at(batch);
        let fixed = self.run(Kind::HvpFixed, &[v, &data])?;
        // A quadratic objective's products share nothing.
        self.ledger.counts.gradients += usize::from(!fixed.is_empty());
        let mut inputs = [&self.u[..], v, &data].concat();
        let vector = inputs.len();
        inputs.extend_from_slice(v);
        inputs.extend(fixed);
        Ok(Hessian { inputs, vector, kind: Kind::Hvp })
    }

    /// The same for a penalised objective; by v, or by u and v.
    pub(crate) fn penalised_hessian(&self, v: &[Tensor<E>], penalty: &Penalty<E>, joint: bool) -> Hessian<E> {
        let (outer, inner) = (self.data.outer_at(0), self.data.inner_at(0));
        let gamma = Tensor::scalar(E::from_f64(penalty.gamma));
        let mut inputs = [&self.u[..], v, &outer, &inner, &penalty.multipliers, &[gamma]].concat();
        let vector = inputs.len();
        if joint {
            inputs.extend_from_slice(&self.u);
        }
        inputs.extend_from_slice(v);
        Hessian { inputs, vector, kind: if joint { Kind::PenalisedJointHvp } else { Kind::PenalisedHvp } }
    }

    /// H·p
    pub(crate) fn hvp(&mut self, hessian: &mut Hessian<E>, p: &[Tensor<E>]) -> Result<Vec<Tensor<E>>> {
        self.ledger.counts.hvps += 1;
        hessian.inputs[hessian.vector..hessian.vector + p.len()].clone_from_slice(p);
        let product = self.executable(hessian.kind)?.run(&hessian.inputs)?;
        if vector::is_finite(&product) {
            return Ok(product);
        }
        let what = "a Hessian-vector product";
        let op = self.programs.get(hessian.kind, None).ok().and_then(|program| culprit(&program, &hessian.inputs));
        Err(Error::NonFinite { what, step: 0, op: op.unwrap_or_else(|| "the vector was not finite".to_owned()) })
    }

    /// ∇²_uv g·p
    pub(crate) fn mixed(&mut self, v: &[Tensor<E>], p: &[Tensor<E>], batch: usize) -> Result<Vec<Tensor<E>>> {
        self.ledger.counts.vjps += 1;
        let data = self.data.inner_at(batch);
        self.checked("the mixed derivative of the inner objective", 0, Kind::Mixed, &[v, &data, p])
    }

    /// L, L_u, L_v of the penalised objective.
    pub(crate) fn penalised(
        &mut self,
        v: &[Tensor<E>],
        penalty: &Penalty<E>,
        step: usize,
    ) -> Result<(f64, Tensors<E>, Tensors<E>)> {
        self.ledger.counts.gradients += 1;
        let (outer, inner) = (self.data.outer_at(0), self.data.inner_at(0));
        let gamma = [Tensor::scalar(E::from_f64(penalty.gamma))];
        let parts = [v, &outer, &inner, &penalty.multipliers, &gamma];
        let mut all = self.checked("the penalised objective or its gradient", step, Kind::Penalised, &parts)?;
        let by_v = all.split_off(1 + self.n);
        let by_u = all.split_off(1);
        Ok((all[0].item().to_f64(), by_u, by_v))
    }

    /// L alone; not checked, since a line search may look beyond where it is finite.
    pub(crate) fn penalised_value(&mut self, v: &[Tensor<E>], penalty: &Penalty<E>) -> Result<f64> {
        self.ledger.counts.values += 1;
        let (outer, inner) = (self.data.outer_at(0), self.data.inner_at(0));
        let gamma = [Tensor::scalar(E::from_f64(penalty.gamma))];
        let parts: [&[Tensor<E>]; 5] = [v, &outer, &inner, &penalty.multipliers, &gamma];
        Ok(self.run(Kind::PenalisedValue, &parts)?[0].item().to_f64())
    }

    /// [`Error::Detached`] if an upper variable acts on the update rule and not on the inner gradient: only its trajectory
    /// knows of it.
    pub(crate) fn rule_is_not_learnt(&self) -> Result<()> {
        for hyper in self.dynamics.map(Dynamics::hyper).unwrap_or_default() {
            if let crate::Hyper::Upper(upper) = hyper
                && self.programs.in_inner_gradient.get(upper.index) == Some(&false)
            {
                let name = self.problem.name(0, upper.index);
                return Err(Error::Detached { name, through: "the inner gradient" });
            }
        }
        Ok(())
    }

    /// Whether neither objective sees minibatches.
    pub(crate) fn is_whole(&self) -> bool {
        matches!((self.data.outer, self.data.inner), (crate::Source::Whole(_), crate::Source::Whole(_)))
    }

    /// [`Error::Configuration`] if either objective sees minibatches: ‖∇_v g‖² of a batch is no estimate of that of the whole.
    pub(crate) fn needs_whole_data(&self, who: &'static str) -> Result<()> {
        if self.is_whole() {
            return Ok(());
        }
        let reason =
            format!("{who} squares the inner gradient, whose noise would be minimised too: it needs whole data");
        configuration("minibatches", reason)
    }

    /// Says that so many bytes of iterates are alive now.
    pub(crate) fn alive(&mut self, bytes: usize) {
        self.ledger.alive(bytes);
    }

    /// The report so far: counts, memory, time.
    pub(crate) fn report(&self, outer_value: f64) -> Report {
        self.ledger.report(outer_value, &self.executables)
    }
}
