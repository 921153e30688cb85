//! Layers of many small networks: their products begin with the biases where nothing else sees them without, and agree
//! with the interpreter, differentiated too.

use autodiff::{Abstract, CompileOptions, Element, Program, Value, Var};

mod support;
use support::{gradient_of_last, inputs};

type V<'t> = Var<'t, Abstract>;

/// Networks.
const MANY: usize = 5;

/// What `f` makes of `x·W`, `b`, `c` and `x`, for many networks: `x` has so many rows, `W` so many of both.
fn layers((m, k, n): (usize, usize, usize), f: impl for<'t> Fn(V<'t>, [V<'t>; 3]) -> Vec<V<'t>>) -> Program {
    let shapes: [&[usize]; 4] = [&[m, k], &[k, n], &[n], &[n]];
    let one = Program::record_many(&shapes, |a| f(a[0].matmul(&a[1]), [a[2], a[3], a[0]])).unwrap();
    one.batch(MANY, &[Some(0); 4], &vec![0; one.output_shapes().len()]).unwrap()
}

/// How many products begin with a bias; values agree with the interpreter's on one thread and on two.
fn biases<E: Element>(program: &Program, tolerance: f64) -> usize {
    let x = inputs::<E>(program);
    let expected = program.run(&x).unwrap();
    let counts = [1, 2].map(|threads| {
        let mut executable = program.compile::<E>(CompileOptions::default().threads(threads));
        for (i, (found, expected)) in executable.run(&x).unwrap().iter().zip(&expected).enumerate() {
            let scale = expected.data().iter().fold(1e-3_f64, |s, x| s.max(x.to_f64().abs()));
            for (a, b) in found.data().iter().zip(expected.data()) {
                let (a, b) = (a.to_f64(), b.to_f64());
                assert!((a - b).abs() <= tolerance * scale, "output {i} on {threads} threads: {a} is not {b}");
            }
        }
        executable.explain().matches("on a bias").count()
    });
    assert_eq!(counts[0], counts[1]);
    counts[0]
}

#[test]
fn products_begin_with_biases() {
    for size in [(10, 40, 40), (10, 1, 40), (2, 3, 2), (13, 5, 17), (7, 20, 130)] {
        let plain = layers(size, |p, [b, ..]| vec![(p + b).tanh()]);
        assert_eq!(biases::<f64>(&plain, 1e-13), 1, "{size:?}");
        assert_eq!(biases::<f32>(&plain, 1e-5), 1, "{size:?}");
        // On the left, and with what is read again.
        let again = layers(size, |p, [b, c, _]| {
            let h = b + p;
            vec![h.sin() * h + c, (h - b).exp()]
        });
        assert_eq!(biases::<f64>(&again, 1e-13), 1, "{size:?}");
    }
}

#[test]
fn what_is_seen_without_its_bias_is_made_without_it() {
    let size = (10, 40, 40);
    // By the caller; by a second sum; by another kernel; and the sum by the caller.
    assert_eq!(biases::<f64>(&layers(size, |p, [b, ..]| vec![(p + b).tanh(), p]), 1e-13), 0);
    assert_eq!(biases::<f64>(&layers(size, |p, [b, c, _]| vec![(p + b).tanh() * (p + c).sin()]), 1e-13), 0);
    assert_eq!(biases::<f64>(&layers(size, |p, [b, _, x]| vec![(p + b).tanh(), p.transpose().matmul(&x)]), 1e-13), 0);
    assert_eq!(biases::<f64>(&layers(size, |p, [b, ..]| vec![p + b, (p + b).tanh()]), 1e-13), 0);
    // A bias that is made of the product; and single rows and columns, whose products are dots.
    assert_eq!(biases::<f64>(&layers(size, |p, [b, ..]| vec![(p + b * p.sum(&[0])).tanh()]), 1e-13), 0);
    for size in [(1, 40, 40), (10, 40, 1)] {
        assert_eq!(biases::<f64>(&layers(size, |p, [b, ..]| vec![(p + b).tanh()]), 1e-13), 0);
    }
}

#[test]
fn a_walk_may_find_several_biases_added() {
    let size = (10, 40, 40);
    // Two layers side by side, one sum right behind the other: the second one's bias is there already.
    let two = layers(size, |p, [b, c, x]| {
        let q = x.sin().matmul(&x.transpose().matmul(&x.cos()));
        let (early, g, h) = (x * c, p + b, q + c);
        vec![(early + g.tanh()) * h.cos()]
    });
    assert_eq!(biases::<f64>(&two, 1e-12), 2);
    // What is reduced at once is the product itself then.
    let reduced = layers(size, |p, [b, ..]| vec![(p + b).max_over(&[0, 1]), (p + b).square().sum_all()]);
    assert_eq!(biases::<f64>(&reduced, 1e-12), 1);
    let over_networks = Program::record_shapes(&reduced.input_shapes(), |a| {
        let h = layers(size, |p, [b, ..]| vec![(p + b).tanh(), p + b]).eval(a);
        vec![(h[1]).max_over(&[0])]
    });
    assert_eq!(biases::<f64>(&over_networks.unwrap(), 1e-12), 1);
    // A product that is read through a view besides stays without.
    assert_eq!(biases::<f64>(&layers(size, |p, [b, ..]| vec![(p + b).tanh() * p.flip(&[0])]), 1e-13), 0);
    // A load that is read again stays, beside a number from memory.
    let stays = layers(size, |p, [b, c, _]| {
        let (n, h) = (p.shape().to_vec(), p + b);
        let number = c.slice_axis(0, 0..1).reshape(&[]).broadcast_to(&n);
        vec![h.tanh() * number + b - number * 0.5]
    });
    assert_eq!(biases::<f64>(&stays, 1e-13), 1);
}

#[test]
fn a_bias_that_comes_later_is_added() {
    // The bias is made of another product, by the last of all kernels but the sum's.
    let program = layers((10, 40, 40), |p, [b, _, x]| {
        let gram = x.transpose().matmul(&x);
        let late = (gram.sin().sum(&[0]) + b).exp();
        vec![(p + late).tanh()]
    });
    biases::<f64>(&program, 1e-13);
}

#[test]
fn gradients_of_layers_agree_with_the_interpreter() {
    for size in [(10, 40, 40), (3, 2, 70)] {
        let loss = layers(size, |p, [b, c, _]| vec![(((p + b).tanh() + c).sigmoid()).square().sum_all()]);
        let loss = Program::record_shapes(&loss.input_shapes(), |x| vec![loss.eval(x)[0].sum_all()]).unwrap();
        assert!(biases::<f64>(&gradient_of_last(&loss), 1e-12) > 0, "{size:?}");
        let wrt: Vec<usize> = (0..4).collect();
        biases::<f64>(&loss.hvp(&wrt).unwrap(), 1e-12);
    }
}
