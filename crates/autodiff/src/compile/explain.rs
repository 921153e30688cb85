//! What an executable does and what it costs, in words, numbers and a drawing.

use super::execute::Executable;
use super::graph::Node;
use super::plan::Home;
use crate::error::Result;
use crate::kernel::Tall;
use crate::program::Kind;
use crate::scalar::Element;
use crate::tensor::{Product, Tensor};
use std::fmt;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Where the time of a run goes, kernel by kernel: what [`Executable::profile`] measured.
#[derive(Clone, Debug)]
pub struct Profile {
    lines: Vec<(String, u64, usize, Duration)>,
    peak: f64,
}

impl Profile {
    /// The time of one run, the median of the runs kernel by kernel.
    pub fn total(&self) -> Duration {
        self.lines.iter().map(|l| l.3).sum()
    }

    /// Each kernel: what it does, its flops, the bytes it reads and writes, its median time.
    pub fn kernels(&self) -> impl Iterator<Item = (&str, u64, usize, Duration)> {
        self.lines.iter().map(|(name, flops, bytes, time)| (name.as_str(), *flops, *bytes, *time))
    }

    /// Floating-point operations a second that this machine reached in a matrix product, on one thread, just before.
    pub fn peak(&self) -> f64 {
        self.peak
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>10} {:>9} {:>7} {:>9}  kernel", "time µs", "GFLOP/s", "of peak", "GB/s")?;
        for (name, flops, bytes, time) in &self.lines {
            let seconds = time.as_secs_f64().max(1e-12);
            let rate = *flops as f64 / seconds;
            writeln!(
                f,
                "{:>10.2} {:>9.2} {:>6.1}% {:>9.2}  {name}",
                seconds * 1e6,
                rate / 1e9,
                100.0 * rate / self.peak,
                *bytes as f64 / seconds / 1e9,
            )?;
        }
        write!(
            f,
            "{:>10.2} in all; peak {:.1} GFLOP/s on one thread",
            self.total().as_secs_f64() * 1e6,
            self.peak / 1e9
        )
    }
}

