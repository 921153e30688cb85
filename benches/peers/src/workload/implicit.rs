//! Implicit hypergradient of logistic regression with 2,000 log-penalties, by conjugate gradients (W5).

use super::{Job, explain, shapes};
use crate::Result;
use crate::inputs::Inputs;
use crate::values::Values;
use autodiff::{Abstract, CompileOptions, Element, Executable, Program, Tensor, Value, Var};

/// Mean logistic loss of rows with labels ±1.
fn logistic_loss<'t>(w: &Var<'t, Abstract>, x: &Var<'t, Abstract>, y: &Var<'t, Abstract>) -> Var<'t, Abstract> {
    (-*y * x.matmul(w)).softplus().mean_all()
}

/// The position of v among the inputs of the Hessian-vector product.
const VECTOR: usize = 4;

pub(super) struct Implicit<E: Element> {
    solve_only: bool,
    iterations: usize,
    rate: f64,
    tolerance: f64,
    /// (w, λ, X, y) ↦ ∇_w g
    gradient: Executable<E>,
    /// (w, λ, X, y) ↦ what the Hessian-vector product needs, whatever the vector
    fixed: Executable<E>,
    /// (w, λ, X, y, v, what is fixed) ↦ ∇²_w g·v
    product: Executable<E>,
    /// (w, X, y) ↦ f, ∇f
    outer: Executable<E>,
    /// (w, λ, X, y, q) ↦ −∂_λ ⟨∇_w g, q⟩
    mixed: Executable<E>,
    /// λ, X, y
    inner: Vec<Tensor<E>>,
    /// X, y
    held_out: Vec<Tensor<E>>,
    w: Tensor<E>,
}

impl<E: Element> Implicit<E> {
    pub(super) fn new(inputs: &Inputs, option: &str, options: CompileOptions) -> Result<Self> {
        let inner = vec![inputs.array::<E>("lam5")?, inputs.array("X5train")?, inputs.signs("y5train")?];
        let held_out = vec![inputs.array::<E>("X5val")?, inputs.signs("y5val")?];
        let w = Tensor::zeros(inner[0].dims());
        let all = shapes(&[std::slice::from_ref(&w), &inner].concat());
        let g = Program::record_shapes(&all, |x| {
            vec![logistic_loss(&x[0], &x[2], &x[3]) + (x[1].exp() * x[0].square()).sum_all() * 0.5]
        })?;
        let f = Program::record_shapes(&shapes(&[std::slice::from_ref(&w), &held_out].concat()), |x| {
            vec![logistic_loss(&x[0], &x[1], &x[2])]
        })?;
        let gradient = g.grad(&[0])?;
        let mixed = gradient.vjp(&[1])?;
        let mixed = Program::record_shapes(&mixed.input_shapes(), |x| vec![-mixed.eval(x)[0]])?;
        let (fixed, product) = g.hvp(&[0])?.simplify().split(&[VECTOR])?;
        let mut job = Self {
            solve_only: option == "solve",
            iterations: inputs.setting("W5", "cg_iters")? as usize,
            rate: 1.0 / smoothness(&inner, options)?,
            tolerance: if E::NAME == "f64" { 1e-11 } else { 1e-5 },
            gradient: gradient.compile(options),
            fixed: fixed.compile(options),
            product: product.compile(options),
            outer: f.value_and_grad(&[0])?.compile(options),
            mixed: mixed.compile(options),
            inner,
            held_out,
            w,
        };
        job.w = job.solve()?;
        Ok(job)
    }

    /// Gradient descent until the gradient is small.
    fn solve(&mut self) -> Result<Tensor<E>> {
        let mut inputs = [&[Tensor::zeros(self.w.dims())], &self.inner[..]].concat();
        let mut gradient = vec![Tensor::zeros(self.w.dims())];
        for _ in 0..5000 {
            self.gradient.run_into(&inputs, &mut gradient)?;
            if norm_squared(&gradient[0]).sqrt() <= self.tolerance {
                break;
            }
            axpy(E::from_f64(-self.rate), &gradient[0], &mut inputs[0]);
        }
        Ok(inputs.swap_remove(0))
    }

