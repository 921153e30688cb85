//! Compressed evaluation of sparse Jacobians and Hessians.

use super::coloring::{color_columns, color_rows, color_star};
use super::csr::{Csr, Pattern};
use crate::compile::{CompileOptions, Executable};
use crate::error::{Error, Result};
use crate::program::Program;
use crate::scalar::Element;
use crate::shape::{Shape, size};
use crate::tensor::Tensor;
use crate::value::Value;
use std::sync::Arc;

/// A sparse Jacobian or Hessian, as a program that computes one directional derivative for each colour; made by
/// [`Program::sparse_jacobian`] and [`Program::sparse_hessian`].
#[derive(Clone, Debug)]
pub struct SparseDerivative {
    /// The inputs ↦ `[colours, …]`.
    program: Program,
    pattern: Arc<Pattern>,
    colors: usize,
    /// For each entry, where it stands among the compressed ones.
    sources: Arc<Vec<usize>>,
}

/// A [`SparseDerivative`] compiled for an element type.
#[derive(Clone, Debug)]
pub struct CompiledSparse<E: Element> {
    executable: Executable<E>,
    compressed: Vec<Tensor<E>>,
    pattern: Arc<Pattern>,
    sources: Arc<Vec<usize>>,
}

/// The rows of a seed matrix: for each colour, the sum of its unit vectors, in a shape.
fn seeds(colors: &[u32], count: usize, shape: &[usize]) -> Tensor<f64> {
    let n = colors.len();
    let mut data = vec![0.0; count * n];
    for (i, &color) in colors.iter().enumerate() {
        data[color as usize * n + i] = 1.0;
    }
    Tensor::from_parts([count].into_iter().chain(shape.iter().copied()).collect(), data)
}

fn count(colors: &[u32]) -> usize {
    colors.iter().max().map_or(0, |&c| c as usize + 1)
}

impl Program {
    /// The sparse Jacobian of the only output, flattened, by the elements of one input.
    ///
    /// The pattern is found, and its columns and rows are coloured; whichever needs fewer colours is evaluated, one JVP
    /// or VJP a colour, all at once. A program that was mapped over many items with [`batch`](Program::batch) gets its
    /// block Jacobian with as many directions as one item needs.
    ///
    /// ```
    /// use autodiff::{CompileOptions, Program, Tensor, Value};
    /// let f = Program::record(&[&[1000]], |x| x[0].slice_axis(0, 1..1000) * x[0].slice_axis(0, 0..999).sin())?;
    /// let sparse = f.sparse_jacobian(0)?;
    /// assert_eq!((sparse.pattern().len(), sparse.colors()), (1998, 2));
    /// let jacobian = sparse.compile::<f64>(CompileOptions::default()).run(&[Tensor::ones(&[1000])])?;
    /// assert_eq!(jacobian.row(5).collect::<Vec<_>>(), [(5, 1_f64.cos()), (6, 1_f64.sin())]);
    /// # Ok::<(), autodiff::Error>(())
    /// ```
    ///
    /// Time of a run: colours × a JVP or VJP; memory: colours × the values of the program.
    ///
    /// # Errors
    /// [`Error::Count`] unless there is exactly one output, [`Error::Disconnected`] if the input does not reach it,
    /// [`Error::Index`] if it does not exist.
    pub fn sparse_jacobian(&self, wrt: usize) -> Result<SparseDerivative> {
        let outputs = self.output_shapes();
        let [y] = &outputs[..] else {
            return Err(Error::Count { what: "outputs of a sparse Jacobian", expected: 1, given: outputs.len() });
        };
        let pattern = self.jacobian_pattern(wrt)?;
        let x = self.input_shapes().swap_remove(wrt);
        // A full row needs as many colours of columns as it has entries, a full column as many of rows: where that decides,
        // the other colouring, which it would make slow, is not needed.
        let least = [pattern.fullest_row(), pattern.transpose().fullest_row()];
        let columns = (least[0] <= least[1]).then(|| color_columns(&pattern));
        let rows = match &columns {
            Some(columns) if count(columns) <= least[1] => None,
            _ => Some(color_rows(&pattern)),
        };
        let columns = match (columns, &rows) {
            (None, Some(rows)) if count(rows) > least[0] => Some(color_columns(&pattern)),
            (columns, _) => columns,
        };
        let forward = match (&columns, &rows) {
            (Some(columns), Some(rows)) => count(columns) <= count(rows),
            (columns, _) => columns.is_some(),
        };
        let (columns, rows) = (columns.unwrap_or_default(), rows.unwrap_or_default());
        let (m, n) = (size(y), size(&x));
        let mut sources = Vec::with_capacity(pattern.len());
        for (i, j) in (0..m).flat_map(|i| pattern.row(i).iter().map(move |&j| (i, j as usize))) {
            sources.push(if forward { columns[j] as usize * m + i } else { rows[i] as usize * n + j });
        }
        let (colors, shape) = if forward { (&columns, &x) } else { (&rows, y) };
        let one = if forward {
            let jvp = self.jvp(&[wrt])?;
            jvp.with_outputs(jvp.outputs()[1..].to_vec()).without_dead_code()
        } else {
            self.vjp(&[wrt])?
        };
        SparseDerivative::new(&one, colors, shape, pattern, sources)
    }

