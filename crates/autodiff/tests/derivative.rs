//! What a newcomer calls, on closures with captures, over scalars and arrays.

use autodiff::check::Check;
use autodiff::debug::{What, first_non_finite};
use autodiff::{
    Compare, Custom, Disconnected, Error, Program, Tensor, Value, derivative, grad, grad_or_zeros, hessian, hvp,
    jacobian, jvp, nth_derivative, try_grad, try_hessian, try_nth_derivative, vjp,
};
use std::fmt;

#[test]
fn closures_capture_and_branch() {
    let (scale, data) = (3.0, Tensor::from([1.0, 2.0]));
    let slope = derivative(|x| if x.value() > 0.0 { x * scale } else { -x }, 2.0).unwrap();
    assert_eq!(slope, 3.0);
    let g = grad(|w| (&data * w[0] - 1.0).square().sum_all() * scale, &[Tensor::from([1.0, 1.0])]).unwrap();
    assert_eq!(g[0].data(), [0.0, 12.0]);
    let mut calls = 0;
    let _ = grad(
        |x| {
            calls += 1;
            x[0] * 2.0
        },
        &[1.0],
    );
    assert_eq!(calls, 1);
}

#[derive(Debug)]
struct TooLarge(f64);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is too large", self.0)
    }
}

impl std::error::Error for TooLarge {}

#[test]
fn fallible_closures_pass_their_error_on() {
    let f = |limit: f64| {
        try_grad(move |x| if x[0].value() > limit { Err(TooLarge(x[0].value())) } else { Ok(x[0].square()) }, &[3.0])
    };
    assert_eq!(f(5.0).unwrap(), [6.0]);
    let error = f(1.0).unwrap_err();
    assert!(matches!(error, Error::Closure(_)) && error.to_string().contains("3 is too large"), "{error}");
    assert!(try_hessian(|_| Err("no"), &[1.0]).unwrap_err().to_string().contains("no"));
    assert!(try_nth_derivative(|_| Err("never"), 1.0, 2).is_err());
    // Our own error comes out as itself.
    let inner = try_grad(
        |x| {
            grad(|y| y[0] * 0.0 + 1.0, &[Tensor::from([1.0])])?;
            Ok::<_, Error>(x[0])
        },
        &[1.0],
    );
    assert!(matches!(inner, Err(Error::NotScalar { .. })));
}

#[test]
fn an_input_that_does_not_reach_the_output_is_not_zero() {
    let scalars = grad(|x| x[0] * 2.0, &[1.0, 5.0]);
    assert!(matches!(&scalars, Err(Error::Disconnected { inputs, .. }) if inputs == &[1]), "{scalars:?}");
    assert_eq!(grad_or_zeros(|x| x[0] * 2.0, &[1.0, 5.0]).unwrap(), [2.0, 0.0]);
    // Connected with derivative zero is an answer.
    assert_eq!(grad(|x| x[0] * x[1], &[0.0, 0.0]).unwrap(), [0.0, 0.0]);
    let arrays = grad(|x| x[0].sum_all() + x[1].stop_gradient().sum_all(), &[Tensor::from([1.0]), Tensor::from([2.0])]);
    assert!(matches!(&arrays, Err(Error::Disconnected { inputs, .. }) if inputs == &[1]));
    assert!(matches!(derivative(|x| x.floor(), 1.5), Err(Error::Disconnected { .. })));
    assert!(jvp(|x| vec![x[0], x[1]], &[1.0, 2.0], &[1.0, 1.0]).is_ok());
    assert!(matches!(jvp(|x| vec![x[0].sign()], &[1.0], &[1.0]), Err(Error::Disconnected { output: 0, .. })));
    assert!(matches!(vjp(|x| vec![x[0]], &[1.0, 2.0], &[1.0]), Err(Error::Disconnected { .. })));
    assert!(matches!(hvp(|x| x[0] * x[0], &[1.0, 2.0], &[1.0, 1.0]), Err(Error::Disconnected { .. })));
    assert!(matches!(nth_derivative(|x| x.zeros_like(), 1.0, 1), Err(Error::Disconnected { .. })));
    assert_eq!(nth_derivative(|x| x.square(), 1.0, 5).unwrap(), 0.0);

    let f = Program::record(&[&[], &[]], |x| x[0].exp()).unwrap();
    assert!(matches!(f.grad(&[0, 1]), Err(Error::Disconnected { .. })));
    assert_eq!(f.grad_with(&[1], Disconnected::Zeros).unwrap().run(&[1.0, 2.0]).unwrap(), [0.0]);
    assert!(matches!(f.grad(&[2]), Err(Error::Index { index: 2, .. })));
}

