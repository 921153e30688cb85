//! Matrix products, each shape by the kernel that suits it.

use super::super::memory::{Bases, Near};
use super::{for_each_chunk, may_fork};
use crate::kernel::{Narrow, Scratch, Stack};
use crate::scalar::Element;
use crate::shape::{Shape, size};
use crate::tensor::Product;
use std::mem::MaybeUninit;

/// Where a factor is: the strides of its matrices from row to row and column to column, and from matrix to matrix.
#[derive(Clone, Debug)]
pub(in super::super) struct Source {
    pub(in super::super) buffer: u32,
    pub(in super::super) offset: usize,
    pub(in super::super) strides: [usize; 2],
    pub(in super::super) batch: Shape,
}

/// What a product is added to: so many times it, to an array as large as the result.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Start {
    pub(in super::super) buffer: u32,
    pub(in super::super) offset: usize,
    pub(in super::super) scale: f64,
}

/// What every row of a product begins with, and how far from it that of the next product of a stack stands.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Bias {
    pub(in super::super) buffer: u32,
    pub(in super::super) offset: usize,
    pub(in super::super) step: usize,
}

/// A stack of products `C = A·B`, or a product that is added to something.
#[derive(Clone, Debug)]
pub(in super::super) struct MatMul {
    pub(in super::super) m: usize,
    pub(in super::super) k: usize,
    pub(in super::super) n: usize,
    pub(in super::super) a: Source,
    pub(in super::super) b: Source,
    /// The stack's shape, without axes of length 1 and with those joined that step alike.
    pub(in super::super) lead: Shape,
    pub(in super::super) out: u32,
    /// Only for a single product that [is blocked](MatMul::is_blocked).
    pub(in super::super) start: Option<Start>,
    /// Only where it [can begin with one](MatMul::takes_bias).
    pub(in super::super) bias: Option<Bias>,
    /// The most threads that share it.
    pub(in super::super) threads: usize,
}

impl MatMul {
    pub(super) fn flops(&self) -> u64 {
        // As of the sum, and of the product with its factor if there is one.
        let sums = self.start.map_or(0, |s| if s.scale.abs() == 1.0 { 1 } else { 2 }) * self.m * self.n;
        let sums = sums + if self.bias.is_some() { size(&self.lead) * self.m * self.n } else { 0 };
        (2 * size(&self.lead) * self.m * self.n * self.k + sums) as u64
    }

    /// The buffers that are read, and those that are written.
    pub(in super::super) fn buffers(&self) -> (Vec<u32>, Vec<u32>) {
        let added = [self.start.map(|start| start.buffer), self.bias.map(|bias| bias.buffer)];
        let read = [[Some(self.a.buffer), Some(self.b.buffer)], added].concat();
        (read.into_iter().flatten().collect(), vec![self.out])
    }

    /// Whether it is one product, and nothing but a product.
    pub(in super::super) fn is_single(&self) -> bool {
        self.start.is_none() && self.lead.iter().all(|&n| n == 1)
    }

    /// Whether a single product of this size is large: left to [`gemm`](crate::tensor::gemm), or to
    /// [panels](MatMul::panels), whichever way its factors stand.
    pub(in super::super) fn is_blocked(&self) -> bool {
        self.m > NARROW && self.n > NARROW && self.m * self.n * self.k > tiny_turned(self.m)
    }

    pub(super) fn describe(&self) -> String {
        let stack = size(&self.lead);
        let many = if stack == 1 { String::new() } else { format!("{stack} × ") };
        let sum = match (&self.start, &self.bias) {
            (Some(_), _) => ", added",
            (_, Some(_)) => ", on a bias",
            _ => "",
        };
        format!("matmul {many}{}×{}×{}{sum}", self.m, self.k, self.n)
    }

