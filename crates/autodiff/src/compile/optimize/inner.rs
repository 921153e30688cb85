//! Inner products with a matrix product, by another product that is there anyway.
//!
//! `⟨A·B, C⟩ = ⟨B, Aᵀ·C⟩ = ⟨A, C·Bᵀ⟩`. The derivative by a step's rate is the inner product of a gradient `Xᵀ·δ` with a
//! cotangent `Λ`, and the derivative by the weights needs `X·Λ`: with that, `Xᵀ·δ` need not be computed at all.

use super::super::graph::{Builder, Fold, Graph, Place};
use crate::op::{Binary, Literal, Op, Unary};
use crate::shape::{Shape, size};
use rustc_hash::{FxHashMap, FxHashSet};

/// Multiply-adds of a product that is worth it.
const WORTH: usize = 1 << 14;

/// How often the elements of the inner product that takes its place.
const FEWER: usize = 8;

/// The graph with such products spared; `None` if there are none.
pub(super) fn products(graph: &Graph, fold: Fold) -> Option<Graph> {
    let products = Products::of(graph)?;
    let uses = graph.uses();
    let (mut inners, mut gone) = (FxHashMap::default(), FxHashSet::default());
    // Products that others are spared by, which become multiples of one that is there before.
    let mut multiples = FxHashMap::default();
    for place in 0..graph.nodes.len() as Place {
        if let Some(inner) = Inner::at(graph, &uses, place)
            && !multiples.contains_key(&inner.terms.product)
            && let Some(way) = products.way(graph, &inner)
            && !gone.contains(&way.there)
        {
            gone.insert(inner.terms.product);
            multiples.insert(way.there, (way.by_base(), way.factors.clone()));
            inners.insert(place, (inner, way));
        }
    }
    if inners.is_empty() {
        return None;
    }
    let mut places: Vec<Place> = vec![0; graph.nodes.len()];
    let (spared, _) = graph.rebuild(fold, |builder, i, node, args| {
        // Inputs and constants are put without passing here: their places are known from who uses them.
        for (&old, &new) in node.args.iter().zip(args) {
            places[old as usize] = new;
        }
        let place = if let Some((inner, way)) = inners.get(&i) {
            builder.inner_product_by(inner, way, &places)
        } else if let Some(((op, factors), by)) = multiples.get(&i) {
            let base = builder.emit(op, &factors.map(|place| places[place as usize]));
            builder.times(base, by, &places)
        } else {
            match node.op() {
                Some(op) => builder.raw(op.clone(), args),
                None => unreachable!("inputs and constants are put there by `rebuild`"),
            }
        };
        places[i as usize] = place;
        place
    });
    Some(spared)
}

/// A factor that is the same for all elements.
#[derive(Clone, Copy, PartialEq)]
enum Factor {
    Literal(f64),
    /// An array of one element.
    Number(Place),
}

/// What a value is a multiple of, in so many steps: the value itself first.
fn multiples(graph: &Graph, mut place: Place) -> Vec<(Place, Vec<Factor>)> {
    let mut found = vec![(place, Vec::new())];
    let mut factors = Vec::new();
    while let Some(op) = graph.node(place).op() {
        let args = &graph.node(place).args;
        let number = |place: Place| match graph.node(place).op() {
            Some(Op::Broadcast(_)) => Some(graph.node(place).args[0]).filter(|&one| graph.node(one).size() == 1),
            _ => None,
        };
        let (factor, next) = match op {
            Op::Unary(Unary::Neg) => (Factor::Literal(-1.0), args[0]),
            Op::Unary(Unary::Mul(Literal(c))) => (Factor::Literal(*c), args[0]),
            Op::Binary(Binary::Mul) => match (number(args[0]), number(args[1])) {
                (Some(one), _) => (Factor::Number(one), args[1]),
                (_, Some(one)) => (Factor::Number(one), args[0]),
                _ => break,
            },
            _ => break,
        };
        factors.push(factor);
        place = next;
        found.push((place, factors.clone()));
    }
    found
}

/// `Σ (rest ± A·B)∘C` over all elements, where nothing else needs `A·B`.
struct Inner {
    terms: Terms,
    other: Place,
}

/// `rest ± A·B`
struct Terms {
    product: Place,
    negative: bool,
    /// The other terms' places, and whether each is subtracted.
    rest: Vec<(Place, bool)>,
}

impl Inner {
    fn at(graph: &Graph, uses: &[u32], sum: Place) -> Option<Self> {
        let node = graph.node(sum);
        let Some(Op::Sum(_)) = node.op() else { return None };
        let term = node.args[0];
        let Some(Op::Binary(Binary::Mul)) = graph.node(term).op() else { return None };
        if !node.shape.is_empty() || graph.node(term).shape.len() != 2 || uses[term as usize] != 1 {
            return None;
        }
        let factors = &graph.node(term).args;
        [(0, 1), (1, 0)].into_iter().find_map(|(i, j)| {
            let terms = Terms::of(graph, uses, factors[i])?;
            let same = graph.node(terms.product).checkpoint == node.checkpoint;
            same.then_some(Self { terms, other: factors[j] })
        })
    }
}

