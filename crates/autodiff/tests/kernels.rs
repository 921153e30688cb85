//! What executables do beside evaluating op by op (rows that repeat, products that end in a sum, reading and adding by
//! indices) changes no value.

use autodiff::op::Padding;
use autodiff::{Abstract, CompileOptions, Disconnected, Element, Program, Tensor, Value, Var};

mod support;
use support::inputs;

type V<'t> = Var<'t, Abstract>;

/// Both precisions of an executable, on one and two threads, against the interpreter.
fn agrees(f: &Program, what: &str) {
    agrees_at(f, &inputs::<f64>(f), what);
}

fn agrees_at(f: &Program, x: &[Tensor<f64>], what: &str) {
    let expected = f.run(x).unwrap();
    let narrow: Vec<Tensor<f32>> = x.iter().map(Tensor::cast).collect();
    for threads in [1, 2] {
        let options = CompileOptions::default().threads(threads);
        let double = f.compile::<f64>(options).run(x).unwrap();
        let single = f.compile::<f32>(options).run(&narrow).unwrap();
        for ((a, single), b) in double.iter().zip(&single).zip(&expected) {
            let scale = b.data().iter().fold(0.0_f64, |s, x| s.max(x.abs()));
            for ((a, single), b) in a.data().iter().zip(single.data()).zip(b.data()) {
                assert!((a - b).abs() <= 1e-12 * scale, "{what}: {a} and {b}");
                assert!((f64::from(*single) - b).abs() <= 3e-5 * scale, "{what}: {single} and {b}");
            }
        }
    }
}

#[test]
fn repeated_rows_agree_with_the_interpreter_where_blocks_end_inside_them() {
    // Rows that no block of whole cache lines holds a whole number of, and sums over long rows that end inside one.
    for (rows, columns, sums) in [(3, 37, 3), (301, 37, 2), (57, 300, 4), (151, 150, 4), (705, 24, 4), (7, 513, 2)] {
        let f = Program::record_many(&[&[2 * rows, columns], &[columns], &[2 * rows, columns]], |a| {
            let y = (a[0] + a[1]) * a[2] - a[1];
            let z = a[0] * a[1];
            let sums = z.reshape(&[sums, 2 * rows * columns / sums]).sum(&[1]);
            vec![y, sums, z.sum(&[0]), (a[0] - a[1]).sum(&[1])]
        })
        .unwrap();
        agrees(&f, &format!("{rows} rows of {columns}"));
    }
}

#[test]
fn numbers_and_rows_of_several_periods_repeat_in_one_walk() {
    for rows in [4, 300, 4096] {
        let f = Program::record_many(&[&[rows, 6, 8], &[8], &[6, 8], &[]], |a| {
            let y = a[0] * a[1] + a[2] * a[3];
            vec![y.sum(&[1, 2]) + a[3], (y - a[3]).tanh()]
        })
        .unwrap();
        agrees(&f, &format!("{rows} rows"));
        let f = Program::record(&[&[rows, 64], &[]], |a| a[0].sum(&[1]) + a[1]).unwrap();
        agrees(&f, &format!("a number for each of {rows} rows"));
    }
}

#[test]
fn numbers_and_rows_repeat_where_products_share_a_pass() {
    let f = Program::record_many(&[&[1000, 784], &[784, 10], &[10], &[]], |a| {
        let h = (a[0].matmul(&a[1]) + a[2]).tanh();
        let rows = h.sum(&[1]) * a[3];
        vec![a[0].transpose().matmul(&(h * rows.reshape(&[1000, 1]))), rows]
    })
    .unwrap();
    assert!(f.compile::<f64>(CompileOptions::default()).explain().contains("at a time"));
    agrees(&f, "shared rows");
}

#[test]
fn rows_of_nothing_compile() {
    let f = Program::record(&[&[2, 3, 0], &[0, 3], &[0, 3]], |a| a[0] * a[1].transpose() + a[2].transpose()).unwrap();
    agrees(&f, "nothing");
}

