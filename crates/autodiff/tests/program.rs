//! Random programs: modes agree, transforms commute with evaluation, simplification keeps every bit, batches are loops.

use autodiff::op::{Binary, Literal, Op, Range, Reduce, Unary};
use autodiff::{CompileOptions, Disconnected, Dual, Program, Shape, Tape, Tensor, Value};
use proptest::prelude::*;

/// One step of a random program: an op choice and which earlier values it takes.
#[derive(Clone, Debug)]
struct Step {
    op: usize,
    a: usize,
    b: usize,
    literal: f64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..27_usize, 0..100_usize, 0..100_usize, -1.5..1.5_f64);
    prop::collection::vec(step.prop_map(|(op, a, b, literal)| Step { op, a, b, literal }), 1..14)
}

const SHAPE: [usize; 2] = [2, 3];

/// Two inputs of one shape, the steps, and the sum of all values: smooth everywhere, every value of size about one.
fn build<V: Value>(x: &[V], steps: &[Step]) -> V {
    let mut values = x.to_vec();
    let unary = |op: Unary, x: &V| V::apply(&Op::Unary(op), &[x]);
    for step in steps {
        let a = &values[step.a % values.len()];
        let b = &values[step.b % values.len()];
        let next = match step.op {
            0 => a.plus(b).scale(0.5),
            1 => a.minus(b).scale(0.5),
            2 => a.times(b),
            3 => a.over(&b.square().shift(1.5)),
            4 => a.sin(),
            5 => a.tanh(),
            6 => a.sigmoid(),
            7 => a.softplus(),
            8 => a.square().shift(0.5).sqrt(),
            9 => a.square().shift(0.5).ln(),
            10 => a.scale(0.3).exp(),
            11 => a.erf(),
            12 => a.atan2(&b.square().shift(0.7)),
            13 => a.hypot(&b.square().shift(0.4)),
            14 => unary(Unary::Add(Literal(step.literal)), a),
            15 => unary(Unary::Mul(Literal(step.literal)), a),
            16 => a.matmul_with(b, true, false).sum(&[0]).scale(0.2).broadcast_to(&SHAPE),
            17 => a.logsumexp(&[1]).reshape(&[2, 1]).broadcast_to(&SHAPE),
            18 => a.sum(&[0]).scale(0.3).broadcast_to(&SHAPE),
            19 => a.transpose().reshape(&[2, 3]),
            20 => a.cumsum(1).scale(0.4),
            21 => a.flip(&[0, 1]),
            22 => {
                let left = a.slice(&[Range { start: 0, stop: 2, step: 1 }, Range { start: 0, stop: 3, step: 2 }]);
                V::concat(&[&left, &b.slice_axis(1, 1..2)], 1)
            }
            23 => V::stack(&[a, b], 0).mean(&[0]),
            24 => a.gather(&a.constant(Tensor::from([2.0, 0.0, 0.0])), 1),
            // Constants of both types, moved, negated and filled: what simplification folds.
            25 => {
                let (wide, narrow) = (Tensor::from_rows([[0.1, 0.7, -0.3]]), Tensor::from_rows([[0.1_f32, 0.7, -0.3]]));
                let (wide, narrow) = (a.constant(wide), a.constant(narrow));
                a.plus(&wide.flip(&[1]).abs()).minus(&-narrow.clone()).plus(&narrow.fill(step.literal))
            }
            _ => V::apply(&Op::Reduce(Reduce::Prod, [1][..].into()), &[&a.scale(0.2).shift(1.0)])
                .reshape(&[2, 1])
                .broadcast_to(&SHAPE),
        };
        values.push(next);
    }
    let sum = values.iter().skip(1).fold(values[0].clone(), |sum, v| sum.plus(v));
    sum.tanh().sum_all()
}

fn program(steps: &[Step]) -> Program {
    Program::record(&[&SHAPE, &SHAPE], |x| build(x, steps)).unwrap()
}

fn tensor() -> impl Strategy<Value = Tensor<f64>> {
    prop::collection::vec(-1.2..1.2_f64, 6).prop_map(|data| Tensor::new(&SHAPE, data).unwrap())
}

