//! Stacks of small products: one for each of many small networks, or for each item of a batch.
//!
//! What the products of a stack have in common is decided once, so that each costs little more than its multiply-adds. A
//! tile of `C` stays in registers; each element of `A` is taken in all lanes, times a row of `B`. A `B` that stands by
//! columns is turned first, unless one row is multiplied by it: then the result is dots.

mod dots;

use super::machine::Machine;
use super::math::Math;
use super::register::{Register, load_all, move_on};
use super::scratch::Scratch;
use super::turn;
use std::mem::MaybeUninit;

/// As many products `C = A·B`; their results stand one behind the other, row-major.
#[derive(Clone, Copy)]
pub(crate) struct Stack<'a, E> {
    pub(crate) count: usize,
    /// Rows of `A` and `C`.
    pub(crate) m: usize,
    /// Columns of `A`, rows of `B`.
    pub(crate) k: usize,
    /// Columns of `B` and `C`.
    pub(crate) n: usize,
    pub(crate) a: &'a [E],
    /// Strides of `A` from row to row and from column to column.
    pub(crate) a_strides: [usize; 2],
    /// From one `A` to the next.
    pub(crate) a_step: usize,
    pub(crate) b: &'a [E],
    /// Strides of `B`; one of them is 1 where it has more than one row and column.
    pub(crate) b_strides: [usize; 2],
    /// From one `B` to the next.
    pub(crate) b_step: usize,
    /// What every row of a result begins with, and how far from it that of the next one stands; not for a single row or
    /// column.
    pub(crate) bias: Option<(&'a [E], usize)>,
}

/// Elements of a right factor for which there is room, should it be copied.
const ROOM: usize = 4096;

/// The most registers side by side in a tile.
const ABREAST: usize = 3;

/// The most rows of a tile.
const MOST_ROWS: usize = 12;

/// As many lanes as a register has at most.
const MOST_LANES: usize = 16;

impl<E> Stack<'_, E> {
    /// Multiply-adds of a product for which a kernel that blocks and packs is not better.
    const SMALL: usize = 1 << 18;

    /// Whether the products are small.
    pub(crate) fn suits((m, k, n): (usize, usize, usize), a_strides: [usize; 2], b_strides: [usize; 2]) -> bool {
        m * k * n <= Self::SMALL && Self::fits((m, k, n), a_strides, b_strides)
    }

    /// Whether there is room for right factors, which stand in a way that is read as it is.
    pub(crate) fn fits((m, k, n): (usize, usize, usize), a_strides: [usize; 2], b_strides: [usize; 2]) -> bool {
        // A single column is multiplied as a row, by what stands for the other factor then.
        let (columns, strides) = if n == 1 { (m, a_strides) } else { (n, b_strides) };
        let room = k * columns.next_multiple_of(MOST_LANES) <= ROOM;
        room && m * k * n > 0 && (columns == 1 || strides.contains(&1))
    }

    /// The transposed products, of which the one is stored as the other where they are single columns or rows.
    fn transposed(self) -> Self {
        let turned = |[r, c]: [usize; 2]| [c, r];
        Self {
            m: self.n,
            n: self.m,
            a: self.b,
            a_strides: turned(self.b_strides),
            a_step: self.b_step,
            b: self.a,
            b_strides: turned(self.a_strides),
            b_step: self.a_step,
            ..self
        }
    }
}

/// The products; `out` holds all results, and nothing is empty.
#[inline(always)]
pub(super) fn multiply<E: Math, M: Machine>(p: &Stack<'_, E>, out: &mut [E]) {
    let p = &if p.n == 1 { p.transposed() } else { *p };
    let Stack { count, m, k, n, .. } = *p;
    let last = |[r, c]: [usize; 2], step: usize, rows: usize, columns: usize| {
        (count - 1) * step + (rows - 1) * r + (columns - 1) * c
    };
    assert!(last(p.a_strides, p.a_step, m, k) < p.a.len(), "a stack of products reads beyond its left factors");
    assert!(last(p.b_strides, p.b_step, k, n) < p.b.len(), "a stack of products reads beyond its right factors");
    assert!(out.len() == count * m * n, "a stack of products has another size than its results");
    if let Some((bias, step)) = p.bias {
        assert!(m > 1 && n > 1 && (count - 1) * step + n <= bias.len(), "a stack of products reads beyond its biases");
    }
    if m == 1 && p.a_strides[1] == 1 && p.b_strides[0] == 1 && (n == 1 || p.b_strides[1] != 1) {
        return dots::multiply::<E, M>(p, out);
    }
    let by_rows = p.b_strides[1] == 1 || n == 1;
    let lanes = E::Register::<M>::LANES;
    let padded = n.next_multiple_of(lanes);
    let mut scratch = Scratch::<E, ROOM>::new();
    let copy = &mut scratch[..k * padded];
    if !by_rows {
        assert!(p.b_strides[0] == 1, "right factors stand neither by rows nor by columns");
        // What stands beyond the columns is multiplied with them.
        copy.fill(MaybeUninit::new(E::from_f64(0.0)));
    }
    let mut copied = None;
    for (item, out) in out.chunks_exact_mut(m * n).enumerate() {
        let b = &p.b[item * p.b_step..];
        let (rows, stride) = if by_rows && (k - 1) * p.b_strides[0] + padded <= b.len() {
            (b.as_ptr(), p.b_strides[0])
        } else {
            // What was copied for the item before is there still if it has the same factor.
            if copied != Some(item * p.b_step) {
                if by_rows {
                    copy_rows::<E, M>(b, p.b_strides[0], (n, padded), copy);
                } else {
                    turn::columns::<E, M>(b, p.b_strides[1], (n, padded), copy);
                }
                copied = Some(item * p.b_step);
            }
            (copy.as_ptr().cast::<E>(), padded)
        };
        let factors = Factors { a: p.a[item * p.a_step..].as_ptr(), a_strides: p.a_strides, k, rows, stride };
        let mut at = 0;
        while at < n {
            // Registers in groups as equal as can be.
            let left = (n - at).div_ceil(lanes);
            let abreast = left.div_ceil(left.div_ceil(ABREAST));
            let width = (n - at).min(abreast * lanes);
            let bias = p.bias.map(|(bias, step)| &bias[item * step + at..][..width]);
            let target = Target { out: &mut *out, n, at, width, bias };
            match abreast {
                1 => factors.multiply::<M, 1>(m, target),
                2 => factors.multiply::<M, 2>(m, target),
                _ => factors.multiply::<M, ABREAST>(m, target),
            }
            at += width;
        }
    }
}

