//! Which elements of an output depend on which elements of an input, from the program alone.

use super::csr::Pattern;
use crate::error::Result;
use crate::op::Op;
use crate::program::{Kind, Program};
use crate::shape::{Shape, size, strides};
use crate::tape::is_differentiable;
use crate::tensor::{Constant, Tensor};
use crate::value::Value;
use std::rc::Rc;

/// The input elements that an element depends on, in order. Shared: most elements depend on what another one does.
type Set = Rc<[u32]>;

/// What is known of a node.
enum Known {
    /// No element depends on the input.
    Nothing,
    Sets(Vec<Set>),
}

fn union(a: &Set, b: &Set) -> Set {
    if b.is_empty() || Rc::ptr_eq(a, b) {
        return Rc::clone(a);
    }
    if a.is_empty() {
        return Rc::clone(b);
    }
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        merged.push(x.min(y));
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    merged.extend_from_slice(&a[i..]);
    merged.extend_from_slice(&b[j..]);
    match merged.len() {
        n if n == a.len() => Rc::clone(a),
        n if n == b.len() => Rc::clone(b),
        _ => merged.into(),
    }
}

fn all(sets: impl Iterator<Item = Set>, empty: &Set) -> Set {
    // Pairwise, so that long sets are merged seldom.
    let mut level: Vec<Set> = sets.filter(|s| !s.is_empty()).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| pair.get(1).map_or_else(|| Rc::clone(&pair[0]), |b| union(&pair[0], b)))
            .collect();
    }
    level.pop().unwrap_or_else(|| Rc::clone(empty))
}

impl Program {
    /// Where the Jacobian of the outputs, flattened one behind the other, by the elements of one input can be other than
    /// zero, whatever the inputs' values.
    ///
    /// Ops that are not differentiable cut dependence off; a gather or scatter by computed indices, and a user's op,
    /// depend on everything they are given.
    ///
    /// ```
    /// use autodiff::{Program, Value};
    /// let differences = Program::record(&[&[4]], |x| x[0].slice_axis(0, 1..4) - x[0].slice_axis(0, 0..3))?;
    /// let pattern = differences.jacobian_pattern(0)?;
    /// assert_eq!((pattern.rows(), pattern.columns()), (3, 4));
    /// assert_eq!(pattern.row(1), [1, 2]);
    /// # Ok::<(), autodiff::Error>(())
    /// ```
    ///
    /// Time and memory: the number of elements of all values × the entries of a row.
    ///
    /// # Errors
    /// [`Error::Index`](crate::Error::Index) if the input does not exist.
    pub fn jacobian_pattern(&self, wrt: usize) -> Result<Pattern> {
        self.check_wrt(&[wrt])?;
        let inputs = self.input_shapes();
        let n = size(&inputs[wrt]);
        let given: Vec<Known> = (0..inputs.len())
            .map(
                |i| if i == wrt { Known::Sets((0..n as u32).map(|k| Rc::from([k])).collect()) } else { Known::Nothing },
            )
            .collect();
        let empty: Set = Rc::from([]);
        let known = dependences(self, given, &empty);
        let mut rows: Vec<Set> = Vec::new();
        for (known, shape) in known.into_iter().zip(self.output_shapes()) {
            match known {
                Known::Nothing => rows.resize(rows.len() + size(&shape), Rc::clone(&empty)),
                Known::Sets(sets) => rows.extend(sets),
            }
        }
        Ok(Pattern::new(n, rows.iter().map(|row| &row[..])))
    }

    /// Where the Hessian of a scalar program by one input can be other than zero.
    ///
    /// # Errors
    /// As [`grad`](Program::grad).
    pub fn hessian_pattern(&self, wrt: usize) -> Result<Pattern> {
        // What is depended on is not always found from both sides; the Hessian is symmetric all the same.
        Ok(self.grad(&[wrt])?.simplify().jacobian_pattern(wrt)?.symmetrized())
    }
}

