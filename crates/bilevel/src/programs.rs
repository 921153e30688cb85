//! What is derived from the two objectives: one program for each primitive that methods evaluate.

use crate::dynamics::{Dynamics, Hyper, Step};
use crate::error::{Error, Result, configuration};
use crate::kind::{Kind, Reach};
use crate::problem::{Problem, Shapes, Symbol};
use autodiff::op::{Binary, Op, Reduce, Unary};
use autodiff::{Disconnected, Program, Shape, Tensor, Value};
use std::sync::OnceLock;

/// `(u, v, data) ↦ objective`
pub(crate) type Objective = dyn for<'t> Fn(&[Symbol<'t>], &[Symbol<'t>], &[Symbol<'t>]) -> Symbol<'t> + Send + Sync;

/// `u ↦ v₀`
pub(crate) type Start = dyn for<'t> Fn(&[Symbol<'t>]) -> Vec<Symbol<'t>> + Send + Sync;

/// Operations for each element of a result from which on it is a residual: about twice what a core of 86 GFLOP/s does while
/// it writes and reads a number of 8 bytes in memory at 10 GB/s.
pub(crate) const COSTLY: u64 = 256;

/// The two objectives, recorded for some shapes.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) outer: Program,
    pub(crate) inner: Program,
    start: Option<Program>,
    shapes: Shapes,
    /// Names of the upper variables.
    names: Vec<String>,
    /// See [`Programs::quadratic`].
    quadratic: OnceLock<bool>,
    /// Whether each upper variable reaches ∇_v g.
    pub(crate) in_inner_gradient: Vec<bool>,
}

/// Whether an input reaches none of the outputs.
fn unused(program: &Program, wrt: usize) -> bool {
    matches!(program.vjp(&[wrt]), Err(autodiff::Error::Disconnected { .. }))
}

/// Which values may change with some inputs: unlike connection, this sees masks and cut-off values too.
fn reached(program: &Program, inputs: &[usize]) -> Vec<bool> {
    let mut reached = vec![false; program.nodes().len()];
    for (place, node) in program.nodes().iter().enumerate() {
        reached[place] = match node.kind() {
            autodiff::Kind::Input(i) => inputs.contains(i),
            autodiff::Kind::Constant(_) | autodiff::Kind::Op(Op::Unary(Unary::Fill(_))) => false,
            autodiff::Kind::Op(_) => node.args().iter().any(|&a| reached[a as usize]),
        };
    }
    reached
}

/// Whether any number of the outputs may change with some inputs.
fn depends(program: &Program, inputs: &[usize]) -> bool {
    let reached = reached(program, inputs);
    program.outputs().iter().any(|&o| reached[o as usize])
}

/// Whether every op that sees some inputs is smooth: without kinks, masks, and ops whose inside is not known.
fn is_smooth(program: &Program, inputs: &[usize]) -> bool {
    let reached = reached(program, inputs);
    program.nodes().iter().zip(reached).all(|(node, reached)| {
        let kinked = match node.kind() {
            autodiff::Kind::Op(Op::Unary(op)) => matches!(
                op,
                Unary::Abs
                    | Unary::Sign
                    | Unary::Relu
                    | Unary::Floor
                    | Unary::Ceil
                    | Unary::Round
                    | Unary::Max(_)
                    | Unary::Min(_)
                    | Unary::Test(..)
                    | Unary::StopGradient
            ),
            autodiff::Kind::Op(Op::Binary(op)) => matches!(op, Binary::Max | Binary::Min | Binary::Compare(_)),
            autodiff::Kind::Op(Op::Reduce(op, _)) => matches!(op, Reduce::Max | Reduce::Min),
            autodiff::Kind::Op(op) => matches!(op, Op::Select | Op::Call(_) | Op::Custom(_)),
            _ => false,
        };
        !(reached && kinked)
    })
}

impl Programs {
    /// Whether nothing in g is a custom operation, which may have one derivative and not two.
    pub(crate) fn has_second_derivatives(&self) -> bool {
        let custom = |node: &autodiff::Node| matches!(node.kind(), autodiff::Kind::Op(Op::Custom(_)));
        !self.inner.nodes().iter().any(custom)
    }

