//! Learning to reweight against the per-layer formula, and its promises on real digits.

use autodiff::{Tensor, Value, value_and_grad};
use nn::data::Dataset;
use nn::reweight::L2rw;
use nn::{Activation, Init, Mlp, loss, rng};
use proptest::prelude::*;

fn data(n: usize, features: usize, classes: usize, salt: f64) -> Dataset<f64> {
    let mut i = 0.0;
    let inputs = Tensor::from_fn(&[n, features], |_| {
        i += 1.0;
        (1.3 * i + salt).sin()
    });
    let labels = (0..n).map(|i| (i * 7 + salt as usize) % classes).collect();
    Dataset::new(inputs, labels, classes).unwrap()
}

/// Activations of every layer, inputs first, and for each layer the derivative of each example's loss by what goes
/// into its nonlinearity, by the textbook's back-propagation.
fn backpropagate(
    mlp: &Mlp,
    activation: Activation,
    params: &[Tensor<f64>],
    set: &Dataset<f64>,
) -> [Vec<Tensor<f64>>; 2] {
    let layers = mlp.sizes().len() - 1;
    let (mut z, mut pre) = (vec![set.inputs().clone()], Vec::new());
    for l in 0..layers {
        let a = z[l].matmul(&params[2 * l]) + &params[2 * l + 1];
        z.push(activation.apply(&a));
        pre.push(a);
    }
    let mut delta = pre[layers - 1].softmax(&[1]) - loss::one_hot::<f64>(set.labels(), set.classes()).unwrap();
    let mut deltas = vec![delta.clone()];
    for l in (1..layers).rev() {
        let slope = match activation {
            Activation::Tanh => z[l].square().sub_from(1.0),
            Activation::Sigmoid => &z[l] * z[l].sub_from(1.0),
            Activation::Softplus => pre[l - 1].sigmoid(),
            _ => unreachable!("not used here"),
        };
        delta = delta.matmul_with(&params[2 * l], false, true) * slope;
        deltas.push(delta.clone());
    }
    deltas.reverse();
    [z, deltas]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn hypergradients_equal_the_per_layer_formula(
        hidden in prop::collection::vec(1..9_usize, 0..3),
        features in 1..6_usize,
        classes in 2..5_usize,
        kind in 0..3_usize,
        seed in 0..1000_u64,
        rate in 0.01..1.0_f64,
    ) {
        let activation = [Activation::Tanh, Activation::Sigmoid, Activation::Softplus][kind];
        let sizes: Vec<usize> = [features].into_iter().chain(hidden).chain([classes]).collect();
        let mlp = Mlp::new(&sizes, activation).unwrap();
        let params = mlp.init::<f64>(Init::Glorot, &mut rng(seed));
        let (noisy, clean) = (data(7, features, classes, seed as f64), data(5, features, classes, seed as f64 + 0.5));
        let l2rw = L2rw::new(&mlp, &noisy, &clean).unwrap();
        let batch = [6, 0, 3, 3];
        let found = l2rw.hypergradient(params.tensors(), &batch, rate).unwrap();

        // ∂/∂εᵢ = −α Σ_layers ⟨z_{i,l−1}, Ḡ_l δ_{i,l}⟩, and the bias term, with Ḡ_l the clean gradient of layer l.
        let [z, deltas] = backpropagate(&mlp, activation, params.tensors(), &noisy.select(&batch));
        let [clean_z, clean_deltas] = backpropagate(&mlp, activation, params.tensors(), &clean);
        let mut expected = vec![0.0; batch.len()];
        let n = clean.len() as f64;
        for l in 0..sizes.len() - 1 {
            let weight = clean_z[l].matmul_with(&clean_deltas[l], true, false) / n;
            let bias = clean_deltas[l].sum(&[0]) / n;
            let terms = (z[l].matmul(&weight) * &deltas[l]).sum(&[1]) + deltas[l].matmul(&bias);
            for (sum, term) in expected.iter_mut().zip(terms.data()) {
                *sum -= rate * term;
            }
        }
        let size = expected.iter().fold(1e-3_f64, |m, x| m.max(x.abs()));
        for (a, b) in found.data().iter().zip(&expected) {
            prop_assert!((a - b).abs() <= 1e-12 * size, "{found} {expected:?}");
        }

        // Weights: clipped, not negative, with sum 1 or 0.
        let weights = l2rw.weights(params.tensors(), &batch, rate).unwrap();
        let sum: f64 = weights.data().iter().sum();
        prop_assert!((sum - 1.0).abs() < 1e-12 || sum == 0.0);
        let positive: f64 = expected.iter().map(|h| (-h).max(0.0)).sum();
        for (w, h) in weights.data().iter().zip(&expected) {
            let right = if positive > 0.0 { (-h).max(0.0) / positive } else { 0.0 };
            prop_assert!((w - right).abs() <= 1e-12 * size / positive.max(1e-300), "{w} {right}");
        }
    }
}

