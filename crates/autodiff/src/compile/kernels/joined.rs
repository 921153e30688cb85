//! Arrays one behind the other.

use super::super::memory::Bases;
use super::Load;
use crate::scalar::Element;

/// One of the arrays: where it is read, and where its rows start in a row of the result.
#[derive(Clone, Debug)]
pub(in super::super) struct Part {
    pub(in super::super) load: Load,
    pub(in super::super) start: usize,
    pub(in super::super) len: usize,
}

/// A concatenation: `outer` rows, each the rows of the parts one behind the other.
#[derive(Clone, Debug)]
pub(in super::super) struct Joined {
    pub(in super::super) parts: Vec<Part>,
    pub(in super::super) outer: usize,
    pub(in super::super) row: usize,
    pub(in super::super) out: u32,
}

impl Joined {
    pub(super) fn run<E: Element>(&self, bases: &Bases<E>) {
        // Some rows at a time, so that parts that fill a row one element each find its lines near.
        let rows = (ROWS / self.row.max(1)).max(1);
        for from in (0..self.outer).step_by(rows) {
            let to = (from + rows).min(self.outer);
            for part in self.parts.iter().filter(|p| p.len > 0) {
                let data = bases.read_all(part.load.buffer);
                // Only what is written is borrowed: another piece of the whole may be what is read.
                if let (1, Some((first, stride))) = (part.len, part.load.line()) {
                    let source = data[first..].iter().step_by(stride.max(1)).skip(from).take(to - from);
                    let column = bases.pointer(self.out, from * self.row + part.start, (to - from - 1) * self.row + 1);
                    for (i, &x) in source.enumerate() {
                        // SAFETY: there are at most `to − from` numbers, so that the last one ends where the column does.
                        unsafe { column.add(i * self.row).write(x) };
                    }
                    continue;
                }
                for outer in from..to {
                    let target = bases.write(self.out, outer * self.row + part.start, part.len);
                    part.load.read(data, outer * part.len, target);
                }
            }
        }
    }
}

/// Elements of the result that are written before going on with the next part.
const ROWS: usize = 2048;
