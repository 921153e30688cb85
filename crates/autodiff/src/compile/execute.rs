//! Compiling, and running what was compiled.

use super::graph::{Graph, Node, Place};
use super::kernels::{Kernel, Scratch};
use super::legalise::{Legal, legalise};
use super::lower::{Buffer, lower};
use super::memory::{Arena, Bases, Pointer};
use super::plan::{Home, plan};
use super::{bias, block, chain, endings, fuse, optimize, parts};
use crate::error::{Error, Result};
use crate::op::{Op, Unary};
#[cfg(feature = "parallel")]
use crate::pool::{self, Pool};
use crate::program::{Kind, Program};
use crate::scalar::Element;
use crate::shape::{Shape, size};
use crate::tensor::{Constant, Tensor};
use crate::value::Value;
use std::sync::Arc;

/// How to compile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileOptions {
    /// The most threads a run may use; 0 for as many as rayon's pool has. The result has the same bits for any number.
    pub threads: usize,
    /// Whether every value may be taken to be finite, so that zero times it is zero.
    ///
    /// Off, because an infinity or NaN that meets a zero would go unseen. On, a product with an array that is known to be
    /// zero when compiling is left out with all that leads to it, such as the virtual step of learning to reweight, whose
    /// weights begin at zero.
    pub assume_finite: bool,
}

impl CompileOptions {
    /// At most this many threads.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// With products with zero left out, whatever the other factor is.
    #[must_use]
    pub fn assume_finite(self, assume_finite: bool) -> Self {
        Self { assume_finite, ..self }
    }
}

/// What was compiled; shared by clones.
pub(super) struct Compiled<E> {
    pub(super) before: (usize, u64),
    pub(super) graph: Graph,
    pub(super) kernels: Vec<Kernel<E>>,
    pub(super) buffers: Vec<Buffer>,
    pub(super) homes: Vec<Home>,
    pub(super) arena: usize,
    slots: usize,
    late: usize,
    registers: usize,
    constants: Vec<Tensor<E>>,
    inputs: Vec<Shape>,
    pub(super) outputs: Vec<Shape>,
    /// The buffers of the inputs and of the outputs.
    ends: [Vec<u32>; 2],
    /// Buffers inside of each output, and where.
    insides: Vec<Vec<(u32, usize)>>,
    /// The threads, if a run is worth more than one.
    #[cfg(feature = "parallel")]
    pool: Option<Arc<Pool>>,
}

/// A program compiled for the element type `E`: run it as often as you like.
///
/// It agrees with [`Program::run`] over [`Tensor`] to rounding. The first run touches its memory; from then on a run
/// allocates nothing ([`run_into`](Executable::run_into); [`run`](Executable::run) allocates its results, and a user's op
/// arrays for its arguments). Clones share
/// what was compiled and have memory of their own. `Send`.
///
/// ```
/// use autodiff::{CompileOptions, Program, Tensor, Value};
/// // ∇ Σ (tanh(x·w) − y)² by w
/// let loss = Program::record(&[&[100, 3], &[3], &[100]], |a| (a[0].matmul(&a[1]).tanh() - a[2]).square().sum_all())?;
/// let mut gradient = loss.grad(&[1])?.compile::<f64>(CompileOptions::default());
/// let (x, w, y) = (Tensor::ones(&[100, 3]), Tensor::zeros(&[3]), Tensor::ones(&[100]));
/// assert_eq!(gradient.run(&[x, w, y])?[0].data(), [-200.0, -200.0, -200.0]);
/// # Ok::<(), autodiff::Error>(())
/// ```
pub struct Executable<E: Element> {
    pub(super) compiled: Arc<Compiled<E>>,
    arena: Arena<E>,
    bases: Bases<E>,
    scratch: Scratch<E>,
}

