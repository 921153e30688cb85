//! The tape itself, in exact arithmetic, so that it can also run under an interpreter that looks for undefined behaviour:
//! `cargo +nightly miri test -p hypertape-autodiff --no-default-features --test tape`.

use autodiff::op::Compare;
use autodiff::{Custom, Dual, Error, Tape, Tensor, Value, Var, checkpoint, derivative, grad, grad_or_zeros};

#[test]
fn sweeps_from_and_to_any_place() {
    Tape::scope(|tape| {
        let (x, y) = (tape.var(2.0), tape.var(3.0));
        let z = x * y;
        let w = z.square() + x;
        // By an intermediate value, and by a constant.
        assert_eq!(tape.vjp(&[(w, 1.0)], &[z]), [Some(12.0)]);
        assert_eq!(tape.vjp(&[(w, 1.0)], &[tape.constant(1.0)]), [None]);
        assert_eq!(tape.vjp(&[(w, 1.0), (z, 10.0)], &[y]), [Some(2.0 * 22.0)]);
        assert_eq!(tape.jvp(&[(z, 1.0)], &[w, x]), [Some(12.0), None]);
        // A constant that takes part is still not a variable.
        let c = tape.constant(3.0);
        assert_eq!(tape.vjp(&[(c * x * c, 1.0)], &[c, x]), [None, Some(9.0)]);
        // Two seeds at one place add up.
        assert_eq!(tape.jvp(&[(x, 1.0), (x, 2.0)], &[z]), [Some(9.0)]);
        // An input recorded after other operations.
        let late = tape.var(5.0);
        assert_eq!(tape.vjp(&[(late * w, 1.0)], &[late, y]), [Some(38.0), Some(5.0 * 24.0)]);
        assert_eq!(tape.len(), 9);
    });
}

#[test]
#[should_panic(expected = "the cotangent of a value of shape [2] has shape []")]
fn a_cotangent_must_have_the_shape_of_its_value() {
    Tape::scope(|tape| {
        let x = tape.var(Tensor::from([1.0, 2.0]));
        tape.vjp(&[(x.square(), Tensor::scalar(1.0))], &[x])
    });
}

#[test]
fn a_tape_grows_past_its_first_allocations() {
    let n = 5000;
    let g = grad(|x| (0..n).fold(x[0] * 0.0, |sum, i| sum + x[0] * x[1] * f64::from(i % 3)), &[2.0, 3.0]).unwrap();
    let sum: f64 = (0..n).map(|i| f64::from(i % 3)).sum();
    assert_eq!(g, [3.0 * sum, 2.0 * sum]);
}

/// `x ↦ 2x + n·1` by `n` operations after a first one: the slope is 2, and the square's second derivative 8, whatever `n`.
#[test]
fn tapes_of_every_length_begin_on_the_stack_and_move_off_it() {
    // All lengths around the end of the stack's room, and of the first buffer; an interpreter takes its time for each.
    let lengths = [0..=3, 24..=30, 38..=42, 72..=78, 124..=130, 1020..=1025, 2050..=2050];
    for n in lengths.into_iter().flatten().filter(|n| !cfg!(miri) || n % 4 == 0) {
        let plain = grad(|x| (0..n).fold(x[0] * 2.0, |y, _| y + 1.0), &[3.0]).expect("connected");
        assert_eq!(plain, [2.0], "{n} operations");
        let dual = Dual::new(3.0, 1.0);
        let over = derivative(|x| (0..n).fold(x * 2.0, |y, _| y + 1.0).square(), dual).expect("connected");
        let y = 6.0 + f64::from(n);
        assert_eq!((over.value(), over.tangent()), (4.0 * y, 8.0), "{n} operations on duals");
        let twice =
            derivative(|x| derivative(|x| (0..n).fold(x * 2.0, |y, _| y + 1.0).square(), x).expect("connected"), 3.0);
        assert_eq!(twice.expect("connected"), 8.0, "{n} operations, two tapes");
    }
}

/// Memory that one tape leaves behind is found by the next: of another length, while others are there, on other threads.
#[test]
fn memory_goes_from_tape_to_tape() {
    let long = |n: u32, x: f64| grad(|v| (0..n).fold(v[0] * 3.0, |y, _| y + v[0]), &[x]).expect("connected");
    for (k, n) in [5000, 10, 3000, 1500, 200, 6000].into_iter().enumerate() {
        let inside = Tape::scope(|outer| {
            let x = outer.var(2.0);
            let y = (0..n).fold(x, |y, _| y + x);
            assert_eq!(long(n / 2, 1.0), [3.0 + f64::from(n / 2)]);
            let z = (0..n).fold(y, |y, _| y + x);
            outer.vjp(&[(z, 1.0)], &[x])[0]
        });
        assert_eq!(inside, Some(1.0 + 2.0 * f64::from(n)), "tape {k}");
    }
    std::thread::spawn(move || assert_eq!(long(2000, 1.0), [2003.0])).join().expect("a thread of its own");
}

