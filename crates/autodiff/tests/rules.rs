//! The rule table: every op, in every nesting of modes, to third order, at ordinary points and at the edges.

use autodiff::check::Check;
use autodiff::op::{Binary, Literal, Op, Padding, Range, Reduce, Unary};
use autodiff::{Abstract, Call, Compare, Custom, Dual, DualN, Program, Tape, Tensor, Value, Var, derivative};
use std::collections::HashSet;

type Closure = Box<dyn for<'t> Fn(&[Var<'t, Abstract>]) -> Var<'t, Abstract>>;

/// One op at one point: the op, the arguments, and which of them are differentiated.
struct Row {
    op: Op,
    args: Vec<Tensor<f64>>,
    wrt: Vec<usize>,
}

fn row(op: Op, args: &[&Tensor<f64>], wrt: &[usize]) -> Row {
    Row { op, args: args.iter().map(|&x| x.clone()).collect(), wrt: wrt.to_vec() }
}

/// A tensor of numbers that are not special.
fn filled(shape: &[usize], from: f64, to: f64) -> Tensor<f64> {
    let mut i = 0.0_f64;
    Tensor::from_fn(shape, |_| {
        i += 1.0;
        let u = (i * 0.754_877_666).fract();
        from + (to - from) * u
    })
}

/// Where a unary op is smooth.
fn domain(op: Unary) -> (f64, f64) {
    match op {
        Unary::Sqrt | Unary::Ln | Unary::Recip | Unary::DivInto(_) | Unary::Powf(_) | Unary::Powi(_) => (0.4, 2.0),
        Unary::Ln1p => (-0.5, 2.0),
        Unary::Asin | Unary::Acos => (-0.7, 0.7),
        Unary::Tan => (-0.8, 0.8),
        Unary::Floor | Unary::Ceil | Unary::Round => (0.55, 0.95),
        Unary::Abs | Unary::Sign | Unary::Relu => (0.2, 1.5),
        Unary::Max(_) | Unary::Min(_) | Unary::Test(..) => (0.35, 1.5),
        _ => (-1.5, 1.5),
    }
}

fn cubed() -> Custom {
    Custom::new("cubed_product", 2, |x| &x[0].map(|x| x * x * x) * &x[1])
        .jvp(|x, _y, t| x[0].square() * 3.0 * x[1] * t[0] + x[0].powi(3) * t[1])
}