    /// The products; `room` is for the panels that [one](MatMul::panels) is computed by.
    pub(super) fn run<E: Element>(&self, bases: &Bases<E>, room: &mut [E]) {
        let (m, k, n) = (self.m, self.k, self.n);
        if m * n == 0 {
            return;
        }
        debug_assert!(self.bias.is_none() || self.takes_bias(), "a bias that the kernel of this product does not know");
        if let Some(len) = self.panels::<E>() {
            return self.run_by_panels(bases, &mut room[..len]);
        }
        let place = |index: usize| {
            let (mut a, mut b, mut rest) = (self.a.offset, self.b.offset, index);
            for (axis, &len) in self.lead.iter().enumerate().rev() {
                a += rest % len * self.a.batch[axis];
                b += rest % len * self.b.batch[axis];
                rest /= len;
            }
            if k == 0 { (0, 0) } else { (a, b) }
        };
        let one = |index: usize| {
            let (a, b) = place(index);
            let product = Product {
                m,
                k,
                n,
                a: &bases.read_all(self.a.buffer)[a..],
                a_strides: self.a.strides,
                b: &bases.read_all(self.b.buffer)[b..],
                b_strides: self.b.strides,
                start: self
                    .start
                    .map(|start| (&bases.read_all(start.buffer)[start.offset..][..m * n], E::from_f64(start.scale))),
                fork: may_fork(self.threads),
                wake: false,
            };
            let out = bases.write(self.out, index * m * n, m * n);
            if self.start.is_some() {
                E::gemm(product, out);
            } else {
                multiply(&product, self.threads, out);
            }
        };
        let stack = size(&self.lead);
        let pieces = ((stack * m * n * k) >> 18).clamp(1, 16).min(stack);
        for_each_chunk(self.threads, 0..pieces, &|piece| {
            let items = piece * stack / pieces..(piece + 1) * stack / pieces;
            if !self.is_small() {
                return items.for_each(one);
            }
            // Along the last axis of the stack the factors stand at equal steps.
            let (len, last) = (self.lead[self.lead.len() - 1], self.lead.len() - 1);
            let mut from = items.start;
            while from < items.end {
                let count = (len - from % len).min(items.end - from);
                let (a, b) = place(from);
                let products = Stack {
                    count,
                    m,
                    k,
                    n,
                    a: &bases.read_all(self.a.buffer)[a..],
                    a_strides: self.a.strides,
                    a_step: self.a.batch[last],
                    b: &bases.read_all(self.b.buffer)[b..],
                    b_strides: self.b.strides,
                    b_step: self.b.batch[last],
                    bias: self.bias.map(|bias| {
                        let from = bias.offset + from * bias.step;
                        (&bases.read_all(bias.buffer)[from..], bias.step)
                    }),
                };
                (E::kernels().stack)(&products, bases.write(self.out, from * m * n, count * m * n));
                from += count;
            }
        });
    }

    /// Whether all of its rows may begin with a bias: in a stack of small products, with steps of their own.
    pub(in super::super) fn takes_bias(&self) -> bool {
        self.is_small() && self.lead.len() == 1 && self.m > 1 && self.n > 1
    }

    /// Whether it is a stack of small products.
    fn is_small(&self) -> bool {
        let many = self.lead.last().is_some_and(|&len| len > 1);
        many && self.start.is_none() && Stack::<()>::suits((self.m, self.k, self.n), self.a.strides, self.b.strides)
    }
}

/// Where a block's rows stand that only the kernels of a group see, if they do: behind so many elements of each row.
pub(in super::super) type NearAt = Option<usize>;

