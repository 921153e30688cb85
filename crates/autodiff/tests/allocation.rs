//! A counting allocator: what runs again allocates nothing.

use autodiff::op::Range;
use autodiff::{CompileOptions, Program, Scan, ScanInputs, Storage, Tensor, Value};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and their bytes while `f` runs. One test, so that nothing else allocates meanwhile.
fn counted<R>(f: impl FnOnce() -> R) -> (usize, usize, R) {
    let before = (COUNT.load(Ordering::SeqCst), BYTES.load(Ordering::SeqCst));
    let result = f();
    (COUNT.load(Ordering::SeqCst) - before.0, BYTES.load(Ordering::SeqCst) - before.1, result)
}

#[test]
fn steady_state_runs_allocate_nothing_and_memory_is_known_before() {
    // Products of all kinds, fused walks with reductions, gathers, a concatenation, scalars.
    let shapes: [&[usize]; 4] = [&[300, 200], &[200, 100], &[100, 10], &[100]];
    let program = Program::record(&shapes, |x| {
        let hidden = (x[0].matmul(&x[1]) + x[3]).tanh();
        let logits = hidden.matmul(&x[2]);
        let rows = logits.log_softmax(&[1]).slice_axis(0, 10..40);
        let picked = rows.gather(&x[0].constant(Tensor::from([3.0, 0.0, 7.0])), 1);
        let both = autodiff::Var::concat(&[&picked, &logits.slice_axis(0, 0..30)], 1);
        both.square().sum_all().sqrt() + x[3].exp().sum_all().ln()
    })
    .unwrap();
    let gradient = program.value_and_grad(&[0, 1, 2, 3]).unwrap();
    let inputs: Vec<Tensor<f64>> =
        shapes.iter().map(|s| Tensor::from_fn(s, |i| (i.iter().sum::<usize>() as f64 * 0.7).sin() * 0.1)).collect();
    for threads in [1, 2] {
        let options = CompileOptions::default().threads(threads);
        let (_, bytes, mut executable) = counted(|| gradient.compile::<f64>(options).clone());
        // Compiling allocates the memory of runs (here twice: the clone has its own), among other things.
        assert!(bytes >= 2 * executable.peak_bytes());
        // The pool's threads, which begin with the first executable that asks for them, allocate while they do.
        let mut outputs = executable.run(&inputs).unwrap();
        let (count, bytes, clone) = counted(|| executable.clone());
        let slack = executable.explain().len() + 4096;
        assert!(bytes >= executable.peak_bytes() && bytes <= executable.peak_bytes() + slack, "{count}, {bytes}");
        drop(clone);
        // Each thread of the pool makes room for packing once.
        (0..50).for_each(|_| executable.run_into(&inputs, &mut outputs).unwrap());
        let (count, _, ()) = counted(|| (0..10).for_each(|_| executable.run_into(&inputs, &mut outputs).unwrap()));
        // The pool's queue takes a block of memory for every few dozen jobs from outside, ten here; nothing grows with a run.
        let most = if threads == 1 { 0 } else { 3 };
        assert!(count <= most, "{count} allocations in ten runs on {threads} threads");
    }

    // What is no walk either: elements put apart, as the gradient of every third row does.
    let apart = Program::record(&[&[30, 4]], |x| {
        let every_third = x[0].slice(&[Range { start: 0, stop: 30, step: 3 }, Range { start: 0, stop: 4, step: 1 }]);
        every_third.square().sum_all()
    });
    let mut executable = apart.unwrap().grad(&[0]).unwrap().compile::<f64>(CompileOptions::default().threads(1));
    let x = [Tensor::from_fn(&[30, 4], |i| i[0] as f64)];
    let mut outputs = executable.run(&x).unwrap();
    assert_eq!(outputs[0].data()[24..28], [12.0; 4]);
    assert_eq!(counted(|| executable.run_into(&x, &mut outputs).unwrap()).0, 0);

    // A loop allocates its results, however many steps it has.
    let shapes = ScanInputs { state: &[&[20][..]], params: &[&[20, 20][..]], ..Default::default() };
    let scan = Scan::record(shapes, |s| vec![s.params[0].matmul(&s.state[0]).tanh()]).unwrap();
    let (state, params) = ([Tensor::<f64>::ones(&[20])], [Tensor::full(&[20, 20], 0.04)]);
    let allocations = |steps: usize| {
        let mut scan = scan.compile::<f64>(steps, Storage::Bytes(2000), CompileOptions::default().threads(1)).unwrap();
        let inputs = ScanInputs { state: &state, params: &params, ..Default::default() };
        let mut run = || {
            let end = scan.forward(inputs).unwrap();
            end.backward(&[Tensor::ones(&[20])]).unwrap();
        };
        run();
        counted(run).0
    };
    assert_eq!(allocations(40), allocations(90));
}
