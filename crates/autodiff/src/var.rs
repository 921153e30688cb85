//! `Var<'t, V>`: a place on a tape, as a carrier.

use crate::op::{Binary, Op, Unary};
use crate::rules::{self, Partial};
use crate::shape::Shape;
use crate::tape::{Args, Entry, Inner, Source, Tape};
use crate::tensor::Constant;
use crate::value::Value;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

/// A place on a [`Tape`], where its value lives. Always `Copy`, so `a * b` needs no `&` even for arrays.
///
/// Any carrier can stand on a tape: `Var<f64>` is scalar reverse mode, `Var<Tensor<f32>>` reverse mode over arrays,
/// `Var<Dual<f64>>` forward over reverse, `Var<Var<f64>>` reverse over reverse.
pub struct Var<'t, V: Value> {
    tape: &'t Inner<V>,
    index: u32,
    /// The value itself, for numbers; not read for arrays.
    inline: V::Inline,
    brand: PhantomData<Cell<&'t ()>>,
}

impl<V: Value> Clone for Var<'_, V> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Value> Copy for Var<'_, V> {}

impl<V: Value> fmt::Debug for Var<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({:?})", self.value())
    }
}

impl<'t, V: Value> Var<'t, V> {
    #[inline]
    pub(crate) fn new(tape: Tape<'t, V>, index: u32, inline: V::Inline) -> Self {
        Self { tape: tape.inner, index, inline, brand: PhantomData }
    }

    #[inline]
    fn moved_to(self, index: u32, inline: V::Inline) -> Self {
        Self { index, inline, ..self }
    }

    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// The tape it stands on.
    pub fn tape(self) -> Tape<'t, V> {
        Tape::from_inner(self.tape)
    }

    /// Its value. Arrays share their buffer, so this is cheap.
    #[inline]
    pub fn value(&self) -> V {
        self.number().unwrap_or_else(|| self.tape.value(self.index))
    }

    /// The value, if the carrier is one of numbers.
    #[inline]
    fn number(&self) -> Option<V> {
        if V::INLINE { V::from_inline(self.inline) } else { None }
    }

    /// Whether its partials are worth computing: those of constants are not, where they take more than arithmetic.
    #[inline]
    fn is_wanted(&self) -> bool {
        V::SCALAR || self.index != 0
    }

    /// Puts an operation of numbers, with up to two differentiated arguments, on the tape.
    #[inline]
    fn push_number(self, value: &V, parts: [(Partial<V>, u32); 2]) -> Self {
        if !V::SCALAR {
            return self.moved_to(self.tape.push_link(parts), value.to_inline());
        }
        // What has no derivative takes no place; for most ops this is known when they are compiled.
        if let [(Partial::Zero, _), (Partial::Zero, _)] = parts {
            return self.moved_to(0, value.to_inline());
        }
        let number = |c: f64| V::literal(c).expect("a scalar needs no context for a literal");
        let node = parts.map(|(partial, parent)| match partial {
            Partial::Zero => (number(0.0), 0),
            Partial::Constant(c) => (number(c), parent),
            Partial::Of(p) => (p, parent),
        });
        let [(p, i), (q, j)] = node;
        self.moved_to(self.tape.push_node([p, q], [i, j]), value.to_inline())
    }

    /// Any op on numbers: its partials are its tangents in the directions of the arguments.
    #[track_caller]
    fn apply_numbers(op: &Op, args: &[&Self]) -> Self {
        let values: Vec<V> = args.iter().map(|x| x.value()).collect();
        let values: Vec<&V> = values.iter().collect();
        let out = V::apply(op, &values);
        let one = out.ones_like();
        if let (Op::Select, [_, a, b]) = (op, args) {
            // The result is one of the two, and the other is not connected.
            let zero = one.zeros_like();
            let chosen = V::apply(op, &[values[0], &one, &zero]);
            return if chosen.is_ordinary() { **a } else { **b };
        }
        let mut result = args[0].moved_to(0, out.to_inline());
        // A program is run backwards once: the result is a number, so that the cotangents are the partials.
        let mut backwards = matches!(op, Op::Call(_)).then(|| {
            let wanted: Vec<bool> = args.iter().map(|x| x.index != 0).collect();
            rules::vjp(op, &values, &out, &one, &wanted)
        });
        for (i, arg) in args.iter().enumerate().filter(|(_, x)| x.index != 0) {
            let partial = match &mut backwards {
                Some(partials) => partials[i].take(),
                None => {
                    let mut tangents = vec![None; args.len()];
                    tangents[i] = Some(&one);
                    rules::jvp(op, &values, &out, &tangents)
                }
            };
            if let Some(partial) = partial {
                let carried = if result.index == 0 { Partial::Zero } else { Partial::Constant(1.0) };
                result = arg.push_number(&out, [(Partial::Of(partial), arg.index), (carried, result.index)]);
            }
        }
        result
    }
}

