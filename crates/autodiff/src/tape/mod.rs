//! The tape: what is recorded while a closure runs on [`Var`]s, and the sweeps over it.
//!
//! Recording is eager: every value is computed at once, can be looked at and branched on. Two forms share one face:
//! numbers record partials and parents ([`scalar`], 24 bytes an operation for `f64`, and [`links`] for a number that is
//! itself on a tape); everything else records the op itself and its result, and the sweeps call the rule table.

mod arena;
mod buffer;
mod links;
mod scalar;
mod sweep;

use crate::error::Result;
use crate::op::{Binary, Op, Unary};
use crate::program::Disconnected;
use crate::rules::{self, Partial};
use crate::tensor::Constant;
use crate::value::Value;
use crate::var::Var;
use arena::Room;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::panic::Location;

/// Places of an op's arguments on the tape.
pub(crate) type Args = SmallVec<[u32; 2]>;

/// What an entry is.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A value put on the tape from outside: an input.
    Leaf,
    /// A constant array.
    Constant(Constant),
    /// The result of an op.
    Op(Op),
}

/// One recorded value.
pub(crate) struct Entry<V> {
    pub(crate) source: Source,
    pub(crate) args: Args,
    pub(crate) value: V,
    /// Whether a derivative can flow through it.
    pub(crate) active: bool,
    pub(crate) location: &'static Location<'static>,
}

/// The storage behind a [`Tape`].
pub(crate) struct Inner<V: Value> {
    nodes: scalar::Nodes<V>,
    links: links::Links<V>,
    entries: RefCell<Vec<Entry<V>>>,
}

impl<V: Value> Inner<V> {
    /// # Safety
    /// The room stays where it is while this is there, and nothing else uses it.
    unsafe fn within(room: &Room) -> Self {
        // SAFETY: as the caller promises: of the two, one is in use.
        let (nodes, links) = unsafe {
            let of = |used: bool| used.then_some(room);
            (scalar::Nodes::within(of(V::SCALAR)), links::Links::within(of(!V::SCALAR)))
        };
        Self { nodes, links, entries: RefCell::default() }
    }

    fn push_input(&self) -> u32 {
        if V::SCALAR { self.nodes.push_input() } else { self.links.push_input() }
    }

    #[inline(always)]
    pub(crate) fn push_node(&self, partials: [V; 2], parents: [u32; 2]) -> u32 {
        self.nodes.push(partials, parents)
    }

    pub(crate) fn push_link(&self, parts: [(Partial<V>, u32); 2]) -> u32 {
        self.links.push(parts)
    }

    pub(crate) fn push_entry(&self, entry: Entry<V>) -> u32 {
        let mut entries = self.entries.borrow_mut();
        let index = u32::try_from(entries.len()).expect("tape: more than 2³² operations");
        entries.push(entry);
        index
    }

    /// The value of an entry.
    pub(crate) fn value(&self, index: u32) -> V {
        self.entries.borrow()[index as usize].value.clone()
    }

    pub(crate) fn with_value<R>(&self, index: u32, f: impl FnOnce(&V) -> R) -> R {
        f(&self.entries.borrow()[index as usize].value)
    }

    /// Records `op`, with the values of its arguments looked up once.
    #[track_caller]
    pub(crate) fn apply(&self, op: &Op, args: Args) -> u32 {
        let location = Location::caller();
        let (value, active) = {
            let entries = self.entries.borrow();
            let values: SmallVec<[&V; 4]> = args.iter().map(|&i| &entries[i as usize].value).collect();
            let active = is_differentiable(op) && args.iter().any(|&i| entries[i as usize].active);
            (V::apply(op, &values), active)
        };
        self.push_entry(Entry { source: Source::Op(op.clone()), args, value, active, location })
    }
}

/// Whether the op has a derivative at all.
pub(crate) fn is_differentiable(op: &Op) -> bool {
    match op {
        Op::Unary(op) => {
            !matches!(
                op,
                Unary::Sign
                    | Unary::Floor
                    | Unary::Ceil
                    | Unary::Round
                    | Unary::Test(..)
                    | Unary::Fill(_)
                    | Unary::StopGradient
                    | Unary::Powi(0)
            ) && !matches!(op, Unary::Powf(c) if c.0 == 0.0)
        }
        Op::Binary(Binary::Compare(_)) => false,
        _ => true,
    }
}