#[test]
fn a_product_that_is_only_added_to_something_is_added_in_place() {
    type Sum = for<'t> fn(V<'t>, V<'t>) -> Vec<V<'t>>;
    // The array and the product; how many products are added.
    let sums: [(Sum, usize); 9] = [
        (|p, ab| vec![p - ab * 0.1], 1),
        (|p, ab| vec![p + ab], 1),
        (|p, ab| vec![ab + p], 1),
        (|p, ab| vec![p - ab], 1),
        (|p, ab| vec![(p.tanh() + ab).sum_all(), p.tanh().sum_all()], 0),
        (|p, ab| vec![ab - p], 0),
        (|_, ab| vec![ab + ab], 0),
        (|p, ab| vec![p + ab, ab], 0),
        (|p, ab| vec![p + ab, p - ab], 0),
    ];
    for (i, (sum, joined)) in sums.into_iter().enumerate() {
        let shapes: [&[usize]; 3] = [&[130, 140], &[300, 130], &[300, 140]];
        let f = Program::record_many(&shapes, |a| sum(a[0], a[1].transpose().matmul(&a[2]))).unwrap();
        let shown = f.compile::<f64>(CompileOptions::default()).explain();
        assert_eq!(shown.matches(", added").count(), joined, "sum {i}: {shown}");
        agrees(&f, &format!("sum {i}"));
    }
}

#[test]
fn products_are_added_to_slices_to_each_other_and_to_what_comes_later() {
    type Sum = for<'t> fn(&[V<'t>]) -> V<'t>;
    let sums: [Sum; 3] = [
        |a| a[0].slice_axis(0, 1..2).reshape(&[130, 140]) - a[1].matmul(&a[2]) * 0.5,
        |a| a[1].matmul(&a[2]) + a[1].matmul(&a[3].transpose()),
        |a| a[1].matmul(&a[2]).exp().cumsum(0) + a[1].matmul(&a[3].transpose()),
    ];
    for (i, sum) in sums.into_iter().enumerate() {
        let f = Program::record(&[&[3, 130, 140], &[130, 300], &[300, 140], &[140, 300]], sum).unwrap();
        let shown = f.compile::<f64>(CompileOptions::default()).explain();
        assert_eq!(shown.matches(", added").count(), 1, "sum {i}: {shown}");
        agrees(&f, &format!("sum {i}"));
    }
}

#[test]
fn a_product_that_is_added_no_times_may_still_be_infinite() {
    for factor in [0.0, 1e-46] {
        let shapes: [&[usize]; 3] = [&[130, 140], &[130, 300], &[300, 140]];
        let f = Program::record(&shapes, |a| a[0] + a[1].matmul(&a[2]) * factor).unwrap();
        let mut x = inputs::<f32>(&f);
        x[1].data_mut()[0] = f32::INFINITY;
        let found = f.compile::<f32>(CompileOptions::default()).run(&x).unwrap();
        assert!(found[0].data()[..140].iter().all(|x| x.is_nan()), "{factor}: {}", found[0].data()[0]);
    }
}

