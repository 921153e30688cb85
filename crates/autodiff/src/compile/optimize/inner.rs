//! Inner products with a matrix product, by another product that is there anyway.
//!
//! `⟨A·B, C⟩ = ⟨B, Aᵀ·C⟩ = ⟨A, C·Bᵀ⟩`. The derivative by a step's rate is the inner product of a gradient `Xᵀ·δ` with a
//! cotangent `Λ`, and the derivative by the weights needs `X·Λ`: with that, `Xᵀ·δ` need not be computed at all.

use super::super::graph::{Builder, Fold, Graph, Node, Place};
use super::pointwise::is_safe_factor;
use crate::op::{Binary, Literal, Op, Unary};
use crate::shape::{Shape, size};
use rustc_hash::{FxHashMap, FxHashSet};

/// Multiply-adds of a product that is worth it.
const WORTH: usize = 1 << 14;

/// The same for each of the inner product that takes its place, which reads two numbers for every one.
const FEWER: usize = 16;

/// The most factors that a value is followed through.
const FACTORS: u8 = 16;

/// The graph with such products spared; `None` if there are none.
pub(super) fn products(graph: &Graph, fold: Fold) -> Option<Graph> {
    let there = Products::of(graph)?;
    let uses = graph.uses();
    let (mut ways, mut gone) = (FxHashMap::default(), FxHashSet::default());
    // Products that others are spared by, which become multiples of the same one.
    let mut kept = FxHashMap::default();
    for place in 0..graph.nodes.len() as Place {
        for (mut terms, other) in sums(graph, &uses, place) {
            let found = terms.iter().enumerate().find_map(|(i, &(term, _))| {
                let alone = uses[term as usize] == 1 && graph.node(term).checkpoint == graph.node(place).checkpoint;
                let way = (alone && !kept.contains_key(&term)).then(|| there.way(graph, term, other))??;
                (!gone.contains(&way.there)).then_some((i, way))
            });
            if let Some((i, way)) = found {
                let (product, negative) = terms.remove(i);
                gone.insert(product);
                kept.insert(way.there, place);
                ways.insert(place, (Inner { negative, rest: terms, other }, way));
                break;
            }
        }
    }
    if ways.is_empty() {
        return None;
    }
    let (spared, _) = graph.rebuild(fold, |builder, place, node, places, args| {
        if let Some((inner, way)) = ways.get(&place) {
            return builder.inner_product_by(inner, way, places);
        }
        if let Some((_, way)) = kept.get(&place).and_then(|inner| ways.get(inner)) {
            let by_root = builder.by_root(way, places);
            return builder.times(by_root, &way.factors, places);
        }
        match node.op() {
            Some(op) => builder.raw(op.clone(), args),
            None => unreachable!("inputs and constants are put there by `rebuild`"),
        }
    });
    Some(spared)
}

/// A factor that is the same for all elements.
#[derive(Clone, Copy)]
enum Factor {
    Literal(f64),
    /// An array of one element.
    Number(Place),
}

/// What a value is a multiple of, if it is one.
fn step(graph: &Graph, node: &Node) -> Option<(Factor, Place)> {
    let number = |place: Place| match graph.node(place).op() {
        Some(Op::Broadcast(_)) => Some(graph.node(place).args[0]).filter(|&one| graph.node(one).size() == 1),
        _ => None,
    };
    match (node.op()?, &node.args[..]) {
        (Op::Unary(Unary::Neg), &[x]) => Some((Factor::Literal(-1.0), x)),
        (&Op::Unary(Unary::Mul(Literal(c))), &[x]) if is_safe_factor(c) => Some((Factor::Literal(c), x)),
        (Op::Binary(Binary::Mul), &[a, b]) => match (number(a), number(b)) {
            (Some(one), _) => Some((Factor::Number(one), b)),
            (_, Some(one)) => Some((Factor::Number(one), a)),
            _ => None,
        },
        _ => None,
    }
}

/// `Σ (rest ± A·B)∘C` over all elements, where nothing else needs `A·B`.
struct Inner {
    negative: bool,
    rest: Terms,
    other: Place,
}

/// Places, and whether each is subtracted.
type Terms = Vec<(Place, bool)>;

/// The terms of `Σ (t₁ ± t₂ …)∘C`, with the place of `C`, for either factor.
fn sums(graph: &Graph, uses: &[u32], sum: Place) -> Vec<(Terms, Place)> {
    let node = graph.node(sum);
    let (Some(Op::Sum(_)), true) = (node.op(), node.shape.is_empty()) else { return Vec::new() };
    let whole = graph.node(node.args[0]);
    let (Some(Op::Binary(Binary::Mul)), 2, 1) = (whole.op(), whole.shape.len(), uses[node.args[0] as usize]) else {
        return Vec::new();
    };
    [(0, 1), (1, 0)].map(|(i, j)| (terms(graph, uses, whole.args[i]), whole.args[j])).into()
}

/// The terms of a sum that nothing else needs, and whether each is subtracted.
fn terms(graph: &Graph, uses: &[u32], whole: Place) -> Terms {
    let (mut left, mut terms) = (vec![(whole, false)], Vec::new());
    while let Some((place, negative)) = left.pop() {
        let node = graph.node(place);
        let alike = || node.args.iter().all(|&arg| graph.node(arg).shape == node.shape);
        match node.op() {
            Some(Op::Binary(op @ (Binary::Add | Binary::Sub))) if uses[place as usize] == 1 && alike() => {
                left.push((node.args[1], negative ^ (*op == Binary::Sub)));
                left.push((node.args[0], negative));
            }
            _ => terms.push((place, negative)),
        }
    }
    terms
}