    /// The sparse Hessian of a scalar program by the elements of one input: forward over reverse, one Hessian-vector
    /// product for each colour of a star colouring, all at once.
    ///
    /// ```
    /// use autodiff::{Program, Tensor, Value};
    /// let f = Program::record(&[&[100]], |x| (x[0].slice_axis(0, 1..100) * x[0].slice_axis(0, 0..99)).square().sum_all())?;
    /// let sparse = f.sparse_hessian(0)?;
    /// assert_eq!((sparse.pattern().len(), sparse.colors()), (298, 3));
    /// let hessian = sparse.run::<f64>(&[Tensor::ones(&[100])])?;
    /// assert_eq!(hessian.row(1).collect::<Vec<_>>(), [(0, 4.0), (1, 4.0), (2, 4.0)]);
    /// # Ok::<(), autodiff::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`grad`](Program::grad).
    pub fn sparse_hessian(&self, wrt: usize) -> Result<SparseDerivative> {
        let pattern = self.hessian_pattern(wrt)?;
        let x = self.input_shapes().swap_remove(wrt);
        let colors = color_star(&pattern);
        let n = size(&x);
        let alone = |i: usize, j: u32| {
            pattern.row(i).iter().filter(|&&k| colors[k as usize] == colors[j as usize]).count() == 1
        };
        let mut sources = Vec::with_capacity(pattern.len());
        for i in 0..n {
            for &j in pattern.row(i) {
                // The entry, or its mirror image, stands alone.
                let (row, column) = if alone(i, j) { (i, j as usize) } else { (j as usize, i) };
                sources.push(colors[column] as usize * n + row);
            }
        }
        SparseDerivative::new(&self.hvp(&[wrt])?, &colors, &x, pattern, sources)
    }
}

impl SparseDerivative {
    /// From a program whose last input is a direction.
    fn new(one: &Program, colors: &[u32], shape: &[usize], pattern: Pattern, sources: Vec<usize>) -> Result<Self> {
        let count = count(colors);
        let seeds = seeds(colors, count, shape);
        let mut inputs = one.input_shapes();
        inputs.pop();
        let axes: Vec<Option<usize>> = (0..=inputs.len()).map(|i| (i == inputs.len()).then_some(0)).collect();
        let program = if count == 0 {
            // Nothing depends on the input: there is nothing to compute.
            Program::record_shapes(&inputs, |x| vec![x[0].constant(Tensor::<f64>::zeros(&[0]))])?
        } else {
            let batched = one.batch(count, &axes, &[0])?;
            Program::record_shapes(&inputs, |x| batched.eval(&[x, &[x[0].constant(&seeds)]].concat()))?.simplify()
        };
        Ok(Self { program, pattern: Arc::new(pattern), colors: count, sources: Arc::new(sources) })
    }

    /// Where the entries are.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The number of directional derivatives that give all entries.
    pub fn colors(&self) -> usize {
        self.colors
    }

    /// The program of the compressed entries.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The matrix, by the interpreted program.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if the inputs are not those the program was recorded for.
    pub fn run<E: Element>(&self, inputs: &[Tensor<E>]) -> Result<Csr<E>> {
        let compressed = self.program.run(inputs)?.swap_remove(0);
        let values = self.sources.iter().map(|&source| compressed.data()[source]).collect();
        Ok(Csr { pattern: Arc::clone(&self.pattern), values })
    }

    /// Compiles the program of the compressed entries.
    pub fn compile<E: Element>(&self, options: CompileOptions) -> CompiledSparse<E> {
        let executable = self.program.compile::<E>(options);
        let compressed = executable.output_shapes().iter().map(|shape| Tensor::zeros(shape)).collect();
        CompiledSparse {
            executable,
            compressed,
            pattern: Arc::clone(&self.pattern),
            sources: Arc::clone(&self.sources),
        }
    }
}

impl<E: Element> CompiledSparse<E> {
    /// The matrix.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Input`] if the inputs are not those the program was recorded for.
    pub fn run(&mut self, inputs: &[Tensor<E>]) -> Result<Csr<E>> {
        let zero = E::from_f64(0.0);
        let mut matrix = Csr { pattern: Arc::clone(&self.pattern), values: vec![zero; self.sources.len()] };
        self.run_into(inputs, &mut matrix)?;
        Ok(matrix)
    }

    /// The matrix, into one that is there already: allocates nothing.
    ///
    /// # Errors
    /// As [`run`](CompiledSparse::run), and [`Error::Length`] if the matrix has its entries elsewhere.
    pub fn run_into(&mut self, inputs: &[Tensor<E>], matrix: &mut Csr<E>) -> Result<()> {
        if !Arc::ptr_eq(&matrix.pattern, &self.pattern) && matrix.pattern != self.pattern {
            let shape = Shape::from_slice(&[self.sources.len()]);
            return Err(Error::Length { shape, len: matrix.values.len() });
        }
        self.executable.run_into(inputs, &mut self.compressed)?;
        let compressed = self.compressed[0].data();
        for (value, &source) in matrix.values.iter_mut().zip(&*self.sources) {
            *value = compressed[source];
        }
        Ok(())
    }

    /// The executable of the compressed entries.
    pub fn executable(&self) -> &Executable<E> {
        &self.executable
    }
}