impl Program {
    /// Compiles the program for an element type and its shapes.
    ///
    /// Time and memory: linear in the number of ops, plus that of computing what depends on constants only.
    pub fn compile<E: Element>(&self, options: CompileOptions) -> Executable<E> {
        let threads = threads(options);
        let mut source = Graph::of(self);
        source.finite = options.assume_finite;
        let before = source.cost();
        let fold = |op: &Op, args: &[Constant]| -> Constant {
            let args: Vec<Tensor<E>> = args.iter().map(Constant::to_tensor).collect();
            Tensor::apply(op, &args.iter().collect::<Vec<_>>()).into()
        };
        let graph = optimize::optimize(&source, fold);
        drop(source);
        let mut legal = legalise(&graph, fold);
        own_outputs(&mut legal);
        let schedule = fuse::schedule(&legal);
        let mut lowered = lower::<E>(&legal, &schedule, threads);
        let buffer = |place: &Place| lowered.buffer_of[legal.resolve(*place).0 as usize];
        let ends = [&legal.graph.inputs, &legal.graph.outputs].map(|p| p.iter().map(buffer).collect::<Vec<u32>>());
        endings::join_sums(&mut lowered, &ends[1]);
        bias::begin_with_biases(&mut lowered, &ends[1]);
        lowered.kernels = block::share_rows(lowered.kernels, &lowered.buffers, &ends[1], threads);
        drop(schedule);

        let mut homes: Vec<Option<Home>> = vec![None; lowered.buffers.len()];
        let mut constants = Vec::new();
        for (home, buffer) in homes.iter_mut().zip(&lowered.buffers) {
            *home = match &legal.graph.node(buffer.place).kind {
                Kind::Input(position) => Some(Home::Input(*position)),
                Kind::Constant(constant) => {
                    constants.push(constant.to_tensor());
                    Some(Home::Constant(constants.len() - 1))
                }
                Kind::Op(_) => None,
            };
        }
        for (i, &output) in ends[1].iter().enumerate() {
            homes[output as usize] = Some(Home::Output(i));
        }
        let within = parts::place(&mut lowered, &homes);
        lowered.kernels = chain::join(lowered.kernels, &lowered.buffers, &within, &homes, threads);
        let arena = plan(&lowered.buffers, &within, &mut homes, &lowered.kernels);
        let mut insides: Vec<Vec<(u32, usize)>> = vec![Vec::new(); ends[1].len()];
        for (buffer, home) in homes.iter().enumerate() {
            if let Some(Home::Inside(output, from)) = *home {
                insides[output].push((buffer as u32, from));
            }
        }
        let (mut slots, mut late, mut registers) = (0, 0, 0);
        for kernel in &lowered.kernels {
            let (s, l, r) = kernel.scratch();
            (slots, late, registers) = (slots.max(s), late.max(l), registers.max(r));
        }
        #[cfg(feature = "parallel")]
        let largest: u64 = lowered.kernels.iter().map(Kernel::work).max().unwrap_or(0);
        Executable::of(Compiled {
            before,
            kernels: lowered.kernels,
            buffers: lowered.buffers,
            homes: homes.into_iter().map(|home| home.unwrap_or(Home::Scratch)).collect(),
            arena,
            slots,
            late,
            registers,
            constants,
            inputs: self.input_shapes(),
            outputs: self.output_shapes(),
            ends,
            insides,
            #[cfg(feature = "parallel")]
            pool: if threads > 1 && largest > SHARED { pool::of(threads) } else { None },
            graph: legal.graph,
        })
    }
}

/// Work of a kernel, in multiply-adds, from which a run is worth more than one thread.
#[cfg(feature = "parallel")]
const SHARED: u64 = 1 << 19;

#[cfg(feature = "parallel")]
fn threads(options: CompileOptions) -> usize {
    if options.threads == 0 { rayon::current_num_threads() } else { options.threads }
}

#[cfg(not(feature = "parallel"))]
fn threads(_: CompileOptions) -> usize {
    1
}

/// Makes every output a value of its own that a kernel computes: inputs, constants, views and values that are given out
/// twice are copied.
fn own_outputs(legal: &mut Legal) {
    let mut taken: std::collections::HashSet<Place> = std::collections::HashSet::new();
    for i in 0..legal.graph.outputs.len() {
        let output = legal.graph.outputs[i];
        let (base, view) = legal.resolve(output);
        let whole = view.is_none_or(|v| v.is_contiguous() && size(&v.shape) == legal.graph.node(base).size());
        let computed = legal.graph.node(base).op().is_some();
        if !whole || !computed || !taken.insert(base) {
            let shape = legal.graph.node(output).shape.clone();
            let kind = Kind::Op(Op::Unary(Unary::StopGradient));
            legal.graph.nodes.push(Node { kind, args: [output].into_iter().collect(), shape, checkpoint: 0 });
            legal.graph.outputs[i] = (legal.graph.nodes.len() - 1) as Place;
        }
    }
}

