//! One step of training as one compiled program: virtual step, weights, real step.

use crate::Rng;
use crate::error::Result;
use crate::loss;
use crate::mlp::Mlp;
use autodiff::{Compare, CompileOptions, Element, Executable, Program, Shape, Tensor, Value};
use bilevel::{Adam, Dynamics, Symbol};
use rand_distr::{Distribution, Uniform};

/// How the examples of a minibatch are weighted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// All alike.
    Uniform,
    /// Learning to reweight: a virtual step from `ε = 0`, weights `max(0, −∂L/∂ε)` over their sum. (Ren, Zeng, Yang, Urtasun,
    /// ICML 2018.)
    L2rw,
    /// Meta-Weight-Net: `wᵢ = V(ℓᵢ; Θ)` by a network 1-100-1 with relu inside and sigmoid outside, which sees no
    /// derivative of ℓ. A virtual step with the learning rate of the step; Θ moves by Adam along the gradient of the
    /// trusted loss after it; then the real step, with the new weights. (Shu, Xie, Yi, Zhao, Zhou, Xu, Meng, NeurIPS 2019.)
    MetaWeightNet {
        /// The rate of Adam.
        rate: f64,
        /// Whether the weights of a minibatch are divided by their mean, as in the authors' program; without it, as in their
        /// equations, V first learns to be large, and is slow to come back.
        normalize: bool,
    },
}

/// Width of V.
const WIDTH: usize = 100;
impl Kind {
    /// Whether trusted examples take part.
    pub fn needs_trusted(self) -> bool {
        self != Self::Uniform
    }

    /// Θ, and the two moments of Adam. Weights and biases begin uniform in ±1/√(fan in), so that the kinks of relu are
    /// spread over the losses.
    pub(super) fn meta_state<E: Element>(self, rng: &mut Rng) -> Vec<Tensor<E>> {
        let Self::MetaWeightNet { .. } = self else { return Vec::new() };
        let mut layer = |rows: usize, columns: usize| {
            let limit = 1.0 / (rows as f64).sqrt();
            let uniform = Uniform::new_inclusive(-limit, limit).expect("the limits are finite and in order");
            let mut draw = |shape: &[usize]| Tensor::from_fn(shape, |_| E::from_f64(uniform.sample(rng)));
            [draw(&[rows, columns]), draw(&[columns])]
        };
        let theta = [layer(1, WIDTH), layer(WIDTH, 1)].concat();
        let zeros: Vec<Tensor<E>> = theta.iter().map(|p| Tensor::zeros(p.dims())).collect();
        [&theta[..], &zeros, &zeros].concat()
    }
}

/// V(ℓ; Θ) for losses `[n]`: the weight that Meta-Weight-Net gives to an example of that loss.
///
/// # Panics
/// If Θ has not the shapes of a network 1-100-1.
#[track_caller]
pub fn example_weight<V: Value>(theta: &[V], losses: &V) -> V {
    let rows = losses.shape()[0];
    let hidden = (losses.reshape(&[rows, 1]).matmul(&theta[0]).plus(&theta[1])).relu();
    hidden.matmul(&theta[2]).plus(&theta[3]).sigmoid().reshape(&[rows])
}

/// What does not change between the steps of a run.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub(super) mlp: Mlp,
    pub(super) kind: Kind,
    pub(super) momentum: f64,
    pub(super) decay: f64,
}

fn descend<'t>(x: &[Symbol<'t>], rate: Symbol<'t>, g: &[Symbol<'t>]) -> Vec<Symbol<'t>> {
    x.iter().zip(g).map(|(&x, &g)| x - g * rate).collect()
}

