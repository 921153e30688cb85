//! k-means: the sum of squared distances to the nearest centroid; gradient over the diagonal of the Hessian.

use crate::Result;
use crate::json::tensor;
use crate::task::{Task, compiled, first};
use autodiff::{Program, Tensor, Value};

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let (points, centroids) = (tensor(input, "points")?, tensor(input, "centroids")?);
    let (n, k, d) = (points.dims()[0], centroids.dims()[0], points.dims()[1]);
    let record = move || {
        let cost = Program::record(&[&[k, d], &[n, d]], |a| {
            let (c, p) = (a[0], a[1]);
            // |c − p|² = |c|² − 2⟨p, c⟩ + |p|², the last of which does not decide which is nearest.
            let distance = c.square().sum(&[1]) - p.matmul_with(&c, false, true) * 2.0;
            distance.min_over(&[1]).sum_all() + p.square().sum_all()
        })?;
        if primal {
            return Ok(cost);
        }
        let (gradient, hvp) = (cost.grad(&[0])?, cost.hvp(&[0])?);
        // The Hessian is diagonal: its product with ones is its diagonal.
        Program::record(&[&[k, d], &[n, d]], |a| {
            let ones = a[0].constant(Tensor::<f64>::ones(&[k, d]));
            gradient.eval(a)[0] / hvp.eval(&[a, &[ones]].concat())[0]
        })
    };
    Ok(compiled(vec![centroids, points], record, first))
}