#[test]
fn misuse_is_a_typed_error() {
    let x = Tensor::from([1.0, 2.0]);
    assert!(matches!(grad(|v| v[0] * 2.0, &[x.clone()]), Err(Error::NotScalar { .. })));
    assert!(matches!(hvp(|v| v[0].sum_all(), &[x.clone()], &[]), Err(Error::Count { .. })));
    assert!(matches!(jvp(|v| vec![v[0]], &[x.clone()], &[Tensor::from([1.0])]), Err(Error::Input { .. })));
    assert!(matches!(vjp(|v| vec![v[0]], &[x.clone()], &[]), Err(Error::Count { .. })));
    let f = Program::record(&[&[2]], |v| v[0].sum_all()).unwrap();
    assert!(matches!(f.run(&[Tensor::from([1.0])]), Err(Error::Input { .. })));
    assert!(matches!(f.run::<Tensor<f64>>(&[]), Err(Error::Count { .. })));
    assert!(matches!(f.batch(2, &[], &[0]), Err(Error::Count { .. })));
    assert!(matches!(f.batch(2, &[Some(2)], &[0]), Err(Error::Index { .. })));
    assert!(matches!(f.batch(2, &[Some(0)], &[1]), Err(Error::Index { .. })));
    assert!(matches!(Program::record(&[], |_| unreachable!()), Err(Error::Count { .. })));
}

#[test]
fn jacobians_choose_a_side_and_agree() {
    let j = jacobian(|x| vec![x[0] * x[1] + x[2].exp()], &[2.0, 3.0, 0.5]).unwrap();
    assert_eq!(j, [[3.0, 2.0, 0.5_f64.exp()]]);
    let tall = jacobian(|x| vec![x[0], x[0] * 2.0, x[1].square()], &[1.0, 3.0]).unwrap();
    assert_eq!(tall, [[1.0, 0.0], [2.0, 0.0], [0.0, 6.0]]);

    // Arrays: the blocks of x ↦ A·x, tall and wide, and of its transpose.
    for (m, n) in [(4, 2), (2, 4)] {
        let a = Tensor::from_fn(&[m, n], |i| (i[0] * 10 + i[1]) as f64);
        let x = Tensor::<f64>::ones(&[n]);
        let blocks = jacobian(|v| vec![v[0].constant(&a).matmul(&v[0]), v[0] * 3.0], &[x]).unwrap();
        assert_eq!(blocks[0][0], a);
        assert_eq!(blocks[1][0], Tensor::<f64>::eye(n) * 3.0);
    }
    let outer = jacobian(|v| vec![v[0].reshape(&[2, 1]) * v[0].reshape(&[1, 2])], &[Tensor::from([2.0, 5.0])]).unwrap();
    assert_eq!((outer[0][0].dims(), outer[0][0][[0, 1, 0]], outer[0][0][[0, 1, 1]]), (&[2, 2, 2][..], 5.0, 2.0));
}

