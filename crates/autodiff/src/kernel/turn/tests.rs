//! A transposition against its definition, on every machine.

use super::super::machine::Machine;
use super::super::math::Math;
use super::super::on_every_machine;
use super::turn;
use std::mem::MaybeUninit;

fn one<E: Math, M: Machine>(width: usize, padded: usize, count: usize, apart: usize) {
    let stride = count + apart;
    // Nothing behind the last element that is asked for.
    let from: Vec<E> = (0..(width - 1) * stride + count).map(|i| E::from_f64(i as f64)).collect();
    let mut into = vec![MaybeUninit::new(E::from_f64(-1.0)); padded * count];
    turn::<E, M>(&from, stride, (width, padded), &mut into);
    for (at, x) in into.iter().enumerate() {
        let (k, j) = (at / padded, at % padded);
        // SAFETY: all of it was written before.
        let x = unsafe { x.assume_init() };
        if j < width {
            assert!(x == from[j * stride + k], "{width} of {padded} vectors of {count}, {stride} apart: {j}, {k}");
        } else {
            assert!(x >= E::from_f64(0.0), "nothing was written beyond the width");
        }
    }
}

fn all<M: Machine>() {
    for width in [1_usize, 3, 7, 8, 9, 12, 15, 16, 17, 23, 24, 31, 32, 33, 40, 50] {
        for padded in [width, width + 1, width.next_multiple_of(16), width + 8] {
            for count in [1, 4, 7, 8, 9, 15, 16, 31, 32, 33, 41, 65] {
                for apart in [0, 3] {
                    one::<f32, M>(width, padded, count, apart);
                    one::<f64, M>(width, padded, count, apart);
                }
            }
        }
    }
}

#[test]
fn vectors_become_columns() {
    on_every_machine!(all);
}