    pub(crate) fn record(problem: &Problem, shapes: &Shapes) -> Result<Self> {
        let [u, v, outer_data, inner_data] = shapes;
        let (n, m) = (u.len(), v.len());
        let objective = |f: &Objective, data: &[Shape]| -> Result<Program> {
            let all = [&u[..], v, data].concat();
            Ok(Program::record_shapes(&all, |x| vec![f(&x[..n], &x[n..n + m], &x[n + m..])])?)
        };
        let outer = objective(&problem.outer, outer_data)?;
        let inner = objective(&problem.inner, inner_data)?;
        // Some inner variables may serve the inner objective only, but not all.
        let wrt_v: Vec<usize> = (n..n + m).collect();
        if wrt_v.iter().all(|&i| unused(&outer, i)) {
            return Err(Error::Unused);
        }
        let start = match &problem.start {
            Some(start) => Some(Program::record_shapes(u, |u| start(u))?),
            None => None,
        };
        let gradient = inner.grad_with(&wrt_v, Disconnected::Zeros)?;
        let in_inner_gradient = (0..n).map(|i| !unused(&gradient, i)).collect();
        let names = (0..n).map(|i| problem.name(0, i)).collect();
        Ok(Self { outer, inner, start, shapes: shapes.clone(), names, quadratic: OnceLock::new(), in_inner_gradient })
    }

    /// Whether `∇²_vv` and `∇²_uv` of both objectives are the same for every v.
    pub(crate) fn quadratic(&self) -> bool {
        *self.quadratic.get_or_init(|| {
            let (n, m) = self.counts();
            let (wrt_v, wrt_uv): (Vec<usize>, Vec<usize>) = ((n..n + m).collect(), (0..n + m).collect());
            [&self.outer, &self.inner].into_iter().all(|p| {
                is_smooth(p, &wrt_v)
                    && Self::hessian_product_of(p, &wrt_uv, &wrt_v).is_ok_and(|h| !depends(&h.simplify(), &wrt_v))
            })
        })
    }

    fn counts(&self) -> (usize, usize) {
        (self.shapes[0].len(), self.shapes[1].len())
    }

    /// The shapes of v and of the slots of an update rule.
    fn state(&self, dynamics: &dyn Dynamics) -> Vec<Shape> {
        let v = &self.shapes[1];
        v.iter().cycle().take(v.len() * (1 + dynamics.slots())).cloned().collect()
    }

    /// The inputs of a step: u, s, inner data, hyper, count; and how many of each.
    fn step_inputs(&self, dynamics: &dyn Dynamics) -> (Vec<Shape>, usize, usize) {
        let state = self.state(dynamics);
        let given = dynamics.hyper().iter().filter(|h| !matches!(h, Hyper::Upper(_))).count();
        let scalars = vec![Shape::new(); given + 1];
        let (n, s) = (self.shapes[0].len(), state.len());
        ([&self.shapes[0][..], &state, &self.shapes[3], &scalars].concat(), n, s)
    }

    fn step(&self, dynamics: &dyn Dynamics) -> Result<Program> {
        let (n, m) = self.counts();
        let (shapes, _, s) = self.step_inputs(dynamics);
        dynamics.check(self.shapes[1].len())?;
        let hyper = dynamics.hyper();
        for hyper in &hyper {
            let Hyper::Upper(upper) = hyper else { continue };
            let len = self.shapes[0].get(upper.index).map(|s| s.iter().product::<usize>());
            if len.is_none_or(|len| upper.element.is_some_and(|e| e >= len)) {
                return configuration("hyperparameter", format!("{upper:?} does not exist among the upper variables"));
            }
        }
        let gradient = self.inner.grad_with(&(n..n + m).collect::<Vec<_>>(), Disconnected::Zeros)?;
        let d = self.shapes[3].len();
        let program = Program::record_shapes(&shapes, |x| {
            let (upper, state) = (&x[..n], &x[n..n + s]);
            let (data, rest) = x[n + s..].split_at(d);
            let (given, count) = rest.split_at(rest.len() - 1);
            let gradient = gradient.eval(&[upper, &state[..m], data].concat());
            let mut given = given.iter().copied();
            let hyper: Vec<_> = hyper
                .iter()
                .map(|h| if let Hyper::Upper(upper_part) = h { Some(upper_part.resolve(upper)) } else { given.next() })
                .map(|h| h.expect("an input was recorded for each hyperparameter that is not part of u"))
                .collect();
            dynamics.step(&Step {
                upper,
                point: &state[..m],
                gradient: &gradient,
                state: &state[m..],
                hyper: &hyper,
                count: count[0],
                data,
            })
        })?;
        let expected = self.state(dynamics);
        if program.output_shapes() != expected {
            let reason = format!(
                "a step gives shapes {:?}, but v and the state have {expected:?}; a rate must broadcast against each tensor",
                program.output_shapes()
            );
            return configuration("update rule", reason);
        }
        Ok(program.simplify())
    }

