//! Each cheap op on small integers, where it is exact, against what it is said to be, and one that reads what the one before
//! has made; on every machine that is here.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::{on_every_machine, small_numbers as numbers};
use super::{ADDRESSES, Cheap, Steps, run};

/// An op of `a`, `b`, `c` and the number.
type Meaning = fn([f64; 3], f64) -> f64;

const OPS: [(Cheap, Meaning); 13] = [
    (Cheap::Copy, |[a, ..], _| a),
    (Cheap::Neg, |[a, ..], _| -a),
    (Cheap::Square, |[a, ..], _| a * a),
    (Cheap::AddNumber, |[a, ..], c| a + c),
    (Cheap::Scale, |[a, ..], c| c * a),
    (Cheap::SubFrom, |[a, ..], c| c - a),
    (Cheap::Add, |[a, b, _], _| a + b),
    (Cheap::Sub, |[a, b, _], _| a - b),
    (Cheap::Mul, |[a, b, _], _| a * b),
    (Cheap::Axpy, |[a, b, _], c| a + c * b),
    (Cheap::MulAdd, |[a, b, c], _| a * b + c),
    (Cheap::MulSub, |[a, b, c], _| a * b - c),
    (Cheap::NegMulAdd, |[a, b, c], _| c - a * b),
];

fn check<E: Math, M: Machine>(n: usize) {
    let args: [Vec<E>; 3] = [1, 2, 3].map(|seed| numbers(n, seed));
    for (op, meaning) in OPS {
        let (mut first, mut second, mut number) =
            (vec![E::from_f64(7.0); n], vec![E::from_f64(7.0); n], E::from_f64(-3.0));
        let [a, b, c] = args.each_ref().map(|x| x.as_ptr().cast_mut());
        // The second op has the first one's result as its first argument.
        let [made, last] = [first.as_mut_ptr(), second.as_mut_ptr()];
        let addresses: [*mut E; 2 * ADDRESSES] = [made, a, b, c, &raw mut number, last, made, b, c, &raw mut number];
        let ops = [op, op];
        // SAFETY: all are there, and the results are none of the arguments of their op.
        let steps = unsafe { Steps::new(&ops, &addresses, n) };
        run::<E, M>(&steps);
        for i in 0..n {
            let [a, b, c] = args.each_ref().map(|x| x[i].to_f64());
            let once = meaning([a, b, c], -3.0);
            let twice = meaning([once, b, c], -3.0);
            let found = (first[i].to_f64(), second[i].to_f64());
            assert!(found == (once, twice), "{op:?}, element {i} of {n}: {found:?} is not {:?}", (once, twice));
        }
    }
}

fn all<M: Machine>() {
    for n in [1, 7, 64, 100, 333] {
        check::<f64, M>(n);
        check::<f32, M>(n);
    }
}

#[test]
fn cheap_ops_are_exact_on_any_machine() {
    on_every_machine!(all);
}
