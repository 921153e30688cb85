//! A gradient on its way to the machine: as it is recorded, after rewriting, and as kernels with their memory; then a
//! loop of a hundred thousand steps, and a sparse Jacobian.

use autodiff::{CompileOptions, Program, Scan, ScanInputs, Storage, Tensor, Value};

fn main() -> autodiff::Result<()> {
    // Σ (tanh(x·w + b) − y)², its gradient by w and b.
    let loss = Program::record(&[&[100, 3], &[3, 2], &[2], &[100, 2]], |a| {
        ((a[0].matmul(&a[1]) + a[2]).tanh() - a[3]).square().sum_all()
    })?;
    let gradient = loss.grad(&[1, 2])?;
    println!("recorded\n{gradient}\n");
    let mut executable = gradient.compile::<f64>(CompileOptions::default().threads(1));
    println!("rewritten\n{}\n", executable.optimized());
    println!("kernels and memory\n{}", executable.explain());
    let inputs = [Tensor::ones(&[100, 3]), Tensor::zeros(&[3, 2]), Tensor::zeros(&[2]), Tensor::ones(&[100, 2])];
    let g = executable.run(&inputs)?;
    assert_eq!((g[0].data(), g[1].data()), (&[-200.0; 6][..], &[-200.0; 2][..]));
    println!("where the time goes\n{}\n", executable.profile(&inputs, 100)?);

    // x ← x + h·sin(a·x): the step is compiled once; of 100,000 states, those that fit into 8 kB are kept.
    let shapes = ScanInputs { state: &[&[][..]], params: &[&[][..]], ..Default::default() };
    let scan = Scan::record(shapes, |s| vec![s.state[0] + (s.params[0] * s.state[0]).sin() * 1e-4])?;
    let mut scan = scan.compile::<f64>(100_000, Storage::Bytes(8192), CompileOptions::default())?;
    let (state, params) = ([Tensor::scalar(0.5)], [Tensor::scalar(0.7)]);
    let end = scan.forward(ScanInputs { state: &state, params: &params, ..Default::default() })?;
    let x = end.state()[0].item();
    let slope = end.backward(&[Tensor::scalar(1.0)])?;
    println!(
        "100,000 steps: x = {x:.6}, dx/da = {:.6}; {} evaluations of the step, {} bytes",
        slope.params[0].item(),
        slope.evaluations,
        scan.peak_bytes(),
    );

    // Differences of neighbours: 2 colours, whatever the number of columns.
    let differences = Program::record(&[&[1000]], |x| x[0].slice_axis(0, 1..1000) - x[0].slice_axis(0, 0..999).exp())?;
    let sparse = differences.sparse_jacobian(0)?;
    println!("999 × 1000 Jacobian: {} entries from {} JVPs", sparse.pattern().len(), sparse.colors());
    Ok(())
}
