//! The loops, compiled for each instruction set.

use super::deep::{self, Deep};
use super::fold::{self, Fold};
use super::loops::{self, Ternary};
#[cfg(not(target_arch = "aarch64"))]
use super::machine::Baseline;
use super::machine::Machine;
#[cfg(target_arch = "aarch64")]
use super::machine::Neon;
#[cfg(target_arch = "x86_64")]
use super::machine::{Avx2, Avx512};
use super::math::Math;
use super::narrow::{self, Narrow};
use super::panels;
use super::stack::{self, Stack};
use super::steps::{self, Steps};
use super::tall::{self, Tall};
use super::turn;
use super::vector;
use crate::op::{Binary, Unary};
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// The loops for one element type and one instruction set.
///
/// Lengths: all slices of a call have the length of the result, except where said.
#[allow(clippy::type_complexity, reason = "a loop over three arguments has no shorter type")]
pub struct Table<E: 'static> {
    /// The instruction set's name.
    pub(crate) name: &'static str,
    pub(crate) unary: fn(Unary, &[E], &mut [E]),
    pub(crate) binary: fn(Binary, &[E], &[E], &mut [E]),
    pub(crate) ternary: fn(Ternary, &[E], &[E], &[E], &mut [E]),
    /// Cheap ops, one after the other.
    pub(crate) steps: fn(&Steps<'_, E>),
    /// `y = a + c·b`
    pub(crate) axpy: fn(E, &[E], &[E], &mut [E]),
    /// `(fold, x, columns, y)`: `x` has `columns` elements for each of `y`.
    pub(crate) fold_rows: fn(Fold, &[E], usize, &mut [E]),
    /// `(fold, x, start, acc)`
    pub(crate) fold_columns: fn(Fold, &[E], usize, &mut [E]),
    /// `(x, columns, y)`: `y` has `columns` elements for each of `x`.
    pub(crate) expand: fn(&[E], usize, &mut [E]),
    /// `C = A·B`; `C` is the last argument.
    pub(crate) narrow: fn(&Narrow<'_, E>, &mut [E]),
    /// `C = A·B` or a sum, where `A` stands by columns; `C` is the last argument.
    pub(crate) deep: Option<fn(&Deep<'_, E>, &mut [E])>,
    /// Products of many rows, where registers are enough for tiles.
    pub(crate) many: Option<Many<E>>,
    /// Small products `C = A·B`; all of `C` is the last argument.
    pub(crate) stack: fn(&Stack<'_, E>, &mut [E]),
    /// Kernels for few columns, where registers are enough for them.
    pub(crate) few: Option<Few<E>>,
    /// `(x, stride, columns, y)`: vectors that stand so far apart, to so many columns of `y`, all of which is written.
    pub(crate) turn: fn(&[E], usize, usize, &mut [MaybeUninit<E>]),
    /// `(A, stride, x, y)`: `yᵢ = Aᵢ·x` for the rows of `A`.
    pub(crate) dot_rows: fn(&[E], usize, &[E], &mut [E]),
    /// `(a, b, columns, y)`: `yᵣ = aᵣ·bᵣ` for rows of so many elements.
    pub(crate) dot_pairs: fn(&[E], &[E], usize, &mut [E]),
    /// `(A, stride, x, ahead, y)`: `y += Σ xₖ·Aₖ` over the rows of `A`; what is so far ahead of them is asked for, if it is.
    pub(crate) sum_rows: fn(&[E], usize, &[E], usize, &mut [E]),
}

/// Products with few columns, in parts that a caller may want apart.
#[allow(clippy::type_complexity, reason = "as for a table")]
pub(crate) struct Few<E: 'static> {
    /// `(strides of A, (m, k, n))`: whether `dots` suits the product.
    pub(crate) suits_dots: fn([usize; 2], (usize, usize, usize)) -> bool,
    /// `(k, n)`: the elements that `pack` fills.
    pub(crate) packed_len: fn(usize, usize) -> usize,
    /// `(B, strides, (k, n), copied)`: copies a right factor for `dots`.
    pub(crate) pack: fn(&[E], [usize; 2], (usize, usize), &mut [MaybeUninit<E>]),
    /// `C = A·B`, where `A` stands by rows; `C` is the last argument.
    pub(crate) packing: fn(&Narrow<'_, E>, &mut [E]),
    /// The same, with a copied `B`.
    pub(crate) dots: fn(&Narrow<'_, E>, &[E], &mut [E]),
    /// `(strides of A, (m, k, n))`: whether `columns` and `transposed` suit the product.
    pub(crate) suits_columns: fn([usize; 2], (usize, usize, usize)) -> bool,
    /// `Cᵀ = (A·B)ᵀ`, where `A` stands by columns; `Cᵀ` is the last argument.
    pub(crate) transposed: fn(&Narrow<'_, E>, &mut [E]),
    /// `C = A·B`, where `A` stands by columns.
    pub(crate) columns: fn(&Narrow<'_, E>, &mut [E]),
}

/// Products of many rows by a matrix that is copied apart.
#[allow(clippy::type_complexity, reason = "as for a table")]
pub(crate) struct Many<E: 'static> {
    /// Columns of a panel.
    pub(crate) width: usize,
    /// `(B, strides, (k, n), copied)`: copies a right factor to whole panels of `k` rows, one behind the other.
    pub(crate) pack: fn(&[E], [usize; 2], (usize, usize), &mut [MaybeUninit<E>]),
    /// `C = A·B` by a copied `B`; `C` is the last argument.
    pub(crate) multiply: fn(&Tall<'_, E>, &[E], &mut [E]),
}

#[inline(always)]
fn turned<E: Math, M: Machine>(x: &[E], stride: usize, columns: usize, y: &mut [MaybeUninit<E>]) {
    turn::turn::<E, M>(x, stride, (columns, columns), y);
}

/// Generates a table: each loop behind a safe function that enters it with the features enabled.
macro_rules! table {
    ($name:literal, $machine:ident $(, $feature:literal)?) => {{
        table!(@fn unary(op: Unary, x: &[E], y: &mut [E]) = loops::unary::<E, $machine> $(, $feature)?);
        table!(@fn binary(op: Binary, a: &[E], b: &[E], y: &mut [E]) = loops::binary::<E, $machine> $(, $feature)?);
        table!(@fn ternary(op: Ternary, a: &[E], b: &[E], c: &[E], y: &mut [E]) = loops::ternary::<E, $machine> $(, $feature)?);
        table!(@fn axpy(c: E, a: &[E], b: &[E], y: &mut [E]) = loops::axpy::<E, $machine> $(, $feature)?);
        table!(@fn steps(steps: &Steps<'_, E>) = steps::run::<E, $machine> $(, $feature)?);
        table!(@fn fold_rows(fold: Fold, x: &[E], columns: usize, y: &mut [E]) = fold::fold_rows::<E, $machine> $(, $feature)?);
        table!(@fn fold_columns(fold: Fold, x: &[E], start: usize, acc: &mut [E]) = fold::fold_columns::<E, $machine> $(, $feature)?);
        table!(@fn expand(x: &[E], columns: usize, y: &mut [E]) = fold::expand::<E, $machine> $(, $feature)?);
        table!(@fn narrow(product: &Narrow<'_, E>, out: &mut [E]) = narrow::multiply::<E, $machine> $(, $feature)?);
        table!(@fn deep(product: &Deep<'_, E>, out: &mut [E]) = deep::multiply::<E, $machine> $(, $feature)?);
        table!(@fn copied(b: &[E], strides: [usize; 2], size: (usize, usize), into: &mut [MaybeUninit<E>]) = panels::pack::<E, $machine> $(, $feature)?);
        table!(@fn tall(product: &Tall<'_, E>, packed: &[E], out: &mut [E]) = tall::multiply::<E, $machine> $(, $feature)?);
        table!(@fn stack(products: &Stack<'_, E>, out: &mut [E]) = stack::multiply::<E, $machine> $(, $feature)?);
        table!(@fn pack(b: &[E], strides: [usize; 2], size: (usize, usize), into: &mut [MaybeUninit<E>]) = narrow::pack::<E, $machine> $(, $feature)?);
        table!(@fn packing(product: &Narrow<'_, E>, out: &mut [E]) = narrow::multiply_packing::<E, $machine> $(, $feature)?);
        table!(@fn columns(product: &Narrow<'_, E>, out: &mut [E]) = narrow::multiply_columns::<E, $machine> $(, $feature)?);
        table!(@fn dots(product: &Narrow<'_, E>, packed: &[E], out: &mut [E]) = narrow::multiply_packed::<E, $machine> $(, $feature)?);
        table!(@fn transposed(product: &Narrow<'_, E>, out: &mut [E]) = narrow::multiply_transposed::<E, $machine> $(, $feature)?);
        table!(@fn turn(x: &[E], stride: usize, columns: usize, y: &mut [MaybeUninit<E>]) = turned::<E, $machine> $(, $feature)?);
        table!(@fn dot_rows(a: &[E], stride: usize, x: &[E], y: &mut [E]) = vector::dot_rows::<E, $machine> $(, $feature)?);
        table!(@fn dot_pairs(a: &[E], b: &[E], columns: usize, y: &mut [E]) = vector::dot_pairs::<E, $machine> $(, $feature)?);
        table!(@fn sum_rows(a: &[E], stride: usize, x: &[E], ahead: usize, y: &mut [E]) = vector::sum_rows::<E, $machine> $(, $feature)?);
        Table {
            name: $name,
            unary: unary::<E>,
            binary: binary::<E>,
            ternary: ternary::<E>,
            axpy: axpy::<E>,
            steps: steps::<E>,
            fold_rows: fold_rows::<E>,
            fold_columns: fold_columns::<E>,
            expand: expand::<E>,
            narrow: narrow::<E>,
            deep: if <$machine as Machine>::REGISTERS >= 16 { Some(deep::<E>) } else { None },
            many: if <$machine as Machine>::REGISTERS >= 16 { Some(Many {
                width: panels::width::<E, $machine>(),
                pack: copied::<E>,
                multiply: tall::<E>,
            }) } else { None },
            stack: stack::<E>,
            few: if <$machine as Machine>::REGISTERS >= 16 { Some(Few {
                suits_dots: narrow::suits_dots::<E, $machine>,
                packed_len: narrow::packed_len::<E, $machine>,
                pack: pack::<E>,
                packing: packing::<E>,
                dots: dots::<E>,
                suits_columns: narrow::suits_columns::<E, $machine>,
                transposed: transposed::<E>,
                columns: columns::<E>,
            }) } else { None },
            turn: turn::<E>,
            dot_rows: dot_rows::<E>,
            dot_pairs: dot_pairs::<E>,
            sum_rows: sum_rows::<E>,
        }
    }};
    (@fn $f:ident($($arg:ident: $type:ty),*) = $loop:path, $feature:literal) => {
        fn $f<E: Math>($($arg: $type),*) {
            #[target_feature(enable = $feature)]
            fn enabled<E: Math>($($arg: $type),*) {
                $loop($($arg),*);
            }
            // SAFETY: the table is only handed out after the processor was found to have the features.
            unsafe { enabled($($arg),*) }
        }
    };
    (@fn $f:ident($($arg:ident: $type:ty),*) = $loop:path) => {
        fn $f<E: Math>($($arg: $type),*) {
            $loop($($arg),*);
        }
    };
}

/// The table for this processor.
pub(super) fn best<E: Math>() -> Table<E> {
    #[cfg(target_arch = "x86_64")]
    match level() {
        2 => return table!("AVX-512", Avx512, "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"),
        1 => return table!("AVX2+FMA", Avx2, "avx2,fma"),
        _ => {}
    }
    #[cfg(target_arch = "aarch64")]
    return table!("NEON", Neon);
    #[cfg(not(target_arch = "aarch64"))]
    table!("baseline", Baseline)
}

/// 2 for AVX-512, 1 for AVX2 with fused multiply-add, 0 for what the target guarantees.
#[cfg(target_arch = "x86_64")]
pub(super) fn level() -> u8 {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl");
    u8::from(avx2) + u8::from(avx512)
}

macro_rules! cached {
    ($($type:ident, $cell:ident);*) => {
        $(static $cell: OnceLock<Table<$type>> = OnceLock::new();
        impl super::HasTable for $type {
            #[inline]
            fn table() -> &'static Table<Self> {
                $cell.get_or_init(best::<$type>)
            }
        })*
    };
}

cached!(f32, F32; f64, F64);
