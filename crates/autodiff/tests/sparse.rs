//! Sparse derivatives against dense ones.

use autodiff::{Abstract, Compare, CompileOptions, Error, Program, Tensor, Value, Var};
use proptest::prelude::*;

type T64 = Tensor<f64>;

fn wave(shape: &[usize]) -> T64 {
    Tensor::from_fn(shape, |i| (1.0 + i.iter().fold(0.0, |s, &k| 2.3 * s + k as f64)).sin() + 0.3)
}

/// Compares with the dense Jacobian, and says how many colours were needed.
fn check_jacobian(f: &Program, wrt: usize, inputs: &[T64]) -> usize {
    let dense = f.jacobian(wrt).unwrap().run(inputs).unwrap().swap_remove(0);
    let sparse = f.sparse_jacobian(wrt).unwrap();
    let n = inputs[wrt].len();
    let dense = dense.with_shape(&[dense.len() / n, n]).unwrap();
    let compiled = sparse.compile::<f64>(CompileOptions::default()).run(inputs).unwrap();
    for found in [sparse.run(inputs).unwrap().to_dense(), compiled.to_dense()] {
        assert_eq!(found.dims(), dense.dims());
        for (a, b) in found.data().iter().zip(dense.data()) {
            assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{a} and {b}");
        }
    }
    sparse.colors()
}

/// What the ops of a program that moves, sums and multiplies depend on.
fn moves<'t>(x: &[Var<'t, Abstract>]) -> Var<'t, Abstract> {
    let (a, b) = (x[0], x[1]);
    let indices = a.constant(Tensor::from([2.0, 0.0, 2.0]));
    let picked = a.gather(&indices, 1).square();
    let padded = a.slice_axis(0, 1..3).pad(&[
        autodiff::op::Padding { low: 1, high: 0, interior: 0 },
        autodiff::op::Padding { low: 0, high: 0, interior: 1 },
    ]);
    let scattered = a.constant(T64::zeros(&[3, 5])).scatter_add(&indices, &picked, 1);
    let flipped = (padded.exp() + scattered).flip(&[0]).cumsum(1);
    let mask = b.test(Compare::Gt, 0.0);
    flipped * mask.select(&b.sin(), &b.floor()) + a.max_over(&[1]).reshape(&[3, 1])
}

#[test]
fn every_kind_of_dependence_is_found() {
    let f = Program::record(&[&[3, 3], &[3, 5]], moves).unwrap();
    let inputs = [wave(&[3, 3]), wave(&[3, 5])];
    check_jacobian(&f, 0, &inputs);
    // Each element of the output depends on one element of the second input.
    assert_eq!(check_jacobian(&f, 1, &inputs), 1);
    let g = Program::record(&[&[4, 3], &[3, 2]], |x| x[0].matmul(&x[1]).square()).unwrap();
    let inputs = [wave(&[4, 3]), wave(&[3, 2])];
    assert_eq!(check_jacobian(&g, 0, &inputs), 2); // two columns of the output a row: by rows
    assert_eq!(check_jacobian(&g, 1, &inputs), 3);
    let t = Program::record(&[&[3, 4], &[2, 3]], |x| x[0].matmul_with(&x[1], true, true).sin()).unwrap();
    check_jacobian(&t, 0, &[wave(&[3, 4]), wave(&[2, 3])]);
}

#[test]
fn a_mapped_program_has_a_block_jacobian_of_few_colors() {
    // Two residuals of three unknowns, for 500 items: 3 columns a block, so at most 3 colours, not 1500.
    let residual = Program::record(&[&[3], &[2]], |x| {
        let p = x[0];
        let (a, b, c) = (p.at(0, 0), p.at(0, 1), p.at(0, 2));
        Var::stack(&[&(a * b.sin() - x[1].at(0, 0)), &(b / c.square() - x[1].at(0, 1))], 0)
    })
    .unwrap();
    let all = residual.batch(500, &[Some(0), Some(0)], &[0]).unwrap();
    let inputs = [wave(&[500, 3]), wave(&[500, 2])];
    let sparse = all.sparse_jacobian(0).unwrap();
    assert!(sparse.colors() <= 3, "{}", sparse.colors());
    assert_eq!(sparse.pattern().len(), 500 * 4);
    let jacobian = sparse.compile::<f64>(CompileOptions::default()).run(&inputs).unwrap();
    let blocks = residual.jacobian(0).unwrap().batch(500, &[Some(0), Some(0)], &[0]).unwrap().run(&inputs).unwrap();
    for item in 0..500 {
        for row in 0..2 {
            for (column, value) in jacobian.row(2 * item + row) {
                assert_eq!(column / 3, item);
                let expected = blocks[0][[item, row, column % 3]];
                assert!((value - expected).abs() <= 1e-13 * (1.0 + expected.abs()));
            }
        }
    }
}

