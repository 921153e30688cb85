//! Measuring.

use crate::error::{Error, Result};
use crate::function::Function;
use crate::measure::{Timing, time};
use crate::mode::{Mode, Task};
use autodiff::{CompileOptions, Disconnected, Executable, Program, Tensor, Value, value_and_grad};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Numbers of inputs.
    pub sizes: Vec<usize>,
    /// Seconds for each measurement, about.
    pub seconds: f64,
    /// The most threads an executable may use; 0 for all.
    pub threads: usize,
    /// The most numbers in a dense Jacobian or Hessian; larger ones are left out.
    pub largest: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sizes: vec![8, 32, 128, 512], seconds: 0.1, threads: 1, largest: 1 << 22 }
    }
}

/// One measurement.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    /// The function.
    pub function: String,
    /// Inputs.
    pub n: usize,
    /// Outputs.
    pub m: usize,
    /// What was computed.
    pub task: Task,
    /// How.
    pub mode: Mode,
    /// Directions that were worked on at once.
    pub directions: usize,
    /// The time of a run, in seconds.
    pub seconds: Timing,
    /// The median as a multiple of the compiled function's.
    pub multiple: f64,
    /// The multiple that the theory allows.
    pub predicted: Option<f64>,
    /// Array operations of a run.
    pub ops: usize,
    /// Floating-point operations of a run.
    pub flops: u64,
    /// Bytes at the peak of a run: of an executable, beside inputs and outputs; of an interpreted program, of all values
    /// that are alive, inputs and outputs included; of a tape, of the values of the function, which it all keeps.
    pub peak_bytes: usize,
}

/// Where one mode becomes cheaper than another as the size grows.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Crossing {
    /// The function.
    pub function: String,
    /// What is computed.
    pub task: Task,
    /// Cheaper below.
    pub below: Mode,
    /// Cheaper above.
    pub above: Mode,
    /// The number of inputs, interpolated between the sizes measured.
    pub n: f64,
}

/// How far a run has come.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The function being measured.
    pub function: String,
    /// Its number of inputs.
    pub n: usize,
    /// Settings done, of how many.
    pub done: usize,
    /// All settings.
    pub all: usize,
}

/// The measurements of some functions.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Bench {
    /// One for each function, size, and mode.
    pub rows: Vec<Row>,
    /// Where modes cross.
    pub crossings: Vec<Crossing>,
}

impl Bench {
    /// Measures functions at all sizes; `progress` is told before each.
    ///
    /// # Errors
    /// [`Error::Setting`] without sizes or functions, [`Error::Autodiff`] if a function cannot be differentiated.
    pub fn run(functions: &[Function], settings: &Settings, mut progress: impl FnMut(&Progress)) -> Result<Self> {
        if functions.is_empty() || settings.sizes.is_empty() || settings.sizes.contains(&0) {
            let reason = "at least one function and one size are needed, and no size of 0".to_owned();
            return Err(Error::Setting { setting: "sizes", reason });
        }
        let mut bench = Self::default();
        let (mut done, all) = (0, functions.len() * settings.sizes.len());
        for function in functions {
            let mut measured = Vec::new();
            for &n in &settings.sizes {
                let n = function.inputs(n);
                progress(&Progress { function: function.name().to_owned(), n, done, all });
                done += 1;
                if !measured.contains(&n) {
                    measured.push(n);
                    Case::new(function, n, settings)?.measure(&mut bench.rows)?;
                }
            }
            bench.crossings.extend(crossings(function.name(), &bench.rows));
        }
        Ok(bench)
    }
}

/// A function at a size.
struct Case<'a> {
    function: &'a Function,
    settings: &'a Settings,
    program: Program,
    x: Tensor<f64>,
    m: usize,
    /// Seconds of the compiled function.
    primal: f64,
}

impl<'a> Case<'a> {
    fn new(function: &'a Function, n: usize, settings: &'a Settings) -> Result<Self> {
        let program = Program::record(&[&[n]], |x| function.eval(&x[0]))?;
        let m = program.output_shapes()[0].iter().product();
        Ok(Self { function, settings, program, x: function.point(n), m, primal: 0.0 })
    }