/// What the outputs depend on, for what the inputs depend on.
fn dependences(program: &Program, mut given: Vec<Known>, empty: &Set) -> Vec<Known> {
    let last = program.last_uses();
    let mut known: Vec<Option<Known>> = Vec::with_capacity(program.nodes().len());
    for (i, node) in program.nodes().iter().enumerate() {
        let found = match node.kind() {
            Kind::Input(position) => std::mem::replace(&mut given[*position], Known::Nothing),
            Kind::Constant(_) => Known::Nothing,
            Kind::Op(op) => {
                let args: Vec<&Known> =
                    node.args().iter().map(|&a| known[a as usize].as_ref().unwrap_or(&Known::Nothing)).collect();
                let shapes: Vec<&[usize]> = node.args().iter().map(|&a| program.nodes()[a as usize].shape()).collect();
                let constant = |arg: usize| match program.nodes()[node.args()[arg] as usize].kind() {
                    Kind::Constant(constant) => Some(constant),
                    _ => None,
                };
                through(op, &args, &shapes, node.shape(), &constant, empty)
            }
        };
        known.push(Some(found));
        for &arg in node.args() {
            if last[arg as usize] == i as u32 {
                known[arg as usize] = None;
            }
        }
    }
    program.outputs().iter().map(|&o| known[o as usize].as_ref().map_or(Known::Nothing, Known::copy)).collect()
}

impl Known {
    fn copy(&self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Sets(sets) => Self::Sets(sets.clone()),
        }
    }

    fn get<'a>(&'a self, i: usize, empty: &'a Set) -> &'a Set {
        match self {
            Self::Nothing => empty,
            Self::Sets(sets) => &sets[i],
        }
    }
}