/// A handle to a tape that lives for `'t`: makes variables, and sweeps.
///
/// The lifetime is a brand: it is different for every tape, so that variables of two tapes cannot meet and none can
/// outlive its tape. Both are compile errors:
///
/// ```compile_fail
/// use autodiff::Tape;
/// Tape::scope(|outer| {
///     let x = outer.var(1.0);
///     Tape::scope(|inner| {
///         let y = inner.var(2.0);
///         x * y // two tapes
///     });
/// });
/// ```
/// ```compile_fail
/// use autodiff::Tape;
/// let escaped = Tape::scope(|tape| tape.var(1.0));
/// ```
///
/// ```
/// use autodiff::{Tape, Value};
/// let (value, slope) = Tape::scope(|tape| {
///     let x = tape.var(2.0);
///     let y = x * x.ln();
///     (y.value(), tape.vjp(&[(y, 1.0)], &[x])[0])
/// });
/// assert_eq!(slope, Some(2_f64.ln() + 1.0));
/// # assert_eq!(value, 2.0 * 2_f64.ln());
/// ```
pub struct Tape<'t, V: Value> {
    pub(crate) inner: &'t Inner<V>,
    brand: PhantomData<Cell<&'t ()>>,
}

impl<V: Value> Clone for Tape<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Value> Copy for Tape<'_, V> {}

impl<V: Value> std::fmt::Debug for Tape<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tape of {} operations", self.len())
    }
}

impl<V: Value> Tape<'_, V> {
    /// Runs a closure with a new tape.
    ///
    /// The first operations on numbers are recorded on the stack: 3 KiB, which is 127 of them for `f64`. The memory of longer
    /// tapes is kept for the next one: two buffers a thread, of at most 16 MiB each.
    pub fn scope<R>(f: impl for<'t> FnOnce(Tape<'t, V>) -> R) -> R {
        let room = Room::new();
        // SAFETY: declared later, so dropped sooner, and both stay here.
        let inner = unsafe { Inner::within(&room) };
        f(Tape { inner: &inner, brand: PhantomData })
    }
}

impl<'t, V: Value> Tape<'t, V> {
    pub(crate) fn from_inner(inner: &'t Inner<V>) -> Self {
        Self { inner, brand: PhantomData }
    }