fn close(a: &Tensor<f64>, b: &Tensor<f64>) -> bool {
    let scale = b.data().iter().fold(1.0_f64, |m, x| m.max(x.abs()));
    a.dims() == b.dims() && a.data().iter().zip(b.data()).all(|(a, b)| (a - b).abs() <= 1e-10 * scale)
}

fn same_bits(a: &[Tensor<f64>], b: &[Tensor<f64>]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            a.dims() == b.dims() && a.data().iter().zip(b.data()).all(|(x, y)| x.to_bits() == y.to_bits())
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn modes_agree(steps in steps(), x in tensor(), y in tensor(), t in tensor(), s in tensor()) {
        let f = program(&steps);
        let zeros = Disconnected::Zeros;
        let point = [x.clone(), y.clone()];
        let gradient = f.grad_with(&[0, 1], zeros).unwrap().run(&point).unwrap();

        // Forward mode by duals.
        let duals = [Dual::new(x.clone(), t.clone()), Dual::new(y.clone(), s.clone())];
        let forward = f.run(&duals).unwrap()[0].tangent().item();
        let reverse = gradient[0].dot(&t).item() + gradient[1].dot(&s).item();
        prop_assert!((forward - reverse).abs() <= 1e-10 * (1.0 + reverse.abs()), "{forward} {reverse}");

        // The eager tape, by the program and by the closure itself.
        let eager = autodiff::grad_or_zeros(|v| build(v, &steps), &point).unwrap();
        prop_assert!(close(&eager[0], &gradient[0]) && close(&eager[1], &gradient[1]));

        // A forward sweep over the tape.
        let swept = Tape::scope(|tape| {
            let v = [tape.var(x.clone()), tape.var(y.clone())];
            let out = f.run(&v).unwrap()[0];
            tape.jvp(&[(v[0], t.clone()), (v[1], s.clone())], &[out])[0].clone().unwrap().item()
        });
        prop_assert!((swept - forward).abs() <= 1e-10 * (1.0 + forward.abs()));

        // Second order: forward over reverse by the eager API against the program's HVP.
        let hvp = f.grad_with(&[0, 1], zeros).unwrap().jvp_with(&[0, 1], zeros).unwrap();
        let expected = hvp.run(&[x.clone(), y.clone(), t.clone(), s.clone()]).unwrap();
        let over_reverse = Tape::scope(|tape| {
            let v = [tape.var(duals[0].clone()), tape.var(duals[1].clone())];
            let out = f.run(&v).unwrap()[0];
            tape.vjp(&[(out, out.value().ones_like())], &v)
        });
        for (found, expected) in over_reverse.iter().zip(&expected[2..]) {
            let found = found.as_ref().map_or_else(|| x.zeros_like(), Dual::tangent);
            prop_assert!(close(&found, expected));
        }
    }

    #[test]
    fn transforms_commute_with_evaluation(steps in steps(), x in tensor(), y in tensor(), t in tensor()) {
        let f = program(&steps);
        let value = f.run(&[x.clone(), y.clone()]).unwrap();
        let eager = build(&[x.clone(), y.clone()], &steps);
        prop_assert!(same_bits(&value, &[eager]));
        let jvp = f.jvp_with(&[0], Disconnected::Zeros).unwrap().run(&[x.clone(), y.clone(), t.clone()]).unwrap();
        let dual = f.run(&[Dual::new(x, t), Dual::constant_value(y)]).unwrap().swap_remove(0);
        prop_assert!(same_bits(&jvp, &[dual.value(), dual.tangent()]));
    }

    #[test]
    fn simplification_keeps_every_bit(steps in steps(), x in tensor(), y in tensor()) {
        let f = program(&steps);
        for program in [f.clone(), f.grad_with(&[0, 1], Disconnected::Zeros).unwrap()] {
            let simple = program.simplify();
            prop_assert!(simple.len() <= program.len());
            let point = [x.clone(), y.clone()];
            prop_assert!(same_bits(&simple.run(&point).unwrap(), &program.run(&point).unwrap()));
            let low: Vec<Tensor<f32>> = point.iter().map(Tensor::cast).collect();
            prop_assert_eq!(simple.run(&low).unwrap(), program.run(&low).unwrap());
        }
    }

    #[test]
    fn parts_of_a_split_are_the_whole(steps in steps(), x in tensor(), y in tensor(), costly in 0..8_u64) {
        let g = program(&steps).grad_with(&[0, 1], Disconnected::Zeros).unwrap().simplify();
        let (once, often) = g.split_costly(&[1], costly).unwrap();
        let handed_over = once.run(&[x.clone()]).unwrap();
        let found = often.run(&[&[x.clone(), y.clone()], &handed_over[..]].concat()).unwrap();
        prop_assert!(same_bits(&found, &g.run(&[x, y]).unwrap()));
        // What is costly and does not vary is computed by the first part alone.
        prop_assert!(often.split_costly(&[1], costly).unwrap().0.is_empty());
    }

    #[test]
    fn executables_agree_with_the_interpreter(steps in steps(), x in tensor(), y in tensor(), t in tensor(), s in tensor()) {
        let f = program(&steps);
        let connected = f.grad(&[0, 1]).is_ok();
        let mut programs = vec![f.clone()];
        if connected {
            let g = f.value_and_grad(&[0, 1]).unwrap();
            programs.push(g.jvp_with(&[0, 1], Disconnected::Zeros).unwrap());
            programs.push(f.hvp(&[0, 1]).unwrap());
            programs.push(f.hvp(&[0, 1]).unwrap().simplify());
            programs.push(g);
        }
        for program in programs {
            let inputs: Vec<_> = [&x, &y, &t, &s].into_iter().take(program.input_shapes().len()).cloned().collect();
            let expected = program.run(&inputs).unwrap();
            let mut executable = program.compile::<f64>(CompileOptions::default());
            for (a, b) in executable.run(&inputs).unwrap().iter().zip(&expected) {
                prop_assert!(close(a, b), "{a} and {b}\n{program}\n{}\n{}", executable.optimized(), executable.explain());
            }
        }
    }

    #[test]
    fn a_batch_is_a_loop(steps in steps(), xs in prop::collection::vec(tensor(), 3), y in tensor()) {
        let f = program(&steps);
        let g = f.grad_with(&[0, 1], Disconnected::Zeros).unwrap();
        let stacked = Tensor::stack(&xs.iter().collect::<Vec<_>>(), 1);
        let batched = g.batch(3, &[Some(1), None], &[0, 2]).unwrap().run(&[stacked, y.clone()]).unwrap();
        for (b, x) in xs.iter().enumerate() {
            let single = g.run(&[x.clone(), y.clone()]).unwrap();
            prop_assert!(close(&batched[0].at(0, b), &single[0]));
            prop_assert!(close(&batched[1].at(2, b), &single[1]));
        }
    }
}

