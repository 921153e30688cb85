//! Inner products with a matrix product: spared where another product gives them, right where none does.

use autodiff::{Abstract, CompileOptions, Disconnected, Program, Value, Var};

mod support;
use support::inputs;

const K: usize = 60;
const M: usize = 40;
const N: usize = 30;

type Values<'t> = [Var<'t, Abstract>];
/// A sum of which a product is a term.
type Whole = for<'t> fn(&Values<'t>, Var<'t, Abstract>) -> Var<'t, Abstract>;

/// `X [60, 40]`, `D [60, 30]`, `W` and `L [40, 30]`, a number.
fn record(f: impl for<'t> FnOnce(&Values<'t>) -> Vec<Var<'t, Abstract>>) -> Program {
    Program::record_many(&[&[K, M], &[K, N], &[M, N], &[M, N], &[]], f).unwrap()
}

/// How many products an executable is left with, which agrees with the interpreter.
fn products(program: &Program) -> usize {
    optimized(program).matches("matmul").count()
}

fn optimized(program: &Program) -> String {
    let inputs = inputs(program);
    let mut executable = program.compile::<f64>(CompileOptions::default());
    let expected = program.run(&inputs).unwrap();
    for (found, expected) in executable.run(&inputs).unwrap().iter().zip(&expected) {
        for (&a, &b) in found.data().iter().zip(expected.data()) {
            assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{a} is not {b}\n{}", executable.optimized());
        }
    }
    executable.optimized()
}

#[test]
fn a_product_that_is_there_spares_another() {
    // ⟨XᵀD, L⟩ where XL is there.
    assert_eq!(products(&record(|x| vec![x[0].matmul_with(&x[1], true, false).dot(&x[3]), x[0].matmul(&x[3])])), 1);
    // As one of several terms, with either sign, behind the other product or before it.
    let signs: [Whole; 5] = [
        |x, p| x[2] + p,
        |x, p| x[2] - p,
        |x, p| p - x[2],
        |x, p| x[2].exp() - (p - x[2] * 3.0),
        |x, p| (x[2] - (x[2].sin() - p)) + x[3],
    ];
    for sign in signs {
        let before = record(|x| {
            let dot = sign(x, x[0].matmul_with(&x[1], true, false)).dot(&x[3]);
            vec![dot, x[0].matmul(&x[3])]
        });
        assert_eq!(products(&before), 1);
        let behind = record(|x| {
            let there = x[0].matmul(&x[3]);
            vec![sign(x, x[0].matmul_with(&x[1], true, false)).dot(&x[3]), there]
        });
        assert_eq!(products(&behind), 1);
    }
    // What is there is a multiple of what is wanted, or the other way round, or both are of a third.
    assert_eq!(
        products(&record(|x| vec![
            x[0].matmul_with(&x[1], true, false).dot(&x[3]),
            x[0].matmul(&(x[3] * x[4] * -2.0))
        ])),
        1
    );
    assert_eq!(
        products(&record(|x| vec![
            (x[2] + x[0].matmul_with(&x[1], true, false)).dot(&(-(x[3] * x[4]))),
            x[0].matmul(&x[3])
        ])),
        1
    );
    let third =
        record(|x| vec![x[0].matmul_with(&x[1], true, false).dot(&(x[3] * x[4].exp())), x[0].matmul(&(x[3] * x[4]))]);
    assert_eq!(products(&third), 1);
    // One that is there, and two of what it is a multiple of.
    let two = record(|x| {
        let [c, d] = [x[1], x[1].exp()].map(|d| x[0].matmul_with(&d, true, false));
        let l = x[3] * x[4];
        vec![c.dot(&l), d.dot(&x[3]), x[0].matmul(&(l * 2.0))]
    });
    assert_eq!(products(&two), 1);
    // Among other terms on both sides, the product as the right factor.
    let deep = record(|x| {
        let p = x[0].matmul_with(&x[1], true, false);
        vec![x[3].dot(&((x[2] + x[3].sin()) + (x[2].cos() - p))), x[0].matmul(&x[3])]
    });
    assert_eq!(products(&deep), 1);
    // ⟨XW, D⟩ where DWᵀ is there, and where XᵀD is.
    assert_eq!(products(&record(|x| vec![x[0].matmul(&x[2]).dot(&x[1]), x[1].matmul_with(&x[2], false, true)])), 1);
    assert_eq!(products(&record(|x| vec![x[0].matmul(&x[2]).dot(&x[1]), x[0].matmul_with(&x[1], true, false)])), 1);
}