#[test]
fn gathers_are_read_inside_walks_and_agree_with_the_interpreter() {
    // Arrays [4, 9, 5] and [9], nine indices; the kernels, where they are as few as can be.
    type Reader = for<'t> fn(V<'t>, V<'t>, V<'t>) -> Vec<V<'t>>;
    let readers: [(Reader, Option<usize>); 8] = [
        (|x, _, i| vec![x.gather(&i, 1).tanh() * 2.0], Some(1)),
        // What is gathered from is computed, and read in order too.
        (|x, _, i| vec![x.tanh().gather(&i, 1) + x.tanh()], Some(2)),
        (|x, y, i| vec![y.gather(&i, 0) * y, x.gather(&i, 1).sum(&[2])], Some(2)),
        // A sum over rows, of which the gather would be one value each.
        (|x, y, i| vec![x.sum(&[0, 2]) + y.gather(&i, 0).square()], None),
        (|x, y, i| vec![(x.sum(&[0, 2]) * y).gather(&i, 0).exp().sum_all()], None),
        // Read twice, stored as well, and by computed indices.
        (|x, _, i| vec![x.gather(&i, 1).exp() - x.gather(&i, 1), x.gather(&i, 1).transpose()], None),
        (|x, y, i| vec![x.gather(&(i * -1.0 + 8.0), 1).square(), y.gather(&i, 0)], Some(3)),
        (|_, y, i| vec![y.gather(&y.gather(&i, 0), 0) + 1.0], Some(2)),
    ];
    let indices = Tensor::from_fn(&[9], |i| [3.0, 0.0, 8.0, 8.0, 1.0, 2.0, 7.0, 3.0, 4.0][i[0]]);
    for (which, (read, kernels)) in readers.into_iter().enumerate() {
        let f = Program::record_many(&[&[4, 9, 5], &[9], &[9]], |a| read(a[0], a[1], a[2])).unwrap();
        let mut x = inputs::<f64>(&f);
        x[1] = Tensor::from_fn(&[9], |i| (i[0] * 5 % 9) as f64);
        x[2] = indices.clone();
        let check = |f: &Program, x: &[Tensor<f64>]| {
            let mut executable = f.compile::<f64>(CompileOptions::default());
            for (a, b) in executable.run(x).unwrap().iter().zip(&f.run(x).unwrap()) {
                let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-13 * (1.0 + b.abs());
                assert!(a.dims() == b.dims() && a.data().iter().zip(b.data()).all(near), "reader {which}: {a} and {b}");
            }
            executable.explain()
        };
        let shown = check(&f, &x);
        if let Some(kernels) = kernels {
            assert!(shown.contains(&format!("in {kernels} kernel")), "reader {which}: {shown}");
        }
        // The pullback scatters, and gathers again.
        let pullback = f.vjp(&[0]).or_else(|_| f.vjp(&[1])).unwrap();
        let more = pullback.input_shapes().len() - x.len();
        let mut with = x.clone();
        with.extend(inputs::<f64>(&pullback).into_iter().rev().take(more).rev());
        check(&pullback, &with);
    }
}

#[test]
fn indices_reach_across_blocks_chunks_and_threads() {
    // Along each axis, beside sums over the first and the last axes, and over all of a long row.
    for (shape, axis) in [([37, 301, 13], 0), ([37, 301, 13], 1), ([37, 301, 13], 2), ([2, 9000, 1], 1), ([3, 5, 7], 1)]
    {
        let n = shape[axis];
        let count = if axis == 2 { 13 } else { n / 2 + 1 };
        let mut seen = shape;
        seen[axis] = count;
        let f = Program::record_many(&[&shape, &seen, &[count]], |a| {
            let part = a[0].gather(&a[2], axis);
            let y = (part * a[1]).tanh();
            let scattered = a[0].scatter_add(&a[2], &y, axis);
            let same = a[2].scatter_add(&a[2], &a[2], 0);
            vec![part.exp(), scattered, y.sum(&[0]), part.square().sum(&[2]), (part - a[1]).sum(&[1, 2]), same]
        })
        .unwrap();
        let mut x = inputs::<f64>(&f);
        x[2] = Tensor::from_fn(&[count], |i| (i[0] * 7 % count) as f64);
        agrees_at(&f, &x, &format!("{shape:?} along {axis}"));
        let pullback = f.vjp(&[0, 1]).unwrap();
        let mut with = inputs::<f64>(&pullback);
        with[2] = x[2].clone();
        agrees_at(&pullback, &with, &format!("the pullback of {shape:?} along {axis}"));
    }
}

#[test]
fn single_numbers_by_indices_stay_with_the_interpreter() {
    let f = Program::record_many(&[&[5], &[], &[]], |a| {
        let x = a[0].gather(&a[1], 0);
        let y = (0..50).fold(x, |y, _| (y * a[2]).sin() + x);
        vec![y, a[0].scatter_add(&a[1], &y, 0)]
    })
    .unwrap();
    let mut x = inputs::<f64>(&f);
    x[1] = Tensor::from(3.0);
    agrees_at(&f, &x, "single numbers");
    let shown = f.compile::<f64>(CompileOptions::default()).explain();
    assert!(shown.contains("instructions on single numbers"), "{shown}");
}