/// What the elements of an op's result depend on.
fn through<'c>(
    op: &Op,
    args: &[&Known],
    shapes: &[&[usize]],
    out: &[usize],
    constant: &dyn Fn(usize) -> Option<&'c Constant>,
    empty: &Set,
) -> Known {
    let n = size(out);
    let everything = || {
        let sets = args.iter().flat_map(|known| match known {
            Known::Nothing => [].iter(),
            Known::Sets(sets) => sets.iter(),
        });
        let one = all(sets.cloned(), empty);
        Known::Sets(vec![one; n])
    };
    if args.iter().all(|known| matches!(known, Known::Nothing)) {
        return Known::Nothing;
    }
    match op {
        _ if !is_differentiable(op) => Known::Nothing,
        Op::Unary(_) => args[0].copy(),
        Op::Binary(_) => Known::Sets((0..n).map(|i| union(args[0].get(i, empty), args[1].get(i, empty))).collect()),
        Op::Select => Known::Sets((0..n).map(|i| union(args[1].get(i, empty), args[2].get(i, empty))).collect()),
        // Where elements go is found by sending their numbers the same way; zero is what was padded.
        Op::Reshape(_)
        | Op::Permute(_)
        | Op::Broadcast(_)
        | Op::Slice(_)
        | Op::Pad(_)
        | Op::Flip(_)
        | Op::Concat(_)
        | Op::Stack(_) => {
            let mut first = 1;
            let numbers: Vec<Tensor<f64>> = shapes
                .iter()
                .map(|shape| {
                    let count = size(shape);
                    first += count;
                    let start = first - count;
                    Tensor::from_parts(Shape::from_slice(shape), (start..first).map(|i| i as f64).collect())
                })
                .collect();
            let moved = Tensor::apply(op, &numbers.iter().collect::<Vec<_>>());
            let mut sets: Vec<&Set> = vec![empty];
            for (known, shape) in args.iter().zip(shapes) {
                sets.extend((0..size(shape)).map(|i| known.get(i, empty)));
            }
            Known::Sets(moved.data().iter().map(|&number| Rc::clone(sets[number as usize])).collect())
        }
        Op::Gather(axis) => match constant(1) {
            Some(indices) => {
                let numbers =
                    Tensor::from_parts(Shape::from_slice(shapes[0]), (0..size(shapes[0])).map(|i| i as f64).collect());
                let moved = Tensor::apply(&Op::Gather(*axis), &[&numbers, &indices.to_tensor()]);
                Known::Sets(moved.data().iter().map(|&number| Rc::clone(args[0].get(number as usize, empty))).collect())
            }
            None => everything(),
        },
        Op::ScatterAdd { axis, len } => match constant(1) {
            Some(indices) => scatter(args[0], shapes[0], &indices.to_tensor(), *axis, *len, out, empty),
            None => everything(),
        },
        Op::Sum(axes) | Op::Reduce(_, axes) => {
            let kept: Vec<usize> = (0..shapes[0].len()).filter(|axis| !axes.contains(axis)).collect();
            let (from, to) = (strides(shapes[0]), strides(out));
            let mut groups: Vec<Vec<Set>> = vec![Vec::new(); n];
            for i in 0..size(shapes[0]) {
                let place: usize = kept.iter().zip(&to).map(|(&axis, to)| i / from[axis] % shapes[0][axis] * to).sum();
                groups[place].push(Rc::clone(args[0].get(i, empty)));
            }
            Known::Sets(groups.into_iter().map(|group| all(group.into_iter(), empty)).collect())
        }
        Op::CumSum { axis, reverse } => {
            let (stride, len) = (strides(out)[*axis], out[*axis]);
            let mut sets: Vec<Set> = (0..n).map(|i| Rc::clone(args[0].get(i, empty))).collect();
            for i in 0..n {
                // Elements in the order in which they are summed up.
                let i = if *reverse { n - 1 - i } else { i };
                let along = i / stride % len;
                let before =
                    if *reverse { (along + 1 < len).then(|| i + stride) } else { (along > 0).then(|| i - stride) };
                if let Some(before) = before {
                    sets[i] = union(&sets[i], &sets[before]);
                }
            }
            Known::Sets(sets)
        }
        Op::MatMul { ta, tb } => {
            let rank = out.len();
            let (m, columns) = (out[rank - 2], out[rank - 1]);
            let k = shapes[0][if *ta { rank - 2 } else { rank - 1 }];
            let mut sets = Vec::with_capacity(n);
            for stack in 0..n.checked_div(m * columns).unwrap_or(0) {
                let row = |i: usize| {
                    all(
                        (0..k).map(|p| {
                            let place = stack * m * k + if *ta { p * m + i } else { i * k + p };
                            Rc::clone(args[0].get(place, empty))
                        }),
                        empty,
                    )
                };
                let column = |j: usize| {
                    all(
                        (0..k).map(|p| {
                            let place = stack * k * columns + if *tb { j * k + p } else { p * columns + j };
                            Rc::clone(args[1].get(place, empty))
                        }),
                        empty,
                    )
                };
                let right: Vec<Set> = (0..columns).map(column).collect();
                for i in 0..m {
                    let left = row(i);
                    sets.extend(right.iter().map(|right| union(&left, right)));
                }
            }
            Known::Sets(sets)
        }
        Op::Call(call) => {
            let outputs = dependences(call.program(), args.iter().map(|known| known.copy()).collect(), empty);
            outputs.into_iter().nth(call.output()).expect("a call names an output of its program")
        }
        Op::Solve { .. } | Op::CholeskySolve | Op::Custom(_) => everything(),
    }
}

/// What the elements of a scatter depend on.
fn scatter(
    updates: &Known,
    shape: &[usize],
    indices: &Tensor<f64>,
    axis: usize,
    len: usize,
    out: &[usize],
    empty: &Set,
) -> Known {
    let inner = size(&out[axis + 1..]);
    let count = indices.len();
    let mut groups: Vec<Vec<Set>> = vec![Vec::new(); size(out)];
    for i in 0..size(shape) {
        let (outer, rest) = (i / (count * inner).max(1), i % (count * inner).max(1));
        let index = indices.data()[rest / inner] as usize;
        groups[(outer * len + index) * inner + rest % inner].push(Rc::clone(updates.get(i, empty)));
    }
    Known::Sets(groups.into_iter().map(|group| all(group.into_iter(), empty)).collect())
}