    fn is_scalar(&self) -> bool {
        self.program.output_shapes()[0].is_empty()
    }

    fn compile(&self, program: &Program) -> Executable<f64> {
        program.compile(CompileOptions::default().threads(self.settings.threads))
    }

    fn row(&self, task: Task, mode: Mode, directions: usize, seconds: Timing, cost: (usize, u64, usize)) -> Row {
        let (ops, flops, peak_bytes) = cost;
        Row {
            function: self.function.name().to_owned(),
            n: self.x.len(),
            m: self.m,
            task,
            mode,
            directions,
            seconds,
            multiple: if mode == Mode::Primal { 1.0 } else { seconds.median / self.primal },
            predicted: mode.predicted(task, directions),
            ops,
            flops,
            peak_bytes,
        }
    }

    /// Times a compiled program on inputs.
    fn compiled(
        &self,
        task: Task,
        mode: Mode,
        directions: usize,
        program: &Program,
        inputs: &[Tensor<f64>],
    ) -> Result<Row> {
        let mut executable = self.compile(program);
        let mut outputs = executable.run(inputs)?;
        let seconds = time(self.settings.seconds, || {
            // The inputs fitted in the run above.
            executable.run_into(inputs, &mut outputs).unwrap_or_else(|error| unreachable!("{error}"));
        });
        let (ops, flops) = executable.cost();
        Ok(self.row(task, mode, directions, seconds, (ops, flops, executable.peak_bytes())))
    }

    fn measure(&mut self, rows: &mut Vec<Row>) -> Result<()> {
        let x = [self.x.clone()];
        let direction = Tensor::from_fn(self.x.dims(), |i| (i[0] as f64 + 0.5).cos());
        let xv = [self.x.clone(), direction.clone()];
        let n = self.x.len();
        let primal = self.compiled(Task::Value, Mode::Primal, 0, &self.program, &x)?;
        self.primal = primal.seconds.median;
        rows.push(primal);
        let jvp = self.program.jvp(&[0])?;
        rows.push(self.compiled(Task::Directional, Mode::Forward, 1, &jvp, &xv)?);
        if self.is_scalar() {
            self.gradients(rows, &x, n)?;
            self.second_order(rows, &xv)?;
            self.hessians(rows, &x, n)?;
        } else {
            self.jacobians(rows, &x, n)?;
        }
        Ok(())
    }

    fn hessians(&self, rows: &mut Vec<Row>, x: &[Tensor<f64>], n: usize) -> Result<()> {
        let dense = match self.program.hessian(0, 0) {
            // A function without curvature has no Hessian to speak of.
            Err(autodiff::Error::Disconnected { .. }) => return Ok(()),
            dense => dense?,
        };
        if n * self.largest_value() <= self.settings.largest {
            rows.push(self.compiled(Task::Hessian, Mode::ForwardOverReverse, n, &dense, x)?);
        }
        // Finding a pattern takes time with its entries: the dense one of a network would take all there is.
        if self.function.is_structured() {
            let sparse = self.program.sparse_hessian(0)?;
            if sparse.colors() < n {
                rows.push(self.compiled(Task::Hessian, Mode::Sparse, sparse.colors(), sparse.program(), x)?);
            }
        }
        Ok(())
    }

    fn gradients(&self, rows: &mut Vec<Row>, x: &[Tensor<f64>], n: usize) -> Result<()> {
        let gradient = self.program.value_and_grad(&[0])?;
        rows.push(self.compiled(Task::Gradient, Mode::ReverseExecutable, 1, &gradient, x)?);
        let counts = gradient.counts();
        let seconds = time(self.settings.seconds, || drop(std::hint::black_box(gradient.run(x))));
        let cost = (counts.ops, counts.flops, counts.peak_bytes(size_of::<f64>()));
        rows.push(self.row(Task::Gradient, Mode::ReverseProgram, 1, seconds, cost));
        let seconds = time(self.settings.seconds, || {
            drop(std::hint::black_box(value_and_grad(|v| self.function.eval(&v[0]), x)));
        });
        let kept: usize = self.program.nodes().iter().map(|node| node.shape().iter().product::<usize>()).sum();
        let cost = (counts.ops, counts.flops, kept * size_of::<f64>());
        rows.push(self.row(Task::Gradient, Mode::ReverseTape, 1, seconds, cost));
        if n * self.largest_value() <= self.settings.largest {
            let forward = self.all_tangents(n)?;
            rows.push(self.compiled(Task::Gradient, Mode::ForwardAll, n, &forward, x)?);
        }
        Ok(())
    }

