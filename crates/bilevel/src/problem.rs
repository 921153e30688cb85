//! The problem: outer and inner objective as closures over symbols.

use crate::data::Data;
use crate::error::{Result, configuration};
use crate::method::{Ask, Hypergradient, Memory, Method};
use crate::programs::{Objective, Programs, Start};
use autodiff::{Abstract, Element, Executable, Shape, Tensor, Var};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// An array that a closure sees while it is recorded: it has a shape, no numbers yet.
pub type Symbol<'t> = Var<'t, Abstract>;

/// The shapes of u, v, outer and inner data.
pub(crate) type Shapes = [Vec<Shape>; 4];

/// What an executable was compiled for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) what: crate::kind::Kind,
    /// The update rule, where one takes part.
    pub(crate) structure: Option<Arc<str>>,
    pub(crate) shapes: Arc<Shapes>,
    pub(crate) threads: usize,
}

/// Executables that nobody runs at present, of any element type.
type Idle = HashMap<(TypeId, Key), Vec<Box<dyn Any + Send>>>;

/// min over `u` of `f(u, v(u))`, where `v(u)` comes from minimising `g(u, ·)`.
///
/// `u` and `v` are ordered sets of tensors. The closures are recorded once per set of shapes; what a method needs of them
/// is derived and compiled at its first use, and kept.
pub struct Problem {
    pub(crate) outer: Box<Objective>,
    pub(crate) inner: Box<Objective>,
    pub(crate) start: Option<Box<Start>>,
    names: [Vec<String>; 2],
    threads: usize,
    pub(crate) diagnostics: bool,
    recorded: Mutex<HashMap<Arc<Shapes>, Arc<Programs>>>,
    idle: Mutex<Idle>,
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Problem {
    /// A problem without data: `outer(u, v)` and `inner(u, v)`, each a scalar.
    pub fn new<F, G>(outer: F, inner: G) -> Self
    where
        F: for<'t> Fn(&[Symbol<'t>], &[Symbol<'t>]) -> Symbol<'t> + Send + Sync + 'static,
        G: for<'t> Fn(&[Symbol<'t>], &[Symbol<'t>]) -> Symbol<'t> + Send + Sync + 'static,
    {
        Self::with_data(move |u, v, _| outer(u, v), move |u, v, _| inner(u, v))
    }

    /// A problem on data: `outer(u, v, data)` and `inner(u, v, data)`, each a scalar, each with its own data.
    pub fn with_data<F, G>(outer: F, inner: G) -> Self
    where
        F: for<'t> Fn(&[Symbol<'t>], &[Symbol<'t>], &[Symbol<'t>]) -> Symbol<'t> + Send + Sync + 'static,
        G: for<'t> Fn(&[Symbol<'t>], &[Symbol<'t>], &[Symbol<'t>]) -> Symbol<'t> + Send + Sync + 'static,
    {
        Self {
            outer: Box::new(outer),
            inner: Box::new(inner),
            start: None,
            names: Default::default(),
            threads: 0,
            diagnostics: true,
            recorded: Mutex::default(),
            idle: Mutex::default(),
        }
    }

    /// With an initial inner point that is a function of u, through which trajectory methods differentiate too: for MAML,
    /// `|u| u.to_vec()`. Then `v0` is given as `&[]`.
    #[must_use]
    pub fn start<S>(mut self, start: S) -> Self
    where
        S: for<'t> Fn(&[Symbol<'t>]) -> Vec<Symbol<'t>> + Send + Sync + 'static,
    {
        self.start = Some(Box::new(start));
        self.forget();
        self
    }

    /// With names for the upper and the inner variables, which errors then use.
    #[must_use]
    pub fn named<S: Into<String>>(
        mut self,
        upper: impl IntoIterator<Item = S>,
        inner: impl IntoIterator<Item = S>,
    ) -> Self {
        self.names = [upper.into_iter().map(Into::into).collect(), inner.into_iter().map(Into::into).collect()];
        self.forget();
        self
    }

    /// What was recorded before this problem was another one.
    fn forget(&mut self) {
        (self.recorded, self.idle) = (Mutex::default(), Mutex::default());
    }

    /// With at most so many threads for each executable; 0, the default, for as many as rayon's
    /// pool has.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Whether methods make evaluations for their report alone: the inner value and gradient where the way to the solution
    /// did not pass, and what an error estimate takes. They are made unless this says otherwise; an outer loop that is in
    /// a hurry does without. Never more than an HVP, two mixed products and four gradients for each hypergradient
    /// ([`Implicit::verify`](crate::Implicit::verify) apart).
    #[must_use]
    pub fn diagnostics(mut self, wanted: bool) -> Self {
        self.diagnostics = wanted;
        self
    }

    /// The hypergradient at `u`, with the inner problem started from `v0`, by a method.
    ///
    /// # Errors
    /// What the method reports.
    pub fn hypergradient<E: Element>(
        &self,
        u: &[Tensor<E>],
        v0: &[Tensor<E>],
        method: &dyn Method<E>,
    ) -> Result<Hypergradient<E>> {
        self.hypergradient_on(u, v0, Data::NONE, method)
    }

    /// [`hypergradient`](Problem::hypergradient) of a problem with data.
    ///
    /// # Errors
    /// What the method reports.
    pub fn hypergradient_on<E: Element>(
        &self,
        u: &[Tensor<E>],
        v0: &[Tensor<E>],
        data: Data<'_, E>,
        method: &dyn Method<E>,
    ) -> Result<Hypergradient<E>> {
        method.hypergradient(&Ask { problem: self, u, v0, data }, &mut Memory::default())
    }

    /// The name of an upper (0) or inner (1) variable.
    pub(crate) fn name(&self, level: usize, index: usize) -> String {
        self.names[level].get(index).cloned().unwrap_or_else(|| format!("{}[{index}]", ["u", "v"][level]))
    }

    /// The key of an executable for these shapes, without what it is.
    pub(crate) fn key(&self, shapes: Shapes, structure: Option<Arc<str>>) -> Key {
        Key { what: crate::kind::Kind::Outer, structure, shapes: Arc::new(shapes), threads: self.threads }
    }

    /// The objectives, recorded for these shapes.
    pub(crate) fn recorded(&self, shapes: &Arc<Shapes>) -> Result<Arc<Programs>> {
        if let Some(found) = self.recorded.lock().unwrap_or_else(PoisonError::into_inner).get(shapes) {
            return Ok(Arc::clone(found));
        }
        if shapes[0].is_empty() || shapes[1].is_empty() {
            return configuration("variables", "at least one upper and one inner variable are needed");
        }
        let programs = Arc::new(Programs::record(self, shapes)?);
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.insert(Arc::clone(shapes), Arc::clone(&programs));
        Ok(programs)
    }

    /// Takes an executable that is idle, if there is one.
    pub(crate) fn take<E: Element>(&self, key: &Key) -> Option<Executable<E>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.get_mut(&(TypeId::of::<E>(), key.clone()))?.pop()?;
        found.downcast().ok().map(|executable| *executable)
    }

    /// Keeps an executable for the next one who needs it.
    pub(crate) fn give<E: Element>(&self, key: Key, executable: Executable<E>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.entry((TypeId::of::<E>(), key)).or_default().push(Box::new(executable));
    }
}
