//! Sums of paddings.
//!
//! The derivative by an array that was taken apart with slices is a sum of paddings, one for each slice: n slices of an
//! array of n elements would cost n². Paddings that do not overlap are one concatenation.

use super::super::graph::{Fold, Graph, Place};
use crate::op::{Binary, Op, Padding};
use crate::program::Kind;
use crate::shape::Shape;

/// A padding along one axis: where it starts, how long it is, and what of.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    len: usize,
    value: Place,
}

/// The one axis that a padding without gaps pads, and the zeros before it.
fn padded_axis(pads: &[Padding]) -> Option<(usize, usize)> {
    let mut found = pads.iter().enumerate().filter(|(_, p)| **p != Padding::default());
    let (axis, pad) = found.next()?;
    (found.next().is_none() && pad.interior == 0).then_some((axis, pad.low))
}

/// The graph with sums of paddings joined; `None` if there are none.
pub(super) fn paddings(graph: &Graph, fold: Fold) -> Option<Graph> {
    let is_sum = |place: Place| matches!(graph.node(place).op(), Some(Op::Binary(Binary::Add)));
    if !graph.nodes.iter().any(|n| matches!(n.op(), Some(Op::Pad(_)))) {
        return None;
    }
    let uses = graph.uses();
    // A sum inside a larger sum, and used nowhere else, belongs to that.
    let mut inside = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        if is_sum(i as Place) {
            for &arg in &node.args {
                inside[arg as usize] |= is_sum(arg) && uses[arg as usize] == 1;
            }
        }
    }
    let mut any = false;
    let (joined, _) = graph.rebuild(fold, |builder, i, node, places, args| {
        if is_sum(i) && !inside[i as usize] {
            let mut terms = Vec::new();
            let mut stack = vec![i];
            while let Some(place) = stack.pop() {
                if place == i || inside[place as usize] {
                    stack.extend(graph.node(place).args.iter().rev());
                } else {
                    terms.push(place);
                }
            }
            match layers(graph, &terms) {
                Some((axis, layers, others)) => {
                    any = true;
                    let mut total: Option<Place> = None;
                    let mut add = |builder: &mut super::super::graph::Builder, term: Place| {
                        total = Some(match total {
                            Some(sum) => builder.emit(&Op::Binary(Binary::Add), &[sum, term]),
                            None => term,
                        });
                    };
                    for layer in layers {
                        let mut parts = Vec::new();
                        let mut end = 0;
                        let gap = |builder: &mut super::super::graph::Builder, len: usize| {
                            let mut shape: Shape = node.shape.clone();
                            shape[axis] = len;
                            builder.full(&shape, 0.0)
                        };
                        for part in &layer {
                            if part.start > end {
                                parts.push(gap(builder, part.start - end));
                            }
                            parts.push(places[part.value as usize]);
                            end = part.start + part.len;
                        }
                        if end < node.shape[axis] {
                            parts.push(gap(builder, node.shape[axis] - end));
                        }
                        let whole = builder.emit(&Op::Concat(axis), &parts);
                        add(builder, whole);
                    }
                    for other in others {
                        add(builder, places[other as usize]);
                    }
                    total.unwrap_or(args[0])
                }
                None => builder.raw(Op::Binary(Binary::Add), args),
            }
        } else {
            match node.op() {
                Some(op) => builder.raw(op.clone(), args),
                None => unreachable!("inputs and constants are put there by `rebuild`"),
            }
        }
    });
    any.then_some(joined)
}

/// The paddings among the terms, in layers without overlap, and the other terms; `None` if it does not pay.
fn layers(graph: &Graph, terms: &[Place]) -> Option<(usize, Vec<Vec<Part>>, Vec<Place>)> {
    let padding = |place: Place| match &graph.node(place).kind {
        Kind::Op(Op::Pad(pads)) => padded_axis(pads).map(|(axis, low)| (axis, low, graph.node(place).args[0])),
        _ => None,
    };
    let axis = terms.iter().find_map(|&term| padding(term)).map(|(axis, ..)| axis)?;
    let mut parts = Vec::new();
    let mut others = Vec::new();
    for &term in terms {
        match padding(term) {
            Some((at, start, value)) if at == axis => {
                parts.push(Part { start, len: graph.node(value).shape[axis], value });
            }
            _ => others.push(term),
        }
    }
    if parts.len() < 2 {
        return None;
    }
    parts.sort_by_key(|part| part.start);
    let count = parts.len();
    // Each part goes on the first layer that ends before it starts; ends are few.
    let mut layers: Vec<Vec<Part>> = Vec::new();
    for part in parts {
        let fits = |layer: &&mut Vec<Part>| layer.last().is_none_or(|last| last.start + last.len <= part.start);
        match layers.iter_mut().find(fits) {
            Some(layer) => layer.push(part),
            None => layers.push(vec![part]),
        }
        if layers.len() > 8 && layers.len() * 2 > count {
            return None;
        }
    }
    (layers.len() < count).then_some((axis, layers, others))
}