    fn step_vjp(&self, rule: &dyn Dynamics, reach: Reach) -> Result<Program> {
        let step = self.step(rule)?;
        if reach == Reach::Later {
            self.beyond_start("the last inner steps", |i| !unused(&step, i))?;
        } else {
            self.trajectory_connected(&step)?;
        }
        let (_, n, s) = self.step_inputs(rule);
        let wrt: Vec<usize> = (0..if reach == Reach::First { n } else { n + s }).collect();
        Ok(step.vjp_with(&wrt, Disconnected::Zeros)?)
    }

    /// The VJP of a step: its residuals, and the rest.
    fn step_vjp_parts(&self, rule: &dyn Dynamics, reach: Reach) -> Result<(Program, Program)> {
        let vjp = self.step_vjp(rule, reach)?.simplify();
        let cotangents = self.step_inputs(rule).0.len()..vjp.input_shapes().len();
        Ok(vjp.split_costly(&cotangents.collect::<Vec<_>>(), COSTLY)?)
    }

    /// [`Error::Detached`] for an upper variable that reaches neither f nor one of the others.
    fn connected(&self, through: &'static str, others: &[&Program]) -> Result<()> {
        for (i, name) in self.names.iter().enumerate() {
            if unused(&self.outer, i) && others.iter().all(|p| unused(p, i)) {
                return Err(Error::Detached { name: name.clone(), through });
            }
        }
        Ok(())
    }

    /// [`Error::Detached`] for an upper variable that does not reach what a method differentiates, but acts on the initial
    /// point (what f alone says of it would be a part of the truth), or does not reach f either.
    fn beyond_start(&self, through: &'static str, reaches: impl Fn(usize) -> bool) -> Result<()> {
        for (i, name) in self.names.iter().enumerate() {
            let acts_elsewhere = self.start.as_ref().is_some_and(|start| !unused(start, i));
            if !reaches(i) && (acts_elsewhere || unused(&self.outer, i)) {
                return Err(Error::Detached { name: name.clone(), through });
            }
        }
        Ok(())
    }

    fn inner_connected(&self) -> Result<()> {
        self.beyond_start("the inner gradient", |i| self.in_inner_gradient[i])
    }

    fn trajectory_connected(&self, step: &Program) -> Result<()> {
        match &self.start {
            Some(start) => self.connected("the inner step or its initial point", &[step, start]),
            None => self.connected("the inner step", &[step]),
        }
    }

    /// All of u, for so many directions at once, as inputs that are mapped.
    fn forward(program: &Program, wrt: &[usize], directions: usize) -> Result<Program> {
        let one = program.jvp_with(wrt, Disconnected::Zeros)?;
        let (inputs, outputs) = (program.input_shapes().len(), program.output_shapes().len());
        let axes = [vec![None; inputs], vec![Some(0); wrt.len()]].concat();
        let all = one.batch(directions, &axes, &vec![0; 2 * outputs])?;
        Ok(Program::record_shapes(&all.input_shapes(), |x| {
            // The values are the same for all directions: once is enough.
            [program.eval(&x[..inputs]), all.eval(x).split_off(outputs)].concat()
        })?)
    }