fn cubed_by_vjp() -> Custom {
    Custom::new("cubed_product", 2, |x| &x[0].map(|x| x * x * x) * &x[1])
        .vjp(|x, _y, c| vec![x[0].square() * 3.0 * x[1] * c, x[0].powi(3) * c])
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for op in Unary::ALL {
        let (from, to) = domain(op);
        rows.push(row(Op::Unary(op), &[&filled(&[3], from, to)], &[0]));
        if from > 0.0
            && matches!(op, Unary::Abs | Unary::Sign | Unary::Relu | Unary::Recip | Unary::Powi(_) | Unary::Min(_))
        {
            rows.push(row(Op::Unary(op), &[&filled(&[2], -to, -from)], &[0]));
        }
    }
    for n in [0, 1, 2] {
        rows.push(row(Op::Unary(Unary::Powi(n)), &[&filled(&[2], -1.0, 1.0)], &[0]));
    }
    for c in [0.0, 1.0] {
        rows.push(row(Op::Unary(Unary::Powf(Literal(c))), &[&filled(&[2], 0.5, 1.0)], &[0]));
    }
    for op in Binary::ALL {
        rows.push(row(Op::Binary(op), &[&filled(&[3], 0.5, 1.0), &filled(&[3], 1.2, 2.0)], &[0, 1]));
        rows.push(row(Op::Binary(op), &[&filled(&[2], 1.3, 1.9), &filled(&[2], 0.4, 1.1)], &[0, 1]));
    }
    // An exponent of exactly 0, 1 or 2 is no special case where the base is not 0.
    for exponent in [0.0, 1.0, 2.0] {
        rows.push(row(Op::Binary(Binary::Pow), &[&filled(&[2], 0.6, 1.9), &Tensor::full(&[2], exponent)], &[0, 1]));
    }
    let x = filled(&[2, 3], -1.0, 1.0);
    let y = filled(&[2, 3], 0.5, 2.0);
    let cube = filled(&[2, 3, 2], -1.0, 1.0);
    let mask = Tensor::new(&[2, 3], vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
    let indices = Tensor::from([2.0, 0.0, 2.0, 1.0]);
    let grid = Tensor::from_rows([[0.0, 1.0], [1.0, 0.0]]);
    let r = |start, stop, step| Range { start, stop, step };
    let p = |low, high, interior| Padding { low, high, interior };
    rows.extend([
        row(Op::Select, &[&mask, &x, &y], &[1, 2]),
        row(Op::Reshape([3, 2][..].into()), &[&x], &[0]),
        row(Op::Permute([1, 0][..].into()), &[&x], &[0]),
        row(Op::Permute([2, 0, 1][..].into()), &[&cube], &[0]),
        row(Op::Broadcast([2, 2, 3][..].into()), &[&x], &[0]),
        row(Op::Broadcast([4, 3][..].into()), &[&filled(&[1, 3], -1.0, 1.0)], &[0]),
        row(Op::Broadcast([2][..].into()), &[&Tensor::scalar(0.7)], &[0]),
        row(Op::Sum([0][..].into()), &[&x], &[0]),
        row(Op::Sum([0, 2][..].into()), &[&cube], &[0]),
        row(Op::Slice([r(0, 2, 1), r(0, 3, 2)][..].into()), &[&x], &[0]),
        row(Op::Slice([r(1, 1, 1), r(1, 3, 1)][..].into()), &[&x], &[0]),
        row(Op::Pad([p(1, 0, 0), p(0, 2, 1)][..].into()), &[&x], &[0]),
        row(Op::Concat(1), &[&x, &y], &[0, 1]),
        row(Op::Concat(1), &[&x, &y], &[1]),
        row(Op::Stack(1), &[&x, &y], &[0, 1]),
        row(Op::Gather(1), &[&x, &indices], &[0]),
        row(Op::Gather(0), &[&cube, &grid], &[0]),
        row(Op::ScatterAdd { axis: 1, len: 3 }, &[&filled(&[2, 4], -1.0, 1.0), &indices], &[0]),
        row(Op::ScatterAdd { axis: 0, len: 2 }, &[&filled(&[2, 2, 3], -1.0, 1.0), &grid], &[0]),
        row(Op::CumSum { axis: 1, reverse: false }, &[&x], &[0]),
        row(Op::CumSum { axis: 0, reverse: true }, &[&x], &[0]),
        row(Op::Flip([1][..].into()), &[&x], &[0]),
    ]);
    for reduce in Reduce::ALL {
        rows.push(row(Op::Reduce(reduce, [1][..].into()), &[&x], &[0]));
        rows.push(row(Op::Reduce(reduce, [0, 2][..].into()), &[&cube], &[0]));
        rows.push(row(Op::Reduce(reduce, [0, 1][..].into()), &[&y], &[0]));
    }
    for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
        let a = filled(if ta { &[3, 2] } else { &[2, 3] }, -1.0, 1.0);
        let b = filled(if tb { &[4, 3] } else { &[3, 4] }, -0.5, 1.5);
        rows.push(row(Op::MatMul { ta, tb }, &[&a, &b], &[0, 1]));
        let a = filled(if ta { &[2, 3, 2] } else { &[2, 2, 3] }, -1.0, 1.0);
        let b = filled(if tb { &[2, 1, 3] } else { &[2, 3, 1] }, -0.5, 1.5);
        rows.push(row(Op::MatMul { ta, tb }, &[&a, &b], &[0, 1]));
    }
    let diagonal = Tensor::from_fn(&[2, 3, 3], |i| if i[1] == i[2] { 3.0 } else { 0.0 });
    let square = &filled(&[2, 3, 3], -1.0, 1.0) + &diagonal;
    let right = filled(&[2, 3, 2], -1.0, 1.0);
    rows.push(row(Op::Solve { transpose: false }, &[&square, &right], &[0, 1]));
    rows.push(row(Op::Solve { transpose: true }, &[&square, &right], &[0, 1]));
    rows.push(row(Op::CholeskySolve, &[&square, &right], &[0, 1]));
    let inside = Program::record(&[&[2, 3], &[2, 3]], |x| (x[0] * x[1]).sin() * x[1].exp()).unwrap();
    rows.push(row(Op::Call(Call::outputs(inside).swap_remove(0)), &[&x, &y], &[0, 1]));
    rows.push(row(Op::Custom(cubed()), &[&x, &y], &[0, 1]));
    rows.push(row(Op::Custom(cubed_by_vjp()), &[&x, &y], &[0, 1]));
    rows
}

