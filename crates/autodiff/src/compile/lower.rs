//! From groups and single ops to kernels: registers, loads, stores.

use super::body::{Body, Draft, SlotList, What};
use super::fuse::{Group, Level, NONE, Role, Schedule, Step, role};
use super::graph::{Node, Place};
use super::kernels::{
    Gathered, Indexed, Joined, Kernel, LateKind, Load, MatMul, OpKernel, Part, ScalarInstr, Scalars, Scattered, Source,
};
use super::legalise::{Legal, Reading, reading, trailing};
use super::view::View;
use super::walk::walk;
use crate::kernel::{Fold, Ternary};
use crate::op::{Literal, Op, Reduce, Unary};
use crate::program::Kind;
use crate::scalar::Element;
use crate::shape::{Shape, size};
use rustc_hash::FxHashMap;

/// A stored array.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    pub(super) place: Place,
    pub(super) len: usize,
}

/// Kernels in order and the buffers between them.
pub(super) struct Lowered<E> {
    pub(super) kernels: Vec<Kernel<E>>,
    pub(super) buffers: Vec<Buffer>,
    /// The buffer of each stored value.
    pub(super) buffer_of: Vec<u32>,
}

pub(super) fn lower<E: Element>(legal: &Legal, schedule: &Schedule, threads: usize) -> Lowered<E> {
    let graph = &legal.graph;
    let mut lowering = Lowering { legal, schedule, buffers: Vec::new(), buffer_of: vec![NONE; graph.nodes.len()] };
    for (i, node) in graph.nodes.iter().enumerate() {
        if node.op().is_none() {
            lowering.buffer(i as Place);
        }
    }
    for &output in &graph.outputs {
        lowering.buffer(legal.resolve(output).0);
    }
    // Whatever is read outside the step that makes it is stored.
    for (i, node) in graph.nodes.iter().enumerate() {
        if legal.is_view(i as Place) {
            continue;
        }
        let step = schedule.made_by[i];
        for &arg in &node.args {
            let base = legal.resolve(arg).0;
            let single = step != NONE && matches!(schedule.steps[step as usize], Step::Single(_));
            if single || schedule.made_by[base as usize] != step {
                lowering.buffer(base);
            }
        }
    }
    let kernels = schedule
        .steps
        .iter()
        .map(|step| match step {
            Step::Group(group) => lowering.group(group, threads),
            Step::Single(place) => lowering.single(*place, threads),
        })
        .collect();
    Lowered { kernels, buffers: lowering.buffers, buffer_of: lowering.buffer_of }
}

struct Lowering<'a> {
    legal: &'a Legal,
    schedule: &'a Schedule,
    buffers: Vec<Buffer>,
    buffer_of: Vec<u32>,
}

fn fold_of(op: &Op) -> Fold {
    match op {
        Op::Sum(_) => Fold::Sum,
        Op::Reduce(Reduce::Max, _) => Fold::Max,
        Op::Reduce(Reduce::Min, _) => Fold::Min,
        Op::Reduce(Reduce::Prod, _) => Fold::Prod,
        _ => unreachable!("{op} is no fold: it was taken apart before"),
    }
}