impl MatMul {
    /// The rows of the left factor from `from` to `to`, and room for those of the result; for a single product.
    pub(super) fn rows<'a, E: Element>(
        &self,
        bases: &'a Bases<E>,
        near: &'a Near<'_, E>,
        [a, out]: [NearAt; 2],
        (from, to): (usize, usize),
    ) -> (&'a [E], &'a mut [E]) {
        let a = match a {
            Some(at) => near.read(at, (to - from) * self.a.strides[0]),
            None => &bases.read_all(self.a.buffer)[self.a.offset + from * self.a.strides[0]..],
        };
        let out = match out {
            Some(at) => near.write(at, (to - from) * self.n),
            None => bases.write(self.out, from * self.n, (to - from) * self.n),
        };
        (a, out)
    }

    /// The rows `from..to` of the result; for a single product.
    pub(super) fn run_rows<E: Element>(
        &self,
        bases: &Bases<E>,
        near: &Near<'_, E>,
        places: [NearAt; 2],
        (from, to): (usize, usize),
    ) {
        let (a, out) = self.rows(bases, near, places, (from, to));
        let b = &bases.read_all(self.b.buffer)[self.b.offset..];
        let (m, k, n, a_strides, b_strides) = (to - from, self.k, self.n, self.a.strides, self.b.strides);
        if self.is_by_small() {
            let products = Stack { count: 1, m, k, n, a, a_strides, a_step: 0, b, b_strides, b_step: 0, bias: None };
            return (E::kernels().stack)(&products, out);
        }
        // The blocks of rows are what is shared.
        let (fork, wake) = (false, false);
        multiply(&Product { m, k, n, a, a_strides, b, b_strides, start: None, fork, wake }, 1, out);
    }

    /// Whether its rows are multiplied by a matrix so small that nothing of them is packed.
    pub(in super::super) fn is_by_small(&self) -> bool {
        self.n > NARROW && Stack::<()>::fits((self.m, self.k, self.n), self.a.strides, self.b.strides)
    }

    /// Whether [`add_inner`](MatMul::add_inner), by blocks of so many rows, adds to the result's transpose.
    pub(in super::super) fn adds_transposed<E: Element>(&self, block: usize) -> bool {
        let few = E::kernels().few.as_ref();
        few.is_some_and(|few| (few.suits_columns)(self.a.strides, (self.m, block, self.n)))
    }

    /// Whether [`add_inner`](MatMul::add_inner) has a kernel for the way its factors stand.
    pub(in super::super) fn can_add_inner(&self) -> bool {
        let whole_rows = self.b.strides[1] == 1 || self.n == 1;
        if self.n == 1 { self.a.strides[0] == 1 && self.b.strides[0] == 1 } else { whole_rows }
    }

    /// Adds what the range `from..to` of the inner axis gives to the result, or to its transpose; for a single product.
    pub(super) fn add_inner<E: Element>(
        &self,
        bases: &Bases<E>,
        near: &Near<'_, E>,
        [a, b]: [NearAt; 2],
        transposed: bool,
        (from, to): (usize, usize),
        out: &mut [E],
    ) {
        let table = E::kernels();
        // What comes from memory is on its way for the next block while it is read again for this one.
        let ahead = if a.is_none() && to < self.k { (to - from) * self.a.strides[1] } else { 0 };
        let a = match a {
            Some(at) => near.read(at, (to - from) * self.a.strides[1]),
            None => &bases.read_all(self.a.buffer)[self.a.offset + from * self.a.strides[1]..],
        };
        // The row behind the last one may be another thread's, and just being written.
        let end = if to > from { (to - from - 1) * self.b.strides[0] + self.n } else { 0 };
        let b = match b {
            Some(at) => near.read(at, end),
            None => &bases.read_all(self.b.buffer)[self.b.offset + from * self.b.strides[0]..][..end],
        };
        if self.n == 1 {
            (table.sum_rows)(a, self.a.strides[1], &b[..to - from], ahead, out);
        } else {
            let (m, k, n) = (self.m, to - from, self.n);
            let product = Narrow { m, k, n, a, a_strides: self.a.strides, b, b_strides: self.b.strides, add: true };
            match &table.few {
                Some(few) if transposed => (few.transposed)(&product, out),
                _ => (table.narrow)(&product, out),
            }
        }
    }

    /// Writes the result of which [`add_inner`](MatMul::add_inner) gave all, transposed or not.
    pub(super) fn finish<E: Element>(&self, bases: &Bases<E>, transposed: bool, sum: &[E]) {
        let out = bases.write(self.out, 0, self.m * self.n);
        if transposed {
            (E::kernels().turn)(sum, self.m, self.n, to_be_written(out));
        } else {
            out.copy_from_slice(sum);
        }
    }
}

/// For kernels that write all of a slice, and only elements.
pub(super) fn to_be_written<E>(slice: &mut [E]) -> &mut [MaybeUninit<E>] {
    // SAFETY: such a kernel leaves elements there.
    unsafe { &mut *(std::ptr::from_mut(slice) as *mut [MaybeUninit<E>]) }
}

/// Columns up to which a product of many rows is left to tiles that pack nothing.
pub(in super::super) const NARROW: usize = 32;

/// Multiply-adds up to which packing costs more than it saves.
const TINY: usize = 1 << 15;

/// The same where the right factor stands by columns: a library's kernel packs it number by number, which many rows
/// pay for and few do not.
fn tiny_turned(m: usize) -> usize {
    if m <= 48 { 1 << 22 } else { 1 << 19 }
}

/// Elements of a right factor that is turned before the library's kernel reads it, and rows of a product for which that
/// pays: the library packs it number by number, for which few rows do not make up. Only in `f32` is it slow enough.
const TURNED: usize = 1 << 15;
const TURNED_FOR: usize = 512;

/// Rows up to which products of long rows with long rows are dots: tiles of them would be mostly empty.
const FEW: usize = 4;