impl<E: Element> Executable<E> {
    fn of(compiled: Compiled<E>) -> Self {
        let compiled = Arc::new(compiled);
        Self::with_memory(&compiled)
    }

    fn with_memory(compiled: &Arc<Compiled<E>>) -> Self {
        let mut executable = Self {
            compiled: Arc::clone(compiled),
            arena: Arena::new(compiled.arena),
            bases: Bases::new(compiled.buffers.len()),
            scratch: Scratch {
                slots: Arena::new(compiled.slots),
                late: Arena::new(compiled.late),
                pointers: vec![Pointer::none(); compiled.registers],
            },
        };
        let start = executable.arena.start();
        for (i, (home, buffer)) in compiled.homes.iter().zip(&compiled.buffers).enumerate() {
            match *home {
                Home::Constant(constant) => executable.bases.set_read_only(i, compiled.constants[constant].data()),
                Home::Arena(at) => executable.bases.set_raw(i, start.wrapping_add(at), buffer.len),
                Home::Input(_) | Home::Output(_) | Home::Inside(..) | Home::Scratch => {}
            }
        }
        executable
    }

    /// The shapes of the inputs.
    pub fn input_shapes(&self) -> &[Shape] {
        &self.compiled.inputs
    }

    /// The shapes of the outputs.
    pub fn output_shapes(&self) -> &[Shape] {
        &self.compiled.outputs
    }

    /// Bytes that a run uses beside inputs, constants and outputs: known before, allocated once.
    pub fn peak_bytes(&self) -> usize {
        let c = &self.compiled;
        let elements: usize = [c.arena, c.slots, c.late].map(Arena::<E>::allocated).iter().sum();
        elements * size_of::<E>() + c.registers * size_of::<usize>()
    }

    /// Ops and flops of the program as it was recorded.
    pub fn cost_before(&self) -> (usize, u64) {
        self.compiled.before
    }

    /// Ops and flops of the program as it is run.
    pub fn cost(&self) -> (usize, u64) {
        self.compiled.graph.cost()
    }

    fn check(&self, inputs: &[Tensor<E>]) -> Result<()> {
        let expected = &self.compiled.inputs;
        if expected.len() != inputs.len() {
            return Err(Error::Count { what: "program inputs", expected: expected.len(), given: inputs.len() });
        }
        for (index, (expected, given)) in expected.iter().zip(inputs).enumerate() {
            if expected[..] != *given.dims() {
                let (expected, given) = (expected.clone(), given.shape());
                return Err(Error::Input { what: "input", index, expected, given });
            }
        }
        Ok(())
    }

    /// Runs on inputs, and gives new outputs.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if the inputs are not those the program was recorded for.
    pub fn run(&mut self, inputs: &[Tensor<E>]) -> Result<Vec<Tensor<E>>> {
        let mut outputs: Vec<Tensor<E>> = self.compiled.outputs.iter().map(|shape| Tensor::zeros(shape)).collect();
        self.run_into(inputs, &mut outputs)?;
        Ok(outputs)
    }

    /// Runs on inputs, into outputs that are there already: allocates nothing, unless an output's buffer is shared and
    /// has to be copied.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if inputs or outputs do not have the recorded shapes.
    pub fn run_into(&mut self, inputs: &[Tensor<E>], outputs: &mut [Tensor<E>]) -> Result<()> {
        self.check(inputs)?;
        let expected = &self.compiled.outputs;
        if expected.len() != outputs.len() {
            return Err(Error::Count { what: "program outputs", expected: expected.len(), given: outputs.len() });
        }
        for (index, (expected, given)) in expected.iter().zip(&*outputs).enumerate() {
            if expected[..] != *given.dims() {
                let (expected, given) = (expected.clone(), given.shape());
                return Err(Error::Input { what: "output", index, expected, given });
            }
        }
        self.bind(inputs, outputs);
        self.execute(&mut |_| ());
        Ok(())
    }