    /// A variable: an input that can be differentiated with respect to.
    #[track_caller]
    pub fn var(self, value: V) -> Var<'t, V> {
        if V::INLINE {
            return Var::new(self, self.inner.push_input(), value.to_inline());
        }
        self.leaf(value, true)
    }

    /// A variable for each of the values, in order.
    ///
    /// ```
    /// use autodiff::{Tape, Value};
    /// let slopes = Tape::scope(|tape| {
    ///     let x = tape.vars(&[3.0, 4.0]);
    ///     tape.vjp(&[(x[0].hypot(&x[1]), 1.0)], &x)
    /// });
    /// assert_eq!(slopes, [Some(0.6), Some(0.8)]);
    /// ```
    #[track_caller]
    pub fn vars(self, values: &[V]) -> Vec<Var<'t, V>> {
        if !V::SCALAR {
            return values.iter().map(|x| self.var(x.clone())).collect();
        }
        let first = self.inner.nodes.push_inputs(values.len());
        values.iter().zip(first..).map(|(x, place)| Var::new(self, place, x.to_inline())).collect()
    }

    /// A value that is not differentiated.
    #[track_caller]
    pub fn constant(self, value: V) -> Var<'t, V> {
        if V::INLINE { Var::new(self, 0, value.to_inline()) } else { self.leaf(value, false) }
    }

    #[track_caller]
    fn leaf(self, value: V, active: bool) -> Var<'t, V> {
        let inline = value.to_inline();
        let location = Location::caller();
        let entry = Entry { source: Source::Leaf, args: Args::new(), value, active, location };
        Var::new(self, self.inner.push_entry(entry), inline)
    }

    /// Number of recorded values, inputs included.
    pub fn len(self) -> usize {
        match (V::SCALAR, V::INLINE) {
            (true, _) => self.inner.nodes.len() - 1,
            (false, true) => self.inner.links.len() - 1,
            (false, false) => self.inner.entries.borrow().len(),
        }
    }

    /// Whether nothing is recorded yet.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Reverse sweep: with cotangents at some outputs, the cotangents at `wrt`; `None` where an input does not reach
    /// any of the outputs, which is not the same as zero. What depends on no variable (a constant, what `sign`, `floor` or
    /// `stop_gradient` give) has no cotangent either.
    ///
    /// Time: at most a small multiple of the recorded computation; memory: one cotangent per live value.
    #[track_caller]
    pub fn vjp(self, cotangents: &[(Var<'t, V>, V)], wrt: &[Var<'t, V>]) -> Vec<Option<V>> {
        let seeds = seeds(cotangents, "cotangent");
        if V::SCALAR {
            return self.inner.nodes.reverse(&seeds, wrt.iter().map(Var::index));
        }
        if V::INLINE {
            return self.inner.links.reverse(&seeds, wrt.iter().map(Var::index));
        }
        let wrt: Vec<u32> = wrt.iter().map(Var::index).collect();
        self.reverse(&seeds, &wrt, &mut |_, _| ())
    }

    /// The gradient of a number by variables, which are the first on the tape, in order, with values `x`.
    #[track_caller]
    pub(crate) fn gradient(self, y: Var<'t, V>, vars: &[Var<'t, V>], x: &[V], absent: Disconnected) -> Result<Vec<V>> {
        let parts = if V::SCALAR {
            match self.inner.nodes.gradient(y.index(), vars.len()) {
                Ok(gradient) => return Ok(gradient),
                Err(parts) => parts,
            }
        } else {
            self.vjp(&[(y, y.value().ones_like())], vars)
        };
        absent.resolve(parts, x, 0..)
    }

    /// The reverse sweep over entries; `see(place, part)` is told every cotangent that the op at a place passes on.
    pub(crate) fn reverse(self, seeds: &[(u32, V)], wrt: &[u32], see: &mut dyn FnMut(u32, &V)) -> Vec<Option<V>> {
        let entries = self.inner.entries.borrow();
        let top = seeds.iter().map(|s| s.0 + 1).max().unwrap_or(0) as usize;
        let mut cotangents: Vec<Option<V>> = vec![None; top];
        for (i, seed) in seeds {
            if entries[*i as usize].active {
                add(&mut cotangents[*i as usize], seed.clone());
            }
        }
        let kept: std::collections::HashSet<u32> = wrt.iter().copied().collect();
        for i in (0..top).rev() {
            let entry = &entries[i];
            let Source::Op(op) = &entry.source else { continue };
            // A wanted cotangent stays; any other is dropped as soon as it is passed on.
            let place = i as u32;
            let ct = if kept.contains(&place) { cotangents[i].clone() } else { cotangents[i].take() };
            let Some(ct) = ct else { continue };
            let args: SmallVec<[&V; 4]> = entry.args.iter().map(|&a| &entries[a as usize].value).collect();
            let wanted: SmallVec<[bool; 4]> = entry.args.iter().map(|&a| entries[a as usize].active).collect();
            let parts = rules::vjp(op, &args, &entry.value, &ct, &wanted);
            for (part, &arg) in parts.into_iter().zip(&entry.args) {
                if let Some(part) = part {
                    see(place, &part);
                    add(&mut cotangents[arg as usize], part);
                }
            }
        }
        wrt.iter().map(|&i| cotangents.get(i as usize).cloned().flatten()).collect()
    }

    /// Forward sweep over what was recorded: with tangents at some inputs, the tangents at `outputs`; `None` where no
    /// input with a tangent reaches the output, which is not the same as zero. A tangent of what depends on no variable
    /// reaches nothing.
    ///
    /// Time: a small multiple of the recorded computation; memory: one tangent per recorded value.
    #[track_caller]
    pub fn jvp(self, tangents: &[(Var<'t, V>, V)], outputs: &[Var<'t, V>]) -> Vec<Option<V>> {
        let seeds = seeds(tangents, "tangent");
        let outputs: Vec<u32> = outputs.iter().map(Var::index).collect();
        if V::SCALAR {
            return self.inner.nodes.forward(&seeds, &outputs);
        }
        if V::INLINE {
            return self.inner.links.forward(&seeds, &outputs);
        }
        let entries = self.inner.entries.borrow();
        let top = outputs.iter().map(|&i| i + 1).max().unwrap_or(0) as usize;
        let mut tangents: Vec<Option<V>> = vec![None; top];
        for (i, seed) in seeds.into_iter().filter(|s| (s.0 as usize) < top && entries[s.0 as usize].active) {
            add(&mut tangents[i as usize], seed);
        }
        for (i, entry) in entries.iter().enumerate().take(top) {
            let Source::Op(op) = &entry.source else { continue };
            let tangent = {
                let given: SmallVec<[Option<&V>; 4]> =
                    entry.args.iter().map(|&a| tangents[a as usize].as_ref()).collect();
                let args: SmallVec<[&V; 4]> = entry.args.iter().map(|&a| &entries[a as usize].value).collect();
                rules::jvp(op, &args, &entry.value, &given)
            };
            if let Some(t) = tangent {
                add(&mut tangents[i], t);
            }
        }
        outputs.iter().map(|&i| tangents[i as usize].clone()).collect()
    }

    /// The recorded entries, in order.
    pub(crate) fn with_entries<R>(self, f: impl FnOnce(&[Entry<V>]) -> R) -> R {
        f(&self.inner.entries.borrow())
    }
}

/// Places and values of what a sweep starts from.
#[track_caller]
fn seeds<V: Value>(given: &[(Var<'_, V>, V)], what: &str) -> Vec<(u32, V)> {
    let seed = |(var, seed): &(Var<'_, V>, V)| {
        if !V::RANK_0 {
            let (expected, found) = (var.shape(), seed.shape());
            assert!(expected == found, "tape: the {what} of a value of shape {expected:?} has shape {found:?}");
        }
        (var.index(), seed.clone())
    };
    given.iter().map(seed).collect()
}

#[track_caller]
fn add<V: Value>(slot: &mut Option<V>, part: V) {
    *slot = rules::add_parts(slot.take(), Some(part));
}
