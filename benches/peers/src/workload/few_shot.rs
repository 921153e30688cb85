//! Few-shot regression of sinusoids: iMAML and MAML over a batch of tasks (W6).

use super::{Single, descend, shapes};
use crate::Result;
use crate::inputs::Inputs;
use autodiff::{Abstract, CompileOptions, Element, Program, Shape, Value, Var};
use nn::{Activation, Mlp, loss};

type V<'t> = Var<'t, Abstract>;

fn inner_product<'t>(a: &[V<'t>], b: &[V<'t>]) -> V<'t> {
    let parts = a.iter().zip(b).map(|(a, b)| a.dot(b));
    parts.reduce(|a, b| a + b).expect("a network has parameters")
}

fn axpy<'t>(c: V<'t>, x: &[V<'t>], y: &[V<'t>]) -> Vec<V<'t>> {
    x.iter().zip(y).map(|(&x, &y)| y + x * c).collect()
}

pub(super) fn few_shot<E: Element>(inputs: &Inputs, option: &str, options: CompileOptions) -> Result<Single<E>> {
    let setting = |key| inputs.setting("W6", key);
    let tasks = setting("tasks")? as usize;
    let mlp = Mlp::new(&[1, 40, 40, 1], Activation::Tanh)?;
    let theta = inputs.network::<E>("sinus")?;
    let p = theta.len();
    let column = |name: &str| -> Result<autodiff::Tensor<E>> {
        let x = inputs.array::<E>(name)?;
        Ok(x.with_shape(&[x.dims()[0], x.dims()[1], 1])?)
    };
    let sets = [column("x6s")?, column("y6s")?, column("x6q")?, column("y6q")?];
    let one: Vec<Shape> = sets.iter().map(|x| Shape::from_slice(&x.dims()[1..])).collect();
    let wrt: Vec<usize> = (0..p).collect();

    // One task: (φ, x, y) ↦ loss.
    let error = Program::record_shapes(&[&shapes(&theta)[..], &one[..2]].concat(), |a| {
        vec![loss::mean_squared_error(&mlp.forward(&a[..p], &a[p]), &a[p + 1])]
    })?;
    let (gradient, value_and_gradient, hvp) = (error.grad(&wrt)?, error.value_and_grad(&wrt)?, error.hvp(&wrt)?);
    // One task: (θ, x, y, x′, y′) ↦ loss on the query set, meta-gradient.
    let task_shapes = [&shapes(&theta)[..], &one].concat();
    let task = if option == "maml" {
        let (steps, rate) = (setting("maml_steps")? as usize, setting("maml_lr")?);
        let adapted = Program::record_shapes(&task_shapes, |a| {
            let phi = (0..steps).fold(a[..p].to_vec(), |phi, _| {
                let g = gradient.eval(&[&phi, &a[p..p + 2]].concat());
                descend(&phi, rate, &g)
            });
            error.eval(&[&phi, &a[p + 2..]].concat())
        })?;
        adapted.value_and_grad(&wrt)?
    } else {
        let (steps, rate, lambda) = (setting("inner_steps")? as usize, setting("inner_lr")?, setting("lambda")?);
        let iterations = setting("cg")? as usize;
        Program::record_shapes(&task_shapes, |a| {
            let (theta, support, query) = (&a[..p], &a[p..p + 2], &a[p + 2..]);
            let phi = (0..steps).fold(theta.to_vec(), |phi, _| {
                let g = gradient.eval(&[&phi, support].concat());
                let pulled: Vec<V<'_>> = g
                    .iter()
                    .zip(phi.iter().zip(theta))
                    .map(|(&g, (&phi, &theta))| g + (phi - theta) * lambda)
                    .collect();
                descend(&phi, rate, &pulled)
            });
            let outer = value_and_gradient.eval(&[&phi, query].concat());
            // (I + H/λ) q = ∇L(φ), by conjugate gradients from 0.
            let mut r = outer[1..].to_vec();
            let mut q: Option<Vec<V<'_>>> = None;
            let (mut d, mut rr) = (r.clone(), inner_product(&r, &r));
            for _ in 0..iterations {
                let h = hvp.eval(&[&phi, support, &d].concat());
                let image: Vec<V<'_>> = d.iter().zip(&h).map(|(&d, &h)| d + h * (1.0 / lambda)).collect();
                let step = rr / inner_product(&d, &image);
                q = Some(match q {
                    Some(q) => axpy(step, &d, &q),
                    None => d.iter().map(|&d| d * step).collect(),
                });
                r = axpy(-step, &image, &r);
                let before = std::mem::replace(&mut rr, inner_product(&r, &r));
                d = axpy(rr / before, &d, &r);
            }
            [vec![outer[0]], q.unwrap_or_else(|| r.clone())].concat()
        })?
    };
    let mapped = [vec![None; p], vec![Some(0); 4]].concat();
    let all_tasks = task.batch(tasks, &mapped, &vec![0; p + 1])?;
    let rate = setting("outer_lr")?;
    let arrays = [&theta[..], &sets].concat();
    let step = Program::record_shapes(&shapes(&arrays), |a| {
        let means: Vec<V<'_>> = all_tasks.eval(a).iter().map(|x| x.mean(&[0])).collect();
        let moved = descend(&a[..p], rate, &means[1..]);
        [means, moved].concat()
    })?;
    Ok(Single::new(&step, arrays, options, &[("F", 1), ("hyper", p), ("theta", p)]))
}