#[test]
fn a_gradient_does_not_compute_the_objective_for_its_seed() {
    let f = Program::record(&[&[3], &[3]], |x| x[0].exp().dot(&x[1])).unwrap();
    let g = f.grad(&[0]).unwrap();
    assert!(g.to_string().contains("sum"), "{g}");
    let simple = g.simplify();
    // exp, and its product with the other input; the sum was there for its shape.
    assert!(!simple.to_string().contains("sum"), "{simple}");
    let point = [Tensor::from([0.1, 0.2, f64::INFINITY]), Tensor::from([1.0, -2.0, 0.5])];
    assert!(same_bits(&simple.run(&point).unwrap(), &g.run(&point).unwrap()));
}

#[test]
fn simplify_shares_folds_and_drops() {
    let c = Tensor::from_rows([[1.0, 2.0], [3.0, 4.0]]);
    let f = Program::record(&[&[2, 2]], |x| {
        let dead = x[0].exp();
        let _ = dead * 2.0;
        let shared = x[0].sin() * x[0].sin();
        shared + x[0].constant(&c).transpose() + x[0].constant(&c).transpose()
    })
    .unwrap();
    let simple = f.simplify();
    // sin, mul, add, add; the transposed constants are one constant.
    assert_eq!((f.len(), simple.len()), (7, 4), "{f}\n{simple}");
    // A zero and a negative zero are different literals.
    let signs = Program::record(&[&[]], |x| (x[0] + 0.0).recip() + (x[0] + -0.0).recip()).unwrap();
    assert_eq!(signs.simplify().len(), signs.len());
}

