//! The tape itself, in exact arithmetic, so that it can also run under an interpreter that looks for undefined behaviour:
//! `cargo +nightly miri test -p hypertape-autodiff --no-default-features --test tape`.

use autodiff::{Dual, Tape, Tensor, Value, grad};

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