    /// The most numbers in a value of the program.
    fn largest_value(&self) -> usize {
        self.program.nodes().iter().map(|node| node.shape().iter().product()).max().unwrap_or(1)
    }

    /// x ↦ tangents in the directions of all inputs.
    fn all_tangents(&self, n: usize) -> Result<Program> {
        let all = self.program.jvp(&[0])?.batch(n, &[None, Some(0)], &[0, 0])?;
        Ok(Program::record(&[&[n]], |x| all.eval(&[x[0], x[0].constant(Tensor::<f64>::eye(n))])[1])?)
    }

    /// x ↦ cotangents for all outputs.
    fn all_cotangents(&self, n: usize) -> Result<Program> {
        let all = self.program.vjp(&[0])?.batch(self.m, &[None, Some(0)], &[0])?;
        Ok(Program::record(&[&[n]], |x| all.eval(&[x[0], x[0].constant(Tensor::<f64>::eye(self.m))])[0])?)
    }

    fn jacobians(&self, rows: &mut Vec<Row>, x: &[Tensor<f64>], n: usize) -> Result<()> {
        let largest = self.largest_value();
        if n * largest.max(self.m) <= self.settings.largest {
            rows.push(self.compiled(Task::Jacobian, Mode::ForwardAll, n, &self.all_tangents(n)?, x)?);
        }
        if self.m * largest.max(n) <= self.settings.largest {
            rows.push(self.compiled(Task::Jacobian, Mode::ReverseAll, self.m, &self.all_cotangents(n)?, x)?);
        }
        let sparse = if self.function.is_structured() { Some(self.program.sparse_jacobian(0)?) } else { None };
        if let Some(sparse) = sparse.filter(|sparse| sparse.colors() < n.min(self.m)) {
            rows.push(self.compiled(Task::Jacobian, Mode::Sparse, sparse.colors(), sparse.program(), x)?);
        }
        Ok(())
    }

    fn second_order(&self, rows: &mut Vec<Row>, xv: &[Tensor<f64>]) -> Result<()> {
        for (mode, program) in hessian_vector_products(&self.program)? {
            rows.push(self.compiled(Task::Hvp, mode, 1, &program, xv)?);
        }
        let program = curvature(&self.program)?;
        rows.push(self.compiled(Task::Curvature, Mode::ForwardOverForward, 1, &program, xv)?);
        Ok(())
    }
}

/// (x, v) ↦ ∇²f·v, in three ways.
fn hessian_vector_products(f: &Program) -> Result<[(Mode, Program); 3]> {
    let x = f.input_shapes().swap_remove(0);
    let tangent = tangent(f)?;
    let gradient = f.grad(&[0])?;
    let along = Program::record(&[&x, &x], |a| gradient.eval(&a[..1])[0].dot(&a[1]))?;
    Ok([
        (Mode::ForwardOverReverse, f.hvp(&[0])?),
        (Mode::ReverseOverForward, tangent.grad_with(&[0], Disconnected::Zeros)?),
        (Mode::ReverseOverReverse, along.grad_with(&[0], Disconnected::Zeros)?),
    ])
}

/// (x, v) ↦ ⟨∇f, v⟩, by forward mode.
fn tangent(f: &Program) -> Result<Program> {
    let (x, jvp) = (f.input_shapes().swap_remove(0), f.jvp(&[0])?);
    Ok(Program::record(&[&x, &x], |a| jvp.eval(a)[1])?)
}