#[test]
#[should_panic(expected = "index 2 is not a whole number below 2")]
fn an_index_outside_its_example_is_not_taken_from_the_next_one() {
    let f = Program::record(&[&[2], &[1]], |x| x[0].gather(&x[1], 0)).unwrap();
    let batched = f.batch(2, &[Some(0), Some(0)], &[0]).unwrap();
    let x = Tensor::from_rows([[1.0, 2.0], [3.0, 4.0]]);
    let beyond = Tensor::from_rows([[2.0], [0.0]]);
    let _ = batched.run(&[x, beyond]);
}

#[test]
fn an_input_named_twice_is_an_error() {
    let f = Program::record(&[&[]], |x| x[0].sin()).unwrap();
    for transformed in [f.jvp(&[0, 0]), f.vjp(&[0, 0]), f.grad(&[0, 0])] {
        assert!(matches!(transformed, Err(autodiff::Error::Repeated { index: 0, .. })));
    }
}

#[test]
fn counts_are_exact() {
    let f = Program::record(&[&[4, 3], &[3, 2]], |x| x[0].matmul(&x[1]).tanh().sum_all()).unwrap();
    let counts = f.counts();
    assert_eq!(counts.ops, 3);
    assert_eq!(counts.flops, 2 * 4 * 3 * 2 + 8 + 8);
    // Inputs 12 + 6, the product 8 and its tanh 8.
    assert_eq!(counts.peak_elements, 12 + 6 + 8 + 8);
    assert_eq!(counts.peak_bytes(8), 8 * 34);
}

#[test]
fn text_and_dot_name_every_value() {
    let f = Program::record(&[&[2, 3], &[3, 2]], |x| (x[0].matmul(&x[1]) * 2.0).sum_all()).unwrap();
    let text = "program(x0 [2, 3], x1 [3, 2]) {\n  v2 [2, 2] = matmul(x0, x1)\n  v3 [2, 2] = mul[2.0](v2)\n  \
                v4 [] = sum[axes [0, 1]](v3)\n  return v4\n}";
    assert_eq!(f.to_string(), text);
    let dot = f.to_dot();
    assert!(dot.contains("n2 [label=\"matmul\\n[2, 2]\"") && dot.contains("n0 -> n2;") && dot.contains("style=bold"));
}

#[test]
fn programs_are_send_sync_and_know_their_lines() {
    fn assert_send_sync<T: Send + Sync>(_: &T) {}
    let line = line!() + 1;
    let f = Program::record(&[&[]], |x| x[0].sin()).unwrap();
    assert_send_sync(&f);
    let location = f.nodes()[1].location().unwrap();
    assert!(location.file.ends_with("program.rs") && location.line == line, "{location}");
}

#[test]
fn every_transform_composes_with_every_other() {
    let f = Program::record(&[&[2], &[2]], |x| (x[0] * x[1]).sin().sum_all()).unwrap();
    let point = [Tensor::from([0.3, -0.4]), Tensor::from([1.2, 0.7])];
    // Per-example gradients of a batch, and the gradient of a sum over the batch.
    let examples = f.grad(&[0]).unwrap().batch(2, &[Some(0), Some(0)], &[0]).unwrap();
    let rows = Tensor::stack(&[&point[0], &point[1]], 0);
    let found = examples.run(&[rows.clone(), rows.clone()]).unwrap();
    for i in 0..2 {
        let single = f.grad(&[0]).unwrap().run(&[rows.row(i), rows.row(i)]).unwrap();
        assert!(close(&found[0].row(i), &single[0]));
    }
    // The same HVP by four routes.
    let direction = Tensor::from([0.5, 2.0]);
    let inputs = [point[0].clone(), point[1].clone(), direction.clone()];
    let routes = [
        f.hvp(&[0]).unwrap().run(&inputs).unwrap().swap_remove(0),
        f.grad(&[0]).unwrap().jvp(&[0]).unwrap().run(&inputs).unwrap().swap_remove(1),
        f.grad(&[0]).unwrap().vjp(&[0]).unwrap().run(&inputs).unwrap().swap_remove(0),
        {
            let jvp = f.jvp(&[0]).unwrap();
            let tangent = Program::record_shapes(&jvp.input_shapes(), |x| vec![jvp.eval(x)[1]]).unwrap();
            tangent.grad(&[0]).unwrap().run(&inputs).unwrap().swap_remove(0)
        },
    ];
    for route in &routes {
        let exact = point[0].clone() * &point[1];
        let exact = -exact.sin() * &point[1] * &point[1] * &direction;
        assert!(close(route, &exact), "{route} {exact}");
    }
}