/// A step of descent, reversed by its rate as well: of the gradient, only the inner product with the cotangent.
#[test]
fn the_derivative_by_the_rate_costs_the_residual_alone() {
    let loss = record(|x| vec![(x[0].matmul(&x[2]) - x[1]).square().sum_all() + x[3].square().sum_all()]);
    let gradient = loss.grad(&[2]).unwrap();
    let step = record(|x| vec![x[2] - gradient.eval(x)[0] * x[4].exp()]);
    let by_weights = step.vjp_with(&[2], Disconnected::Zeros).unwrap();
    let by_both = step.vjp_with(&[2, 4], Disconnected::Zeros).unwrap();
    // X·Λ and Xᵀ·(X·Λ); the rate needs the residual, for which there is X·W.
    assert_eq!(products(&by_weights), 2);
    assert_eq!(products(&by_both), 3);
}

#[test]
fn what_would_overflow_or_gain_nothing_stays() {
    let extreme = record(|x| vec![x[0].matmul_with(&x[1], true, false).dot(&x[3]), x[0].matmul(&(x[3] * 1e-200))]);
    assert_eq!(products(&extreme), 2);
    // A few columns of X: as much is read for the inner product.
    let few = Program::record_many(&[&[900, 8], &[900, N], &[8, N]], |x| {
        vec![x[0].matmul_with(&x[1], true, false).dot(&x[2]), x[0].matmul(&x[2])]
    });
    assert_eq!(products(&few.unwrap()), 2);
    let small = Program::record_many(&[&[8, 20], &[8, 4], &[20, 4]], |x| {
        vec![x[0].matmul_with(&x[1], true, false).dot(&x[2]), x[0].matmul(&x[2])]
    });
    assert_eq!(products(&small.unwrap()), 2);
}

#[test]
fn what_is_needed_otherwise_is_computed() {
    // The product itself is wanted.
    let wanted = record(|x| {
        let p = x[0].matmul_with(&x[1], true, false);
        vec![p.dot(&x[3]), x[0].matmul(&x[3]), p.exp()]
    });
    assert_eq!(products(&wanted), 2);
    // There is no other one with the same factors.
    assert_eq!(products(&record(|x| vec![x[0].matmul_with(&x[1], true, false).dot(&x[3]), x[0].matmul(&x[2])])), 2);
    // What is there is by something else.
    let other = record(|x| {
        let l = x[3] + x[0].matmul_with(&x[1], true, false).dot(&x[3]);
        vec![x[0].matmul(&l)]
    });
    assert_eq!(products(&other), 2);
}

#[test]
fn nothing_waits_for_itself() {
    // What is there is a multiple that needs the inner product.
    let circle = record(|x| {
        let c = x[0].matmul_with(&x[1], true, false).dot(&x[3]);
        vec![x[0].matmul(&(x[3] * c))]
    });
    assert_eq!(products(&circle), 1);
    let each_other = record(|x| {
        let a = x[0].matmul_with(&x[1], true, false).dot(&x[3]);
        let b = x[0].matmul_with(&x[1].exp(), true, false).dot(&x[2]);
        vec![x[0].matmul(&(x[2] * a)), x[0].matmul(&(x[3] * b))]
    });
    assert_eq!(products(&each_other), 2);
    // Two of the same value: one product for both.
    let same = record(|x| vec![x[0].matmul_with(&x[1], true, false).dot(&x[3]), x[0].matmul(&x[3]).dot(&x[1])]);
    assert_eq!(products(&same), 1);
}

#[test]
fn what_a_checkpoint_computes_again_is_its_own() {
    let body =
        Program::record_many(&[&[K, M], &[K, N], &[M, N]], |x| vec![x[0].matmul_with(&x[1], true, false).dot(&x[2])])
            .unwrap();
    let program = record(|x| {
        let inner = body.checkpoint(&[&x[0], &x[1], &x[3]]);
        vec![inner[0], x[0].matmul(&x[3])]
    });
    let text = optimized(&program);
    assert!(text.contains("matmul[ᵀ·]"), "{text}");
    // Nor is what it computes taken out of it, for an inner product outside.
    let body = Program::record_many(&[&[K, M], &[K, N], &[M, N]], |x| {
        vec![x[0].matmul_with(&x[1].tanh(), true, false), x[0].matmul(&x[2])]
    })
    .unwrap();
    let program = record(|x| {
        let inner = body.checkpoint(&[&x[0], &x[1], &x[3]]);
        vec![inner[0].dot(&x[3]), inner[1]]
    });
    let text = optimized(&program);
    assert!(text.contains("matmul[ᵀ·]"), "{text}");
}