/// A zero that meets an infinite partial stays a zero, although the fast sweep makes no number of it.
#[test]
fn zero_times_infinity_is_looked_at_again() {
    // The slope of √ at 0 is ∞, and it has no tangent where nothing moves.
    let slopes = grad(|x| x[0].sqrt(), &[Dual::new(0.0, 0.0)]).expect("connected");
    assert_eq!((slopes[0].value(), slopes[0].tangent()), (f64::INFINITY, 0.0));
}

#[test]
fn gradients_of_inputs_and_of_constants() {
    assert_eq!(grad_or_zeros(|x| x[1], &[3.0, 4.0]).expect("zeros are asked for"), [0.0, 1.0]);
    assert_eq!(grad_or_zeros(|x| x[0].constant(2.0), &[3.0, 4.0]).expect("zeros are asked for"), [0.0, 0.0]);
    assert!(matches!(grad(|x| x[0], &[3.0, 4.0]), Err(Error::Disconnected { inputs, .. }) if inputs == [1]));
    // A zero that is connected is no missing one.
    assert_eq!(grad(|x| x[0] * x[0] + x[1], &[0.0, 1.0]).expect("connected"), [0.0, 1.0]);
    // Variables after other operations.
    let found = Tape::scope(|tape| {
        let x = tape.vars(&[2.0, 3.0]);
        let product = x[0] * x[1];
        let late = tape.vars(&[5.0, 7.0]);
        tape.vjp(&[(product * late[1] + late[0], 1.0)], &[x[0], x[1], late[0], late[1]])
    });
    assert_eq!(found, [Some(21.0), Some(14.0), Some(1.0), Some(6.0)]);
}

#[test]
fn tapes_nest_and_grow_together() {
    // d/dx of Σ d/dy (x·y²) at y = 1, each inner sweep on a tape of its own: 2x, a hundred times.
    let g = grad(
        |x| {
            let terms = (0..100).map(|_| {
                Tape::scope(|inner| {
                    let y = inner.var(x[0].ones_like());
                    let z = inner.constant(x[0]) * y * y;
                    inner.vjp(&[(z, x[0].ones_like())], &[y])[0].unwrap()
                })
            });
            terms.sum()
        },
        &[7.0],
    );
    assert_eq!(g.unwrap(), [200.0]);
}

#[test]
fn wide_scalars_record_too() {
    let tangents = Tape::scope(|tape| {
        let x = tape.var(Dual::new(Dual::new(3.0, 1.0), Dual::new(1.0, 0.0)));
        let y = (0..2000).fold(x, |y, _| y + x * x * 0.5);
        tape.vjp(&[(y, Dual::constant_value(Dual::constant_value(1.0)))], &[x])[0].unwrap()
    });
    // dy/dx = 1 + 2000x, and its derivatives.
    assert_eq!((tangents.value().value(), tangents.value().tangent()), (6001.0, 2000.0));
    assert_eq!((tangents.tangent().value(), tangents.tangent().tangent()), (2000.0, 0.0));
}

/// The derivative of a function of one number on a tape, itself on that tape.
fn slope<V: Value>(f: impl for<'s> Fn(Var<'s, V>) -> Var<'s, V>, x: &V) -> V {
    derivative(f, x.clone()).unwrap()
}

#[test]
fn sweeps_over_a_tape_on_a_tape() {
    Tape::scope(|outer| {
        let (a, b) = (outer.var(2.0), outer.var(3.0));
        let derivative = Tape::scope(|tape| {
            let (x, c) = (tape.var(a), tape.constant(b));
            let (y, z) = (x * x * c, c * c + 1.0);
            assert_eq!(z.value().value(), 10.0);
            let w = y * z + y;
            let one = a.ones_like();
            let value = |part: Option<Var<'_, f64>>| part.map(|part| part.value());
            // By an input, an intermediate value, a constant, and of a constant.
            let parts = tape.vjp(&[(w, one)], &[x, y, c, z]).into_iter().map(value);
            assert_eq!(parts.collect::<Vec<_>>(), [Some(132.0), Some(11.0), None, None]);
            assert_eq!(tape.vjp(&[(z, one)], &[x]).len(), 1);
            assert!(tape.vjp(&[(z, one)], &[x, z]).iter().all(Option::is_none));
            // Seeds at one place add up; what comes before a seed has no tangent.
            let parts = tape.jvp(&[(y, one), (y, one * 2.0)], &[w, y, x, z]).into_iter().map(value);
            assert_eq!(parts.collect::<Vec<_>>(), [Some(33.0), Some(3.0), None, None]);
            assert_eq!(value(tape.vjp(&[(w, one), (y, one * 10.0)], &[x])[0]), Some(252.0));
            // Of a choice, one side is there.
            let chosen = c.test(Compare::Gt, 5.0).select(&x, &(x * 7.0));
            assert_eq!(value(tape.vjp(&[(chosen, one)], &[x])[0]), Some(7.0));
            assert_eq!(tape.len(), 6, "constants are not recorded");
            tape.vjp(&[(w, one)], &[x])[0].unwrap()
        });
        // ∂w/∂x = 2xc(c² + 2), by x and by c.
        assert_eq!(derivative.value(), 132.0);
        assert_eq!(outer.vjp(&[(derivative, 1.0)], &[a, b]), [Some(66.0), Some(4.0 * 29.0)]);
    });
}

