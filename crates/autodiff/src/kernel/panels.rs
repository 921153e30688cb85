//! Right factors of large products, copied to panels as wide as a tile, and what becomes of the tiles.

use super::machine::Machine;
use super::math::Math;
use super::register::Register;
use super::turn::turn;
use std::mem::MaybeUninit;

/// Registers side by side in a tile.
pub(super) const ABREAST: usize = 2;

/// Columns of a panel.
#[inline(always)]
pub(super) const fn width<E: Math, M: Machine>() -> usize {
    ABREAST * <E::Register<M> as Register<E>>::LANES
}

/// Copies `B`, panel by panel, each row by row and filled up with zeros. All of `into` is written.
#[inline(always)]
pub(super) fn pack<E: Math, M: Machine>(
    b: &[E],
    [rs, cs]: [usize; 2],
    (k, n): (usize, usize),
    into: &mut [MaybeUninit<E>],
) {
    let panel = width::<E, M>();
    let lanes = E::Register::<M>::LANES;
    assert!(into.len() == n.next_multiple_of(panel) * k, "panels have another size");
    assert!((k - 1) * rs + (n - 1) * cs < b.len(), "a product reads beyond its right factor");
    for (at, into) in (0..n).step_by(panel).zip(into.chunks_exact_mut(panel * k)) {
        let width = panel.min(n - at);
        if rs == 1 && cs > 0 {
            turn::<E, M>(&b[at * cs..], cs, (width, panel), into);
            continue;
        }
        for (k, into) in into.chunks_exact_mut(panel).enumerate() {
            let from = k * rs + at * cs;
            if cs == 1 {
                for v in 0..ABREAST {
                    let some = width.saturating_sub(v * lanes).min(lanes);
                    // SAFETY: row `k` has `width` more elements, and the panel's row two registers.
                    unsafe {
                        let row = b.as_ptr().add(from + (v * lanes).min(width));
                        let row = E::Register::<M>::load_first(row, some);
                        row.store(into.as_mut_ptr().add(v * lanes).cast());
                    }
                }
            } else {
                for (j, into) in into.iter_mut().enumerate() {
                    into.write(if j < width { b[from + j * cs] } else { E::from_f64(0.0) });
                }
            }
        }
    }
}

/// A tile: registers side by side in some rows.
type Tile<E, M, const R: usize, const V: usize> = [[<E as Math>::Register<M>; V]; R];

/// Makes of a tile, or of so many times the tile, its sum with what stands in rows so many elements apart, of each of which
/// so many are the tile's: whole registers if they are `FULL`. All of it is read before a tile is [`put`] anywhere: what
/// is written would keep it waiting.
///
/// # Safety
///
/// They can be read there.
#[inline(always)]
pub(super) unsafe fn add<E: Math, M: Machine, const R: usize, const V: usize, const FULL: bool>(
    tile: &mut Tile<E, M, R, V>,
    times: Option<E>,
    mut from: *const E,
    apart: usize,
    width: usize,
) {
    let lanes = E::Register::<M>::LANES;
    for row in tile {
        for (v, x) in row.iter_mut().enumerate() {
            let some = width.saturating_sub(v * lanes).min(lanes);
            if FULL || some > 0 {
                // SAFETY: the caller's.
                let there = unsafe { read::<E, M, FULL>(from.wrapping_add(v * lanes), some) };
                *x = match times {
                    None => x.plus(there),
                    Some(times) => E::Register::<M>::mul_add(*x, E::Register::<M>::splat(times), there),
                };
            }
        }
        from = from.wrapping_add(apart);
    }
}

/// Writes a tile to rows so many elements apart, so many of them to each.
///
/// # Safety
///
/// They can be written there.
#[inline(always)]
pub(super) unsafe fn put<E: Math, M: Machine, const R: usize, const V: usize, const FULL: bool>(
    tile: &Tile<E, M, R, V>,
    mut into: *mut E,
    apart: usize,
    width: usize,
) {
    let lanes = E::Register::<M>::LANES;
    for row in tile {
        for (v, &x) in row.iter().enumerate() {
            let some = width.saturating_sub(v * lanes).min(lanes);
            if FULL || some > 0 {
                // SAFETY: the caller's.
                unsafe { write::<E, M, FULL>(x, into.wrapping_add(v * lanes), some) };
            }
        }
        into = into.wrapping_add(apart);
    }
}

/// A register, or the first lanes of one.
///
/// # Safety
///
/// They can be read there.
#[inline(always)]
unsafe fn read<E: Math, M: Machine, const FULL: bool>(at: *const E, some: usize) -> E::Register<M> {
    // SAFETY: the caller's.
    unsafe { if FULL { E::Register::<M>::load(at) } else { E::Register::<M>::load_first(at, some) } }
}

/// Writes a register, or its first lanes.
///
/// # Safety
///
/// They can be written there.
#[inline(always)]
unsafe fn write<E: Math, M: Machine, const FULL: bool>(x: E::Register<M>, at: *mut E, some: usize) {
    // SAFETY: the caller's.
    unsafe { if FULL { x.store(at) } else { x.store_first(at, some) } }
}