impl<V: Value> Value for Var<'_, V> {
    const RANK_0: bool = V::RANK_0;
    const INLINE: bool = V::INLINE;
    type Inline = Self;
    type Slot<W: Value> = Option<W>;

    #[inline]
    fn to_inline(&self) -> Self {
        *self
    }

    #[inline]
    fn from_inline(inline: Self) -> Option<Self> {
        V::INLINE.then_some(inline)
    }

    #[track_caller]
    fn apply(op: &Op, args: &[&Self]) -> Self {
        if V::INLINE {
            return match (op, args) {
                (Op::Unary(op), [x]) => Self::unary(|| *op, x),
                (Op::Binary(op), [a, b]) => Self::binary(|| *op, a, b),
                _ => Self::apply_numbers(op, args),
            };
        }
        let Some(&first) = args.first() else { panic!("{op}: no arguments given") };
        let places: Args = args.iter().map(|x| x.index).collect();
        let index = first.tape.apply(op, places);
        first.moved_to(index, first.inline)
    }

    #[inline]
    fn shape(&self) -> Shape {
        if V::RANK_0 { Shape::new() } else { self.tape.with_value(self.index, Value::shape) }
    }

    #[track_caller]
    fn lift(&self, constant: &Constant) -> Self {
        let value = self.value().lift(constant);
        let inline = value.to_inline();
        if V::INLINE {
            return self.moved_to(0, inline);
        }
        let source = Source::Constant(constant.clone());
        let entry = Entry { source, args: Args::new(), value, active: false, location: Location::caller() };
        self.moved_to(self.tape.push_entry(entry), inline)
    }

    fn literal(_: f64) -> Option<Self> {
        None
    }

    fn is_finite(&self) -> bool {
        self.value().is_finite()
    }

    fn is_ordinary(&self) -> bool {
        self.value().is_ordinary()
    }

    #[inline]
    #[track_caller]
    fn unary(op: impl Fn() -> Unary + Copy, x: &Self) -> Self {
        let Some(v) = x.number() else { return Self::apply(&Op::Unary(op()), &[x]) };
        let y = V::unary(op, &v);
        let partial = if x.is_wanted() { rules::pointwise::unary(op(), &v, &y) } else { Partial::Zero };
        x.push_number(&y, [(partial, x.index), (Partial::Zero, 0)])
    }

    #[inline]
    #[track_caller]
    fn binary(op: impl Fn() -> Binary + Copy, a: &Self, b: &Self) -> Self {
        let (Some(x), Some(y)) = (a.number(), b.number()) else {
            return Self::apply(&Op::Binary(op()), &[a, b]);
        };
        let out = V::binary(op, &x, &y);
        let left = if a.is_wanted() { rules::pointwise::binary(op(), 0, &x, &y, &out) } else { Partial::Zero };
        let right = if b.is_wanted() { rules::pointwise::binary(op(), 1, &x, &y, &out) } else { Partial::Zero };
        a.push_number(&out, [(left, a.index), (right, b.index)])
    }
}