#[test]
fn three_tapes_deep() {
    fn f<V: Value>(x: V) -> V {
        x.clone() * x.clone() * x.clone() * x.recip() * x.square() + x.stop_gradient() * x
    }
    // x⁴ and a factor that is not differentiated: 12x² twice, 24x three times.
    assert_eq!(slope(|x| slope(|x| f(x), &x), &2.0), 48.0);
    assert_eq!(slope(|x| slope(|y| slope(|x| f(x), &y), &x), &2.0), 48.0);
    // A tape of pairs on a tape, and a pair of places on a tape.
    let mixed = |x: f64| slope(|x| slope(|x| f(x), &Dual::variable(x)).tangent(), &x);
    assert_eq!(mixed(2.0), 48.0);
    assert_eq!(slope(|x| f(Dual::variable(Dual::variable(x))).tangent().tangent(), &2.0), 48.0);
    // What is cut off is cut off on every level.
    let cut = derivative(|x| derivative(|y| y * y.tape().constant(x.stop_gradient()), x).unwrap(), 1.0);
    assert!(matches!(cut, Err(Error::Disconnected { .. })));
}

#[test]
fn ops_with_rules_of_their_own_nest() {
    let cube = Custom::new("cube", 1, |x| x[0].map(|x| x * x * x)).jvp(|x, _y, t| x[0].square() * 3.0 * t[0]);
    assert_eq!(
        derivative(|x| derivative(|y| y.custom(&cube) * y.tape().constant(x), x).unwrap(), 2.0).unwrap(),
        12.0 + 24.0
    );
    let hypot = |x: f64| derivative(|x| derivative(|y| y.hypot(&y.tape().constant(x * 0.75)), x).unwrap(), x).unwrap();
    // ∂/∂y √(y² + u²) = 0.8 along u = ¾y: it does not change.
    assert!(hypot(4.0).abs() < 1e-15);
}

#[test]
fn checkpoints_and_ops_of_several_numbers_nest() {
    fn f<V: Value>(x: &[V]) -> V {
        x[0].clone() * x[0].clone() * x[1].clone() * x[2].clone() + x[2].clone()
    }
    let last = Custom::new("last", 3, |x| &x[0] * &x[2]).vjp(|x, _y, c| vec![x[2] * c, c.zeros_like(), x[0] * c]);
    // ∂/∂x₀ of f and of x₀·x₂, by all three.
    let second = |own: bool| {
        grad_or_zeros(
            |x| {
                let inner = grad_or_zeros(
                    |y| {
                        let refs = [&y[0], &y[1], &y[2]];
                        if own { Value::apply_custom(&last, &refs) } else { checkpoint(&refs, |y| f(y)).unwrap() }
                    },
                    x,
                );
                inner.unwrap()[0]
            },
            &[2.0, 3.0, 5.0],
        )
        .unwrap()
    };
    assert_eq!(second(false), [2.0 * 15.0, 2.0 * 2.0 * 5.0, 2.0 * 2.0 * 3.0]);
    assert_eq!(second(true), [0.0, 0.0, 1.0]);
}

#[test]
fn what_has_no_derivative_takes_no_place() {
    Tape::scope(|tape| {
        let x = tape.var(-3.0);
        let y = x * x.sign() + x.ones_like();
        assert_eq!((y.value(), tape.len()), (4.0, 3));
        assert_eq!(tape.vjp(&[(y, 1.0)], &[x]), [Some(-1.0)]);
        assert_eq!(tape.jvp(&[(x, 2.0)], &[y, x.floor()]), [Some(-2.0), None]);
        assert_eq!(tape.vjp(&[(x.floor(), 1.0)], &[x]), [None]);
    });
    // Nothing is asked of it, and nothing comes from it: on numbers, on arrays, on numbers of another tape.
    fn apart<V: Value>(tape: Tape<'_, V>, three: &V, what: &str) {
        let x = tape.var(three.clone());
        let cut = x.stop_gradient();
        let y = cut * x + cut;
        let one = three.ones_like();
        let back = tape.vjp(&[(y, one.clone())], &[x, cut]);
        assert!(back[0].is_some() && back[1].is_none(), "{what}: {back:?}");
        let forth = tape.jvp(&[(cut, one)], &[y]);
        assert!(forth[0].is_none(), "{what}: {forth:?}");
    }
    Tape::scope(|tape| apart(tape, &3.0, "numbers"));
    Tape::scope(|tape| apart(tape, &Dual::variable(3.0), "numbers with tangents"));
    Tape::scope(|tape| apart(tape, &Tensor::<f64>::full(&[2], 3.0), "arrays"));
    Tape::scope(|outer| {
        let three = outer.var(3.0);
        Tape::scope(|tape| apart(tape, &three, "numbers of another tape"));
    });
}
