//! From a group's instructions to its walk: where registers are, how long blocks are, what threads may share.

use super::body::{Body, Draft, What, least_common_multiple};
use super::fuse::{Group, Level};
use super::kernels::{Fused, Instr, Late, Location, Scattered};
use super::memory::LINE;
use crate::scalar::Element;

/// Elements of L1 that the values of a block may take together.
const L1: usize = 24 << 10;

/// Elements that a block is a multiple of, whole rows and periods, and its own; so many registers are in use at a time.
fn blocks<E: Element>(body: &Body, columns: usize, live: usize) -> (usize, usize) {
    let most = (L1 / size_of::<E>() / live.max(1)).clamp(128, 2048);
    // Whole rows and periods, and whole cache lines where that does not take too much.
    let whole = body.period.max(columns);
    let lines = least_common_multiple(whole, LINE / size_of::<E>());
    let unit = if lines <= most { lines } else { whole };
    let block = (most / unit).max(1) * unit;
    // What is read through a view is found in place by blocks that end where its rows do, if they are not much shorter.
    let full = |draft: &&Draft| body.registers[draft.out as usize].level == Level::Full;
    let rows = body.code.iter().filter(full).filter_map(|draft| match draft.what {
        What::Load(load) if !body.kept[load as usize] => body.loads[load as usize].row(),
        _ => None,
    });
    let even = rows.min().and_then(|row| {
        let parts = (1..=8).filter(|parts| row % parts == 0).map(|parts| row / parts);
        parts.filter(|part| part % unit == 0).find(|part| (block / 2..=most).contains(part))
    });
    (whole, even.unwrap_or(block))
}

/// The walk of a group: its instructions, and how its domain is cut.
pub(super) fn walk<E: Element>(body: &Body, group: &Group, threads: usize) -> Fused {
    let (places, slots) = body.place();
    // Registers in order, without those of absorbed instructions: each has a pointer that is set in every run.
    let mut locations: Vec<Location> = Vec::with_capacity(places.len());
    let mut index = vec![0; places.len()];
    for (index, location) in index.iter_mut().zip(places) {
        *index = locations.len() as u32;
        locations.extend(location);
    }
    let rows = body.registers.iter().any(|r| r.level == Level::Row);
    let columns = if rows { group.columns.unwrap_or(1).max(1) } else { 1 };
    let live = slots as usize + body.registers.iter().filter(|r| r.direct.is_some() || r.sink.is_some()).count();
    let (whole, block) = blocks::<E>(body, columns, live);
    let block = block.min(group.n.next_multiple_of(columns)).max(1);
    let code: Vec<Instr> = body
        .code
        .iter()
        .filter(|d| !matches!(d.what, What::Dead))
        .map(|d| {
            let row = body.registers[d.out as usize].level == Level::Row;
            let (out, [a, b, c]) = (index[d.out as usize], d.args.map(|arg| index[arg as usize]));
            match d.what {
                What::Unary(op) => Instr::Unary { op, row, out, a },
                What::Binary(op) => Instr::Binary { op, row, out, a, b },
                What::Ternary(op) => Instr::Ternary { op, row, out, args: [a, b, c] },
                What::Axpy(c) => Instr::Axpy { c, row, out, a, b },
                What::With(op, side, number) => Instr::With { op, side, number, row, out, a },
                What::AxpyWith { number, negative } => Instr::AxpyWith { number, negative, row, out, a, b },
                What::Fold(fold) => Instr::Fold { fold, out, a },
                What::Dot => Instr::Dot { out, a, b },
                What::Expand => Instr::Expand { out, a },
                What::Load(load) => Instr::Load { load, row, out },
                What::Gather(gather) => Instr::Gather { gather, out },
                What::Dead => unreachable!("filtered"),
            }
        })
        .collect();
    let once = code.iter().take_while(|i| matches!(i, Instr::Load { load, .. } if body.kept[*load as usize])).count();
    let lates: Vec<Late> = body
        .lates
        .iter()
        .map(|&(fold, from, level, kind, len, out)| {
            let (from, row) = (index[from as usize], level == Level::Row);
            Late { fold, from, row, kind, len, out }
        })
        .collect();
    let scatters = body.scatters.iter().map(|s| Scattered { from: index[s.from as usize], ..s.clone() }).collect();
    let work: usize = code.iter().map(|i| if i.is_row() { group.n / columns } else { group.n } * i.weight()).sum();
    let kept: usize = lates.iter().map(|l| l.len).sum();
    // Cut by size alone, so that the result does not depend on the number of threads.
    // Sums by indices are gathered in one place, in order.
    let most = if body.scatters.is_empty() { 16 } else { 1 };
    let chunks = (work >> 16).clamp(1, most).min(group.n.div_ceil(block)).max(1);
    let chunks = if kept * chunks > group.n { 1.max(group.n / kept.max(1)).min(chunks) } else { chunks };
    let per_chunk = group.n.div_ceil(chunks).next_multiple_of(block).max(block);
    let chunks = group.n.div_ceil(per_chunk).max(1);
    Fused {
        n: group.n,
        columns,
        block,
        per_chunk,
        chunks,
        code,
        once,
        period: whole,
        locations,
        loads: body.loads.clone(),
        gathers: body.gathers.clone(),
        scatters,
        lates,
        slots: slots as usize,
        scratch: if chunks > 1 { threads } else { 1 },
    }
}