/// `C = A·B`.
pub(in super::super) fn multiply<E: Element>(p: &Product<'_, E>, threads: usize, out: &mut [E]) {
    let Product { m, k, n, a, a_strides, b, b_strides, start: _, fork: _, wake: _ } = *p;
    debug_assert!(p.start.is_none(), "a product that is added goes to `gemm`");
    if m * n * k == 0 {
        out.fill(E::from_f64(0.0));
        return;
    }
    let table = E::kernels();
    let rows_of_b = b_strides[1] == 1 || n == 1;
    if n == 1 && a_strides[1] == 1 && b_strides[0] == 1 {
        // Rows of A against a vector.
        let pieces = ((m * k) >> 17).clamp(1, 16).min(m);
        let target = super::super::memory::Shared::new(out);
        for_each_chunk(threads, 0..pieces, &|piece| {
            let (from, to) = (piece * m / pieces, (piece + 1) * m / pieces);
            (table.dot_rows)(&a[from * a_strides[0]..], a_strides[0], &b[..k], target.part(from, to - from));
        });
        return;
    }
    if n == 1 && a_strides[0] == 1 && b_strides[0] == 1 {
        // A vector against rows: C = Σ bₖ·Aₖ.
        out.fill(E::from_f64(0.0));
        (table.sum_rows)(a, a_strides[1], &b[..k], 0, out);
        return;
    }
    if m == 1 && b_strides[1] == 1 && a_strides[1] == 1 {
        out.fill(E::from_f64(0.0));
        (table.sum_rows)(b, b_strides[0], &a[..k], 0, out);
        return;
    }
    if m == 1 && b_strides[0] == 1 && a_strides[1] == 1 {
        (table.dot_rows)(b, b_strides[1], &a[..k], out);
        return;
    }
    if m.max(n) <= FEW && (64..=1 << 15).contains(&k) && a_strides[1] == 1 && b_strides[0] == 1 {
        for (i, out) in out.chunks_exact_mut(n).enumerate() {
            let row = &a[i * a_strides[0]..][..k];
            (table.dot_rows)(b, b_strides[1], row, out);
        }
        return;
    }
    let tiny = if rows_of_b { m * n * k <= TINY } else { b_strides[0] == 1 && m * n * k <= tiny_turned(m) };
    // For few columns, whichever way the right factor stands.
    let (size, tall) = ((m, k, n), m >= 2 * n);
    let slim = table.few.as_ref().filter(|_| n <= NARROW).and_then(|few| {
        if tall && (few.suits_dots)(a_strides, size) {
            Some(few.packing)
        } else if (tall || m <= NARROW) && (few.suits_columns)(a_strides, size) {
            Some(few.columns)
        } else {
            None
        }
    });
    if slim.is_some() || tiny || (rows_of_b && n <= NARROW && tall) {
        let kernel = slim.unwrap_or(table.narrow);
        let pieces = ((m * n * k) >> 19).clamp(1, 16).next_power_of_two().min(m / 16).max(1);
        let target = super::super::memory::Shared::new(out);
        for_each_chunk(threads, 0..pieces, &|piece| {
            let step = m.div_ceil(pieces).next_multiple_of(16);
            let (from, to) = ((piece * step).min(m), ((piece + 1) * step).min(m));
            if from < to {
                let a = &a[from * a_strides[0]..];
                let part = Narrow { m: to - from, k, n, a, a_strides, b, b_strides, add: false };
                kernel(&part, target.part(from * n, (to - from) * n));
            }
        });
        return;
    }
    if !rows_of_b && b_strides[0] == 1 && k * n <= TURNED && m <= TURNED_FOR && size_of::<E>() == size_of::<f32>() {
        multiply_turned(p, out);
        return;
    }
    E::gemm(*p, out);
}

/// The product, with its small right factor turned before. Apart from [`multiply`], for its scratch is on the stack.
#[inline(never)]
fn multiply_turned<E: Element>(p: &Product<'_, E>, out: &mut [E]) {
    let mut scratch = Scratch::<E, TURNED>::new();
    let turned = &mut scratch[..p.k * p.n];
    (E::kernels().turn)(p.b, p.b_strides[1], p.n, turned);
    // SAFETY: all of it was written.
    let b = unsafe { std::slice::from_raw_parts(turned.as_ptr().cast::<E>(), turned.len()) };
    E::gemm(Product { b, b_strides: [p.n, 1], ..*p }, out);
}