#[test]
#[should_panic(expected = "gather: index 9 is not a whole number below 9")]
fn a_gather_inside_a_walk_refuses_an_index_beyond_the_end() {
    let f = Program::record(&[&[9], &[2]], |a| a[0].gather(&a[1], 0).exp()).unwrap();
    let x = [Tensor::ones(&[9]), Tensor::new(&[2], vec![1.0, 9.0]).unwrap()];
    drop(f.compile::<f64>(CompileOptions::default()).run(&x));
}

#[test]
fn products_have_the_same_bits_on_any_number_of_threads() {
    fn check<E: Element>(f: &Program, what: &str) {
        let x: Vec<Tensor<E>> = inputs::<f64>(f).iter().map(Tensor::cast).collect();
        let run = |threads: usize| f.compile::<E>(CompileOptions::default().threads(threads)).run(&x).unwrap();
        let one = run(1);
        for threads in [2, 3, 5] {
            let same = run(threads)[0]
                .data()
                .iter()
                .zip(one[0].data())
                .all(|(a, b)| a.to_f64().to_bits() == b.to_f64().to_bits());
            assert!(same, "{what} in {} on {threads} threads", E::NAME);
        }
    }
    // Wide, narrow and deep ones; some whose pieces would be so small that the library has another kernel for them.
    let sizes = [
        (300, 700, 300),
        (64, 1200, 400),
        (400, 1200, 64),
        (60, 20_000, 60),
        (1000, 1200, 33),
        (33, 1200, 1000),
        (200, 6000, 10),
        (60, 60_000, 50),
        (30, 100_000, 12),
        (2000, 600, 10),
        (129, 3000, 64),
        (64, 3000, 129),
        (900, 40, 900),
        (20, 60_000, 30),
        (28, 20_000, 100),
        (784, 100, 256),
    ];
    for (m, k, n) in sizes {
        for way in 0..4 {
            let (left, right) = (way & 1 > 0, way & 2 > 0);
            let (a, b) = (if left { [k, m] } else { [m, k] }, if right { [n, k] } else { [k, n] });
            let f = Program::record(&[&a, &b], |x| {
                let a = if left { x[0].transpose() } else { x[0] };
                a.matmul(&if right { x[1].transpose() } else { x[1] })
            })
            .unwrap();
            check::<f64>(&f, &format!("{m}×{k}×{n}, {left} {right}"));
            check::<f32>(&f, &format!("{m}×{k}×{n}, {left} {right}"));
        }
    }
    let f = Program::record(&[&[300, 200], &[700, 300], &[700, 200]], |x| x[0] - x[1].transpose().matmul(&x[2]) * 0.1)
        .unwrap();
    check::<f64>(&f, "a step");
    check::<f32>(&f, "a step");
    let f = network(1003, [300, 70, 40, 10]).grad(&[0, 1, 2, 3, 4, 5]).unwrap();
    check::<f64>(&f, "a gradient by blocks of rows");
    check::<f32>(&f, "a gradient by blocks of rows");
}

/// The loss of a network, whose rows are enough for blocks of them.
fn network(rows: usize, widths: [usize; 4]) -> Program {
    let [a, b, c, d] = widths;
    let shapes: [&[usize]; 8] = [&[a, b], &[b], &[b, c], &[c], &[c, d], &[d], &[rows, a], &[rows, d]];
    Program::record(&shapes, |x| {
        let h = (x[6].matmul(&x[0]) + x[1]).tanh();
        let h = (h.matmul(&x[2]) + x[3]).sigmoid();
        let z = h.matmul(&x[4]) + x[5];
        (z.logsumexp(&[1]) - (z * x[7]).sum(&[1])).mean_all()
    })
    .unwrap()
}

#[test]
fn what_stands_between_large_products_agrees_by_blocks_of_rows() {
    for (rows, widths) in [(1003, [300, 70, 40, 10]), (2048, [64, 96, 33, 3]), (640, [700, 130, 16, 17])] {
        let f = network(rows, widths);
        let wrt = [0, 1, 2, 3, 4, 5];
        for (what, f) in [
            ("gradient", f.grad(&wrt).unwrap()),
            ("Hessian-vector product", f.hvp(&wrt).unwrap()),
            ("gradient by the rows", f.grad(&[6]).unwrap()),
        ] {
            agrees(&f, &format!("{what} at {rows} rows"));
            let shown = f.compile::<f64>(CompileOptions::default()).explain();
            assert!(shown.contains("at a time: "), "{what} at {rows} rows: {shown}");
        }
    }
}