impl Steps {
    /// θ, velocity, Θ and its moments, X, Y, the trusted X and Y, the rate, the number of the step from 1 ↦ all but the data
    /// and the numbers after the step, the loss, the weights (1 is the average of L2RW's).
    ///
    /// `state` are the shapes of what comes before X.
    pub(super) fn compile<E: Element>(&self, state: &[Shape], data: &[Shape]) -> Result<Executable<E>> {
        let p = 2 * (self.mlp.sizes().len() - 1);
        let batch = data[0][0];
        let n = batch as f64;
        let weights = Shape::from_slice(&[batch]);
        let wrt: Vec<usize> = (0..p).collect();
        let params = &state[..p];
        let scalars = [Shape::new(), Shape::new()];
        // (θ, X, Y, w) ↦ Σ wᵢ ℓᵢ, and its gradient by θ.
        let weighted = Program::record_shapes(&[params, &data[..2], std::slice::from_ref(&weights)].concat(), |x| {
            vec![loss::weighted_cross_entropy(&self.mlp.forward(&x[..p], &x[p]), &x[p + 1], &x[p + 2])]
        })?
        .value_and_grad(&wrt)?;
        let all = [state, data, &scalars].concat();
        let (s, d) = (state.len(), data.len());
        let program = match self.kind {
            Kind::Uniform => Program::record_shapes(&all, |x| {
                let w = x[0].constant(Tensor::<E>::full(&[batch], E::from_f64(1.0 / n)));
                self.real_step(x, p, &weighted.eval(&[&x[..p], &x[s..s + 2], &[w]].concat()), x[s + d], w * n)
            })?,
            Kind::L2rw => {
                let hypergradient = self.virtual_loss(params, data, &weighted, &weights)?.grad(&[p + 5])?;
                Program::record_shapes(&all, |x| {
                    let zeros = x[0].constant(Tensor::<E>::zeros(&[batch]));
                    let rate = x[s + d];
                    let h = hypergradient.eval(&[&x[..p], &x[s..s + d], &[rate, zeros]].concat())[0];
                    let clipped = (-h).relu();
                    let sum = clipped.sum_all();
                    let w = clipped / sum.test(Compare::Gt, 0.0).select(&sum, &sum.ones_like());
                    self.real_step(x, p, &weighted.eval(&[&x[..p], &x[s..s + 2], &[w]].concat()), rate, w * n)
                })?
            }
            Kind::MetaWeightNet { rate: meta_rate, normalize } => {
                let theta = &state[2 * p..2 * p + 4];
                // (θ, X, Y, Xᵥ, Yᵥ, rate, Θ) ↦ the trusted loss after the virtual step.
                let shapes = [params, data, &[Shape::new()], theta].concat();
                let ahead = Program::record_shapes(&shapes, |x| {
                    let (point, set) = (&x[..p], &x[p..p + d]);
                    let losses = loss::cross_entropy(&self.mlp.forward(point, &set[0]), &set[1]);
                    let w = example_weight(&x[p + d + 1..], &losses.stop_gradient());
                    let w = if normalize { w / w.sum_all() } else { w / n };
                    let g = weighted.eval(&[point, &set[..2], &[w]].concat());
                    let moved = descend(point, x[p + d], &g[1..]);
                    vec![loss::mean_cross_entropy(&self.mlp.forward(&moved, &set[2]), &set[3])]
                })?;
                let by_theta: Vec<usize> = (p + d + 1..p + d + 5).collect();
                let hypergradient = ahead.grad(&by_theta)?;
                Program::record_shapes(&all, |x| {
                    let (point, meta, set) = (&x[..p], &x[2 * p..s], &x[s..s + d]);
                    let (rate, count) = (x[s + d], x[s + d + 1]);
                    let (theta, moments) = meta.split_at(4);
                    let h = hypergradient.eval(&[point, set, &[rate], theta].concat());
                    let rule = Adam::new(meta_rate);
                    let constant = |c: f64| count.constant(Tensor::scalar(E::from_f64(c)));
                    let hyper: Vec<_> = rule.hyper().iter().filter_map(|h| h.value(0)).map(constant).collect();
                    let moved = rule.step(&bilevel::Step::new(theta, &h, moments, &hyper, count));
                    let losses = loss::cross_entropy(&self.mlp.forward(point, &set[0]), &set[1]);
                    let v = example_weight(&moved[..4], &losses);
                    let v = if normalize { v / v.sum_all() * n } else { v };
                    let outputs = weighted.eval(&[point, &set[..2], &[v / n]].concat());
                    let mut step = self.real_step(x, p, &outputs, rate, v);
                    step.splice(2 * p..2 * p, moved);
                    step
                })?
            }
        };
        Ok(program.compile(CompileOptions::default()))
    }

    /// (θ, X, Y, Xᵥ, Yᵥ, rate, ε) ↦ the trusted loss after the virtual step `θ − (rate/n) Σ εᵢ ∇ℓᵢ`.
    fn virtual_loss(&self, params: &[Shape], data: &[Shape], weighted: &Program, weights: &Shape) -> Result<Program> {
        let (p, n) = (params.len(), data[0][0] as f64);
        let shapes = [params, data, &[Shape::new(), weights.clone()]].concat();
        Ok(Program::record_shapes(&shapes, |x| {
            let g = weighted.eval(&[&x[..p + 2], &[x[p + 5]]].concat());
            let moved = descend(&x[..p], x[p + 4] / n, &g[1..]);
            vec![loss::mean_cross_entropy(&self.mlp.forward(&moved, &x[p + 2]), &x[p + 3])]
        })?)
    }

    /// Momentum and decay, in PyTorch's form; the loss and the weights after the parameters and velocities.
    fn real_step<'t>(
        &self,
        x: &[Symbol<'t>],
        p: usize,
        loss_and_gradient: &[Symbol<'t>],
        rate: Symbol<'t>,
        weights: Symbol<'t>,
    ) -> Vec<Symbol<'t>> {
        let (point, velocity) = (&x[..p], &x[p..2 * p]);
        let moved: Vec<_> = loss_and_gradient[1..]
            .iter()
            .zip(point.iter().zip(velocity))
            .map(|(&g, (&x, &m))| m * self.momentum + g + x * self.decay)
            .collect();
        [descend(point, rate, &moved), moved, vec![loss_and_gradient[0], weights]].concat()
    }
}