impl<E: Element> Executable<E> {
    /// What a run does: kernels in order, with the ops fused into each, flops, bytes moved, and where each buffer lives.
    pub fn explain(&self) -> String {
        let c = &self.compiled;
        let (ops, flops) = self.cost();
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{} ops, {} flops as recorded; {ops} ops, {flops} flops as run, in {} kernels for {} ({})",
            c.before.0,
            c.before.1,
            c.kernels.len(),
            E::NAME,
            E::kernels().name,
        );
        let _ = writeln!(
            text,
            "memory of a run: {} bytes, of them {} in the arena",
            self.peak_bytes(),
            c.arena * size_of::<E>()
        );
        for (i, kernel) in c.kernels.iter().enumerate() {
            let (read, written) = kernel.buffers();
            let names = |buffers: &[u32]| {
                let mut names: Vec<String> = buffers.iter().map(|&b| self.buffer_name(b)).collect();
                names.dedup();
                let more = names.len().saturating_sub(6);
                names.truncate(6);
                names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
            };
            let _ = writeln!(
                text,
                "{i:>3}  {}\n       {} ← {}; {} flops, {} bytes",
                kernel.describe(),
                names(&written),
                names(&read),
                kernel.flops(),
                self.bytes(i),
            );
        }
        text
    }

    fn buffer_name(&self, buffer: u32) -> String {
        let b = &self.compiled.buffers[buffer as usize];
        let shape = &self.compiled.graph.node(b.place).shape;
        match self.compiled.homes[buffer as usize] {
            Home::Input(i) => format!("x{i} {shape:?}"),
            Home::Constant(i) => format!("c{i} {shape:?}"),
            Home::Output(i) => format!("output {i} {shape:?}"),
            Home::Inside(i, from) => format!("v{} {shape:?} in output {i} at {}", b.place, from * size_of::<E>()),
            Home::Arena(at) => format!("v{} {shape:?} at {}", b.place, at * size_of::<E>()),
            Home::Scratch => format!("v{} {shape:?} in scratch", b.place),
        }
    }

    /// Bytes of the buffers that a kernel reads and writes.
    fn bytes(&self, kernel: usize) -> usize {
        let (mut read, written) = self.compiled.kernels[kernel].buffers();
        read.sort_unstable();
        read.dedup();
        let len = |b: &u32| self.compiled.buffers[*b as usize].len;
        (read.iter().map(len).sum::<usize>() + written.iter().map(len).sum::<usize>()) * size_of::<E>()
    }

    /// The program as it is run, after all rewriting, one line a value.
    pub fn optimized(&self) -> String {
        let graph = &self.compiled.graph;
        let name = |place: u32| match &graph.node(place).kind {
            Kind::Input(i) => format!("x{i}"),
            Kind::Constant(_) => format!("c{place}"),
            Kind::Op(_) => format!("v{place}"),
        };
        let names = |places: &[u32]| places.iter().map(|&p| name(p)).collect::<Vec<_>>().join(", ");
        let mut text = String::new();
        for (i, Node { kind, args, shape, .. }) in graph.nodes.iter().enumerate() {
            let _ = match kind {
                Kind::Input(_) => Ok(()),
                Kind::Constant(_) => writeln!(text, "c{i} {shape:?} = constant"),
                Kind::Op(op) => writeln!(text, "v{i} {shape:?} = {op}({})", names(args)),
            };
        }
        text + &format!("return {}", names(&graph.outputs))
    }

    /// The kernels and the buffers between them as a Graphviz digraph.
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph executable {\n  node [fontname=\"monospace\"];\n");
        for (i, kernel) in self.compiled.kernels.iter().enumerate() {
            let label = kernel.describe().replace('"', "\\\"");
            let _ = writeln!(dot, "  k{i} [label=\"{label}\\n{} flops\", shape=box];", kernel.flops());
            let (mut read, written) = kernel.buffers();
            read.sort_unstable();
            read.dedup();
            for b in read {
                let _ = writeln!(dot, "  b{b} [label=\"{}\"];\n  b{b} -> k{i};", self.buffer_name(b));
            }
            for b in written {
                let _ = writeln!(dot, "  b{b} [label=\"{}\"];\n  k{i} -> b{b};", self.buffer_name(b));
            }
        }
        dot + "}\n"
    }

    /// Runs `runs` times and says where the time went, and what fraction of the machine's peak each kernel reached.
    ///
    /// # Errors
    /// As [`run`](Executable::run).
    pub fn profile(&mut self, inputs: &[Tensor<E>], runs: usize) -> Result<Profile> {
        let mut outputs = self.run(inputs)?;
        let mut times: Vec<Vec<Duration>> = vec![Vec::new(); self.compiled.kernels.len()];
        for _ in 0..runs.max(1) {
            self.bind(inputs, &mut outputs);
            let mut last = Instant::now();
            self.execute(&mut |kernel| {
                let now = Instant::now();
                times[kernel].push(now - last);
                last = now;
            });
        }
        let lines = times.iter_mut().enumerate().map(|(i, times)| {
            times.sort_unstable();
            let kernel = &self.compiled.kernels[i];
            (kernel.describe(), kernel.flops(), self.bytes(i), times[times.len() / 2])
        });
        Ok(Profile { lines: lines.collect(), peak: peak::<E>() })
    }
}

/// Floating-point operations a second in a product of two matrices that fit into L2, on this thread: the best of a few,
/// by the library's kernel or by our own for many rows.
fn peak<E: Element>() -> f64 {
    let n = 192;
    let (a, mut c) = (vec![E::from_f64(0.5); n * n], vec![E::from_f64(0.0); n * n]);
    let mut best = f64::INFINITY;
    let mut time = |product: &mut dyn FnMut()| {
        for _ in 0..12 {
            let start = Instant::now();
            product();
            best = best.min(start.elapsed().as_secs_f64());
        }
    };
    let (a_strides, b_strides) = ([n, 1], [n, 1]);
    let (start, fork, wake) = (None, false, false);
    let product = Product { m: n, k: n, n, a: &a, a_strides, b: &a, b_strides, start, fork, wake };
    time(&mut || E::gemm(product, &mut c));
    if let Some(many) = &E::kernels().many {
        let packed = vec![E::from_f64(0.5); n * n.next_multiple_of(many.width)];
        time(&mut || (many.multiply)(&Tall { m: n, k: n, n, a: &a, a_stride: n }, &packed, &mut c));
    }
    2.0 * (n * n * n) as f64 / best
}