/// A number for each kind of op. A new op makes this fail to compile; then [`KINDS`] grows, and it needs a row.
fn kind(op: &Op) -> usize {
    match op {
        Op::Unary(_) => 0,
        Op::Binary(_) => 1,
        Op::Select => 2,
        Op::Reshape(_) => 3,
        Op::Permute(_) => 4,
        Op::Broadcast(_) => 5,
        Op::Sum(_) => 6,
        Op::Slice(_) => 7,
        Op::Pad(_) => 8,
        Op::Concat(_) => 9,
        Op::Stack(_) => 10,
        Op::Gather(_) => 11,
        Op::ScatterAdd { .. } => 12,
        Op::CumSum { .. } => 13,
        Op::Flip(_) => 14,
        Op::Reduce(..) => 15,
        Op::MatMul { .. } => 16,
        Op::Solve { .. } => 17,
        Op::CholeskySolve => 18,
        Op::Custom(_) => 19,
        Op::Call(_) => 20,
    }
}

const KINDS: usize = 21;

/// The same for the pointwise ops: a number for each.
fn unary_kind(op: Unary) -> usize {
    match op {
        Unary::Neg => 0,
        Unary::Recip => 1,
        Unary::Abs => 2,
        Unary::Sign => 3,
        Unary::Sqrt => 4,
        Unary::Square => 5,
        Unary::Powi(_) => 6,
        Unary::Exp => 7,
        Unary::ExpM1 => 8,
        Unary::Ln => 9,
        Unary::Ln1p => 10,
        Unary::Sin => 11,
        Unary::Cos => 12,
        Unary::Tan => 13,
        Unary::Asin => 14,
        Unary::Acos => 15,
        Unary::Atan => 16,
        Unary::Sinh => 17,
        Unary::Cosh => 18,
        Unary::Tanh => 19,
        Unary::Sigmoid => 20,
        Unary::Softplus => 21,
        Unary::Relu => 22,
        Unary::Erf => 23,
        Unary::Floor => 24,
        Unary::Ceil => 25,
        Unary::Round => 26,
        Unary::Add(_) => 27,
        Unary::Mul(_) => 28,
        Unary::SubFrom(_) => 29,
        Unary::DivBy(_) => 30,
        Unary::DivInto(_) => 31,
        Unary::Powf(_) => 32,
        Unary::Max(_) => 33,
        Unary::Min(_) => 34,
        Unary::Test(..) => 35,
        Unary::Fill(_) => 36,
        Unary::StopGradient => 37,
    }
}

const UNARY_KINDS: usize = 38;

fn binary_kind(op: Binary) -> usize {
    match op {
        Binary::Add => 0,
        Binary::Sub => 1,
        Binary::Mul => 2,
        Binary::Div => 3,
        Binary::Pow => 4,
        Binary::Atan2 => 5,
        Binary::Hypot => 6,
        Binary::Max => 7,
        Binary::Min => 8,
        Binary::Compare(_) => 9,
    }
}

const BINARY_KINDS: usize = 10;

#[test]
fn every_op_has_a_row() {
    let rows = rows();
    let kinds: HashSet<usize> = rows.iter().map(|r| kind(&r.op)).collect();
    let unary: HashSet<usize> =
        rows.iter().filter_map(|r| if let Op::Unary(op) = r.op { Some(unary_kind(op)) } else { None }).collect();
    let binary: HashSet<usize> =
        rows.iter().filter_map(|r| if let Op::Binary(op) = r.op { Some(binary_kind(op)) } else { None }).collect();
    assert_eq!(kinds, (0..KINDS).collect());
    assert_eq!(unary, (0..UNARY_KINDS).collect());
    assert_eq!(binary, (0..BINARY_KINDS).collect());
}

fn program(row: &Row) -> Program {
    let op = row.op.clone();
    let f: Closure = Box::new(move |x| Value::apply(&op, &x.iter().collect::<Vec<_>>()));
    let shapes: Vec<_> = row.args.iter().map(Value::shape).collect();
    Program::record_shapes(&shapes, |x| vec![f(x)]).unwrap()
}

/// Ops that stop every derivative.
fn is_flat(op: &Op) -> bool {
    let flat = [
        Unary::Sign,
        Unary::Floor,
        Unary::Ceil,
        Unary::Round,
        Unary::StopGradient,
        Unary::Powi(0),
        Unary::Powf(Literal(0.0)),
    ];
    match op {
        Op::Unary(Unary::Test(..) | Unary::Fill(_)) | Op::Binary(Binary::Compare(_)) => true,
        Op::Unary(op) => flat.contains(op),
        _ => false,
    }
}

