//! The compiler's own form of a program, and the builder that every pass makes a new one with.

use super::seen::Seen;
use crate::op::Op;
use crate::program::{Kind, Program, places_of_needed};
use crate::shape::{Shape, size};
use crate::tensor::Constant;
use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// A place in a graph.
pub(super) type Place = u32;
/// Places of arguments.
pub(super) type Args = SmallVec<[Place; 2]>;

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) args: Args,
    pub(super) shape: Shape,
    /// The checkpoint it is inside of: equal nodes of different checkpoints are not shared, or nothing would be computed
    /// again.
    pub(super) checkpoint: u32,
}

impl Node {
    pub(super) fn size(&self) -> usize {
        size(&self.shape)
    }

    pub(super) fn op(&self) -> Option<&Op> {
        match &self.kind {
            Kind::Op(op) => Some(op),
            _ => None,
        }
    }
}

/// A program in single-assignment form, arguments before results.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) inputs: Vec<Place>,
    pub(super) outputs: Vec<Place>,
    /// Whether every value may be taken to be finite.
    pub(super) finite: bool,
}

impl Graph {
    pub(super) fn of(program: &Program) -> Self {
        let mut graph = Self::default();
        let mut checkpoints = 0;
        graph.outputs = graph.put(program, None, 0, &mut checkpoints);
        graph
    }

    /// Puts a program's nodes, on these inputs or on new ones, and says where its outputs are. Checkpoints are put in
    /// line, their outputs together.
    fn put(
        &mut self,
        program: &Program,
        inputs: Option<&[Place]>,
        checkpoint: u32,
        checkpoints: &mut u32,
    ) -> Vec<Place> {
        self.nodes.reserve(program.nodes().len());
        let mut places: Vec<Place> = Vec::with_capacity(program.nodes().len());
        // Outputs of checkpoints that are already there, by program and arguments.
        let mut called: FxHashMap<(*const Program, Args), Vec<Place>> = FxHashMap::default();
        for node in program.nodes() {
            let args: Args = node.args().iter().map(|&a| places[a as usize]).collect();
            let place = match (node.kind(), inputs) {
                (Kind::Input(position), Some(inputs)) => inputs[*position],
                (Kind::Op(Op::Call(call)), _) => {
                    let key = (std::ptr::from_ref(call.program()), args.clone());
                    if !called.contains_key(&key) {
                        *checkpoints += 1;
                        let own = *checkpoints;
                        let outputs = self.put(call.program(), Some(&args), own, checkpoints);
                        called.insert(key.clone(), outputs);
                    }
                    called[&key][call.output()]
                }
                (kind, _) => {
                    let place = self.nodes.len() as Place;
                    if matches!(kind, Kind::Input(_)) {
                        self.inputs.push(place);
                    }
                    let shape = Shape::from_slice(node.shape());
                    self.nodes.push(Node { kind: kind.clone(), args, shape, checkpoint });
                    place
                }
            };
            places.push(place);
        }
        program.outputs().iter().map(|&o| places[o as usize]).collect()
    }

    pub(super) fn node(&self, place: Place) -> &Node {
        &self.nodes[place as usize]
    }

