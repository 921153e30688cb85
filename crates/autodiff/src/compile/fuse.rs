//! Which ops share a kernel.
//!
//! A *group* walks once over a domain of `n` elements, block by block, and computes all its members on a block while
//! it is in L1. Members are pointwise ops, reductions, gathers from arrays that are
//! stored before, and sums by indices. If reductions over the last axes are among them, the domain
//! is cut in rows of `columns` elements, a block holds whole rows, and members live on one of two levels: one value an
//! element, or one a row. A reduction over the first axes, over long rows, or by indices is only complete after the last
//! block, so nothing in its own group can read it.
//!
//! Groups are made from the outputs backwards: a value joins the group that reads it first, so that cheap values are
//! computed where they are used, and not stored. Then a group moves into the one that feeds it, where nothing in
//! between is needed: that is how a bias gradient joins the kernel that made its cotangents.

use super::graph::{Graph, Place};
use super::legalise::{Legal, Reading, reading, trailing};
use crate::op::Op;
use crate::program::Kind;

/// The most elements of a row that is reduced within a block.
pub(super) const LONGEST_ROW: usize = 8192;

/// The most elements of a row that is all there is: a block of it holds few values in L1, and as much is read again; and
/// what it sums (a loss, over as many rows) would be parted from what makes it.
const LONGEST_SINGLE_ROW: usize = 256;

/// The most elements of one of so many rows that are reduced within a block.
fn longest_row(rows: usize) -> usize {
    if rows == 1 { LONGEST_SINGLE_ROW } else { LONGEST_ROW }
}

/// The most elements of a walk that sums by indices, unless it does nothing else.
const SERIAL: usize = 1 << 14;

/// Where a member's value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Level {
    /// One value an element of the domain.
    Full,
    /// One value a row.
    Row,
    /// Complete only after the last block.
    Late,
}

/// What is executed in one go.
#[derive(Debug)]
pub(super) enum Step {
    Group(Group),
    /// An op with a kernel of its own.
    Single(Place),
}

/// Ops that share a walk.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// In the order of the graph.
    pub(super) members: Vec<Place>,
    /// Elements of the domain.
    pub(super) n: usize,
    /// Elements of a row, if the domain is cut in rows.
    pub(super) columns: Option<usize>,
    /// Whether a member goes by indices: those are of elements, not of rows.
    indexed: bool,
    /// Whether a member sums by indices, which keeps the walk from being shared between threads.
    scatters: bool,
}

impl Group {
    fn rows(&self) -> Option<usize> {
        self.columns.map(|c| self.n.checked_div(c).unwrap_or(0))
    }
}

/// The steps in order, and the level of each member of a group.
pub(super) struct Schedule {
    pub(super) steps: Vec<Step>,
    pub(super) levels: Vec<Level>,
    /// The level that a late reduction reads.
    pub(super) read_levels: Vec<Level>,
    /// The step that makes each value; `u32::MAX` for inputs, constants and views.
    pub(super) made_by: Vec<u32>,
}

pub(super) const NONE: u32 = u32::MAX;

/// What an op is to a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Pointwise,
    /// A reduction to one value a row of so many elements.
    Row(usize),
    /// A reduction that is complete only at the end.
    Late,
    /// Elements of an array by their indices: both stored before.
    Gather,
    /// Sums by indices, complete only at the end: the indices are stored before.
    Scatter,
    None,
}

pub(super) fn role(graph: &Graph, place: Place) -> Role {
    let node = graph.node(place);
    match &node.kind {
        Kind::Op(Op::Unary(_) | Op::Binary(_) | Op::Select) => Role::Pointwise,
        Kind::Op(Op::Gather(_)) => Role::Gather,
        Kind::Op(Op::ScatterAdd { .. }) => Role::Scatter,
        Kind::Op(Op::Sum(axes) | Op::Reduce(_, axes)) => {
            let shape = &graph.node(node.args[0]).shape;
            match trailing(shape, axes) {
                Some(columns) if (1..=longest_row(node.size())).contains(&columns) => Role::Row(columns),
                _ => Role::Late,
            }
        }
        _ => Role::None,
    }
}

/// Consumers of stored values, through views: for each value, `(consumer, argument)`.
struct Consumers {
    starts: Vec<u32>,
    edges: Vec<(Place, Place)>,
}