/// (x, v) ↦ vᵀ∇²f·v, forward over forward.
fn curvature(f: &Program) -> Result<Program> {
    let (x, twice) = (f.input_shapes().swap_remove(0), tangent(f)?.jvp_with(&[0], Disconnected::Zeros)?);
    Ok(Program::record(&[&x, &x], |a| twice.eval(&[a[0], a[1], a[1]])[1])?)
}

/// Where the ways of computing one thing change places, between neighbouring sizes.
fn crossings(function: &str, rows: &[Row]) -> Vec<Crossing> {
    let pairs = [
        (Task::Gradient, Mode::ForwardAll, Mode::ReverseExecutable),
        (Task::Gradient, Mode::ReverseTape, Mode::ReverseExecutable),
        (Task::Jacobian, Mode::ForwardAll, Mode::ReverseAll),
        (Task::Jacobian, Mode::ForwardAll, Mode::Sparse),
        (Task::Hessian, Mode::ForwardOverReverse, Mode::Sparse),
    ];
    let mut found = Vec::new();
    for (task, a, b) in pairs {
        let of = |mode: Mode| {
            let own = rows.iter().filter(move |r| r.function == function && r.task == task && r.mode == mode);
            own.map(|r| (r.n, r.seconds.median)).collect::<Vec<_>>()
        };
        let (first, second) = (of(a), of(b));
        let mut both: Vec<(f64, f64)> = Vec::new();
        for (n, s) in &first {
            if let Some((_, t)) = second.iter().find(|(m, _)| m == n) {
                both.push(((*n as f64).ln(), (s / t).ln()));
            }
        }
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        for pair in both.windows(2) {
            let ((n0, d0), (n1, d1)) = (pair[0], pair[1]);
            if d0 * d1 < 0.0 {
                let (below, above) = if d0 < 0.0 { (a, b) } else { (b, a) };
                let n = (n0 + (n1 - n0) * d0 / (d0 - d1)).exp();
                found.push(Crossing { function: function.to_owned(), task, below, above, n });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_a_second_derivative_agree() {
        for name in ["rosenbrock", "chain", "products", "mlp"] {
            let function = Function::named(name).unwrap();
            let n = function.inputs(24);
            let f = Program::record(&[&[n]], |x| function.eval(&x[0])).unwrap();
            let v = Tensor::from_fn(&[n], |i| (i[0] as f64 + 0.5).cos());
            let inputs = [function.point(n), v.clone()];
            let hessian = f.hessian(0, 0).unwrap().run(&inputs[..1]).unwrap().swap_remove(0);
            let expected = hessian.matmul(&v);
            for (mode, program) in hessian_vector_products(&f).unwrap() {
                let found = program.run(&inputs).unwrap().swap_remove(0);
                for (a, b) in found.data().iter().zip(expected.data()) {
                    assert!((a - b).abs() <= 1e-9 * (1.0 + b.abs()), "{name}, {mode:?}: {a} and {b}");
                }
            }
            let found = curvature(&f).unwrap().run(&inputs).unwrap()[0].item();
            let expected = expected.dot(&v).item();
            assert!((found - expected).abs() <= 1e-9 * (1.0 + expected.abs()), "{name}: {found} and {expected}");
        }
    }

    #[test]
    fn crossings_are_interpolated_between_sizes() {
        let row = |n: usize, mode: Mode, median: f64| Row {
            function: "f".into(),
            n,
            m: 1,
            task: Task::Gradient,
            mode,
            directions: 1,
            seconds: Timing { median, lower: median, upper: median, samples: 5 },
            multiple: 1.0,
            predicted: None,
            ops: 1,
            flops: 1,
            peak_bytes: 1,
        };
        // Forward takes n, reverse 4: they cross at 4, between 2 and 8.
        let rows: Vec<Row> = [2, 8]
            .into_iter()
            .flat_map(|n| [row(n, Mode::ForwardAll, n as f64), row(n, Mode::ReverseExecutable, 4.0)])
            .collect();
        let found = crossings("f", &rows);
        assert_eq!(found.len(), 1);
        assert!((found[0].n - 4.0).abs() < 1e-12);
        assert_eq!((found[0].below, found[0].above), (Mode::ForwardAll, Mode::ReverseExecutable));
    }
}
