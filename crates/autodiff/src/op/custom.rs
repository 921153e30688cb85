//! A user's own op: a value on arrays, and a derivative rule written with carrier operations.

use crate::abstract_value::Abstract;
use crate::program::{Disconnected, Program};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::value::Value;
use crate::var::Var;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

type ShapeFn = dyn Fn(&[&[usize]]) -> Shape + Send + Sync;
type ValueFn = dyn Fn(&[Tensor<f64>]) -> Tensor<f64> + Send + Sync;
type RecordFn = dyn Fn(&[Shape], &Shape) -> crate::error::Result<Program> + Send + Sync;

/// A user-defined op, with its own value and its own derivative rule.
///
/// The value is computed on `f64` arrays (other element types are converted and back). The rule is written once, as
/// a JVP or as a VJP, with ordinary operations on [`Var`]s, so it serves every carrier and every mode, and it can be
/// differentiated as often as the operations in it can; the mode that is not given follows by transposition.
///
/// ```
/// use autodiff::{Custom, Value, grad};
/// // The value is a table look-up somewhere else; the rule says that its derivative is 3x².
/// let cube = Custom::new("cube", 1, |x| x[0].map(|x| x * x * x)).jvp(|x, _y, t| x[0].square() * 3.0 * t[0]);
/// let g = grad(|x| x[0].custom(&cube) * 2.0, &[2.0])?;
/// assert_eq!(g, [24.0]);
/// # Ok::<(), autodiff::Error>(())
/// ```
///
/// A custom op without a rule can be evaluated, but differentiating it panics with its name.
#[derive(Clone)]
pub struct Custom(Arc<Inner>);

/// The recorded rules: `(jvp?, argument shapes)` to program.
type Recorded = HashMap<(bool, Vec<Shape>), Arc<RecordedRule>>;

struct RecordedRule {
    program: Program,
    /// Which arguments the result is differentiated by.
    connected: Vec<bool>,
}

struct Inner {
    name: String,
    arity: usize,
    shape: Box<ShapeFn>,
    value: Box<ValueFn>,
    rule: Option<Rule>,
    programs: Mutex<Recorded>,
}

enum Rule {
    Jvp(Box<RecordFn>),
    Vjp(Box<RecordFn>),
}