#[test]
fn products_of_many_rows_read_slices_and_rows_of_any_length() {
    // Rows that stand in many places of a cache and in few; panels that stay near, and some that do not.
    for (rows, whole, inner, columns) in [(300, 170, 100, 70), (200, 256, 256, 40), (230, 1030, 1024, 180)] {
        let f = Program::record_many(&[&[rows, whole], &[inner, columns], &[columns, inner]], |x| {
            let from = whole - inner;
            let part = x[0].slice_axis(1, from..whole);
            let alone = part.matmul(&x[1]);
            let turned = part.matmul_with(&x[2], false, true).tanh();
            vec![alone, turned.matmul(&x[2]), turned.square().sum(&[1])]
        });
        agrees(&f.unwrap(), &format!("{rows} rows of {whole}, {inner} × {columns}"));
    }
}

#[test]
fn a_step_of_no_rows_changes_nothing() {
    let f = Program::record_many(&[&[4096, 16], &[0, 4096], &[0, 16]], |x| {
        let step = x[1].transpose().matmul(&x[2]);
        vec![x[0] - step * 0.1, (step * x[0]).exp()]
    })
    .unwrap();
    agrees(&f, "no rows");
}

#[test]
fn a_large_matrix_is_read_once_however_many_columns_it_has() {
    for (columns, classes) in [(10_000, 2), (1000, 12)] {
        let shapes: [&[usize]; 3] = [&[100, columns], &[columns, classes], &[100, classes]];
        let f = Program::record(&shapes, |x| {
            let z = x[0].matmul(&x[1]);
            x[0].transpose().matmul(&(z.tanh() - x[2]))
        })
        .unwrap();
        agrees(&f, &format!("{columns} columns"));
        let shown = f.compile::<f64>(CompileOptions::default()).explain();
        assert!(shown.contains(&format!("at a time: matmul 100×{columns}×{classes}")), "{shown}");
    }
}

#[test]
fn rows_that_are_read_twice_by_one_product_stay_near() {
    let f = Program::record_many(&[&[2000, 40], &[40, 24]], |x| {
        let h = x[0].matmul(&x[1]).tanh();
        let y = h.exp();
        vec![h.transpose().matmul(&h), y.transpose().matmul(&(y + h))]
    })
    .unwrap();
    agrees(&f, "hᵀ·h");
}

#[test]
fn stacks_of_tangents_stay_beside_their_rows() {
    for (rows, widths, stack) in [(7, [5, 4, 3, 2], 3), (500, [90, 64, 20, 10], 4), (3, [1, 2, 2, 3], 1)] {
        let [a, b, c, d] = widths;
        let shapes: [&[usize]; 8] = [&[a, b], &[b], &[b, c], &[c], &[c, d], &[d], &[rows, a], &[rows, d]];
        let f = Program::record_many(&shapes, |x| {
            let h = (x[6].matmul(&x[0]) + x[1]).tanh();
            let h = (h.matmul(&x[2]) + x[3]).relu();
            let z = h.matmul(&x[4]) + x[5];
            let largest = z.max_over(&[1]).reshape(&[rows, 1]).broadcast_to(&[rows, d]);
            vec![(z.logsumexp(&[1]) - (z * x[7]).sum(&[1])).mean_all(), z / largest, h]
        })
        .unwrap();
        let wrt = [0, 1, 2, 3, 4, 5];
        let tangents = f.jvp_with(&wrt, Disconnected::Zeros).unwrap();
        let axes = [vec![None; 8], vec![Some(0); 6]].concat();
        let many = tangents.batch(stack, &axes, &[0; 6]).unwrap();
        agrees(&many, &format!("{stack} tangents of {rows} rows"));
        let gradient = Program::record_many(&shapes, |x| f.eval(x)[..1].to_vec()).unwrap().grad(&wrt).unwrap();
        let many = gradient.jvp_with(&wrt, Disconnected::Zeros).unwrap().batch(stack, &axes, &[0; 12]).unwrap();
        agrees(&many, &format!("{stack} tangents of a gradient of {rows} rows"));
    }
}