#[test]
fn every_rule_agrees_with_finite_differences_and_the_other_mode_to_third_order() {
    for row in rows() {
        let program = program(&row);
        // Piecewise constant and stopped ops have structurally zero derivatives; differences see the identity in one.
        if is_flat(&row.op) {
            let wrt = &row.wrt;
            assert!(program.vjp(wrt).is_err(), "{}: must be reported as disconnected", row.op);
            assert!(program.jvp(wrt).is_err(), "{}: must be reported as disconnected", row.op);
            continue;
        }
        let report = Check::new().order(3).tolerance(2e-6).program(&program, &row.wrt, &row.args).unwrap();
        assert!(report.passes(), "{}: {report}", row.op);
        let first = Check::new().tolerance(1e-9).program(&program, &row.wrt, &row.args).unwrap();
        assert!(first.passes(), "{}: {first}", row.op);
    }
}

/// Second derivatives of a scalar program by each nesting of carriers; `None` where a level is not connected.
fn second_derivatives(program: &Program, x: f64, y: Option<f64>) -> Vec<(&'static str, f64)> {
    let mut found = Vec::new();

    let forward = |x: Dual<Dual<f64>>| {
        let args: Vec<_> = [x].into_iter().chain(y.map(|y| Dual::constant_value(Dual::constant_value(y)))).collect();
        program.run(&args).unwrap().swap_remove(0).tangent().tangent()
    };
    found.push(("forward over forward", forward(Dual::new(Dual::new(x, 1.0), Dual::new(1.0, 0.0)))));

    let forward_over_reverse = Tape::scope(|tape| {
        let v = tape.var(Dual::new(x, 1.0));
        let args: Vec<_> = [v].into_iter().chain(y.map(|y| tape.constant(Dual::constant_value(y)))).collect();
        let out = program.run(&args).unwrap()[0];
        tape.vjp(&[(out, Dual::constant_value(1.0))], &[v])[0].map_or(0.0, |g| g.tangent())
    });
    found.push(("forward over reverse", forward_over_reverse));

    let reverse_over_forward = Tape::scope(|tape| {
        let v = tape.var(x);
        let one = v.ones_like();
        let args: Vec<_> =
            [Dual::new(v, one)].into_iter().chain(y.map(|y| Dual::constant_value(tape.constant(y)))).collect();
        let out = program.run(&args).unwrap().swap_remove(0);
        out.tangent_part().and_then(|&t| tape.vjp(&[(t, 1.0)], &[v])[0]).unwrap_or(0.0)
    });
    found.push(("reverse over forward", reverse_over_forward));

    let reverse_over_reverse = Tape::scope(|outer| {
        let u = outer.var(x);
        let gradient = Tape::scope(|inner| {
            let v = inner.var(u);
            let args: Vec<_> = [v].into_iter().chain(y.map(|y| inner.constant(outer.constant(y)))).collect();
            let out = program.run(&args).unwrap()[0];
            inner.vjp(&[(out, out.value().ones_like())], &[v])[0]
        });
        gradient.and_then(|g| outer.vjp(&[(g, 1.0)], &[u])[0]).unwrap_or(0.0)
    });
    found.push(("reverse over reverse", reverse_over_reverse));

    let lanes = {
        let [v] = DualN::variables([x]);
        let args: Vec<DualN<f64, 1>> = [v].into_iter().chain(y.map(DualN::constant_value)).collect();
        program.run(&args).unwrap()[0].tangents()[0]
    };
    // One first derivative too: the lanes against the tape.
    let tape = Tape::scope(|tape| {
        let v = tape.var(x);
        let args: Vec<_> = [v].into_iter().chain(y.map(|y| tape.constant(y))).collect();
        let out = program.run(&args).unwrap()[0];
        tape.vjp(&[(out, 1.0)], &[v])[0].unwrap_or(0.0)
    });
    assert!((lanes - tape).abs() <= 1e-13 * (1.0 + tape.abs()), "first derivative: {lanes} by lanes, {tape} by tape");
    found
}