#[test]
fn hessians_in_blocks() {
    // More than eight directions, so that several passes are joined: f = Σ xᵢ xⱼ aᵢⱼ / 2.
    let n = 11;
    let a = |i: usize, j: usize| ((i.min(j) * 3 + i.max(j) * 7) as f64).sin();
    let x: Vec<f64> = (0..n).map(|i| i as f64).collect();
    let h = hessian(
        |x| {
            let terms = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
            terms.map(|(i, j)| x[i] * x[j] * (0.5 * a(i, j))).sum()
        },
        &x,
    )
    .unwrap();
    for (i, row) in h.iter().enumerate() {
        for (j, &entry) in row.iter().enumerate() {
            approx::assert_abs_diff_eq!(entry, a(i, j), epsilon = 1e-14);
        }
    }
    let blocks =
        hessian(|v| (v[0] * v[1]).sum_all() + v[0].powi(3).sum_all(), &[Tensor::from([1.0, 2.0]), Tensor::from([3.0])])
            .unwrap();
    assert_eq!(blocks[0][0], Tensor::from_rows([[6.0, 0.0], [0.0, 12.0]]));
    assert_eq!((blocks[0][1].dims(), blocks[0][1].data()), (&[2, 1][..], &[1.0, 1.0][..]));
    assert_eq!((blocks[1][0].dims(), blocks[1][0].data()), (&[1, 2][..], &[1.0, 1.0][..]));
    assert_eq!(blocks[1][1].data(), [0.0]);
}

#[test]
fn derivatives_of_any_order() {
    for n in 0..8 {
        approx::assert_relative_eq!(
            nth_derivative(|x| (x * 2.0).exp(), 0.3, n).unwrap(),
            2_f64.powi(n as i32) * 0.6_f64.exp(),
            max_relative = 1e-13
        );
        let sine = [0.7_f64.sin(), 0.7_f64.cos(), -0.7_f64.sin(), -0.7_f64.cos()][n % 4];
        approx::assert_relative_eq!(nth_derivative(|x| x.sin(), 0.7, n).unwrap(), sine, max_relative = 1e-13);
        let factorial: f64 = (1..=n).map(|k| -(k as f64)).product();
        approx::assert_relative_eq!(nth_derivative(|x| 1.0 / x, 1.0, n).unwrap(), factorial, max_relative = 1e-13);
    }
}

#[test]
fn the_checker_finds_a_wrong_rule() {
    let x = [Tensor::from([0.4, 1.3])];
    let right = Custom::new("cube", 1, |x| x[0].map(|x| x * x * x)).jvp(|x, _, t| x[0].square() * 3.0 * t[0]);
    let wrong = Custom::new("cube", 1, |x| x[0].map(|x| x * x * x)).jvp(|x, _, t| x[0].square() * 2.9 * t[0]);
    assert!(Check::new().order(2).closure(|v| vec![v[0].custom(&right)], &x).unwrap().passes());
    let report = Check::new().closure(|v| vec![v[0].custom(&wrong)], &x).unwrap();
    assert!(!report.passes() && report.to_string().contains("forward, output 0"), "{report}");
    // A wrong second derivative only: the first is right, its own rule is not.
    let sloppy =
        Custom::new("cube", 1, |x| x[0].map(|x| x * x * x)).jvp(|x, _, t| (x[0] * x[0].stop_gradient()) * 3.0 * t[0]);
    let first = Check::new().closure(|v| vec![v[0].custom(&sloppy)], &x).unwrap();
    let second = Check::new().order(2).closure(|v| vec![v[0].custom(&sloppy)], &x).unwrap();
    assert!(first.passes() && !second.passes(), "{second}");
    assert!(second.to_string().contains("forward over"), "{second}");
    // A detached input is caught too.
    assert!(!Check::new().closure(|v| vec![v[0].stop_gradient() * v[0]], &x).unwrap().passes());
    assert!(matches!(Check::new().closure(|v| vec![v[0] * 2.0], &[]), Err(Error::Count { .. })));
}