impl Custom {
    /// An op of `arity` arguments with the shape of its first argument, and no derivative rule yet.
    pub fn new(
        name: impl Into<String>,
        arity: usize,
        value: impl Fn(&[Tensor<f64>]) -> Tensor<f64> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            name: name.into(),
            arity,
            shape: Box::new(|shapes| shapes.first().map_or_else(Shape::new, |s| Shape::from_slice(s))),
            value: Box::new(value),
            rule: None,
            programs: Mutex::default(),
        }))
    }

    fn inner(self, what: &str) -> Inner {
        let name = self.0.name.clone();
        Arc::try_unwrap(self.0)
            .unwrap_or_else(|_| panic!("custom op `{name}`: set its {what} before it is cloned or used"))
    }

    /// Sets the shape of the result as a function of the arguments' shapes.
    ///
    /// # Panics
    /// If the op was already cloned.
    #[must_use]
    pub fn shape(self, shape: impl Fn(&[&[usize]]) -> Shape + Send + Sync + 'static) -> Self {
        let mut inner = self.inner("shape");
        inner.shape = Box::new(shape);
        Self(Arc::new(inner))
    }

    /// Sets the rule as a JVP: `(arguments, result, tangents) ↦ tangent of the result`, linear in the tangents.
    ///
    /// # Panics
    /// If the op was already cloned.
    #[must_use]
    pub fn jvp<F>(self, rule: F) -> Self
    where
        F: for<'t> Fn(&[Var<'t, Abstract>], Var<'t, Abstract>, &[Var<'t, Abstract>]) -> Var<'t, Abstract>
            + Send
            + Sync
            + 'static,
    {
        let mut inner = self.inner("rule");
        inner.rule = Some(Rule::Jvp(Box::new(move |args, out| {
            let n = args.len();
            let shapes: Vec<Shape> = args.iter().chain([out]).chain(args).cloned().collect();
            Program::record_shapes(&shapes, |x| vec![rule(&x[..n], x[n], &x[n + 1..])])
        })));
        Self(Arc::new(inner))
    }

    /// Sets the rule as a VJP: `(arguments, result, cotangent of the result) ↦ one cotangent per argument`, linear in
    /// the cotangent.
    ///
    /// # Panics
    /// If the op was already cloned.
    #[must_use]
    pub fn vjp<F>(self, rule: F) -> Self
    where
        F: for<'t> Fn(&[Var<'t, Abstract>], Var<'t, Abstract>, Var<'t, Abstract>) -> Vec<Var<'t, Abstract>>
            + Send
            + Sync
            + 'static,
    {
        let mut inner = self.inner("rule");
        inner.rule = Some(Rule::Vjp(Box::new(move |args, out| {
            let n = args.len();
            let shapes: Vec<Shape> = args.iter().chain([out, out]).cloned().collect();
            Program::record_shapes(&shapes, |x| rule(&x[..n], x[n], x[n + 1]))
        })));
        Self(Arc::new(inner))
    }

    /// The op's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The number of arguments.
    pub fn arity(&self) -> usize {
        self.0.arity
    }

    pub(crate) fn infer_shape(&self, args: &[&[usize]]) -> Shape {
        (self.0.shape)(args)
    }

    /// The value on arrays.
    ///
    /// # Panics
    /// If the value has another shape than the op promised.
    #[track_caller]
    pub(crate) fn value(&self, args: &[Tensor<f64>]) -> Tensor<f64> {
        let out = (self.0.value)(args);
        let shapes: Vec<Shape> = args.iter().map(Value::shape).collect();
        let promised = self.infer_shape(&shapes.iter().map(|s| &s[..]).collect::<Vec<_>>());
        assert!(
            out.shape() == promised,
            "custom op `{}`: its value has shape {:?}, its shape function promised {promised:?}",
            self.name(),
            out.shape()
        );
        out
    }

    /// The tangent of the result, over any carrier; every tangent present.
    pub(crate) fn apply_jvp<V: Value>(&self, args: &[&V], out: &V, tangents: &[V]) -> V {
        let rule = self.rule(true, args, out);
        let inputs: Vec<V> =
            args.iter().map(|&a| a.clone()).chain([out.clone()]).chain(tangents.iter().cloned()).collect();
        rule.program.eval(&inputs).swap_remove(0)
    }

    /// The cotangents of the arguments, over any carrier; `None` for one that the rule does not use.
    pub(crate) fn apply_vjp<V: Value>(&self, args: &[&V], out: &V, ct: &V) -> Vec<Option<V>> {
        let rule = self.rule(false, args, out);
        let inputs: Vec<V> = args.iter().map(|&a| a.clone()).chain([out.clone(), ct.clone()]).collect();
        rule.program
            .eval(&inputs)
            .into_iter()
            .zip(&rule.connected)
            .map(|(c, &connected)| connected.then_some(c))
            .collect()
    }

    /// The rule as a program: `(args, out, tangents) ↦ tangent` or `(args, out, cotangent) ↦ cotangents`.
    fn rule<V: Value>(&self, jvp: bool, args: &[&V], out: &V) -> Arc<RecordedRule> {
        let shapes: Vec<Shape> = args.iter().map(|a| a.shape()).collect();
        let key = (jvp, shapes);
        let cached = self.0.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(rule) = cached {
            return rule;
        }
        let rule = self
            .record(jvp, &key.1, &out.shape())
            .unwrap_or_else(|error| panic!("custom op `{}`: its derivative rule does not fit: {error}", self.name()));
        let (given, expected) = (rule.program.output_shapes(), if jvp { vec![out.shape()] } else { key.1.clone() });
        let what = if jvp { "tangent" } else { "cotangents" };
        assert!(
            given == expected,
            "custom op `{}`: its {what} have shapes {given:?} instead of {expected:?}",
            self.name()
        );
        let rule = Arc::new(rule);
        self.0.programs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&rule));
        rule
    }

    fn record(&self, jvp: bool, args: &[Shape], out: &Shape) -> crate::error::Result<RecordedRule> {
        let n = args.len();
        let mut connected = vec![true; n];
        let program = match &self.0.rule {
            None => panic!("custom op `{}` has no derivative rule; give it one with `jvp` or `vjp`", self.name()),
            Some(Rule::Jvp(record)) if jvp => record(args, out),
            Some(Rule::Vjp(record)) if !jvp => record(args, out),
            // A JVP is linear in the tangents: its transpose, at any point, is the VJP.
            Some(Rule::Jvp(record)) => {
                let forward = record(args, out)?;
                for (i, connected) in connected.iter_mut().enumerate() {
                    *connected = !matches!(forward.vjp(&[n + 1 + i]), Err(crate::error::Error::Disconnected { .. }));
                }
                let tangents: Vec<usize> = (n + 1..2 * n + 1).collect();
                let transposed = forward.vjp_with(&tangents, Disconnected::Zeros)?;
                let shapes: Vec<Shape> = args.iter().chain([out, out]).cloned().collect();
                Program::record_shapes(&shapes, |x| {
                    let zeros = x[..n].iter().map(Value::zeros_like);
                    let inputs: Vec<_> = x[..=n].iter().copied().chain(zeros).chain([x[n + 1]]).collect();
                    transposed.eval(&inputs)
                })
            }
            // And a VJP is linear in the cotangent: its transpose is the JVP.
            Some(Rule::Vjp(record)) => {
                let backward = record(args, out)?;
                let transposed = backward.vjp_with(&[n + 1], Disconnected::Zeros)?;
                let shapes: Vec<Shape> = args.iter().chain([out]).chain(args).cloned().collect();
                Program::record_shapes(&shapes, |x| {
                    let zero = x[n].zeros_like();
                    let inputs: Vec<_> =
                        x[..=n].iter().copied().chain([zero]).chain(x[n + 1..].iter().copied()).collect();
                    transposed.eval(&inputs)
                })
            }
        }?;
        Ok(RecordedRule { program, connected })
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Custom({})", self.0.name)
    }
}

/// Two custom ops are equal if they are the same object.
impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Custom {}

impl Hash for Custom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