#[test]
fn gradients_of_every_activation_agree_with_differences() {
    let (x, y) = (data(4, 3, 2, 1.0), loss::one_hot::<f64>(&[0, 1, 1, 0], 2).unwrap());
    for activation in [
        Activation::Tanh,
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Softplus,
        Activation::Gelu,
        Activation::Identity,
    ] {
        let mlp = Mlp::new(&[3, 5, 4, 2], activation).unwrap();
        let params = mlp.init::<f64>(Init::He, &mut rng(3));
        let f = |p: &[Tensor<f64>]| loss::cross_entropy(&mlp.forward(p, x.inputs()), &y).mean_all().item();
        let (value, gradient) = value_and_grad(
            |p| loss::cross_entropy(&mlp.forward(p, &p[0].constant(x.inputs())), &p[0].constant(&y)).mean_all(),
            params.tensors(),
        )
        .unwrap();
        assert_eq!(value.item(), f(params.tensors()));
        for (i, g) in gradient.iter().enumerate() {
            let t = g.map(|x| (x * 1e3).sin());
            let at = |h: f64| {
                let mut moved = params.tensors().to_vec();
                moved[i] = &moved[i] + &t * h;
                f(&moved)
            };
            let h = 1e-4;
            let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            approx::assert_abs_diff_eq!(g.dot(&t).item(), difference, epsilon = 1e-9);
        }
    }
}

#[test]
fn meta_weight_net_equals_its_formula() {
    // ∂L_meta(ŵ)/∂Θ = −(α/n) Σᵢ ⟨∇L_meta(ŵ), ∇ℓᵢ(w)⟩ ∂V(ℓᵢ; Θ)/∂Θ, ℓ detached inside V = σ(aℓ + b), Θ = (a, b).
    let (mlp, rate) = (Mlp::new(&[3, 4, 3], Activation::Tanh).unwrap(), 0.3);
    let (noisy, clean) = (data(6, 3, 3, 0.3), data(5, 3, 3, 1.7));
    let params = mlp.init::<f64>(Init::Glorot, &mut rng(2)).tensors().to_vec();
    let arrays = |set: &Dataset<f64>| [set.inputs().clone(), loss::one_hot::<f64>(set.labels(), 3).unwrap()];
    let (inner, outer) = (arrays(&noisy), arrays(&clean));
    let (a, b) = (mlp.clone(), mlp.clone());
    let problem = bilevel::Problem::with_data(
        move |_, v, data| loss::mean_cross_entropy(&a.forward(v, &data[0]), &data[1]),
        move |u, v, data| {
            let losses = loss::cross_entropy(&b.forward(v, &data[0]), &data[1]);
            ((losses.stop_gradient() * u[0] + u[1]).sigmoid() * losses).mean_all()
        },
    );
    let theta = [Tensor::scalar(0.7), Tensor::scalar(-0.2)];
    let method = bilevel::VirtualStep::new(rate);
    let found = problem.hypergradient_on(&theta, &params, bilevel::Data::new(&outer, &inner), &method).unwrap();
    let gradient = |set: &[Tensor<f64>; 2], at: &[Tensor<f64>]| {
        value_and_grad(
            |p| loss::mean_cross_entropy(&mlp.forward(p, &p[0].constant(&set[0])), &p[0].constant(&set[1])),
            at,
        )
        .unwrap()
    };
    let (_, meta) = gradient(&outer, &found.inner_solution);
    let mut exact = [0.0, 0.0];
    for i in 0..6 {
        let one = inner.clone().map(|x| x.take_rows(&[i]));
        let (l, g) = gradient(&one, &params);
        let product: f64 = meta.iter().zip(&g).map(|(a, b)| a.dot(b).item()).sum();
        let v = (l.item() * 0.7 - 0.2).sigmoid();
        let slope = -rate / 6.0 * product * v * (1.0 - v);
        exact[0] += slope * l.item();
        exact[1] += slope;
    }
    for (found, exact) in found.gradient.iter().zip(exact) {
        approx::assert_relative_eq!(found.item(), exact, max_relative = 1e-12);
    }
}