#[test]
fn all_nestings_of_scalar_carriers_agree_with_the_programs_of_arrays() {
    for row in rows() {
        if !matches!(row.op, Op::Unary(_) | Op::Binary(_)) || is_flat(&row.op) {
            continue;
        }
        let op = row.op.clone();
        let shapes = vec![autodiff::Shape::new(); row.args.len()];
        let program =
            Program::record_shapes(&shapes, |x| vec![Value::apply(&op, &x.iter().collect::<Vec<_>>())]).unwrap();
        let twice = {
            let zeros = autodiff::Disconnected::Zeros;
            program.grad_with(&[0], zeros).unwrap().grad_with(&[0], zeros).unwrap()
        };
        for i in 0..row.args[0].len() {
            let point: Vec<f64> = row.args.iter().map(|x| x.data()[i]).collect();
            let tensors: Vec<Tensor<f64>> = point.iter().map(|&x| Tensor::scalar(x)).collect();
            let expected = twice.run(&tensors).unwrap()[0].item();
            for (nesting, found) in second_derivatives(&program, point[0], point.get(1).copied()) {
                let error = (found - expected).abs() / (1.0 + expected.abs());
                assert!(error < 1e-12, "{} at {point:?}, {nesting}: {found}, program {expected}", row.op);
            }
        }
    }
}

