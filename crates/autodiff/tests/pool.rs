//! Runs that share a pool: at once, inside of other work, and after one that failed.
#![cfg(feature = "parallel")]

use autodiff::{CompileOptions, Executable, Program, Tensor, Value};
use rayon::prelude::*;

const N: usize = 160;

/// Products and sums that are large enough for several threads.
fn work(threads: usize) -> Executable<f64> {
    let f = Program::record(&[&[N, N], &[N]], |a| {
        let h = a[0].matmul(&a[0]).tanh() + a[1];
        (a[0].matmul(&h) * h).sum(&[0]) + a[0].gather(&a[1], 0).sum(&[0])
    });
    f.unwrap().compile(CompileOptions::default().threads(threads))
}

fn inputs(seed: usize) -> [Tensor<f64>; 2] {
    let x = Tensor::from_fn(&[N, N], |i| ((i[0] * 7 + i[1] * 3 + seed) % 11) as f64 / 64.0);
    [x, Tensor::from_fn(&[N], |i| ((i[0] + seed) % N) as f64)]
}

#[test]
fn many_runs_at_once_give_what_one_gives() {
    let expected: Vec<Vec<Tensor<f64>>> = (0..8).map(|seed| work(1).run(&inputs(seed)).unwrap()).collect();
    for threads in [2, 3, 5] {
        let from_outside = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..8)
                .map(|seed| {
                    scope.spawn(move || {
                        let mut work = work(threads);
                        let all: Vec<_> = (0..20).map(|_| work.run(&inputs(seed)).unwrap()).collect();
                        all.into_iter().next_back().unwrap()
                    })
                })
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(from_outside, expected, "{threads} threads, from outside");
        // In rayon's own pool, and in one of the size that the runs ask for.
        let each =
            || (0..8_usize).into_par_iter().map(|seed| work(threads).run(&inputs(seed)).unwrap()).collect::<Vec<_>>();
        assert_eq!(each(), expected, "{threads} threads, from inside");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(each), expected, "{threads} threads, in a pool of as many");
    }
}

#[test]
fn a_run_that_fails_leaves_the_threads_to_the_next_one() {
    let mut work = work(2);
    let [x, good] = inputs(0);
    let bad = Tensor::from_fn(&[N], |i| (i[0] * 2) as f64);
    for _ in 0..3 {
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work.run(&[x.clone(), bad.clone()])));
        assert!(failed.is_err(), "an index beyond the end is refused");
        work.run(&[x.clone(), good.clone()]).unwrap();
    }
}

#[test]
fn a_run_does_not_wait_for_the_work_of_others() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    // Lasts until the runs are over, on rayon's own pool.
    rayon::spawn(move || stopped.recv().unwrap());
    for threads in [0, 2, 3] {
        let mut work = work(threads);
        for seed in 0..50 {
            work.run(&inputs(seed)).unwrap();
        }
    }
    stop.send(()).unwrap();
}