    /// How often each value is used, outputs included.
    pub(super) fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.nodes.len()];
        for &place in self.nodes.iter().flat_map(|n| &n.args).chain(&self.outputs) {
            uses[place as usize] += 1;
        }
        uses
    }

    /// Ops and flops.
    pub(super) fn cost(&self) -> (usize, u64) {
        let mut cost = (0, 0);
        for node in &self.nodes {
            if let Some(op) = node.op() {
                let shapes: SmallVec<[&[usize]; 4]> = node.args.iter().map(|&a| &self.node(a).shape[..]).collect();
                cost.0 += 1;
                cost.1 += op.flops(&shapes, &node.shape);
            }
        }
        cost
    }

    /// Passes the nodes one by one to `f`, with the new places of all before it and of its arguments; `f` puts each into
    /// a builder and says where. Then drops what is dead. Says whether anything but what was given was put.
    pub(super) fn rebuild(
        &self,
        fold: Fold,
        mut f: impl FnMut(&mut Builder, Place, &Node, &[Place], &[Place]) -> Place,
    ) -> (Self, bool) {
        let mut builder = Builder::new(fold, self.nodes.len());
        builder.finite = self.finite;
        let mut places: Vec<Place> = Vec::with_capacity(self.nodes.len());
        let mut args = Args::new();
        for (i, node) in self.nodes.iter().enumerate() {
            args.clear();
            args.extend(node.args.iter().map(|&a| places[a as usize]));
            let place = match &node.kind {
                Kind::Input(_) => builder.push(node.clone()),
                Kind::Constant(constant) => builder.constant(constant.clone()),
                Kind::Op(_) => {
                    builder.checkpoint = node.checkpoint;
                    f(&mut builder, i as Place, node, &places, &args)
                }
            };
            places.push(place);
        }
        let graph = Self {
            nodes: builder.nodes,
            inputs: self.inputs.iter().map(|&i| places[i as usize]).collect(),
            outputs: self.outputs.iter().map(|&i| places[i as usize]).collect(),
            finite: self.finite,
        };
        (graph.without_dead_code(), builder.changed)
    }

    fn without_dead_code(mut self) -> Self {
        let ends = self.outputs.iter().chain(&self.inputs).copied();
        let places = places_of_needed(self.nodes.len(), ends, |i| &self.nodes[i].args);
        let mut i = 0;
        self.nodes.retain(|_| {
            i += 1;
            places[i - 1] != Place::MAX
        });
        for place in self.nodes.iter_mut().flat_map(|n| &mut n.args).chain(&mut self.inputs).chain(&mut self.outputs) {
            *place = places[*place as usize];
        }
        self
    }
}

/// Evaluates an op on constants, in the element type that is compiled for.
pub(super) type Fold = fn(&Op, &[Constant]) -> Constant;

/// The most elements of a constant that is computed while compiling.
const FOLDED: usize = 1 << 24;

/// Makes a graph node by node; equal nodes are made once.
pub(super) struct Builder {
    pub(super) nodes: Vec<Node>,
    seen: Seen,
    /// The number that a value holds everywhere, where that is known.
    splats: Vec<Option<f64>>,
    fold: Fold,
    /// The checkpoint that is being put.
    checkpoint: u32,
    /// Values with a stack in front that stands beside the rows of another one: that one.
    pub(super) beside: FxHashMap<Place, Place>,
    /// The same with the rows of the stack one behind the other.
    pub(super) flat: FxHashMap<Place, Place>,
    /// Whether something else was put than what was given.
    pub(super) changed: bool,
    /// Whether zero times anything is zero.
    pub(super) finite: bool,
}

