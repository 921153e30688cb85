//! What methods say of their memory, beside what they take from the allocator.

use autodiff::{Tensor, Value};
use bilevel::{
    Adam, Amigo, Ask, AugmentedLagrangian, Bome, Data, Descent, F2sa, FiniteDifference, FixedPoint, GradientDescent,
    Implicit, Inner, Keep, LinearSolver, Memory, Method, Mrbo, Pbgd, Penalty, Problem, Reverse, Reversible, Saba,
    Schedule, Soba, StocBio, VirtualStep,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes alive in large blocks, and the most there were.
struct Meter;
static ALIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Smaller ones hold no tensor of this test.
const LARGE: usize = 100_000;

// SAFETY: all work is the system allocator's; the counters do not touch the blocks.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGE {
            let now = ALIVE.fetch_add(layout.size(), Relaxed) + layout.size();
            PEAK.fetch_max(now, Relaxed);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() >= LARGE {
            ALIVE.fetch_sub(layout.size(), Relaxed);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static METER: Meter = Meter;

const N: usize = 50_000;

/// What the report of a second call says and what it took, in vectors; the first call records and compiles.
fn said_and_taken(problem: &Problem, method: &dyn Method<f64>) -> (f64, f64) {
    let (u, v0) = ([Tensor::full(&[N], 0.3)], [Tensor::full(&[N], 0.1)]);
    let (ask, mut memory) = (Ask { problem, u: &u, v0: &v0, data: Data::NONE }, Memory::default());
    method.hypergradient(&ask, &mut memory).unwrap();
    let before = ALIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let found = method.hypergradient(&ask, &mut memory).unwrap();
    let vectors = |bytes: usize| bytes as f64 / (size_of::<f64>() * N) as f64;
    (vectors(found.report.trajectory_bytes), vectors(PEAK.load(Relaxed) - before))
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn what_is_not_counted_is_a_handful_of_vectors_however_many_steps_there_are() {
    let problem = Problem::new(
        |_, v| (v[0] - 0.5).square().sum_all(),
        |u, v| ((v[0] - u[0]).square() * 0.5 + v[0].square() * 0.1).sum_all(),
    )
    .threads(1);
    let rule = GradientDescent::new(0.3);
    let trajectory = |t: usize| -> Vec<Box<dyn Method<f64>>> {
        let reverse = Reverse::new(rule.clone(), t);
        let inner = Inner::steps(rule.clone(), t);
        vec![
            Box::new(reverse.clone()),
            Box::new(reverse.clone().last(4)),
            Box::new(reverse.keep(Keep::SquareRoot)),
            Box::new(Reversible::new(0.1, (9, 10), t)),
            Box::new(Implicit::cg(inner.clone())),
            Box::new(Implicit::neumann(inner.clone(), 0.3, t)),
            Box::new(Implicit::new(inner.clone(), LinearSolver::Gmres { restart: 3 })),
            Box::new(Implicit::new(inner.clone(), LinearSolver::BiCgStab)),
            Box::new(Implicit::nystrom(inner.clone(), 2, 0.1)),
            Box::new(Implicit::new(inner, LinearSolver::Identity { rate: 0.5 })),
            Box::new(FixedPoint::new(rule.clone(), t)),
            Box::new(F2sa::new(0.2, 100.0, t)),
            Box::new(Pbgd { rate: 0.2, gamma: 10.0, steps: t }),
            Box::new(Bome { rate: 0.2, rate_v: 0.1, eta: 0.5, steps: t }),
            Box::new(StocBio { rate: 0.2, steps: t, neumann_rate: 0.2, terms: t }),
            Box::new(Amigo { rate: 0.2, steps: t, adjoint_rate: 0.2, adjoint_steps: t }),
            Box::new(Mrbo { rate: 0.2, momentum: 0.5, neumann_rate: 0.2, terms: t }),
            Box::new(Penalty {
                schedule: Schedule::PerCall,
                descent: Descent::steps(Adam::new(0.01), t),
                ..Penalty::new(1.0)
            }),
            Box::new(AugmentedLagrangian { accept: true, ..AugmentedLagrangian::new(1.0).constant(t.min(12)) }),
        ]
    };
    for (short, long) in trajectory(8).iter().zip(&trajectory(40)) {
        let (few, many) = (said_and_taken(&problem, short), said_and_taken(&problem, long));
        let beside = [few.1 - few.0, many.1 - many.0];
        let name = short.name();
        assert!(few.0 > 0.5 && beside[0] < 16.5, "{name}: {few:?}");
        assert!((beside[0] - beside[1]).abs() < 1.5, "{name}: {few:?}, then {many:?}");
    }
    let single: [&dyn Method<f64>; 4] =
        [&FiniteDifference::new(0.1), &VirtualStep::new(0.1), &Soba { rate: 0.2 }, &Saba { rate: 0.2 }];
    for method in single {
        let (said, taken) = said_and_taken(&problem, method);
        assert!(said > 0.5 && taken - said < 16.5, "{}: {said} {taken}", method.name());
    }
    // Residuals are counted as they are taken: here 64 KB of a state and 320 KB of a product each, for all steps.
    let data = [Tensor::full(&[2000, 400], 0.01), Tensor::full(&[2000, 20], 0.2)];
    let problem = Problem::with_data(
        |_, v, data| (data[0].matmul(&v[0]).tanh() - data[1]).square().sum_all(),
        |u, v, data| ((data[0].matmul(&v[0]).tanh() - data[1]).square() * u[0]).sum_all() * 1e-4,
    )
    .threads(1);
    let (u, v0) = ([Tensor::full(&[2000, 1], 0.3)], [Tensor::full(&[400, 20], 0.1)]);
    let ask = Ask { problem: &problem, u: &u, v0: &v0, data: Data::new(&data, &data) };
    let beside = [8, 40].map(|t| {
        let method = Reverse::new(GradientDescent::new(0.3), t).keep(Keep::Residuals(usize::MAX));
        let mut memory = Memory::default();
        method.hypergradient(&ask, &mut memory).unwrap();
        let before = ALIVE.load(Relaxed);
        PEAK.store(before, Relaxed);
        let report = method.hypergradient(&ask, &mut memory).unwrap().report;
        assert_eq!(report.residual_steps, Some(t));
        // States are too small to be seen by the meter.
        PEAK.load(Relaxed) - before + t * 64_000 - report.trajectory_bytes
    });
    assert!(beside[0] == beside[1] && beside[0] < 500_000, "{beside:?}");
}