#[test]
fn what_others_read_of_a_block_of_rows_is_kept() {
    // Rows that are given out, read as a view, transposed, by a product that is no part of the group, and one by one.
    let f = Program::record_many(&[&[1500, 90], &[90, 24], &[24, 80], &[1500, 3]], |x| {
        let h = x[0].tanh();
        let z = h.matmul(&x[1]);
        let y = z.matmul(&x[2]).exp();
        let scaled = y / y.sum_keep(&[1]);
        let (left, right) = (scaled.slice_axis(1, 0..40), scaled.slice_axis(1, 40..80));
        let apart = x[3].transpose().matmul(&h);
        vec![z, (left * right).sum(&[1]), scaled.transpose().matmul(&h), apart, y.flip(&[0]).sum(&[0]), h.sum(&[0])]
    })
    .unwrap();
    agrees(&f, "rows that others read");
    let shown = f.compile::<f64>(CompileOptions::default()).explain();
    assert!(shown.contains("at a time: "), "{shown}");
}

#[test]
fn factors_that_repeat_a_row_or_a_column_agree_with_the_interpreter() {
    for (m, k, n) in [(100, 300, 90), (200, 150, 10), (90, 300, 100)] {
        let f = Program::record_many(&[&[m, 1], &[1, k], &[k, n], &[1, n], &[k, 1], &[m, k]], |a| {
            let left = [a[0].broadcast_to(&[m, k]), a[1].broadcast_to(&[m, k])];
            let right = [a[3].broadcast_to(&[k, n]), a[4].broadcast_to(&[k, n])];
            let mut all: Vec<_> = left.iter().map(|left| left.matmul(&a[2])).collect();
            all.extend(right.iter().map(|right| a[5].matmul(right)));
            all
        })
        .unwrap();
        agrees(&f, &format!("{m}×{k}×{n}"));
    }
}

#[test]
fn narrow_products_read_right_factors_that_stand_neither_by_rows_nor_by_columns() {
    // Threads share rows; the last ones are fewer than the kernel for the others is made for.
    for (m, k) in [(200, 6000), (100, 11_000), (40, 300)] {
        let f = Program::record_many(&[&[m, k], &[k, m], &[k, 10, 3]], |a| {
            let right = a[2].at(2, 1);
            vec![a[0].matmul(&right), a[1].transpose().matmul(&right)]
        })
        .unwrap();
        agrees(&f, &format!("{m}×{k}"));
    }
}

#[test]
fn stacks_of_small_products_agree_however_their_axes_step() {
    // Axes that go on where the one before steps, that repeat on either side, that change places, and single ones.
    for (a, b) in [
        (&[3, 4, 5, 7][..], &[3, 4, 7, 6][..]),
        (&[3, 1, 5, 7], &[1, 4, 7, 6]),
        (&[3, 4, 5, 7], &[1, 4, 7, 6]),
        (&[3, 4, 1, 7], &[3, 1, 7, 6]),
        (&[2, 3, 4, 5, 7], &[2, 1, 4, 7, 1]),
        (&[40, 33, 7], &[40, 7, 21]),
    ] {
        let f = Program::record_many(&[a, b], |x| {
            let swapped = |first: usize, second: usize| {
                let mut order: Vec<usize> = (0..a.len()).collect();
                order.swap(first, second);
                [x[0].permute(&order), x[1].permute(&order)]
            };
            let (last, [left, right]) = (a.len() - 1, swapped(a.len() - 2, a.len() - 1));
            let mut all = vec![x[0].matmul(&x[1]), right.matmul(&left)];
            if last > 2 {
                let [left, right] = swapped(0, 1);
                all.push(left.matmul(&right));
            }
            all
        })
        .unwrap();
        agrees(&f, &format!("{a:?} by {b:?}"));
    }
}

#[test]
fn products_of_vectors_agree_with_the_interpreter() {
    let f = Program::record_many(&[&[784], &[1, 128], &[784, 128]], |a| {
        let outer = a[0].reshape(&[1, 784]).transpose().matmul(&a[1]);
        vec![outer, a[2] - outer * 0.5]
    })
    .unwrap();
    agrees(&f, "an outer product");
    let f = Program::record(&[&[1000, 784], &[784, 0]], |a| a[0].transpose().matmul(&a[0].matmul(&a[1]))).unwrap();
    agrees(&f, "no columns");
}