/// Rows behind which nothing may be read, to rows of `padded` elements, whole registers.
#[inline(always)]
fn copy_rows<E: Math, M: Machine>(
    b: &[E],
    stride: usize,
    (width, padded): (usize, usize),
    into: &mut [MaybeUninit<E>],
) {
    let lanes = E::Register::<M>::LANES;
    for (k, into) in into.chunks_exact_mut(padded).enumerate() {
        let row = &b[k * stride..][..width];
        for (part, into) in row.chunks(lanes).zip(into.chunks_exact_mut(lanes)) {
            // SAFETY: the part has so many elements, and a register's worth of room is written.
            unsafe { E::Register::<M>::load_first(part.as_ptr(), part.len()).store(into.as_mut_ptr().cast()) };
        }
    }
}

/// The factors of one product: all elements of `a` are there, and of each of the `k` rows of `B` whole registers.
struct Factors<E> {
    a: *const E,
    a_strides: [usize; 2],
    k: usize,
    rows: *const E,
    stride: usize,
}

/// Some columns of `C`: from this one on, so many; and what they begin with.
struct Target<'a, E> {
    out: &'a mut [E],
    n: usize,
    at: usize,
    width: usize,
    bias: Option<&'a [E]>,
}

/// The most rows of a tile that is so many registers wide: beside it, registers hold a row of `B` and one element of `A`.
const fn most_rows<M: Machine>(abreast: usize) -> usize {
    match (M::REGISTERS, abreast) {
        (32, 1 | 2) | (16, 1) => MOST_ROWS,
        (32, _) => 8,
        (16, 2) => 6,
        (16, _) | (_, 1) => 4,
        _ => 2,
    }
}

impl<E: Math> Factors<E> {
    /// All rows, in tiles as equal as can be.
    #[inline(always)]
    fn multiply<M: Machine, const V: usize>(&self, m: usize, mut target: Target<'_, E>) {
        let most = const { most_rows::<M>(V) };
        let mut i = 0;
        while i < m {
            let rows = (m - i).div_ceil((m - i).div_ceil(most));
            macro_rules! tiles {
                ($($rows:literal)*) => {
                    match rows {
                        $($rows if $rows <= most => self.tile::<M, $rows, V>(i, &mut target),)*
                        _ => unreachable!("tiles have no more rows"),
                    }
                };
            }
            tiles!(1 2 3 4 5 6 7 8 9 10 11 12);
            i += rows;
        }
    }

    /// A tile of `R` rows, from row `i` on.
    #[inline(always)]
    fn tile<M: Machine, const R: usize, const V: usize>(&self, i: usize, target: &mut Target<'_, E>) {
        let lanes = E::Register::<M>::LANES;
        let [rs, cs] = self.a_strides;
        // Lanes of the last register that are in C.
        let some = target.width - (V - 1) * lanes;
        let mut acc = [[E::Register::<M>::splat(E::from_f64(0.0)); V]; R];
        if let Some(bias) = target.bias {
            let mut row = acc[0];
            for (v, row) in row.iter_mut().enumerate() {
                // SAFETY: the bias is as wide as the target.
                unsafe {
                    let from = bias.as_ptr().add(v * lanes);
                    *row = if v + 1 < V || some == lanes {
                        E::Register::<M>::load(from)
                    } else {
                        E::Register::<M>::load_first(from, some)
                    };
                }
            }
            acc = [row; R];
        }
        // Where every fourth row of A stands: an address of each row in between is one addition away.
        let start = self.a.wrapping_add(i * rs);
        let mut fourth: [*const E; MOST_ROWS / 4] = std::array::from_fn(|r| start.wrapping_add(4 * r * rs));
        let mut row = self.rows.wrapping_add(target.at);
        for _ in 0..self.k {
            // SAFETY: the registers of a row are there, as `Factors` says.
            let b: [E::Register<M>; V] = unsafe { load_all(row, lanes) };
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: the elements of A are there.
                let a = E::Register::<M>::splat(unsafe { *fourth[r / 4].wrapping_add(r % 4 * rs) });
                for v in 0..V {
                    acc[v] = E::Register::<M>::mul_add(a, b[v], acc[v]);
                }
            }
            move_on(&mut fourth, cs);
            row = row.wrapping_add(self.stride);
        }
        let out = &mut target.out[i * target.n + target.at..][..(R - 1) * target.n + target.width];
        for (r, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                // SAFETY: the last row ends with the slice.
                unsafe {
                    let into = out.as_mut_ptr().add(r * target.n + v * lanes);
                    if v + 1 < V || some == lanes { acc.store(into) } else { acc.store_first(into, some) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
