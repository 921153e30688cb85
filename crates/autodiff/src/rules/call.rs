//! Checkpoints: the tangent is a checkpoint of the program's JVP; the reverse pass runs the program again, on a tape of
//! its own, and back. (Griewank 1992; Chen, Xu, Zhang, Guestrin 2016.)

use super::Parts;
use crate::op::{Call, Op};
use crate::tape::Tape;
use crate::value::Value;

/// The tangent of the output.
#[track_caller]
pub(crate) fn jvp<V: Value>(call: &Call, args: &[&V], tangents: &[Option<&V>]) -> Option<V> {
    let present: Vec<bool> = tangents.iter().map(Option::is_some).collect();
    let tangent = call.tangent(&present)?;
    let all: Vec<&V> = args.iter().copied().chain(tangents.iter().copied().flatten()).collect();
    Some(V::apply(&Op::Call(tangent), &all))
}

/// The cotangents of the wanted arguments.
#[track_caller]
pub(crate) fn vjp<V: Value>(call: &Call, args: &[&V], ct: &V, wanted: &[bool]) -> Parts<V> {
    Tape::scope(|tape| {
        let inputs: Vec<_> = args
            .iter()
            .zip(wanted)
            .map(|(&x, &wanted)| if wanted { tape.var(x.clone()) } else { tape.constant(x.clone()) })
            .collect();
        let out = call.program().interpret(&inputs)[call.output()];
        let found = tape.vjp(&[(out, ct.clone())], &inputs);
        found.into_iter().zip(wanted).map(|(part, &wanted)| if wanted { part } else { None }).collect()
    })
}