impl Lowering<'_> {
    fn node(&self, place: Place) -> &Node {
        self.legal.graph.node(place)
    }

    /// The buffer of a stored value, made if there is none yet.
    fn buffer(&mut self, place: Place) -> u32 {
        if self.buffer_of[place as usize] == NONE {
            self.buffer_of[place as usize] = self.buffers.len() as u32;
            self.buffers.push(Buffer { place, len: self.node(place).size() });
        }
        self.buffer_of[place as usize]
    }

    /// A place as a strided source.
    fn source(&mut self, place: Place) -> (u32, View) {
        let (base, view) = self.legal.resolve(place);
        let view = view.cloned().unwrap_or_else(|| View::contiguous(&self.node(base).shape));
        (self.buffer(base), view)
    }

    fn group<E: Element>(&mut self, group: &Group, threads: usize) -> Kernel<E> {
        let graph = &self.legal.graph;
        if group.n == 1 && group.columns.is_none() && group.members.iter().all(|&m| role(graph, m) == Role::Pointwise) {
            return self.scalars(group);
        }
        let step = self.schedule.made_by[group.members[0] as usize];
        let mut body = Body { period: group.columns.unwrap_or(1).max(1), ..Body::default() };
        let mut made: FxHashMap<Place, u32> = FxHashMap::default();
        let mut loaded: FxHashMap<(Place, bool), u32> = FxHashMap::default();
        let mut kept_loads: Vec<Draft> = Vec::new();
        for &member in &group.members {
            let node = self.node(member).clone();
            let Kind::Op(op) = &node.kind else { unreachable!("members of groups are ops") };
            let level = self.schedule.levels[member as usize];
            match op {
                Op::Gather(axis) => {
                    let source = self.source(node.args[0]).0;
                    let place = self.indexed(node.args[1], &self.node(node.args[0]).shape.clone(), *axis);
                    body.gathers.push(Gathered { source, place });
                    let out = body.push(What::Gather((body.gathers.len() - 1) as u32), level, &[]);
                    self.stored(&mut body, member, out);
                    made.insert(member, out);
                    continue;
                }
                Op::ScatterAdd { axis, .. } => {
                    let (loads, arg) = (&mut kept_loads, node.args[0]);
                    let from = self.argument(&mut body, &made, &mut loaded, loads, step, arg, Level::Full);
                    let place = self.indexed(node.args[1], &node.shape, *axis);
                    body.scatters.push(Scattered { from, out: self.buffer(member), len: node.size(), place });
                    continue;
                }
                _ => {}
            }
            let reads = match role(&self.legal.graph, member) {
                Role::Row(_) => Level::Full,
                Role::Late => self.schedule.read_levels[member as usize],
                _ => level,
            };
            let args: Vec<u32> = node
                .args
                .iter()
                .map(|&arg| self.argument(&mut body, &made, &mut loaded, &mut kept_loads, step, arg, reads))
                .collect();
            let out = match (op, level) {
                (Op::Unary(op), _) => body.push(What::Unary(*op), level, &args),
                (Op::Binary(op), _) => body.push(What::Binary(*op), level, &args),
                (Op::Select, _) => body.push(What::Ternary(Ternary::Select), level, &args),
                (Op::Sum(axes) | Op::Reduce(_, axes), Level::Late) => {
                    let shape = &self.node(node.args[0]).shape;
                    let kind = match trailing(shape, axes) {
                        // A sum over everything is one column.
                        Some(_) if node.size() == 1 => LateKind::Columns,
                        Some(columns) => LateKind::Rows(columns),
                        None => LateKind::Columns,
                    };
                    let sink = self.buffer(member);
                    body.lates.push((fold_of(op), args[0], reads, kind, node.size(), sink));
                    continue;
                }
                (Op::Sum(_) | Op::Reduce(..), _) => body.push(What::Fold(fold_of(op)), Level::Row, &args),
                _ => unreachable!("{op} is not a member of a group"),
            };
            self.stored(&mut body, member, out);
            made.insert(member, out);
        }
        // Values that are the same for all blocks are loaded first, once.
        kept_loads.append(&mut body.code);
        body.code = kept_loads;
        body.fuse_multiply_add();
        body.fuse_dots(group.columns.unwrap_or(1));
        body.take_numbers();
        Kernel::Fused(walk::<E>(&body, group, threads))
    }

    /// Notes where a member's value goes, if it is stored.
    fn stored(&self, body: &mut Body, member: Place, register: u32) {
        if self.buffer_of[member as usize] != NONE {
            body.registers[register as usize].sink = Some(self.buffer_of[member as usize]);
        }
    }

    /// Indices, which are contiguous, along an axis of an array.
    fn indexed(&mut self, indices: Place, shape: &[usize], axis: usize) -> Indexed {
        let (indices, view) = self.source(indices);
        Indexed { indices, length: shape[axis], count: size(&view.shape), inner: size(&shape[axis + 1..]) }
    }

    /// The register that holds an argument on a level, loaded if it is not made here.
    #[allow(clippy::too_many_arguments, reason = "one step of `group`, on its tables")]
    fn argument(
        &mut self,
        body: &mut Body,
        made: &FxHashMap<Place, u32>,
        loaded: &mut FxHashMap<(Place, bool), u32>,
        kept_loads: &mut Vec<Draft>,
        step: u32,
        arg: Place,
        reads: Level,
    ) -> u32 {
        let base = self.legal.resolve(arg).0;
        let key = (arg, reads == Level::Row);
        if let Some(&register) = loaded.get(&key) {
            return register;
        }
        if self.schedule.made_by[base as usize] == step
            && let Some(&register) = made.get(&base)
        {
            if self.schedule.levels[base as usize] == reads && reading(self.legal, arg) == Reading::Same {
                return register;
            }
            let expanded = body.push(What::Expand, Level::Full, &[register]);
            loaded.insert(key, expanded);
            return expanded;
        }
        let (buffer, view) = self.source(arg);
        let register = if view.is_dense() && size(&view.shape) > 1 {
            let register = body.register(reads);
            body.registers[register as usize].direct = Some((buffer, view.offset));
            register
        } else {
            let load = Load::new(buffer, view.offset, view.axes());
            let kept = body.load(load, reads);
            let what = What::Load((body.loads.len() - 1) as u32);
            let out = body.register(reads);
            let draft = Draft { what, out, args: [0; 3] };
            if kept {
                kept_loads.push(draft);
            } else {
                body.code.push(draft);
            }
            out
        };
        loaded.insert(key, register);
        register
    }

    /// A group of single numbers: a list for the interpreter.
    fn scalars<E: Element>(&mut self, group: &Group) -> Kernel<E> {
        let step = self.schedule.made_by[group.members[0] as usize];
        let mut body = Body::default();
        let mut made: FxHashMap<Place, u32> = FxHashMap::default();
        made.reserve(group.members.len());
        for &member in &group.members {
            let mut args = [0; 3];
            let count = self.node(member).args.len();
            for (i, slot) in args.iter_mut().enumerate().take(count) {
                let arg = self.legal.graph.nodes[member as usize].args[i];
                let base = self.legal.resolve(arg).0;
                *slot = match made.get(&base) {
                    Some(&register) if self.schedule.made_by[base as usize] == step => register,
                    _ => {
                        // Loaded values are known by the view they are read through.
                        let key = arg | 1 << 31;
                        match made.get(&key) {
                            Some(&register) => register,
                            None => {
                                let (buffer, view) = self.source(arg);
                                let zero = view.bounds.as_ref().is_some_and(|b| b.iter().any(|&(l, h)| l > 0 || h < 1));
                                let axes = if zero { view.axes() } else { Default::default() };
                                body.loads.push(Load::new(buffer, view.offset, axes));
                                let register = body.push(What::Load((body.loads.len() - 1) as u32), Level::Full, &[]);
                                made.insert(key, register);
                                register
                            }
                        }
                    }
                };
            }
            let what = match self.node(member).op() {
                Some(Op::Unary(op)) => What::Unary(*op),
                Some(Op::Binary(op)) => What::Binary(*op),
                Some(Op::Select) => What::Ternary(Ternary::Select),
                _ => unreachable!("only pointwise ops are scalars"),
            };
            let out = body.push(what, Level::Full, &args[..count]);
            if self.buffer_of[member as usize] != NONE {
                body.registers[out as usize].sink = Some(self.buffer_of[member as usize]);
            }
            made.insert(member, out);
        }
        body.fuse_multiply_add();
        let mut slots = SlotList::default();
        let mut last = vec![0_usize; body.registers.len()];
        for (i, draft) in body.code.iter().enumerate() {
            for &arg in draft.args() {
                last[arg as usize] = i;
            }
        }
        let mut slot_of = vec![0_u32; body.registers.len()];
        let mut code = Vec::with_capacity(body.code.len());
        for (i, draft) in body.code.iter().enumerate() {
            if matches!(draft.what, What::Dead) {
                continue;
            }
            let args = draft.args().iter().map(|&a| slot_of[a as usize]);
            let mut slots_of_args = [0; 3];
            slots_of_args.iter_mut().zip(args).for_each(|(to, from)| *to = from);
            for (position, &arg) in draft.args().iter().enumerate() {
                if last[arg as usize] == i && !draft.args()[..position].contains(&arg) {
                    slots.free.push(slot_of[arg as usize]);
                }
            }
            let out = slots.take();
            slot_of[draft.out as usize] = out;
            let [a, b, c] = slots_of_args;
            code.push(match draft.what {
                What::Load(load) => {
                    let Load { buffer, offset, axes, .. } = &body.loads[load as usize];
                    if axes.is_empty() {
                        ScalarInstr::Load { out, buffer: *buffer, offset: *offset as usize }
                    } else {
                        ScalarInstr::Unary(Unary::Fill(Literal(0.0)), out, out)
                    }
                }
                What::Unary(op) => super::kernels::scalar_unary(op, out, a),
                What::Binary(op) => super::kernels::scalar_binary(op, out, a, b),
                What::Ternary(op) => ScalarInstr::Ternary(op, out, [a, b, c]),
                What::Axpy(Literal(number)) => ScalarInstr::Axpy(E::from_f64(number), out, [a, b]),
                What::Fold(_)
                | What::Dot
                | What::Expand
                | What::Gather(_)
                | What::With(..)
                | What::AxpyWith { .. }
                | What::Dead => {
                    unreachable!("all are pointwise, of registers")
                }
            });
            if let Some(buffer) = body.registers[draft.out as usize].sink {
                code.push(ScalarInstr::Store { from: out, buffer });
            }
            if last[draft.out as usize] <= i {
                slots.free.push(out);
            }
        }
        Kernel::Scalars(Scalars { code, slots: slots.count as usize })
    }

    fn single<E: Element>(&mut self, place: Place, threads: usize) -> Kernel<E> {
        let node = self.node(place).clone();
        let out = self.buffer(place);
        let Kind::Op(op) = &node.kind else { unreachable!("steps are ops") };
        match op {
            Op::MatMul { ta, tb } => {
                let (a, va) = self.source(node.args[0]);
                let (b, vb) = self.source(node.args[1]);
                let rank = node.shape.len();
                let (m, n) = (node.shape[rank - 2], node.shape[rank - 1]);
                let k = va.shape[if *ta { rank - 2 } else { rank - 1 }];
                let strides = |view: &View, t: bool| {
                    let (r, c) = (view.strides[rank - 2] as usize, view.strides[rank - 1] as usize);
                    if t { [c, r] } else { [r, c] }
                };
                let (mut lead, mut batch_a, mut batch_b) = (Shape::new(), Shape::new(), Shape::new());
                for axis in 0..rank - 2 {
                    let (len, step_a, step_b) =
                        (node.shape[axis], va.strides[axis] as usize, vb.strides[axis] as usize);
                    // An axis that goes on where the one before it steps is a part of it.
                    match (lead.last_mut(), batch_a.last_mut(), batch_b.last_mut()) {
                        (Some(all), Some(a), Some(b)) if (*a, *b) == (len * step_a, len * step_b) => {
                            (*all, *a, *b) = (*all * len, step_a, step_b);
                        }
                        _ if len == 1 => {}
                        _ => {
                            lead.push(len);
                            batch_a.push(step_a);
                            batch_b.push(step_b);
                        }
                    }
                }
                Kernel::MatMul(MatMul {
                    m,
                    k,
                    n,
                    a: Source { buffer: a, offset: va.offset as usize, strides: strides(&va, *ta), batch: batch_a },
                    b: Source { buffer: b, offset: vb.offset as usize, strides: strides(&vb, *tb), batch: batch_b },
                    lead,
                    out,
                    start: None,
                    bias: None,
                    threads,
                })
            }
            Op::Concat(axis) => {
                let outer = size(&node.shape[..*axis]);
                let inner = size(&node.shape[axis + 1..]);
                let mut parts = Vec::with_capacity(node.args.len());
                let mut start = 0;
                for &arg in &node.args {
                    let (buffer, view) = self.source(arg);
                    let len = view.shape[*axis] * inner;
                    parts.push(Part { load: Load::new(buffer, view.offset, view.axes()), start, len });
                    start += len;
                }
                Kernel::Joined(Joined { parts, outer, row: node.shape[*axis] * inner, out })
            }
            _ => {
                let args = node.args.iter().map(|&a| self.source(a).0).collect();
                let shapes = node.args.iter().map(|&a| self.node(a).shape.clone()).collect();
                Kernel::Op(OpKernel::new(op.clone(), args, shapes, node.shape.clone(), out))
            }
        }
    }
}
