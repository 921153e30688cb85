//! Arrays: values against naive loops, and what bad shapes and indices do.

use autodiff::op::{Op, Padding, Range, Reduce};
use autodiff::{Error, Tensor, Value};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The panic's message.
fn message<R>(f: impl FnOnce() -> R) -> String {
    let caught = catch_unwind(AssertUnwindSafe(f));
    let payload = caught.map(|_| ()).expect_err("a panic was promised");
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap()
}

fn counting(shape: &[usize]) -> Tensor<f64> {
    let mut i = 0.0;
    Tensor::from_fn(shape, |_| {
        i += 1.0;
        i
    })
}

#[test]
fn constructors_agree() {
    let x = Tensor::from_rows([[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(x, Tensor::new(&[2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap());
    assert_eq!(x, counting(&[2, 2]));
    assert_eq!(Tensor::<f64>::eye(2).data(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(Tensor::<f32>::arange(3).data(), [0.0, 1.0, 2.0]);
    assert_eq!((x[[1, 0]], x.get(&[1, 1]), x.get(&[2, 0]), x.get(&[0])), (3.0, Some(4.0), None, None));
    assert!(matches!(Tensor::new(&[2, 2], vec![1.0]), Err(Error::Length { len: 1, .. })));
    assert!(matches!(x.with_shape(&[3]), Err(Error::Length { .. })));
    assert_eq!(Vec::from(x.rows(1..)), [3.0, 4.0]);
    assert_eq!(x.cast::<f32>().data(), [1.0_f32, 2.0, 3.0, 4.0]);
}

#[test]
fn rows_share_and_writing_copies() {
    let x = counting(&[3, 2]);
    let mut middle = x.rows(1..2);
    assert_eq!(middle.data().as_ptr(), x.data()[2..].as_ptr());
    middle[[0, 1]] = -1.0;
    assert_eq!((middle.data(), x.data()), (&[3.0, -1.0][..], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..]));
    let mut unshared = x.row(2).clone();
    drop(x);
    let before = unshared.data().as_ptr();
    unshared.data_mut()[0] = 0.0;
    assert_eq!(before, unshared.data().as_ptr());
}

#[test]
fn printing_is_aligned_and_cut() {
    assert_eq!(Tensor::scalar(2.5).to_string(), "2.5");
    assert_eq!(format!("{:?}", Tensor::from([1.0, -20.0])), "Tensor<f64>[2] [  1, -20]");
    assert_eq!(format!("{:.1}", Tensor::from_rows([[1.0, 2.0], [30.0, 4.0]])), "[[ 1.0,  2.0],\n [30.0,  4.0]]");
    assert_eq!(Tensor::<f64>::arange(20).to_string(), "[ 0,  1,  2, …, 17, 18, 19]");
    assert_eq!(Tensor::<f64>::zeros(&[0]).to_string(), "[]");
    assert_eq!(Tensor::<f64>::zeros(&[1, 1, 2]).to_string(), "[[[0, 0]]]");
}

#[test]
fn broadcasting_is_numpys() {
    let column = Tensor::new(&[2, 1], vec![10.0, 20.0]).unwrap();
    let row = Tensor::from([1.0, 2.0, 3.0]);
    let sum = &column + &row;
    assert_eq!((sum.dims(), sum.data()), (&[2, 3][..], &[11.0, 12.0, 13.0, 21.0, 22.0, 23.0][..]));
    assert_eq!((2.0 * &row - 1.0).data(), [1.0, 3.0, 5.0]);
    assert_eq!((6.0 / &row).data(), [6.0, 3.0, 2.0]);
    let product = row.matmul(&row);
    assert_eq!((product.dims().len(), product.item()), (0, 14.0));
    assert_eq!(row.matmul(&Tensor::<f64>::ones(&[3, 2])).data(), [6.0, 6.0]);
    assert_eq!(Tensor::<f64>::ones(&[2, 3]).matmul(&row).data(), [6.0, 6.0]);
    let mut total = row.clone();
    total += &row;
    total *= &Tensor::scalar(0.5);
    assert_eq!(total, row);
}

#[test]
fn scalars_and_empty_axes_work() {
    let empty = Tensor::<f64>::zeros(&[0, 3]);
    assert_eq!(empty.sum(&[0]).data(), [0.0, 0.0, 0.0]);
    assert_eq!(empty.sum_all().item(), 0.0);
    assert_eq!(empty.max_over(&[0]).data(), [f64::NEG_INFINITY; 3]);
    assert_eq!(empty.logsumexp(&[0]).data(), [f64::NEG_INFINITY; 3]);
    assert_eq!(empty.prod(&[0]).data(), [1.0; 3]);
    assert_eq!(empty.sum(&[1]).dims(), [0]);
    assert_eq!(empty.matmul(&Tensor::zeros(&[3, 2])).dims(), [0, 2]);
    assert_eq!(Tensor::<f64>::zeros(&[2, 0]).matmul(&Tensor::zeros(&[0, 2])).data(), [0.0; 4]);
    assert_eq!(empty.transpose().dims(), [3, 0]);
    assert_eq!(Tensor::concat(&[&empty, &Tensor::ones(&[1, 3])], 0).data(), [1.0; 3]);
    assert_eq!(empty.cumsum(0).dims(), [0, 3]);
    assert_eq!(empty.flip(&[0]).dims(), [0, 3]);
    assert_eq!(empty.broadcast_to(&[2, 0, 3]).dims(), [2, 0, 3]);
    assert_eq!(empty.pad(&[Padding { low: 1, high: 1, interior: 2 }, Padding::default()]).data(), [0.0; 6]);
    assert!(empty.mean(&[0]).data().iter().all(|x| x.is_nan()));
    let x = Tensor::scalar(3.0);
    assert_eq!((x.sum_all().item(), x.flatten().dims().len(), x.logsumexp(&[]).item()), (3.0, 1, 3.0));
    let gradient = autodiff::grad(|v| v[0].sum_all() + v[0].square().sum_all(), &[empty]).unwrap();
    assert_eq!(gradient[0].dims(), [0, 3]);
}

#[test]
fn misfits_panic_with_the_op_and_both_shapes() {
    let (a, b) = (counting(&[2, 3]), counting(&[2, 4]));
    let cases: Vec<(String, &[&str])> = vec![
        (message(|| &a + &b), &["add", "[2, 3]", "[2, 4]"]),
        (message(|| a.matmul(&b)), &["matmul", "3", "2"]),
        (message(|| a.reshape(&[5])), &["reshape", "6 elements cannot become 5"]),
        (message(|| a.permute(&[0, 0])), &["permute", "twice"]),
        (message(|| a.sum(&[2])), &["sum", "axis 2 does not exist"]),
        (message(|| a.broadcast_to(&[3, 3])), &["broadcast", "[2, 3]"]),
        (message(|| a.slice_axis(1, 2..9)), &["slice", "inside"]),
        (message(|| Tensor::stack(&[&a, &b], 0)), &["stack", "equal"]),
        (message(|| Tensor::<f64>::stack(&[], 0)), &["stack", "0 arguments"]),
        (message(|| Tensor::concat(&[&a, &b], 0)), &["concat", "[2, 4]"]),
        (message(|| a.gather(&Tensor::from([3.0]), 1)), &["gather", "index 3", "below 3"]),
        (message(|| a.gather(&Tensor::from([0.5]), 1)), &["gather", "0.5"]),
        (message(|| a.gather(&Tensor::from([-1.0]), 1)), &["gather", "-1"]),
        (message(|| a.gather(&Tensor::from([f64::NAN]), 1)), &["gather", "NaN"]),
        (message(|| a.solve(&b)), &["solve", "square"]),
        (message(|| a[[2, 0]]), &["[2, 0]", "[2, 3]"]),
        (message(|| a.rows(1..4)), &["rows", "1..4"]),
        (message(|| a.item()), &["item", "[2, 3]"]),
        (message(|| Value::shift(&1.0, 1.0).sum(&[0])), &["sum", "axis 0"]),
        (message(|| 1.0_f64.broadcast_to(&[2])), &["scalar cannot hold", "Tensor<f64>"]),
    ];
    for (message, parts) in &cases {
        assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} not all in: {message}");
    }
}

#[test]
fn a_misfit_is_reported_at_the_callers_line() {
    let hook = std::panic::take_hook();
    let (tx, rx) = std::sync::mpsc::channel();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().unwrap();
        let _ = tx.send((place.file().to_owned(), place.line()));
    }));
    let line = line!() + 1;
    let caught = catch_unwind(|| counting(&[2]) + counting(&[3]));
    std::panic::set_hook(hook);
    assert!(caught.is_err());
    let places: Vec<(String, u32)> = rx.try_iter().collect();
    assert!(places.iter().any(|(file, l)| file.ends_with("tensor.rs") && *l == line), "{places:?}");
}

/// A value of the result, from its index, by the definition of the op.
fn matmul_entry(a: &Tensor<f64>, b: &Tensor<f64>, ta: bool, tb: bool, i: usize, j: usize) -> f64 {
    let k = a.dims()[usize::from(!ta)];
    let left = |i: usize, l: usize| if ta { a[[l, i]] } else { a[[i, l]] };
    let right = |l: usize, j: usize| if tb { b[[j, l]] } else { b[[l, j]] };
    (0..k).map(|l| left(i, l) * right(l, j)).sum()
}

proptest! {
    #[test]
    fn products_are_sums_of_products(m in 1..40_usize, k in 1..40_usize, n in 1..40_usize, ta: bool, tb: bool) {
        let shape = |r, c, t| if t { [c, r] } else { [r, c] };
        let a = counting(&shape(m, k, ta)).map(|x| (x * 0.7).sin());
        let b = counting(&shape(k, n, tb)).map(|x| (x * 0.3).cos());
        let c = a.matmul_with(&b, ta, tb);
        prop_assert_eq!(c.dims(), [m, n]);
        for (i, j) in [(0, 0), (m - 1, n - 1), (m / 2, n / 3)] {
            prop_assert!((c[[i, j]] - matmul_entry(&a, &b, ta, tb, i, j)).abs() < 1e-12);
        }
        let low = a.cast::<f32>().matmul_with(&b.cast(), ta, tb);
        prop_assert!((f64::from(low[[m - 1, 0]]) - c[[m - 1, 0]]).abs() < 1e-4);
    }

    #[test]
    fn solutions_solve(n in 1..9_usize, columns in 1..4_usize, transpose: bool, seed in 0.0..100.0_f64) {
        let a = counting(&[n, n]).map(|x| (x * 1.7 + seed).sin()) + Tensor::<f64>::eye(n) * 0.1;
        let b = counting(&[n, columns]).map(|x| (x + seed).cos());
        let x = Value::apply(&Op::Solve { transpose }, &[&a, &b]);
        let back = a.matmul_with(&x, transpose, false);
        let size = x.data().iter().fold(1.0_f64, |m, x| m.max(x.abs()));
        prop_assert!(back.data().iter().zip(b.data()).all(|(p, q)| (p - q).abs() < 1e-11 * size));
        let spd = a.matmul_with(&a, false, true) + Tensor::<f64>::eye(n) * 0.5;
        let back = spd.matmul(&spd.cholesky_solve(&b));
        prop_assert!(back.data().iter().zip(b.data()).all(|(p, q)| (p - q).abs() < 1e-10));
    }

    #[test]
    fn reductions_are_folds(shape in prop::collection::vec(1..5_usize, 1..4), pick in 0..8_usize) {
        let x = counting(&shape).map(|x| (x * 2.3).sin());
        let axes: Vec<usize> = (0..shape.len()).filter(|i| pick >> i & 1 == 1).collect();
        let kept: Vec<usize> = (0..shape.len()).filter(|i| !axes.contains(i)).collect();
        let out_shape: Vec<usize> = kept.iter().map(|&i| shape[i]).collect();
        // Each element to its place in the result, by index.
        let mut groups = vec![Vec::new(); out_shape.iter().product()];
        let _ = Tensor::<f64>::from_fn(&shape, |index| {
            let place = kept.iter().fold(0, |p, &axis| p * shape[axis] + index[axis]);
            groups[place].push(x.get(index).unwrap());
            0.0
        });
        let expect = |f: &dyn Fn(&[f64]) -> f64| groups.iter().map(|g| f(g)).collect::<Vec<f64>>();
        let close = |found: Tensor<f64>, expected: Vec<f64>| {
            found.dims() == out_shape && found.data().iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12)
        };
        prop_assert!(close(x.sum(&axes), expect(&|g| g.iter().sum())));
        prop_assert!(close(x.max_over(&axes), expect(&|g| g.iter().copied().fold(f64::NEG_INFINITY, f64::max))));
        prop_assert!(close(x.min_over(&axes), expect(&|g| g.iter().copied().fold(f64::INFINITY, f64::min))));
        prop_assert!(close(x.prod(&axes), expect(&|g| g.iter().product())));
        prop_assert!(close(x.logsumexp(&axes), expect(&|g| g.iter().map(|x| x.exp()).sum::<f64>().ln())));
    }

    #[test]
    fn linear_ops_and_their_transposes_are_adjoint(low in 0..3_usize, high in 0..3_usize, interior in 0..3_usize, step in 1..4_usize) {
        // ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for padding and slicing, at every setting.
        let x = counting(&[4]).map(f64::sin);
        let padded = x.pad(&[Padding { low, high, interior }]);
        let y = counting(padded.dims()).map(f64::cos);
        let (_, back) = autodiff::vjp(|v| vec![v[0].pad(&[Padding { low, high, interior }])], &[x.clone()], &[y.clone()]).unwrap();
        prop_assert!((padded.dot(&y).item() - x.dot(&back[0]).item()).abs() < 1e-12);
        let range = [Range { start: low.min(1), stop: y.len(), step }];
        let part = y.slice(&range);
        let z = counting(part.dims()).map(|x| x.sin() + 0.3);
        let (_, back) = autodiff::vjp(|v| vec![v[0].slice(&range)], &[y.clone()], &[z.clone()]).unwrap();
        prop_assert!((part.dot(&z).item() - y.dot(&back[0]).item()).abs() < 1e-12);
    }
}

#[test]
fn large_products_have_the_same_bits_on_any_number_of_threads() {
    // Big enough to be cut; the bits must not depend on who computes the pieces.
    let a = counting(&[300, 200]).map(|x| (x * 0.01).sin());
    let b = counting(&[200, 150]).map(|x| (x * 0.02).cos());
    let by = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| a.matmul(&b))
    };
    let here = by(1);
    assert!((2..5).all(|threads| by(threads) == here));
    approx::assert_relative_eq!(here[[299, 149]], matmul_entry(&a, &b, false, false, 299, 149), max_relative = 1e-12);
}

#[test]
fn nan_is_never_lost() {
    let x = Tensor::from([1.0, f64::NAN, 2.0]);
    for reduce in Reduce::ALL {
        assert!(Tensor::apply(&Op::Reduce(reduce, [0][..].into()), &[&x]).item().is_nan(), "{reduce:?}");
    }
    assert!(x.sum_all().item().is_nan());
    assert!(x.relu().data()[1].is_nan() && x.maximum(&Tensor::zeros(&[3])).data()[1].is_nan());
    assert!(x.softplus().data()[1].is_nan() && x.sigmoid().data()[1].is_nan() && x.sign().data()[1].is_nan());
    let singular = Tensor::<f64>::zeros(&[2, 2]).solve(&Tensor::from([1.0, 1.0]));
    assert!(singular.data().iter().all(|x| !x.is_finite()));
    let indefinite = (Tensor::<f64>::eye(2) * -1.0).cholesky_solve(&Tensor::from([1.0, 1.0]));
    assert!(indefinite.data().iter().all(|x| x.is_nan()));
    let broken = Tensor::from_rows([[1.0, 0.0], [f64::NAN, 1.0]]).solve(&Tensor::from([1.0, 1.0]));
    assert!(!broken.is_finite());
}