#[test]
fn pieces_that_are_read_in_place_alternate_with_those_that_are_not() {
    let around = |low, high| Padding { low, high, interior: 0 };
    let f = Program::record_many(&[&[3, 5000], &[3, 4493], &[4, 1, 8]], |a| {
        let slice = a[0].slice_axis(1, 7..4500);
        let padded = (slice * 2.0).pad(&[around(0, 0), around(300, 207)]);
        let repeated = a[2].broadcast_to(&[4, 600, 8]).pad(&[around(0, 0), around(5, 3), around(0, 0)]);
        vec![slice.tanh() * a[1] + slice, padded + a[0] * 3.0, repeated * 2.0 + repeated.exp()]
    })
    .unwrap();
    agrees(&f, "slices longer than a block");
}

#[test]
fn numbers_are_operands_on_either_side() {
    for (rows, columns) in [(1, 7), (3, 40), (300, 24), (1, 5000)] {
        let shapes: [&[usize]; 4] = [&[rows, columns], &[rows, columns], &[], &[1, 1]];
        let f = Program::record_many(&shapes, |a| {
            let (x, y, c) = (a[0], a[1], a[2]);
            // What is neither alone nor an argument: a number in the middle of an array, and one made before.
            let (own, made) = (x.slice_axis(1, 2..3).slice_axis(0, rows - 1..rows), (c.exp() + 1.5).sqrt());
            let one_side = vec![x + c, c + x, x - c, c - x, x * c, c * x, x / made, made / (x.square() + 1.0)];
            let added = vec![x * c + y, y + x * c, y - x * c, x * c - y, c - x * y, x * y + c, x * c + c, c * c + x];
            let others = vec![c.maximum(&x), x.minimum(&made), (c * a[3] - made) * x, x * own - own, a[3] * x + y];
            let (sums, per_row) = ((x * c - y).sum_all() * made, (x * c).sum(&[1]) * c - made);
            [one_side, added, others, vec![sums, per_row]].concat()
        })
        .unwrap();
        agrees(&f, &format!("numbers beside {rows} rows of {columns}"));
    }
    // Half of what is read is padding, so it is no number.
    let f = Program::record(&[&[2], &[1]], |a| {
        let padding = [Padding { low: 0, high: 1, interior: 0 }];
        a[0] * 2.0 + a[1].pad(&padding)
    });
    agrees(&f.unwrap(), "a padded number");
}

#[test]
fn what_is_not_finite_stays_so_beside_a_number() {
    let f = Program::record(&[&[4], &[]], |a| {
        V::stack(&[&(a[0] * a[1]), &(a[0] + a[1]), &(a[1] / a[0]), &(a[0] / a[1]), &(a[1] - a[0])], 0)
    })
    .unwrap();
    let x = Tensor::from([0.0, -0.0, f64::INFINITY, f64::NAN]);
    let mut compiled = f.compile::<f64>(CompileOptions::default());
    for c in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324] {
        let args = [x.clone(), Tensor::scalar(c)];
        let (a, b) = (compiled.run(&args).unwrap(), f.run(&args).unwrap());
        for (a, b) in a[0].data().iter().zip(b[0].data()) {
            assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "beside {c}: {a} and {b}");
        }
    }
}

#[test]
fn one_long_row_is_reduced_after_the_walk_that_makes_it() {
    for n in [1000, 1024, 1025, 4096, 9000] {
        let f = Program::record_many(&[&[n], &[n], &[]], |a| {
            let (x, y) = (a[0], a[1]);
            // Not differentiated: two that are the largest in one precision may not both be in the other.
            let softmax = (x - x.max_over(&[0]).stop_gradient()).exp();
            let softmax = softmax / softmax.sum_all();
            let norm = (x.square().sum_all() + a[2]).sqrt();
            vec![
                (softmax * y).sum_all(),
                x / norm * (x * y).sum_all(),
                norm,
                x.min_over(&[0]).stop_gradient() * softmax,
            ]
        })
        .unwrap();
        agrees(&f, &format!("a row of {n}"));
        agrees(&f.vjp(&[0]).unwrap(), &format!("the adjoint of a row of {n}"));
    }
}