impl Terms {
    fn of(graph: &Graph, uses: &[u32], whole: Place) -> Option<Self> {
        let once = |place: Place| uses[place as usize] == 1;
        let is_product = |place: Place| matches!(graph.node(place).op(), Some(Op::MatMul { .. }));
        let is_sum = |place: Place| matches!(graph.node(place).op(), Some(Op::Binary(Binary::Add | Binary::Sub)));
        let mut terms = Self { product: whole, negative: false, rest: Vec::new() };
        while once(terms.product) && !is_product(terms.product) {
            let node = graph.node(terms.product);
            let minus = match node.op()? {
                Op::Binary(Binary::Add) => false,
                Op::Binary(Binary::Sub) => true,
                _ => return None,
            };
            // The product is one of the two, or further down in one.
            let two = [0, 1].map(|i| node.args[i]);
            let next = two.iter().position(|&place| is_product(place) && once(place));
            let next = next.or_else(|| two.iter().position(|&place| is_sum(place) && once(place)))?;
            terms.rest.push((two[1 - next], terms.negative ^ (minus && next == 0)));
            terms.negative ^= minus && next == 1;
            terms.product = two[next];
        }
        let all = terms.rest.iter().map(|&(place, _)| place).chain([terms.product]);
        let alike = all.into_iter().all(|place| graph.node(place).shape == graph.node(whole).shape);
        (once(terms.product) && alike).then_some(terms)
    }
}

/// How a product that is there anyway spares another one.
struct Way {
    there: Place,
    /// What both are products with, and how it is multiplied by what they are multiples of: all of it is there before the
    /// inner product.
    op: Op,
    shared: Place,
    base: Place,
    /// Whether what they share is the left factor.
    left: bool,
    /// The factor that the inner product is taken with.
    kept: Place,
    /// What the product that is there is times that of the base.
    factors: Vec<Factor>,
    /// What the inner product is times that with the base.
    outer: Vec<Factor>,
}

impl Way {
    /// The product of the base.
    fn by_base(&self) -> (Op, [Place; 2]) {
        (self.op.clone(), if self.left { [self.shared, self.base] } else { [self.base, self.shared] })
    }
}

/// Products by a factor, whether it is transposed, and whether it is the left one.
struct Products(FxHashMap<(Place, bool, bool), Vec<Place>>);

impl Products {
    fn of(graph: &Graph) -> Option<Self> {
        let mut products: FxHashMap<_, Vec<Place>> = FxHashMap::default();
        for (place, node) in graph.nodes.iter().enumerate() {
            if let (Some(&Op::MatMul { ta, tb }), 2) = (node.op(), node.shape.len()) {
                products.entry((node.args[0], ta, true)).or_default().push(place as Place);
                products.entry((node.args[1], tb, false)).or_default().push(place as Place);
            }
        }
        (!products.is_empty()).then_some(Self(products))
    }

    fn way(&self, graph: &Graph, inner: &Inner) -> Option<Way> {
        let node = graph.node(inner.terms.product);
        let Some(&Op::MatMul { ta, tb }) = node.op() else { return None };
        let (a, b) = (node.args[0], node.args[1]);
        let inners = graph.node(a).shape[usize::from(!ta)];
        let work = size(&node.shape) * inners;
        let bases = multiples(graph, inner.other);
        [true, false].into_iter().find_map(|left| {
            // The factor that the other product has, and the one that the inner product is taken with.
            let (shared, turned, kept, keeps) = if left { (a, ta, b, !tb) } else { (b, tb, a, !ta) };
            if !keeps || work < WORTH.max(FEWER * graph.node(kept).size()) {
                return None;
            }
            let candidates = self.0.get(&(shared, !turned, left))?;
            candidates.iter().find_map(|&there| {
                let other = graph.node(there);
                let Some(op @ &Op::MatMul { ta, tb }) = other.op() else { return None };
                if there == inner.terms.product || (if left { tb } else { ta }) || other.checkpoint != node.checkpoint {
                    return None;
                }
                multiples(graph, other.args[usize::from(left)]).into_iter().find_map(|(base, factors)| {
                    let (_, outer) = bases.iter().find(|(place, _)| *place == base)?;
                    Some(Way { there, op: op.clone(), shared, base, left, kept, factors, outer: outer.clone() })
                })
            })
        })
    }
}

impl Builder {
    /// The inner product, for which the other product is there.
    fn inner_product_by(&mut self, inner: &Inner, way: &Way, places: &[Place]) -> Place {
        let at = |place: Place| places[place as usize];
        let (op, factors) = way.by_base();
        let by_base = self.emit(&op, &factors.map(at));
        let total = self.inner_product(at(way.kept), by_base);
        let total = self.times(total, &way.outer, places);
        let mut rest = None;
        for &(term, negative) in &inner.terms.rest {
            rest = Some(self.plus(rest, at(term), negative));
        }
        let rest = rest.map(|rest| self.inner_product(rest, at(inner.other)));
        self.plus(rest, total, inner.terms.negative)
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