/// How a product that is there anyway spares another one.
struct Way {
    there: Place,
    op: Op,
    /// What both are products with, and what the other factors of both are multiples of.
    shared: Place,
    root: Place,
    /// Whether what they share is the left factor.
    left: bool,
    /// The factor that the inner product is taken with.
    taken: Place,
    /// What the product that is there, and the inner product, are times those of the root.
    factors: Vec<Factor>,
    outer: Vec<Factor>,
}

/// A factor of a product, whether it is transposed and the left one, and the root of the other factor, as it stands.
type Key = (Place, bool, bool, Place);

struct Products {
    /// What each value is a multiple of in the end.
    roots: Vec<Place>,
    products: FxHashMap<Key, Place>,
}

impl Products {
    fn of(graph: &Graph) -> Option<Self> {
        let is_product = |node: &Node| matches!(node.op(), Some(Op::MatMul { .. })) && node.shape.len() == 2;
        if !graph.nodes.iter().any(is_product) {
            return None;
        }
        let mut found: Vec<(Place, u8)> = Vec::with_capacity(graph.nodes.len());
        for (place, node) in graph.nodes.iter().enumerate() {
            let further = step(graph, node).map(|(_, next)| found[next as usize]);
            let further = further.filter(|&(_, factors)| factors < FACTORS);
            found.push(further.map_or((place as Place, 0), |(root, factors)| (root, factors + 1)));
        }
        let roots: Vec<Place> = found.into_iter().map(|(root, _)| root).collect();
        let mut products = FxHashMap::default();
        for (place, node) in graph.nodes.iter().enumerate().filter(|(_, node)| is_product(node)) {
            let Some(&Op::MatMul { ta, tb }) = node.op() else { continue };
            let [a, b] = [0, 1].map(|i| node.args[i]);
            if !tb {
                products.entry((a, ta, true, roots[b as usize])).or_insert(place as Place);
            }
            if !ta {
                products.entry((b, tb, false, roots[a as usize])).or_insert(place as Place);
            }
        }
        Some(Self { roots, products })
    }

    /// How `⟨product, other⟩` is found without the product.
    fn way(&self, graph: &Graph, product: Place, other: Place) -> Option<Way> {
        let node = graph.node(product);
        let Some(&Op::MatMul { ta, tb }) = node.op() else { return None };
        let [a, b] = [0, 1].map(|i| node.args[i]);
        let work = size(&node.shape) * graph.node(a).shape[usize::from(!ta)];
        let root = self.roots[other as usize];
        [true, false].into_iter().find_map(|left| {
            let (shared, turned, taken, as_it_stands) = if left { (a, ta, b, !tb) } else { (b, tb, a, !ta) };
            if !as_it_stands || work < WORTH.max(FEWER * graph.node(taken).size()) {
                return None;
            }
            let there = *self.products.get(&(shared, !turned, left, root))?;
            let node_there = graph.node(there);
            if there == product || node_there.checkpoint != node.checkpoint {
                return None;
            }
            let op = node_there.op()?.clone();
            let factors = self.factors(graph, node_there.args[usize::from(left)]);
            let outer = self.factors(graph, other);
            Some(Way { there, op, shared, root, left, taken, factors, outer })
        })
    }

    /// What a value is times its root.
    fn factors(&self, graph: &Graph, mut place: Place) -> Vec<Factor> {
        let root = self.roots[place as usize];
        let mut factors = Vec::new();
        while place != root
            && let Some((factor, next)) = step(graph, graph.node(place))
        {
            factors.push(factor);
            place = next;
        }
        factors
    }
}

impl Builder {
    /// The product of the root. All of it is there before the inner product: it belongs to what that is made of.
    fn by_root(&mut self, way: &Way, places: &[Place]) -> Place {
        let [shared, root] = [way.shared, way.root].map(|place| places[place as usize]);
        self.emit(&way.op, &if way.left { [shared, root] } else { [root, shared] })
    }

    /// The inner product, by the product that is there.
    fn inner_product_by(&mut self, inner: &Inner, way: &Way, places: &[Place]) -> Place {
        let at = |place: Place| places[place as usize];
        let by_root = self.by_root(way, places);
        let total = self.inner_product(at(way.taken), by_root);
        let total = self.times(total, &way.outer, places);
        let mut rest = None;
        for &(term, negative) in &inner.rest {
            rest = Some(self.plus(rest, at(term), negative));
        }
        let rest = rest.map(|rest| self.inner_product(rest, at(inner.other)));
        self.plus(rest, total, inner.negative)
    }

    fn inner_product(&mut self, a: Place, b: Place) -> Place {
        let term = self.emit(&Op::Binary(Binary::Mul), &[a, b]);
        self.emit(&Op::Sum([0, 1][..].into()), &[term])
    }

    /// Adds a term, or subtracts it.
    fn plus(&mut self, sum: Option<Place>, term: Place, negative: bool) -> Place {
        match sum {
            Some(sum) => self.emit(&Op::Binary(if negative { Binary::Sub } else { Binary::Add }), &[sum, term]),
            None if negative => self.emit(&Op::Unary(Unary::Neg), &[term]),
            None => term,
        }
    }

    fn times(&mut self, mut place: Place, factors: &[Factor], places: &[Place]) -> Place {
        for &factor in factors {
            place = match factor {
                Factor::Literal(c) => self.scale(c, place),
                Factor::Number(one) => {
                    let shape = self.shape(place);
                    let one = self.emit(&Op::Reshape(Shape::new()), &[places[one as usize]]);
                    let all = self.emit_broadcast(&shape, one);
                    self.emit(&Op::Binary(Binary::Mul), &[place, all])
                }
            };
        }
        place
    }
}