#[test]
fn batching_maps_gather_scatter_and_solve() {
    let shapes: [Shape; 3] = [[3, 2][..].into(), [2][..].into(), [2, 2][..].into()];
    let f = Program::record_shapes(&shapes, |x| {
        let gathered = x[0].gather(&x[1], 0);
        let scattered = x[0].scatter_add(&x[1], &gathered, 0);
        vec![scattered, (x[2] * 0.1 + x[2].constant(Tensor::<f64>::eye(2))).solve(&gathered)]
    })
    .unwrap();
    let x = Tensor::from_fn(&[4, 3, 2], |i| (i[0] * 6 + i[1] * 2 + i[2]) as f64 * 0.1);
    let indices = Tensor::from_rows([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0], [0.0, 0.0]]);
    let a = Tensor::from_fn(&[4, 2, 2], |i| (i[0] + 2 * i[1] + i[2]) as f64 * 0.3);
    for axes in 0..8_usize {
        let mapped = |bit: usize| axes & bit != 0;
        let in_axes = [mapped(1).then_some(0), mapped(2).then_some(0), mapped(4).then_some(0)];
        let pick = |t: &Tensor<f64>, bit: usize, b: usize| if mapped(bit) { t.row(b) } else { t.row(0) };
        let whole = |t: &Tensor<f64>, bit: usize| if mapped(bit) { t.clone() } else { t.row(0) };
        let batched = f.batch(4, &in_axes, &[0, 1]).unwrap();
        let found = batched.run(&[whole(&x, 1), whole(&indices, 2), whole(&a, 4)]).unwrap();
        for b in 0..4 {
            let single = f.run(&[pick(&x, 1, b), pick(&indices, 2, b), pick(&a, 4, b)]).unwrap();
            assert!(close(&found[0].at(0, b), &single[0]), "axes {axes}, example {b}");
            assert!(close(&found[1].at(1, b), &single[1]), "axes {axes}, example {b}");
        }
    }
}

#[test]
fn custom_ops_batch_example_by_example() {
    let op = autodiff::Custom::new("double_plus", 2, |x| &x[0] * 2.0 + &x[1]).jvp(|_, _, t| t[0] * 2.0 + t[1]);
    let f = Program::record(&[&[2], &[2]], |x| Value::apply_custom(&op, &[&x[0].sin(), &x[1]]).sum_all()).unwrap();
    let g = f.grad(&[0]).unwrap().batch(2, &[Some(0), None], &[0]).unwrap();
    let x = Tensor::from_rows([[0.1, 0.2], [0.3, 0.4]]);
    let found = g.run(&[x.clone(), Tensor::from([1.0, 1.0])]).unwrap();
    assert!(close(&found[0], &(x.cos() * 2.0)));
}

#[test]
fn binary_ops_of_one_value_are_recorded_once() {
    // x·x with both arguments the same place: the reverse sweep must add both halves.
    for op in [Binary::Mul, Binary::Add, Binary::Hypot] {
        let f = |x: f64| Value::apply(&Op::Binary(op), &[&x, &x]);
        let slope = autodiff::derivative(|x| Value::apply(&Op::Binary(op), &[&x, &x]), 1.3).unwrap();
        let difference = (f(1.3 + 1e-6) - f(1.3 - 1e-6)) / 2e-6;
        assert!((slope - difference).abs() < 1e-8, "{op:?}");
    }
}
