//! One step of learning to reweight (W1) and of Meta-Weight-Net (W2).

use super::{Single, descend, shapes};
use crate::Result;
use crate::inputs::Inputs;
use autodiff::{CompileOptions, Element, Program, Tensor, Value};
use nn::{Activation, Mlp, loss};

const SIZES: [usize; 4] = [784, 256, 128, 10];
/// Weights and biases.
const P: usize = 6;
const PARAMS: [usize; P] = [0, 1, 2, 3, 4, 5];

/// Network, its parameters, minibatch, clean batch, step size.
struct Setting<E: Element> {
    mlp: Mlp,
    arrays: Vec<Tensor<E>>,
    n: f64,
    rate: f64,
}

fn setting<E: Element>(inputs: &Inputs, workload: &str, activation: Activation) -> Result<Setting<E>> {
    let (n, m) = (inputs.setting(workload, "n")?, inputs.setting(workload, "m")?);
    let mut arrays = inputs.network::<E>("mlpA")?;
    arrays.extend(inputs.digits("train", n as usize)?);
    arrays.extend(inputs.digits("val", m as usize)?);
    Ok(Setting { mlp: Mlp::new(&SIZES, activation)?, arrays, n, rate: inputs.setting(workload, "alpha")? })
}

pub(super) fn learning_to_reweight<E: Element>(
    inputs: &Inputs,
    option: &str,
    options: CompileOptions,
) -> Result<Single<E>> {
    let activation = if option == "relu" { Activation::Relu } else { Activation::Tanh };
    let Setting { mlp, arrays, n, rate } = setting::<E>(inputs, "W1", activation)?;
    let params_and_data = shapes(&arrays[..P + 2]);
    let weights = autodiff::Shape::from_slice(&[n as usize]);
    // (θ, X, Y, weights) ↦ Σ wᵢ ℓᵢ, and its gradient by θ.
    let weighted = Program::record_shapes(&[&params_and_data[..], std::slice::from_ref(&weights)].concat(), |x| {
        vec![loss::weighted_cross_entropy(&mlp.forward(&x[..P], &x[P]), &x[P + 1], &x[P + 2])]
    })?;
    let gradient = weighted.grad(&PARAMS)?;
    // (θ, X, Y, Xᵥ, Yᵥ, ε) ↦ clean loss after the virtual step θ − α/n Σ εᵢ ∇ℓᵢ(θ), and its gradient by ε.
    let all = [&shapes(&arrays)[..], &[weights]].concat();
    let virtual_loss = Program::record_shapes(&all, |x| {
        let g = gradient.eval(&[&x[..P + 2], &[x[P + 4]]].concat());
        let moved = descend(&x[..P], rate / n, &g);
        vec![loss::mean_cross_entropy(&mlp.forward(&moved, &x[P + 2]), &x[P + 3])]
    })?;
    let hypergradient = virtual_loss.grad(&[P + 4])?;
    let step = Program::record_shapes(&all[..P + 4], |x| {
        let zeros = x[0].constant(Tensor::<E>::zeros(&[n as usize]));
        let h = hypergradient.eval(&[x, &[zeros]].concat())[0];
        let clipped = (-h).relu();
        let sum = clipped.sum_all();
        let w = clipped / sum.test(autodiff::Compare::Gt, 0.0).select(&sum, &sum.ones_like());
        let g = gradient.eval(&[&x[..P + 2], &[w]].concat());
        [descend(&x[..P], rate, &g), vec![h, w]].concat()
    })?;
    Ok(Single::new(&step, arrays, options, &[("theta", P), ("hyper", 1), ("w", 1)]))
}

pub(super) fn meta_weight_net<E: Element>(inputs: &Inputs, options: CompileOptions) -> Result<Single<E>> {
    let Setting { mlp, mut arrays, n, rate } = setting::<E>(inputs, "W2", Activation::Tanh)?;
    let outer_rate = inputs.setting("W2", "beta")?;
    // (θ, X, Y, Xᵥ, Yᵥ, Θ)
    arrays.extend(inputs.network::<E>("wnet")?);
    let (data, net) = (P..P + 4, P + 4..P + 8);
    let all = shapes(&arrays);
    let inner_shapes = [&all[..P + 2], &all[net.clone()]].concat();
    // (θ, X, Y, Θ) ↦ Σ V(ℓᵢ; Θ) ℓᵢ / n, where V does not see how ℓ depends on θ.
    let inner = Program::record_shapes(&inner_shapes, |x| {
        let losses = loss::cross_entropy(&mlp.forward(&x[..P], &x[P]), &x[P + 1]);
        let net = &x[P + 2..];
        let hidden = (losses.stop_gradient().reshape(&[n as usize, 1]).matmul(&net[0]) + net[1]).relu();
        let v = (hidden.matmul(&net[2]) + net[3]).sigmoid().reshape(&[n as usize]);
        vec![v.dot(&losses) / n]
    })?;
    let gradient = inner.grad(&PARAMS)?;
    let virtual_loss = Program::record_shapes(&all, |x| {
        let moved = descend(&x[..P], rate, &gradient.eval(&[&x[..P + 2], &x[net.clone()]].concat()));
        vec![loss::mean_cross_entropy(&mlp.forward(&moved, &x[data.start + 2]), &x[data.start + 3])]
    })?;
    let wrt: Vec<usize> = net.clone().collect();
    let outer = virtual_loss.value_and_grad(&wrt)?;
    let step = Program::record_shapes(&all, |x| {
        let outer = outer.eval(x);
        let moved = descend(&x[net.clone()], outer_rate, &outer[1..]);
        let theta = descend(&x[..P], rate, &gradient.eval(&[&x[..P + 2], &moved].concat()));
        [theta, moved, outer[1..].to_vec(), vec![outer[0]]].concat()
    })?;
    Ok(Single::new(&step, arrays, options, &[("theta", P), ("wnet", 4), ("hyper", 4), ("F", 1)]))
}
