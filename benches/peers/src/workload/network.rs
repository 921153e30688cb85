//! Gradient, Hessian-vector product and training step of an MLP (W5h, W7).

use super::{Single, descend, shapes};
use crate::Result;
use crate::inputs::Inputs;
use autodiff::{CompileOptions, Element, Program};
use nn::{Activation, Mlp, loss};

pub(super) fn network<E: Element>(inputs: &Inputs, option: &str, options: CompileOptions) -> Result<Single<E>> {
    let (what, rows) = option.split_once('-').ok_or("the option is what-rows")?;
    let rows: usize = rows.parse()?;
    let mlp = Mlp::new(&[784, 256, 128, 10], Activation::Tanh)?;
    let params = inputs.network::<E>("mlpA")?;
    let (p, wrt) = (params.len(), (0..params.len()).collect::<Vec<_>>());
    let mut arrays = [&params[..], &inputs.digits("train", rows)?].concat();
    let all = shapes(&arrays);
    let program =
        Program::record_shapes(&all, |x| vec![loss::mean_cross_entropy(&mlp.forward(&x[..p], &x[p]), &x[p + 1])])?;
    Ok(match what {
        "fwd" => Single::new(&program, arrays, options, &[("F", 1)]),
        "grad" => Single::new(&program.value_and_grad(&wrt)?, arrays, options, &[("F", 1), ("grad", p)]),
        "hvp" => {
            // The direction: the gradient on other data.
            let other = [&params[..], &inputs.digits("val", rows)?].concat();
            arrays.extend(program.grad(&wrt)?.compile::<E>(options).run(&other)?);
            Single::new(&program.hvp(&wrt)?, arrays, options, &[("hvp", p)])
        }
        _ => {
            let gradient = program.value_and_grad(&wrt)?;
            let step = Program::record_shapes(&all, |x| {
                let loss_and_gradient = gradient.eval(x);
                let moved = descend(&x[..p], 0.1, &loss_and_gradient[1..]);
                [&loss_and_gradient[..1], &moved].concat()
            })?;
            Single::new(&step, arrays, options, &[("F", 1), ("theta", p)])
        }
    })
}