    /// Points the kernels to arrays whose shapes were checked.
    pub(super) fn bind(&mut self, inputs: &[Tensor<E>], outputs: &mut [Tensor<E>]) {
        for (i, input) in inputs.iter().enumerate() {
            self.set_input(i, input.data());
        }
        for (i, output) in outputs.iter_mut().enumerate() {
            self.set_output(i, output.data_mut());
        }
    }

    /// Points the kernels to an input of the right length, which must be there until the run is over.
    pub(crate) fn set_input(&mut self, position: usize, data: &[E]) {
        debug_assert_eq!(data.len(), size(&self.compiled.inputs[position]));
        self.bases.set_read_only(self.compiled.ends[0][position] as usize, data);
    }

    /// Points the kernels to an output of the right length, which must be there until the run is over.
    pub(crate) fn set_output(&mut self, position: usize, data: &mut [E]) {
        debug_assert_eq!(data.len(), size(&self.compiled.outputs[position]));
        let (start, all) = (data.as_mut_ptr(), data.len());
        self.bases.set_raw(self.compiled.ends[1][position] as usize, start, all);
        for &(buffer, from) in &self.compiled.insides[position] {
            let len = self.compiled.buffers[buffer as usize].len;
            assert!(from + len <= all, "a part of an output reaches beyond it");
            self.bases.set_raw(buffer as usize, start.wrapping_add(from), len);
        }
    }

    /// Runs on what the kernels were pointed to.
    pub(crate) fn run_bound(&mut self) {
        self.execute(&mut |_| ());
    }

    /// [`run_into`](Executable::run_into) on plain slices, row-major.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Length`] if the slices are not as many or as long as the shapes say.
    pub fn run_slices(&mut self, inputs: &[&[E]], outputs: &mut [&mut [E]]) -> Result<()> {
        let compiled = &self.compiled;
        let fits = |what, shapes: &[Shape], lens: &mut dyn ExactSizeIterator<Item = usize>| {
            if shapes.len() != lens.len() {
                return Err(Error::Count { what, expected: shapes.len(), given: lens.len() });
            }
            for (shape, len) in shapes.iter().zip(lens) {
                if size(shape) != len {
                    return Err(Error::Length { shape: shape.clone(), len });
                }
            }
            Ok(())
        };
        fits("program inputs", &compiled.inputs, &mut inputs.iter().map(|x| x.len()))?;
        fits("program outputs", &compiled.outputs, &mut outputs.iter().map(|x| x.len()))?;
        for (i, input) in inputs.iter().enumerate() {
            self.set_input(i, input);
        }
        for (i, output) in outputs.iter_mut().enumerate() {
            self.set_output(i, output);
        }
        self.execute(&mut |_| ());
        Ok(())
    }

    /// Runs the kernels; `after(i)` is told when kernel `i` is done.
    pub(super) fn execute(&mut self, after: &mut (impl FnMut(usize) + Send)) {
        let Self { compiled, bases, scratch, .. } = self;
        let kernels = &compiled.kernels;
        let mut all = || {
            for (i, kernel) in kernels.iter().enumerate() {
                kernel.run(bases, scratch);
                after(i);
            }
        };
        #[cfg(feature = "parallel")]
        if let Some(pool) = &compiled.pool {
            // The pool is entered once: inside, splitting costs nanoseconds. Whoever is in one of at most as many
            // threads shares the kernels there, beside its other work.
            if rayon::current_thread_index().is_none() || rayon::current_num_threads() > pool.threads() {
                pool.run(&mut all);
                return;
            }
        }
        all();
    }
}

impl<E: Element> Clone for Executable<E> {
    fn clone(&self) -> Self {
        Self::with_memory(&self.compiled)
    }
}

impl<E: Element> std::fmt::Debug for Executable<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ops, flops) = self.cost();
        let kernels = self.compiled.kernels.len();
        write!(f, "Executable<{}>: {ops} ops, {flops} flops in {kernels} kernels", E::NAME)
    }
}