impl Builder {
    fn new(fold: Fold, capacity: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(capacity),
            seen: Seen::with_capacity(capacity),
            splats: Vec::with_capacity(capacity),
            fold,
            checkpoint: 0,
            beside: FxHashMap::default(),
            flat: FxHashMap::default(),
            changed: false,
            finite: false,
        }
    }

    pub(super) fn node(&self, place: Place) -> &Node {
        &self.nodes[place as usize]
    }

    pub(super) fn shape(&self, place: Place) -> Shape {
        self.nodes[place as usize].shape.clone()
    }

    /// The op at a place and its arguments.
    pub(super) fn op(&self, place: Place) -> Option<(&Op, &[Place])> {
        let node = self.node(place);
        node.op().map(|op| (op, &node.args[..]))
    }

    /// The number that the value holds everywhere, where that is known.
    pub(super) fn splat(&self, place: Place) -> Option<f64> {
        self.splats[place as usize]
    }

    pub(super) fn push(&mut self, node: Node) -> Place {
        let splat = match &node.kind {
            Kind::Input(_) => None,
            Kind::Constant(constant) => uniform(constant),
            Kind::Op(
                Op::Reshape(_) | Op::Broadcast(_) | Op::Permute(_) | Op::Slice(_) | Op::Flip(_) | Op::Gather(_),
            ) => self.splats[node.args[0] as usize],
            Kind::Op(_) => None,
        };
        self.nodes.push(node);
        self.splats.push(splat);
        (self.nodes.len() - 1) as Place
    }

    pub(super) fn constant(&mut self, constant: Constant) -> Place {
        let hash = constant.bits_hash();
        if let Some(place) = self.seen.get(hash, &[])
            && matches!(&self.node(place).kind, Kind::Constant(c) if c.same_bits(&constant))
        {
            self.changed = true;
            return place;
        }
        let shape = constant.shape();
        let place = self.push(Node { kind: Kind::Constant(constant), args: Args::new(), shape, checkpoint: 0 });
        self.seen.put(hash, &[], place);
        place
    }

    /// The number `c` in a shape.
    pub(super) fn full(&mut self, shape: &[usize], c: f64) -> Place {
        let scalar = self.constant(Constant::from(c));
        if shape.is_empty() { scalar } else { self.raw(Op::Broadcast(Shape::from_slice(shape)), &[scalar]) }
    }

    /// The op as it is, unless an equal one is there already or its arguments are constants.
    pub(super) fn raw(&mut self, op: Op, args: &[Place]) -> Place {
        let mut hasher = FxHasher::default();
        op.hash(&mut hasher);
        args.hash(&mut hasher);
        self.checkpoint.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(place) = self.seen.get(hash, args) {
            let node = self.node(place);
            if node.args[..] == *args && node.op() == Some(&op) && node.checkpoint == self.checkpoint {
                self.changed = true;
                return place;
            }
        }
        let shape = {
            let shapes: SmallVec<[&[usize]; 4]> = args.iter().map(|&a| &self.node(a).shape[..]).collect();
            match op.infer_shape(&shapes) {
                Ok(shape) => shape,
                Err(error) => unreachable!("a rewrite made an op that does not fit: {error}"),
            }
        };
        let place = match self.folded(&op, args, &shape) {
            Some(constant) => {
                self.changed = true;
                self.constant(constant)
            }
            None => {
                let checkpoint = self.checkpoint;
                self.push(Node { kind: Kind::Op(op), args: Args::from_slice(args), shape, checkpoint })
            }
        };
        self.seen.put(hash, args, place);
        place
    }

    /// The op's value, if its arguments are constants and the result is worth keeping.
    fn folded(&self, op: &Op, args: &[Place], shape: &[usize]) -> Option<Constant> {
        if matches!(op, Op::Custom(_) | Op::Broadcast(_)) || size(shape) > FOLDED {
            return None;
        }
        let mut given = 0;
        let constants: Option<SmallVec<[Constant; 2]>> = args
            .iter()
            .map(|&a| match &self.node(a).kind {
                Kind::Constant(constant) => {
                    given += self.node(a).size();
                    Some(constant.clone())
                }
                Kind::Op(Op::Broadcast(shape)) => {
                    let number = self.splat(a)?;
                    Some(Constant::from(crate::tensor::Tensor::full(shape, number)))
                }
                _ => None,
            })
            .collect();
        let constants = constants.filter(|c| !c.is_empty() && given > 0)?;
        Some((self.fold)(op, &constants))
    }
}

/// The number that a constant holds everywhere.
fn uniform(constant: &Constant) -> Option<f64> {
    fn same<E: crate::scalar::Element>(data: &[E]) -> Option<f64> {
        let (first, rest) = data.split_first()?;
        let bits = first.to_f64().to_bits();
        rest.iter().all(|x| x.to_f64().to_bits() == bits).then(|| first.to_f64())
    }
    match constant {
        Constant::F32(tensor) => same(tensor.data()),
        Constant::F64(tensor) => same(tensor.data()),
    }
}