    /// w, λ, X, y, v, and what does not depend on v.
    fn product_inputs(&mut self, v: &Tensor<E>) -> Result<Vec<Tensor<E>>> {
        let mut inputs = [std::slice::from_ref(&self.w), &self.inner].concat();
        let fixed = self.fixed.run(&inputs)?;
        inputs.push(v.clone());
        inputs.extend(fixed);
        Ok(inputs)
    }

    /// `H q = b` from `q = 0`.
    fn conjugate_gradients(&mut self, b: &Tensor<E>) -> Result<Tensor<E>> {
        let mut inputs = self.product_inputs(b)?;
        let (mut q, mut r, mut product) = (Tensor::zeros(b.dims()), b.clone(), vec![Tensor::zeros(b.dims())]);
        let mut rr = norm_squared(&r);
        for _ in 0..self.iterations {
            self.product.run_into(&inputs, &mut product)?;
            let p = &mut inputs[VECTOR];
            let step = rr / dot(p, &product[0]);
            axpy(E::from_f64(step), p, &mut q);
            axpy(E::from_f64(-step), &product[0], &mut r);
            let before = std::mem::replace(&mut rr, norm_squared(&r));
            let ratio = E::from_f64(rr / before);
            p.data_mut().iter_mut().zip(r.data()).for_each(|(p, &r)| *p = r + ratio * *p);
        }
        Ok(q)
    }
}

fn dot<E: Element>(a: &Tensor<E>, b: &Tensor<E>) -> f64 {
    a.data().iter().zip(b.data()).map(|(a, b)| a.to_f64() * b.to_f64()).sum()
}

fn norm_squared<E: Element>(a: &Tensor<E>) -> f64 {
    dot(a, a)
}

fn axpy<E: Element>(c: E, x: &Tensor<E>, y: &mut Tensor<E>) {
    y.data_mut().iter_mut().zip(x.data()).for_each(|(y, &x)| *y += c * x);
}

/// A bound on the Hessian: a quarter of the largest eigenvalue of XᵀX/N, by power iteration, and the largest penalty.
fn smoothness<E: Element>(inner: &[Tensor<E>], options: CompileOptions) -> Result<f64> {
    let rows = inner[1].dims()[0] as f64;
    let shapes = shapes(&[inner[0].clone(), inner[1].clone()]);
    let product = Program::record_shapes(&shapes, |x| {
        let image = x[1].matmul_with(&x[1].matmul(&x[0]), true, false);
        vec![image / rows]
    })?;
    let mut product = product.compile::<E>(options);
    let mut inputs = [Tensor::ones(inner[0].dims()), inner[1].clone()];
    let mut largest = 0.0;
    for _ in 0..200 {
        let image = product.run(&inputs)?.swap_remove(0);
        largest = norm_squared(&image).sqrt();
        inputs[0] = image.map(|x| x / E::from_f64(largest));
    }
    let penalty = inner[0].data().iter().map(|x| x.to_f64().exp()).fold(0.0, f64::max);
    Ok(0.25 * largest * 1.001 + penalty)
}

impl<E: Element> Job<E> for Implicit<E> {
    fn run(&mut self) -> Result<Values<E>> {
        if self.solve_only {
            return Ok(vec![("w", vec![self.solve()?])]);
        }
        let outer = self.outer.run(&[std::slice::from_ref(&self.w), &self.held_out].concat())?;
        let q = self.conjugate_gradients(&outer[1])?;
        let hyper = self.mixed.run(&[std::slice::from_ref(&self.w), &self.inner, std::slice::from_ref(&q)].concat())?;
        Ok(vec![("F", vec![outer[0].clone()]), ("hyper", hyper), ("q", vec![q])])
    }

    fn explain(&mut self) -> Result<String> {
        let inputs = self.product_inputs(&self.w.clone())?;
        explain(&mut self.product, &inputs)
    }
}