    /// L = f + ⟨λ, g_v⟩ + γ/2 ‖g_v‖², of (u, v, outer data, inner data, λ, γ).
    fn penalised(&self) -> Result<Program> {
        let (n, m) = self.counts();
        let [u, v, outer, inner] = &self.shapes;
        let shapes = [&u[..], v, outer, inner, v, &[Shape::new()]].concat();
        let gradient = self.inner.grad(&(n..n + m).collect::<Vec<_>>())?;
        Ok(Program::record_shapes(&shapes, |x| {
            let (point, rest) = x.split_at(n + m);
            let (outer, rest) = rest.split_at(outer.len());
            let (inner, rest) = rest.split_at(inner.len());
            let (multipliers, gamma) = (&rest[..m], rest[m]);
            let f = self.outer.eval(&[point, outer].concat())[0];
            let g = gradient.eval(&[point, inner].concat());
            let terms = g.iter().zip(multipliers).map(|(g, l)| g.dot(l) + g.square().sum_all() * gamma * 0.5);
            vec![terms.fold(f, |sum, term| sum + term)]
        })?)
    }

    /// The products of the Hessian by some inputs with a vector; zeros where there is no second derivative.
    fn hessian_product(program: &Program, wrt: &[usize]) -> Result<Program> {
        Self::hessian_product_of(program, wrt, wrt)
    }

    /// The change of the gradient by `rows` along a direction of `columns`.
    fn hessian_product_of(program: &Program, rows: &[usize], columns: &[usize]) -> Result<Program> {
        let product = program.grad_with(rows, Disconnected::Zeros)?.jvp_with(columns, Disconnected::Zeros)?;
        Ok(Program::record_shapes(&product.input_shapes(), |x| product.eval(x).split_off(rows.len()))?)
    }

    pub(crate) fn get(&self, kind: Kind, dynamics: Option<&dyn Dynamics>) -> Result<Program> {
        let (n, m) = self.counts();
        let (wrt_v, wrt_uv): (Vec<usize>, Vec<usize>) = ((n..n + m).collect(), (0..n + m).collect());
        let rule = || dynamics.map_or_else(|| configuration("dynamics", "an update rule is needed"), Ok);
        let value_and = |program: &Program, wrt: &[usize]| -> Result<Program> {
            let gradient = program.grad_with(wrt, Disconnected::Zeros)?;
            Ok(Program::record_shapes(&program.input_shapes(), |x| [program.eval(x), gradient.eval(x)].concat())?)
        };
        let program = match kind {
            Kind::Outer => value_and(&self.outer, &wrt_uv)?,
            Kind::OuterValue => self.outer.clone(),
            Kind::InnerValue => self.inner.clone(),
            Kind::InnerGradient => value_and(&self.inner, &wrt_v)?,
            Kind::InnerBoth => {
                self.inner_connected()?;
                value_and(&self.inner, &wrt_uv)?
            }
            Kind::HvpFixed | Kind::Hvp => {
                let product = Self::hessian_product(&self.inner, &wrt_v)?.simplify();
                let first = product.input_shapes().len() - m;
                let (fixed, product) = product.split(&(first..first + m).collect::<Vec<_>>())?;
                if kind == Kind::Hvp { product } else { fixed }
            }
            Kind::Mixed => {
                // ∇_u ⟨g_v, p⟩, which is zero, rightly, for a part of u that is only in f.
                self.inner_connected()?;
                let gradient = self.inner.grad_with(&wrt_v, Disconnected::Zeros)?;
                gradient.vjp_with(&wrt_uv[..n], Disconnected::Zeros)?
            }
            Kind::Step => self.step(rule()?)?,
            Kind::StepSeen => {
                let (step, gradient) = (self.step(rule()?)?, self.inner.grad_with(&wrt_v, Disconnected::Zeros)?);
                let (shapes, n, s) = self.step_inputs(rule()?);
                let data = self.shapes[3].len();
                Program::record_shapes(&shapes, |x| {
                    let seen = [&x[..n + m], &x[n + s..n + s + data]].concat();
                    [step.eval(x), gradient.eval(&seen)].concat()
                })?
            }
            Kind::StepVjp(reach) => self.step_vjp(rule()?, reach)?,
            Kind::StepKeeping(reach) => {
                let (step, (residuals, _)) = (self.step(rule()?)?, self.step_vjp_parts(rule()?, reach)?);
                let shapes = step.input_shapes();
                Program::record_shapes(&shapes, |x| [step.eval(x), residuals.eval(x)].concat())?
            }
            Kind::StepVjpKept(reach) => self.step_vjp_parts(rule()?, reach)?.1,
            Kind::StepJvp(directions) => {
                let step = self.step(rule()?)?;
                self.trajectory_connected(&step)?;
                let (_, n, s) = self.step_inputs(rule()?);
                Self::forward(&step, &(0..n + s).collect::<Vec<_>>(), directions)?
            }
            Kind::Start => self.initial()?.clone(),
            Kind::StartVjp => self.initial()?.vjp_with(&wrt_uv[..n], Disconnected::Zeros)?,
            Kind::StartOnlyVjp => {
                let start = self.initial()?;
                self.connected("the initial point", &[start])?;
                start.vjp_with(&wrt_uv[..n], Disconnected::Zeros)?
            }
            Kind::StartJvp(directions) => {
                let all = Self::forward(self.initial()?, &wrt_uv[..n], directions)?;
                Program::record_shapes(&all.input_shapes(), |x| all.eval(x).split_off(m))?
            }
            Kind::Penalised => {
                self.inner_connected()?;
                value_and(&self.penalised()?, &wrt_uv)?
            }
            Kind::PenalisedValue => self.penalised()?,
            Kind::PenalisedHvp => Self::hessian_product(&self.penalised()?, &wrt_v)?,
            Kind::PenalisedJointHvp => Self::hessian_product(&self.penalised()?, &wrt_uv)?,
        };
        Ok(program.simplify())
    }