#[test]
fn hessians_of_chains_and_arrows() {
    let rosenbrock = Program::record(&[&[30]], |x| {
        let (here, next) = (x[0].slice_axis(0, 0..29), x[0].slice_axis(0, 1..30));
        ((next - here.square()).square() * 100.0 + (1.0 - here).square()).sum_all()
    })
    .unwrap();
    let arrow = Program::record(&[&[30]], |x| {
        let head = x[0].at(0, 0);
        (x[0].slice_axis(0, 1..30).sin() * head).square().sum_all() + head.exp()
    })
    .unwrap();
    for (f, colors) in [(rosenbrock, 3), (arrow, 2)] {
        let x = [wave(&[30])];
        let sparse = f.sparse_hessian(0).unwrap();
        assert_eq!(sparse.colors(), colors);
        let dense = f.hessian(0, 0).unwrap().run(&x).unwrap();
        let found = sparse.compile::<f64>(CompileOptions::default()).run(&x).unwrap().to_dense();
        for (a, b) in found.data().iter().zip(dense[0].data()) {
            assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{a} and {b}");
        }
    }
}

#[test]
fn patterns_that_are_found_from_one_side_only_are_symmetric_all_the_same() {
    // A user's op is taken to depend on everything it is given, so the pattern is found larger from one side.
    let cube = autodiff::Custom::new("cube", 1, |x| x[0].map(|x| x * x * x)).jvp(|x, _y, t| x[0].square() * 3.0 * t[0]);
    let f = Program::record(&[&[6]], |x| {
        let (u, v) = (x[0].slice_axis(0, 0..3), x[0].slice_axis(0, 3..6));
        (u * v.custom(&cube)).sum_all()
    })
    .unwrap();
    let x = [Tensor::from([1.0, 1.0, 1.0, 1.0, 2.0, 3.0])];
    let dense = f.hessian(0, 0).unwrap().run(&x).unwrap();
    let found = f.sparse_hessian(0).unwrap().run(&x).unwrap().to_dense();
    assert_eq!(found.data(), dense[0].data());
}

#[test]
fn what_cannot_be_sparse_is_said() {
    let two = Program::record_many(&[&[2]], |x| vec![x[0], x[0].sin()]).unwrap();
    assert!(matches!(two.sparse_jacobian(0), Err(Error::Count { .. })));
    let cut = Program::record(&[&[2]], |x| x[0].floor()).unwrap();
    assert!(matches!(cut.sparse_jacobian(3), Err(Error::Index { .. })));
    assert!(matches!(cut.sparse_jacobian(0), Err(Error::Disconnected { .. })));
    assert!(cut.jacobian_pattern(0).unwrap().is_empty());
    // As many entries, elsewhere.
    let compiled = |last: usize| {
        let f = Program::record(&[&[3]], |x| x[0].slice_axis(0, last - 1..last)).unwrap();
        f.sparse_jacobian(0).unwrap().compile::<f64>(CompileOptions::default())
    };
    let x = [Tensor::ones(&[3])];
    let mut other = compiled(1).run(&x).unwrap();
    assert!(matches!(compiled(2).run_into(&x, &mut other), Err(Error::Length { .. })));
}

proptest! {
    /// Random sums of products of random elements: the pattern never misses an entry, and the values are right.
    #[test]
    fn random_programs(terms in prop::collection::vec((0_usize..6, 0_usize..8, 0_usize..8), 1..20)) {
        let f = Program::record(&[&[8]], |x| {
            let mut rows = [x[0].at(0, 0) * 0.0 + 1.0; 6];
            for &(row, i, j) in &terms {
                rows[row] += x[0].at(0, i) * x[0].at(0, j).sin();
            }
            Var::stack(&rows.iter().collect::<Vec<_>>(), 0)
        }).unwrap();
        let x = [wave(&[8])];
        check_jacobian(&f, 0, &x);
        let energy = Program::record(&[&[8]], |x| f.eval(x)[0].square().sum_all()).unwrap();
        let dense = energy.hessian(0, 0).unwrap().run(&x).unwrap();
        let sparse = energy.sparse_hessian(0).unwrap();
        let found = sparse.run(&x).unwrap().to_dense();
        for (a, b) in found.data().iter().zip(dense[0].data()) {
            prop_assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()));
        }
    }
}