#[test]
fn a_custom_rule_that_forgets_an_argument_disconnects_it() {
    let forgetful = Custom::new("product", 2, |x| &x[0] * &x[1]).jvp(|x, _, t| x[1] * t[0]);
    let g = grad(
        |x| Value::apply_custom(&forgetful, &[&x[0], &x[1]]).sum_all(),
        &[Tensor::from([2.0]), Tensor::from([3.0])],
    );
    assert!(matches!(&g, Err(Error::Disconnected { inputs, .. }) if inputs == &[1]), "{g:?}");
}

#[test]
#[should_panic(expected = "custom op `outer`: its cotangents have shapes")]
fn a_custom_rule_with_the_wrong_shape_is_named() {
    let op = Custom::new("outer", 2, |x| &x[0] * &x[1]).vjp(|x, _, c| vec![c * x[1], c * x[0]]);
    let x = [Tensor::from([1.0, 2.0]), Tensor::scalar(3.0)];
    let _ = grad(|x| Value::apply_custom(&op, &[&x[0], &x[1]]).sum_all(), &x);
}

#[test]
fn a_custom_op_without_a_rule_is_named() {
    let op = Custom::new("opaque", 1, |x| x[0].clone());
    let caught =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| grad(|x| x[0].custom(&op), &[1.0]))).unwrap_err();
    assert!(caught.downcast_ref::<String>().unwrap().contains("custom op `opaque` has no derivative rule"));
}

#[test]
fn the_first_non_finite_number_is_traced_to_its_line() {
    let line = line!() + 1;
    let found = first_non_finite(|x| (x[0].ln() * 0.0 + x[1]).exp(), &[0.0, 1.0]).unwrap().unwrap();
    assert_eq!((found.op.as_str(), found.what, found.line.line), ("ln", What::Value, line));
    assert!(found.line.file.ends_with("derivative.rs"));
    assert!(found.to_string().contains("the value of `ln`"), "{found}");

    let line = line!() + 1;
    let found = first_non_finite(|x| (x[0] * 0.0).sqrt().sum_all(), &[Tensor::from([4.0])]).unwrap().unwrap();
    assert_eq!((found.op.as_str(), found.what, found.line.line), ("sqrt", What::Derivative, line));

    let input = first_non_finite(|x| x[0] * 2.0, &[f64::NAN]).unwrap().unwrap();
    assert_eq!(input.op, "input");
    assert!(first_non_finite(|x| x[0] * 2.0, &[1.0]).unwrap().is_none());
}

#[test]
fn select_differentiates_the_chosen_side() {
    let x = Tensor::from([-1.0, 2.0]);
    let g = grad(|v| v[0].test(Compare::Gt, 0.0).select(&v[0].square(), &(v[0] * 5.0)).sum_all(), &[x]).unwrap();
    assert_eq!(g[0].data(), [5.0, 4.0]);
}

#[test]
fn several_directions_agree_with_one_where_a_partial_is_infinite_or_nan() {
    use autodiff::{Dual, DualN};
    fn f<V: Value>(x: &V, y: &V) -> V {
        (x.sqrt() + x.times(y).ln() * y.clone() + y.over(x)).times(&y.square().recip())
    }
    for (x, y) in [(0.3, 0.7), (0.0, 0.5), (0.3, 0.0), (-1.0, 2.0), (f64::INFINITY, 1.0), (1e-320, 3.0)] {
        let [a, b] = DualN::variables([x, y]);
        let both = f(&a, &b).tangents();
        let one = [
            f(&Dual::variable(x), &Dual::constant_value(y)).tangent(),
            f(&Dual::constant_value(x), &Dual::variable(y)).tangent(),
        ];
        for (both, one) in both.iter().zip(&one) {
            assert!(both == one || (both.is_nan() && one.is_nan()), "at {x}, {y}: {both} is not {one}");
        }
    }
    // √x at 0 has no finite slope, which is nothing to the other direction.
    let [a, b] = DualN::variables([0.0, 1.0]);
    assert_eq!((a.sqrt() + b).tangents(), [f64::INFINITY, 1.0]);
}
