//! The form that kernels take: what is only a view is resolved to what it views, and what a kernel cannot read in
//! place is copied first.

use super::graph::{Builder, Fold, Graph, Place};
use super::view::View;
use crate::op::{Op, Unary};
use crate::shape::{Axes, Shape, size, without};
use crate::tensor::Tensor;
use rustc_hash::FxHashMap;

/// A graph in which every view resolves, and the values that are views: of which value, and how.
pub(super) struct Legal {
    pub(super) graph: Graph,
    views: FxHashMap<Place, (Place, View)>,
}

impl Legal {
    /// The stored value behind a place, and the view of it; `None` for the view if it is that value itself.
    pub(super) fn resolve(&self, place: Place) -> (Place, Option<&View>) {
        match self.views.get(&place) {
            Some((base, view)) => (*base, Some(view)),
            None => (place, None),
        }
    }

    /// Whether the value is only a view of another.
    pub(super) fn is_view(&self, place: Place) -> bool {
        self.views.contains_key(&place)
    }
}

/// Whether the op moves elements in a way that a view can express.
fn is_view_op(op: &Op) -> bool {
    match op {
        Op::Reshape(_) | Op::Permute(_) | Op::Broadcast(_) | Op::Slice(_) | Op::Flip(_) => true,
        Op::Pad(pads) => pads.iter().all(|p| p.interior == 0),
        _ => false,
    }
}

/// The sizes before, of, and behind neighbouring axes, where rows long enough to add up whole stand behind them.
fn middle(shape: &Shape, axes: &[usize]) -> Option<[usize; 3]> {
    let (first, last) = (*axes.first()?, *axes.last()? + 1);
    let neighbours = last - first == axes.len();
    let parts = [size(&shape[..first]), size(&shape[first..last]), size(&shape[last..])];
    (neighbours && parts[2] >= 4 && parts.iter().all(|&n| n > 0)).then_some(parts)
}

/// A copy of a value, as an op: the identity.
fn copied(builder: &mut Builder, place: Place) -> Place {
    builder.raw(Op::Unary(Unary::StopGradient), &[place])
}

/// Views of the builder's values, as far as they are known.
#[derive(Default)]
struct Views(FxHashMap<Place, (Place, View)>);

impl Views {
    fn get(&self, builder: &Builder, place: Place) -> (Place, View) {
        let contiguous = || (place, View::contiguous(&builder.node(place).shape));
        self.0.get(&place).cloned().unwrap_or_else(contiguous)
    }

    fn is_contiguous(&self, place: Place) -> bool {
        self.0.get(&place).is_none_or(|(_, view)| view.is_contiguous())
    }

    /// Puts a view op, after a copy if its argument cannot be viewed that way.
    fn put(&mut self, builder: &mut Builder, op: &Op, x: Place) -> Place {
        let (base, view) = self.get(builder, x);
        let (base, view, x) = match view.through(op) {
            Some(view) => (base, view, x),
            None => {
                let copy = copied(builder, x);
                let whole = View::contiguous(&builder.node(copy).shape);
                let view = whole.through(op).expect("every view op has a view of a whole array");
                (copy, view, copy)
            }
        };
        let place = builder.raw(op.clone(), &[x]);
        self.0.insert(place, (base, view));
        place
    }

    fn contiguous(&self, builder: &mut Builder, place: Place) -> Place {
        if self.is_contiguous(place) { place } else { copied(builder, place) }
    }
}