#[test]
fn parts_of_concatenations_are_made_in_place() {
    let f = Program::record_many(&[&[5], &[300], &[4, 5]], |a| {
        let (x, y, m) = (a[0], a[1], a[2]);
        let (u, v) = (x.exp(), y.sin());
        let inner = V::concat(&[&u, &v], 0);
        // A part that is also read, a whole inside a whole, one part in two wholes and twice in one, an input.
        let outer = V::concat(&[&(inner * 2.0), &inner, &x, &u.sum_all().reshape(&[1]), &u], 0);
        let again = V::concat(&[&u, &u, &v.slice_axis(0, 3..9), &y], 0);
        let rows =
            V::concat(&[&m.matmul(&x.reshape(&[5, 1])).reshape(&[1, 4]), &m.square().sum(&[1]).reshape(&[1, 4])], 0);
        let stacked = V::stack(&[&x.sum_all(), &v.sum_all(), &m.max_over(&[0, 1]), &x.at(0, 2)], 0);
        let padded = u.pad(&[Padding { low: 2, high: 1, interior: 0 }]) + 1.0;
        vec![outer, again, v * 3.0, rows.tanh(), rows, stacked, V::concat(&[&padded, &stacked.exp()], 0), inner]
    })
    .unwrap();
    agrees(&f, "parts");
    agrees(&f.vjp(&[0, 1, 2]).unwrap(), "the adjoint of parts");
    let f = Program::record(&[&[64], &[64]], |a| V::concat(&[&a[0].exp(), &(a[0] * a[1])], 0)).unwrap();
    let text = f.compile::<f64>(CompileOptions::default()).explain();
    assert!(!text.contains("concat") && text.contains("in output 0"), "nothing is left to copy: {text}");
}

#[test]
fn a_part_that_is_read_for_longer_does_not_keep_the_whole() {
    let peak = |steps: usize| {
        let f = Program::record(&[&[16], &[5000], &[16, 5016]], |a| {
            let (mut h, mut all) = (a[0].tanh(), vec![]);
            for _ in 0..steps {
                all.push(h);
                h = a[2].matmul(&V::concat(&[&h, &a[1].sin()], 0)).tanh();
            }
            V::stack(&all.iter().collect::<Vec<_>>(), 0)
        });
        f.unwrap().compile::<f64>(CompileOptions::default()).peak_bytes()
    };
    assert!(peak(20) < 2 * peak(2), "{} and {} bytes", peak(20), peak(2));
}

#[test]
fn products_that_are_only_summed_are_summed_as_they_are_made() {
    for (rows, columns) in [(1, 16), (1, 17), (3, 31), (300, 40), (41, 100), (1200, 16), (9000, 40)] {
        let what = format!("{rows} rows of {columns}");
        let f = Program::record_many(&[&[rows, columns], &[rows, columns], &[columns]], |a| {
            let kept = a[0] * a[2];
            // Of two arrays, of one with itself, with a repeated row, of what is made on the way, and of what is kept.
            let sums = [a[0] * a[1], a[1].square(), a[1] * a[2], a[0].tanh() * (a[1] + a[2]), kept];
            let mut all: Vec<V<'_>> = sums.iter().map(|x| x.sum(&[1])).collect();
            all.extend([kept, (a[0] * a[1]).max_over(&[1])]);
            all
        })
        .unwrap();
        agrees(&f, &what);
        let f = Program::record(&[&[rows, columns], &[rows, columns]], |a| (a[0] * a[1]).sum(&[1])).unwrap();
        let executable = f.compile::<f64>(CompileOptions::default().threads(1));
        assert!(executable.explain().contains("row dot"), "{what}: {}", executable.explain());
        agrees(&f, &what);
    }
    let short = Program::record(&[&[300, 15], &[300, 15]], |a| (a[0] * a[1]).sum(&[1])).unwrap();
    let executable = short.compile::<f64>(CompileOptions::default());
    assert!(executable.explain().contains("mul, row sum"), "{}", executable.explain());
}
