//! Rosenbrock's function and the Lotka–Volterra equations (W9).

use super::{Job, Single, shapes};
use crate::Result;
use crate::inputs::Inputs;
use crate::values::Values;
use autodiff::{CompileOptions, DualN, Element, Program, Tensor, Value};

pub(super) fn rosenbrock<E: Element>(inputs: &Inputs, options: CompileOptions) -> Result<Single<E>> {
    let x = inputs.array::<E>("x9")?;
    let n = x.len();
    let program = Program::record_shapes(&shapes(std::slice::from_ref(&x)), |v| {
        let (here, next) = (v[0].slice_axis(0, 0..n - 1), v[0].slice_axis(0, 1..n));
        vec![((next - here.square()).square() * 100.0 + (1.0 - here).square()).sum_all()]
    })?;
    Ok(Single::new(&program.value_and_grad(&[0])?, vec![x], options, &[("F", 1), ("grad", 1)]))
}

/// Six inputs, one output: forward mode, all six tangents at once.
pub(super) struct LotkaVolterra {
    parameters: [f64; 6],
    steps: usize,
    h: f64,
}

impl LotkaVolterra {
    pub(super) fn new(inputs: &Inputs) -> Result<Self> {
        let all = [inputs.settings("W9", "lv_params")?, inputs.settings("W9", "lv_init")?].concat();
        let parameters = all.try_into().map_err(|_| "six parameters are needed")?;
        Ok(Self { parameters, steps: inputs.setting("W9", "steps")? as usize, h: inputs.setting("W9", "h")? })
    }

    /// The classical Runge–Kutta method; the objective is the last point and the mean square along the way.
    fn objective<V: Value>(&self, [a, b, c, d, x, y]: &[V; 6]) -> V {
        let h = self.h;
        let slope = |x: &V, y: &V| {
            let meet = x.times(y);
            [a.times(x).minus(&b.times(&meet)), d.times(&meet).minus(&c.times(y))]
        };
        let (mut x, mut y, mut sum) = (x.clone(), y.clone(), x.zeros_like());
        for _ in 0..self.steps {
            let from = |k: &[V; 2], h: f64| slope(&x.plus(&k[0].scale(h)), &y.plus(&k[1].scale(h)));
            let k1 = slope(&x, &y);
            let k2 = from(&k1, h / 2.0);
            let k3 = from(&k2, h / 2.0);
            let k4 = from(&k3, h);
            let mean = |i: usize| k1[i].plus(&k2[i].plus(&k3[i]).scale(2.0)).plus(&k4[i]).scale(h / 6.0);
            (x, y) = (x.plus(&mean(0)), y.plus(&mean(1)));
            sum = sum.plus(&x.square().plus(&y.square()).scale(0.5 * h));
        }
        x.plus(&y).plus(&sum)
    }
}

impl<E: Element> Job<E> for LotkaVolterra {
    fn run(&mut self) -> Result<Values<E>> {
        let result = self.objective(&DualN::variables(self.parameters.map(E::from_f64)));
        Ok(vec![("F", vec![Tensor::scalar(result.value())]), ("grad", vec![Tensor::from(result.tangents().to_vec())])])
    }

    fn explain(&mut self) -> Result<String> {
        Ok("forward mode with six tangents; nothing is compiled at run time".into())
    }
}