    fn initial(&self) -> Result<&Program> {
        self.start.as_ref().map_or_else(|| configuration("initial point", "this problem has no `start`"), Ok)
    }
}

/// The first operation of a program that gives NaN or infinity, in words.
pub(crate) fn culprit<E: autodiff::Element>(program: &Program, inputs: &[Tensor<E>]) -> Option<String> {
    let mut values: Vec<Tensor<E>> = Vec::with_capacity(program.nodes().len());
    for node in program.nodes() {
        let value = match node.kind() {
            autodiff::Kind::Input(i) => inputs.get(*i)?.clone(),
            autodiff::Kind::Constant(constant) => constant.to_tensor(),
            autodiff::Kind::Op(op) => {
                let args: Vec<&Tensor<E>> = node.args().iter().map(|&a| &values[a as usize]).collect();
                Tensor::apply(op, &args)
            }
        };
        if !value.is_finite() {
            let line = node.location().map(|line| format!(" at {line}")).unwrap_or_default();
            return Some(match node.kind() {
                autodiff::Kind::Input(i) => format!("input {i} was not finite to begin with"),
                autodiff::Kind::Constant(_) => format!("a constant{line}"),
                autodiff::Kind::Op(op) => format!("`{op}`{line}"),
            });
        }
        values.push(value);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GradientDescent;

    /// Products with the data, in a step and its VJP.
    #[test]
    fn residuals_spare_the_products_that_the_way_there_has_computed() {
        let problem = Problem::with_data(
            |_, v, data| (data[0].matmul(&v[0]).tanh() - data[1]).square().sum_all(),
            |u, v, data| ((data[0].matmul(&v[0]).tanh() - data[1]).square() * u[0]).sum_all(),
        );
        let data = vec![Shape::from_slice(&[40, 200]), Shape::from_slice(&[40, 3])];
        let shapes = [vec![Shape::from_slice(&[40, 1])], vec![Shape::from_slice(&[200, 3])], data.clone(), data];
        let programs = Programs::record(&problem, &shapes).unwrap();
        let rule = GradientDescent::new(0.1);
        let products = |kind: Kind| {
            let program = programs.get(kind, Some(&rule)).unwrap();
            program.nodes().iter().filter(|n| matches!(n.kind(), autodiff::Kind::Op(Op::MatMul { .. }))).count()
        };
        // X·W and Xᵀδ on the way there; X·W again, X·λ and Xᵀδ̇ on the way back, where the first step ends before the last.
        assert_eq!((products(Kind::Step), products(Kind::StepVjp(Reach::Whole))), (2, 3));
        assert_eq!((products(Kind::StepKeeping(Reach::Whole)), products(Kind::StepVjpKept(Reach::Whole))), (2, 2));
        assert_eq!((products(Kind::StepKeeping(Reach::First)), products(Kind::StepVjpKept(Reach::First))), (2, 1));
    }
}