/// Third derivatives of a scalar program of one input by nestings of carriers, forward and reverse at each level.
fn third_derivatives(program: &Program, x: f64) -> [(&'static str, f64); 5] {
    let one = |x: Dual<f64>| Dual::new(x, Dual::constant_value(1.0));
    let thrice = |x: f64| Dual::new(one(Dual::new(x, 1.0)), Dual::constant_value(Dual::constant_value(1.0)));
    let forward = program.run(&[thrice(x)]).unwrap()[0].tangent().tangent().tangent();

    let forward_forward_reverse = Tape::scope(|tape| {
        let v = tape.var(one(Dual::new(x, 1.0)));
        let out = program.run(&[v]).unwrap()[0];
        let seed = Dual::constant_value(Dual::constant_value(1.0));
        tape.vjp(&[(out, seed)], &[v])[0].map_or(0.0, |g| g.tangent().tangent())
    });

    let reverse_forward_forward = Tape::scope(|tape| {
        let v = tape.var(x);
        let unit = v.ones_like();
        let inner = Dual::new(Dual::new(v, unit), Dual::constant_value(unit));
        let out = program.run(&[inner]).unwrap().swap_remove(0);
        let second = out.tangent_part().and_then(|t| t.tangent_part().copied());
        second.and_then(|t| tape.vjp(&[(t, 1.0)], &[v])[0]).unwrap_or(0.0)
    });

    let forward_reverse_reverse = Tape::scope(|outer| {
        let u = outer.var(Dual::new(x, 1.0));
        let gradient = Tape::scope(|inner| {
            let v = inner.var(u);
            let out = program.run(&[v]).unwrap()[0];
            inner.vjp(&[(out, u.ones_like())], &[v])[0]
        });
        let second = gradient.and_then(|g| outer.vjp(&[(g, Dual::constant_value(1.0))], &[u])[0]);
        second.map_or(0.0, |g| g.tangent())
    });

    let reverse_reverse_reverse = Tape::scope(|a| {
        let u = a.var(x);
        let second = Tape::scope(|b| {
            let v = b.var(u);
            let first = Tape::scope(|c| {
                let w = c.var(v);
                let out = program.run(&[w]).unwrap()[0];
                c.vjp(&[(out, v.ones_like())], &[w])[0]
            });
            first.and_then(|g| b.vjp(&[(g, u.ones_like())], &[v])[0])
        });
        second.and_then(|g| a.vjp(&[(g, 1.0)], &[u])[0]).unwrap_or(0.0)
    });

    [
        ("forward over forward over forward", forward),
        ("forward over forward over reverse", forward_forward_reverse),
        ("reverse over forward over forward", reverse_forward_forward),
        ("forward over reverse over reverse", forward_reverse_reverse),
        ("reverse over reverse over reverse", reverse_reverse_reverse),
    ]
}

#[test]
fn third_derivatives_of_scalar_carriers_agree_with_the_programs_of_arrays() {
    for op in Unary::ALL {
        if is_flat(&Op::Unary(op)) {
            continue;
        }
        let program = Program::record(&[&[]], |x| Value::apply(&Op::Unary(op), &[&x[0]])).unwrap();
        let zeros = autodiff::Disconnected::Zeros;
        let thrice = (0..3).fold(program.clone(), |f, _| f.grad_with(&[0], zeros).unwrap());
        let (from, to) = domain(op);
        for x in [from + 0.1 * (to - from), from + 0.83 * (to - from)] {
            let expected = thrice.run(&[Tensor::scalar(x)]).unwrap()[0].item();
            for (nesting, found) in third_derivatives(&program, x) {
                let error = (found - expected).abs() / (1.0 + expected.abs());
                assert!(error < 1e-12, "{op:?} at {x}, {nesting}: {found}, program {expected}");
            }
        }
    }
}

#[test]
fn perturbations_are_not_confused() {
    // d/dx [x · d/dy (x + y)] = 1, at x = 1, in all four nestings.
    let reverse_in_reverse = derivative(
        |x: Var<'_, f64>| {
            let inner = Tape::scope(|tape| {
                let y = tape.var(x.ones_like());
                let sum = tape.constant(x) + y;
                tape.vjp(&[(sum, x.ones_like())], &[y])[0].unwrap()
            });
            x * inner
        },
        1.0,
    );
    assert_eq!(reverse_in_reverse.unwrap(), 1.0);

    let forward_in_reverse =
        derivative(|x: Var<'_, f64>| x * (Dual::constant_value(x) + Dual::variable(x.ones_like())).tangent(), 1.0);
    assert_eq!(forward_in_reverse.unwrap(), 1.0);

    let x = Dual::variable(1.0);
    let inner = (Dual::constant_value(x) + Dual::variable(Dual::constant_value(1.0))).tangent();
    assert_eq!((x * inner).tangent(), 1.0);

    // Levels that are told apart at run time: the inner function cannot take the outer variable for its own (that does
    // not compile), and its derivative is a constant to the outer one.
    let nested = autodiff::nth_derivative(
        |x| {
            let at = x.value();
            x * autodiff::nth_derivative(|y| y + at, 1.0, 1).unwrap()
        },
        1.0,
        1,
    );
    assert_eq!(nested.unwrap(), 1.0);

    let inner = Tape::scope(|tape| {
        let y = tape.var(Dual::constant_value(1.0));
        let sum = tape.constant(x) + y;
        tape.vjp(&[(sum, Dual::constant_value(1.0))], &[y])[0].unwrap()
    });
    assert_eq!((x * inner).tangent(), 1.0);
}

/// Value and first two derivatives by the tape, at an edge.
fn at_edge(op: Unary, x: f64) -> [f64; 3] {
    let f = |x: Var<'_, f64>| Value::apply(&Op::Unary(op), &[&x]).value();
    let value = Tape::scope(|tape| f(tape.var(x)));
    let first = derivative(|x| Value::apply(&Op::Unary(op), &[&x]), x).unwrap_or(f64::NAN);
    let second = Tape::scope(|tape| {
        let v = tape.var(Dual::new(x, 1.0));
        let out = Value::apply(&Op::Unary(op), &[&v]);
        tape.vjp(&[(out, Dual::constant_value(1.0))], &[v])[0].map_or(f64::NAN, |g| g.tangent())
    });
    [value, first, second]
}

#[test]
fn edges_follow_the_documented_conventions() {
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    let infinity = f64::INFINITY;
    // (op, x, value, first, second)
    let edges = [
        (Unary::Relu, 0.0, 0.0, 0.0, 0.0),
        (Unary::Relu, -infinity, 0.0, 0.0, 0.0),
        (Unary::Abs, 0.0, 0.0, 0.0, 0.0),
        (Unary::Sqrt, 0.0, 0.0, infinity, -infinity),
        (Unary::Max(Literal(1.0)), 1.0, 1.0, 0.5, 0.0),
        (Unary::Min(Literal(1.0)), 1.0, 1.0, 0.5, 0.0),
        (Unary::Powi(2), 0.0, 0.0, 0.0, 2.0),
        (Unary::Powi(1), 0.0, 0.0, 1.0, f64::NAN),
        (Unary::Powf(Literal(2.0)), 0.0, 0.0, 0.0, 2.0),
        (Unary::Softplus, -1000.0, 0.0, 0.0, 0.0),
        (Unary::Softplus, 1000.0, 1000.0, 1.0, 0.0),
        (Unary::Softplus, -infinity, 0.0, 0.0, 0.0),
        (Unary::Sigmoid, -1000.0, 0.0, 0.0, 0.0),
        (Unary::Sigmoid, 1000.0, 1.0, 0.0, 0.0),
        (Unary::Tanh, infinity, 1.0, 0.0, 0.0),
        (Unary::Erf, 30.0, 1.0, 0.0, 0.0),
    ];
    for (op, x, value, first, second) in edges {
        let found = at_edge(op, x);
        // A derivative that is structurally zero has no tangent; a scalar's is a zero.
        let second = if second.is_nan() { 0.0 } else { second };
        let all = same(found[0], value) && same(found[1], first) && (same(found[2], second) || x.is_infinite());
        assert!(all, "{op:?} at {x}: {found:?}, expected {value}, {first}, {second}");
    }
}

#[test]
fn pow_and_hypot_have_finite_derivatives_at_zero() {
    let partials = |op: Binary, a: f64, b: f64| {
        autodiff::grad_or_zeros(|x| Value::apply(&Op::Binary(op), &[&x[0], &x[1]]), &[a, b]).unwrap()
    };
    assert_eq!(partials(Binary::Pow, 0.0, 2.0), [0.0, 0.0]);
    assert_eq!(partials(Binary::Pow, 0.0, 1.0), [1.0, 0.0]);
    assert_eq!(partials(Binary::Pow, 0.0, 0.0), [0.0, f64::NEG_INFINITY]);
    assert_eq!(partials(Binary::Hypot, 0.0, 0.0), [0.0, 0.0]);
    assert_eq!(partials(Binary::Atan2, 0.0, 0.0), [0.0, 0.0]);
    // No square is formed that could overflow or vanish.
    for size in [1e-170, 1e170] {
        let [by_a, by_b] = partials(Binary::Atan2, 3.0 * size, 4.0 * size)[..] else { unreachable!() };
        approx::assert_relative_eq!(by_a * size, 4.0 / 25.0, max_relative = 1e-14);
        approx::assert_relative_eq!(by_b * size, -3.0 / 25.0, max_relative = 1e-14);
    }
    let hessian = autodiff::hessian(|x| x[0].pow(&x[1]), &[2.0, 0.0]).unwrap();
    approx::assert_relative_eq!(hessian[0][1], 0.5, max_relative = 1e-14);
    approx::assert_relative_eq!(hessian[1][0], 0.5, max_relative = 1e-14);
    approx::assert_relative_eq!(derivative(|x| x.exp_m1(), -40.0).unwrap(), (-40.0_f64).exp(), max_relative = 1e-14);
    assert_eq!(partials(Binary::Max, 2.0, 2.0), [0.5, 0.5]);
    assert_eq!(partials(Binary::Min, 2.0, 2.0), [0.5, 0.5]);
    assert_eq!(partials(Binary::Max, 3.0, 2.0), [1.0, 0.0]);
}

#[test]
fn what_is_not_connected_never_meets_an_infinite_slope() {
    // 1/0 and √0 are computed, but the result does not use them.
    let scalar = autodiff::grad(
        |x| {
            let _ = x[0].recip() + x[0].sqrt();
            x[0] * 3.0
        },
        &[0.0],
    );
    assert_eq!(scalar.unwrap(), [3.0]);
    let array = autodiff::grad(
        |x| {
            let _ = x[0].recip() + x[0].sqrt();
            x[0].sum_all() * 3.0
        },
        &[Tensor::from([0.0])],
    );
    assert_eq!(array.unwrap()[0].data(), [3.0]);
    // The constant under the root has no tangent, so its infinite slope does not count.
    let y = Dual::constant_value(0.0_f64).sqrt() + Dual::variable(1.0);
    assert_eq!(y.tangent(), 1.0);
    let y = Dual::constant_value(Tensor::from([0.0])).sqrt() + Dual::variable(Tensor::from([1.0]));
    assert_eq!(y.tangent().data(), [1.0]);
    // Chosen away, in scalars: the side not chosen is not connected.
    let chosen = derivative(|x| x.test(Compare::Gt, 0.0).select(&x.sqrt(), &(x * 2.0)), 0.0);
    assert_eq!(chosen.unwrap(), 2.0);
}

#[test]
fn reductions_at_their_edges() {
    let weights = |reduce: Reduce, x: &[f64]| {
        let op = Op::Reduce(reduce, [0][..].into());
        autodiff::grad(|v| Value::apply(&op, &[&v[0]]), &[Tensor::from(x)]).unwrap().swap_remove(0)
    };
    assert_eq!(weights(Reduce::Max, &[1.0, 3.0, 3.0]).data(), [0.0, 0.5, 0.5]);
    assert_eq!(weights(Reduce::Min, &[1.0, 1.0, 3.0]).data(), [0.5, 0.5, 0.0]);
    assert_eq!(weights(Reduce::Prod, &[0.0, 2.0, 3.0]).data(), [6.0, 0.0, 0.0]);
    assert_eq!(weights(Reduce::Prod, &[0.0, 0.0, 3.0]).data(), [0.0, 0.0, 0.0]);
    assert_eq!(weights(Reduce::Prod, &[7.0]).data(), [1.0]);
    let half = weights(Reduce::LogSumExp, &[1000.0, 1000.0, f64::NEG_INFINITY]);
    // ln 2 beside 1000 is rounded to 1e-13.
    approx::assert_abs_diff_eq!(half, Tensor::from([0.5, 0.5, 0.0]), epsilon = 1e-13);
    let empty = weights(Reduce::LogSumExp, &[f64::NEG_INFINITY, f64::NEG_INFINITY]);
    assert_eq!(empty.data(), [0.0, 0.0]);
    let full = weights(Reduce::LogSumExp, &[f64::INFINITY, 0.0, 800.0]);
    assert_eq!(full.data(), [0.0, 0.0, 0.0]);
}

/// Whether two arrays agree to rounding, special values included.
fn agrees(a: &Tensor<f64>, b: &Tensor<f64>, tolerance: f64) -> bool {
    let same = |x: f64, y: f64| x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= tolerance * (1.0 + y.abs());
    a.dims() == b.dims() && a.data().iter().zip(b.data()).all(|(&x, &y)| same(x, y))
}

#[test]
fn every_op_and_its_derivatives_compile_to_the_same_values() {
    for row in rows() {
        let program = program(&row);
        let mut programs = vec![("value", program.clone())];
        if !is_flat(&row.op) {
            let vjp = program.vjp(&row.wrt).unwrap();
            let jvp = program.jvp(&row.wrt).unwrap();
            programs.push(("vjp of jvp", jvp.vjp_with(&row.wrt, autodiff::Disconnected::Zeros).unwrap()));
            programs.push(("jvp of vjp", vjp.jvp_with(&row.wrt, autodiff::Disconnected::Zeros).unwrap()));
            programs.push(("vjp", vjp));
            programs.push(("jvp", jvp));
        }
        for (name, program) in programs {
            let inputs: Vec<Tensor<f64>> = program
                .input_shapes()
                .iter()
                .enumerate()
                .map(|(i, shape)| row.args.get(i).cloned().unwrap_or_else(|| filled(shape, -1.0, 1.0 + i as f64)))
                .collect();
            let expected = program.run(&inputs).unwrap();
            let mut executable = program.compile::<f64>(autodiff::CompileOptions::default());
            // Twice: the second run must not see what the first left behind.
            executable.run(&inputs).unwrap();
            for (a, b) in executable.run(&inputs).unwrap().iter().zip(&expected) {
                assert!(agrees(a, b, 1e-13), "{name} of {}: {a} and {b}\n{}", row.op, executable.explain());
            }
            let narrow: Vec<Tensor<f32>> = inputs.iter().map(Tensor::cast).collect();
            let mut executable = program.compile::<f32>(autodiff::CompileOptions::default());
            let expected = program.run(&narrow).unwrap();
            for (a, b) in executable.run(&narrow).unwrap().iter().zip(&expected) {
                assert!(agrees(&a.cast(), &b.cast(), 2e-5), "{name} of {} in f32: {a} and {b}", row.op);
            }
            let batch = program.input_shapes().len();
            let mapped = program.batch(4, &vec![Some(0); batch], &vec![0; program.output_shapes().len()]).unwrap();
            // Four unlike examples; whole numbers may be indices, and stay.
            let example =
                |x: &Tensor<f64>, k: usize| x.map(|x| if x.fract() == 0.0 { x } else { x * (1.0 - 0.01 * k as f64) });
            let stacked = |x: &Tensor<f64>| {
                let examples: Vec<Tensor<f64>> = (0..4).map(|k| example(x, k)).collect();
                Tensor::stack(&examples.iter().collect::<Vec<_>>(), 0)
            };
            let inputs: Vec<Tensor<f64>> = inputs.iter().map(stacked).collect();
            let expected = mapped.run(&inputs).unwrap();
            let mut executable = mapped.compile::<f64>(autodiff::CompileOptions::default());
            for (a, b) in executable.run(&inputs).unwrap().iter().zip(&expected) {
                assert!(agrees(a, b, 1e-13), "batch of {name} of {}: {a} and {b}", row.op);
            }
        }
    }
}