impl Consumers {
    fn of(legal: &Legal) -> Self {
        let graph = &legal.graph;
        let each = |f: &mut dyn FnMut(Place, Place, Place)| {
            for (i, node) in graph.nodes.iter().enumerate() {
                if !legal.is_view(i as Place) {
                    for &arg in &node.args {
                        f(legal.resolve(arg).0, i as Place, arg);
                    }
                }
            }
        };
        let mut starts = vec![0_u32; graph.nodes.len() + 1];
        each(&mut |base, _, _| starts[base as usize + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut edges = vec![(0, 0); starts[graph.nodes.len()] as usize];
        each(&mut |base, consumer, arg| {
            edges[next[base as usize] as usize] = (consumer, arg);
            next[base as usize] += 1;
        });
        Self { starts, edges }
    }

    fn get(&self, place: Place) -> &[(Place, Place)] {
        &self.edges[self.starts[place as usize] as usize..self.starts[place as usize + 1] as usize]
    }
}

/// The schedule of a graph.
pub(super) fn schedule(legal: &Legal) -> Schedule {
    let graph = &legal.graph;
    let count = graph.nodes.len();
    let consumers = Consumers::of(legal);
    // Steps from the last to the first.
    let mut steps: Vec<Step> = Vec::new();
    let mut made_by = vec![NONE; count];
    let mut levels = vec![Level::Full; count];
    let mut read_levels = vec![Level::Full; count];
    for i in (0..count).rev() {
        let place = i as Place;
        if graph.node(place).op().is_none() || legal.is_view(place) {
            continue;
        }
        let first = consumers.get(place).iter().map(|(c, _)| made_by[*c as usize]).max();
        let role = role(graph, place);
        let joined = match (first, role) {
            (_, Role::None | Role::Late | Role::Scatter) | (None, _) => None,
            (Some(step), _) => match &mut steps[step as usize] {
                Step::Group(group) => {
                    join(legal, &consumers, &made_by, &mut levels, &mut read_levels, group, step, place, role)
                        .then_some(step)
                }
                Step::Single(_) => None,
            },
        };
        made_by[i] = joined.unwrap_or_else(|| {
            let node = graph.node(place);
            steps.push(match role {
                Role::None => Step::Single(place),
                Role::Pointwise | Role::Gather => Step::Group(Group {
                    members: vec![place],
                    n: node.size(),
                    indexed: role == Role::Gather,
                    ..Group::default()
                }),
                Role::Row(columns) => {
                    levels[i] = Level::Row;
                    let n = graph.node(node.args[0]).size();
                    Step::Group(Group { members: vec![place], n, columns: Some(columns), ..Group::default() })
                }
                Role::Late | Role::Scatter => {
                    levels[i] = Level::Late;
                    let (n, scatters) = (graph.node(node.args[0]).size(), role == Role::Scatter);
                    Step::Group(Group { members: vec![place], n, indexed: scatters, scatters, ..Group::default() })
                }
            });
            (steps.len() - 1) as u32
        });
    }
    steps.reverse();
    let last = steps.len() as u32;
    for step in made_by.iter_mut().filter(|s| **s != NONE) {
        *step = last - 1 - *step;
    }
    let mut schedule = Schedule { steps, levels, read_levels, made_by };
    merge(legal, &mut schedule);
    for step in &mut schedule.steps {
        if let Step::Group(group) = step {
            group.members.sort_unstable();
        }
    }
    schedule
}

/// Puts a value into the group of its first consumer, if all its consumers there can read it where it is.
#[allow(clippy::too_many_arguments, reason = "one step of `schedule`, on its tables")]
fn join(
    legal: &Legal,
    consumers: &Consumers,
    made_by: &[u32],
    levels: &mut [Level],
    read_levels: &mut [Level],
    group: &mut Group,
    step: u32,
    place: Place,
    role: Role,
) -> bool {
    let graph = &legal.graph;
    // Single numbers are for the interpreter, and what is large is for several threads.
    let indexed = group.indexed || role == Role::Gather;
    if indexed && group.n == 1 || group.scatters && group.n > SERIAL {
        return false;
    }
    let mut columns = group.columns;
    let mut level = None;
    for &(consumer, arg) in consumers.get(place) {
        if made_by[consumer as usize] != step {
            continue;
        }
        let reads = match self::role(graph, consumer) {
            Role::Gather => return false,
            Role::Scatter if graph.node(consumer).args[1] == arg => return false,
            Role::Row(_) | Role::Scatter => Level::Full,
            Role::Late => read_levels[consumer as usize],
            _ => levels[consumer as usize],
        };
        let here = match (reads, reading(legal, arg)) {
            (reads, Reading::Same) => reads,
            (Level::Full, Reading::Rows { rows, columns: repeated })
                if rows * repeated == group.n
                    && repeated <= longest_row(rows)
                    && columns.is_none_or(|c| c == repeated) =>
            {
                columns = Some(repeated);
                Level::Row
            }
            _ => return false,
        };
        if level.is_some_and(|level| level != here) {
            return false;
        }
        level = Some(here);
    }
    let Some(level) = level else { return false };
    match (role, level) {
        (Role::Pointwise, _) | (Role::Gather, Level::Full) => {}
        (Role::Row(reduced), Level::Row) => {
            if columns != Some(reduced) {
                return false;
            }
        }
        // The members so far become values of rows.
        (Role::Row(reduced), Level::Full) if group.columns.is_none() && columns.is_none() && !group.indexed => {
            for &member in &group.members {
                promote(levels, read_levels, member);
            }
            group.n *= reduced;
            group.columns = Some(reduced);
            levels[place as usize] = Level::Row;
            group.members.push(place);
            return true;
        }
        _ => return false,
    }
    if !lates_fit(graph, &group.members, read_levels, columns) {
        return false;
    }
    group.columns = columns;
    group.indexed = indexed;
    group.members.push(place);
    levels[place as usize] = level;
    true
}

/// Whether each long row that a late reduction reads element by element is whole rows of so many columns.
fn lates_fit(graph: &Graph, members: &[Place], read_levels: &[Level], columns: Option<usize>) -> bool {
    let Some(columns) = columns else { return true };
    members.iter().all(|&member| {
        let node = graph.node(member);
        match node.op() {
            Some(Op::Sum(axes) | Op::Reduce(_, axes)) if role(graph, member) == Role::Late => {
                let long = trailing(&graph.node(node.args[0]).shape, axes);
                read_levels[member as usize] != Level::Full || long.is_none_or(|n| n.is_multiple_of(columns))
            }
            _ => true,
        }
    })
}

fn promote(levels: &mut [Level], read_levels: &mut [Level], member: Place) {
    match &mut levels[member as usize] {
        Level::Late => read_levels[member as usize] = Level::Row,
        level => *level = Level::Row,
    }
}

/// Moves each group into the one that feeds it, where nothing in between is needed.
fn merge(legal: &Legal, schedule: &mut Schedule) {
    let graph = &legal.graph;
    // Where a merged step went.
    let mut target: Vec<u32> = (0..schedule.steps.len() as u32).collect();
    for index in 0..schedule.steps.len() {
        let Step::Group(group) = &schedule.steps[index] else { continue };
        // A large group has a working set of its own. Single numbers have none: apart, they would only be stored.
        if group.members.len() > 64 && group.n > 1 {
            continue;
        }
        let (target_of, made_by) = (&target, &schedule.made_by);
        let feeding = |member: Place| {
            graph.node(member).args.iter().filter_map(move |&arg| {
                let step = made_by[legal.resolve(arg).0 as usize];
                (step != NONE && target_of[step as usize] != index as u32)
                    .then(|| (target_of[step as usize], member, arg))
            })
        };
        let edges: Vec<(u32, Place, Place)> = group.members.iter().flat_map(|&m| feeding(m)).collect();
        let Some(latest) = edges.iter().map(|e| e.0).max() else { continue };
        let Step::Group(into) = &schedule.steps[latest as usize] else { continue };
        let (n, columns) = (into.n, into.columns.or(group.columns));
        let scatters = into.scatters || group.scatters;
        if (into.indexed || group.indexed) && n == 1 || scatters && n > SERIAL {
            continue;
        }
        let compatible = into.columns.is_none() || group.columns.is_none() || into.columns == group.columns;
        // The whole group as it is, or as values of the other's rows.
        let as_rows = group.columns.is_none() && group.n != n && into.rows() == Some(group.n) && !group.indexed;
        if n == 0 || !(as_rows || (group.n == n && compatible)) {
            continue;
        }
        let fit = |group: &Group| lates_fit(graph, &group.members, &schedule.read_levels, columns);
        if !fit(into) || !(as_rows || fit(group)) {
            continue;
        }
        let readable = edges.iter().filter(|e| e.0 == latest).all(|&(_, member, arg)| {
            let base = legal.resolve(arg).0 as usize;
            let reads = match role(graph, member) {
                Role::Gather => return false,
                Role::Scatter if graph.node(member).args[1] == arg => return false,
                Role::Row(_) | Role::Scatter => Level::Full,
                Role::Late => schedule.read_levels[member as usize],
                _ => schedule.levels[member as usize],
            };
            let reads = if as_rows { Level::Row } else { reads };
            match (reads, reading(legal, arg), schedule.levels[base]) {
                (Level::Full, Reading::Same, Level::Full) | (Level::Row, Reading::Same, Level::Row) => true,
                (Level::Full, Reading::Rows { columns: c, .. }, Level::Row) => columns == Some(c),
                _ => false,
            }
        });
        if !readable {
            continue;
        }
        let Step::Group(group) = std::mem::replace(&mut schedule.steps[index], Step::Group(Group::default())) else {
            continue;
        };
        if as_rows {
            for &member in &group.members {
                promote(&mut schedule.levels, &mut schedule.read_levels, member);
            }
        }
        if let Step::Group(into) = &mut schedule.steps[latest as usize] {
            into.columns = columns;
            into.indexed |= group.indexed;
            into.scatters |= group.scatters;
            into.members.extend(group.members);
        }
        target[index] = latest;
    }
    // Close the gaps.
    let mut position = vec![NONE; target.len()];
    let mut kept = 0;
    for (index, step) in schedule.steps.iter().enumerate() {
        if !matches!(step, Step::Group(group) if group.members.is_empty()) {
            position[index] = kept;
            kept += 1;
        }
    }
    for step in schedule.made_by.iter_mut().filter(|s| **s != NONE) {
        *step = position[target[*step as usize] as usize];
    }
    schedule.steps.retain(|step| !matches!(step, Step::Group(group) if group.members.is_empty()));
}