pub(super) fn legalise(graph: &Graph, fold: Fold) -> Legal {
    let mut views = Views::default();
    let (graph, _) = graph.rebuild(fold, |builder, _, node, _, args| {
        let Some(op) = node.op() else { unreachable!("inputs and constants are put there by `rebuild`") };
        match op {
            _ if is_view_op(op) => views.put(builder, op, args[0]),
            Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Concat(_) => builder.raw(op.clone(), args),
            Op::Sum(axes) | Op::Reduce(_, axes) => {
                let shape = builder.shape(args[0]);
                let (rank, count) = (shape.len(), axes.len());
                let trailing = axes.iter().all(|&a| a >= rank - count);
                let leading = axes.iter().all(|&a| a < count);
                if trailing || leading {
                    return builder.raw(op.clone(), args);
                }
                if let (Op::Sum(_), Some([stack, summed, columns])) = (op, middle(&shape, axes)) {
                    // Sums of rows, stack by stack: a product with ones reads whole rows, where a walk would read columns.
                    let x = views.contiguous(builder, args[0]);
                    let x = views.put(builder, &Op::Reshape([stack, summed, columns][..].into()), x);
                    let ones = builder.constant(Tensor::<f64>::ones(&[1, summed]).into());
                    let ones = views.put(builder, &Op::Broadcast([stack, 1, summed][..].into()), ones);
                    let sums = builder.raw(Op::MatMul { ta: false, tb: false }, &[ones, x]);
                    return views.put(builder, &Op::Reshape(without(&shape, axes)), sums);
                }
                let order: Axes = (0..rank).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
                let moved = views.put(builder, &Op::Permute(order), args[0]);
                let last: Axes = (rank - count..rank).collect();
                let op = match op {
                    Op::Reduce(reduce, _) => Op::Reduce(*reduce, last),
                    _ => Op::Sum(last),
                };
                builder.raw(op, &[moved])
            }
            Op::MatMul { .. } => {
                let readable = |place: Place| {
                    views
                        .0
                        .get(&place)
                        .is_none_or(|(_, view)| view.bounds.is_none() && view.strides.iter().all(|&s| s >= 0))
                };
                let args: Vec<Place> = args.iter().map(|&a| if readable(a) { a } else { copied(builder, a) }).collect();
                builder.raw(op.clone(), &args)
            }
            _ => {
                let args: Vec<Place> = args.iter().map(|&a| views.contiguous(builder, a)).collect();
                builder.raw(op.clone(), &args)
            }
        }
    });
    // The walk above numbered the values before dead ones were dropped: resolve again on what is left.
    let mut views: FxHashMap<Place, (Place, View)> = FxHashMap::default();
    for (i, node) in graph.nodes.iter().enumerate() {
        if let Some(op) = node.op()
            && is_view_op(op)
        {
            let arg = node.args[0];
            let (base, view) = match views.get(&arg) {
                Some((base, view)) => (*base, view.through(op)),
                None => (arg, View::contiguous(&graph.node(arg).shape).through(op)),
            };
            views.insert(i as Place, (base, view.expect("it resolved when it was put there")));
        }
    }
    Legal { graph, views }
}

/// What a view of a stored value is to a kernel that walks over its elements in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The same elements in the same order.
    Same,
    /// Each of `rows` elements repeated `columns` times.
    Rows { rows: usize, columns: usize },
    /// Anything else: to be loaded through its strides.
    Strided,
}

/// How a place is read.
pub(super) fn reading(legal: &Legal, place: Place) -> Reading {
    let (base, view) = legal.resolve(place);
    let Some(view) = view else { return Reading::Same };
    if view.bounds.is_some() || view.offset != 0 {
        return Reading::Strided;
    }
    let stored: usize = legal.graph.node(base).size();
    match view.axes()[..] {
        [] if stored == 1 => Reading::Same,
        [one] if one.stride == 1 && one.len == stored => Reading::Same,
        [repeated] if repeated.stride == 0 && stored == 1 => Reading::Rows { rows: 1, columns: repeated.len },
        [outer, inner] if outer.stride == 1 && inner.stride == 0 && outer.len == stored => {
            Reading::Rows { rows: outer.len, columns: inner.len }
        }
        _ => Reading::Strided,
    }
}

/// The shape left of the reduced axes and their product, if they are the last ones.
pub(super) fn trailing(shape: &Shape, axes: &[usize]) -> Option<usize> {
    let first = shape.len() - axes.len();
    axes.iter().all(|&a| a >= first).then(|| shape[first..].iter().product())
}
