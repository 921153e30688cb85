//! Hand tracking: a skinned hand against measured points; the Jacobian by 26 pose parameters, and by two coordinates of
//! each point on its triangle.

use crate::Result;
use crate::json::{nested, tensor};
use crate::task::{Task, compiled};
use autodiff::{Abstract, Program, Tensor, Value, Var};

type V<'t> = Var<'t, Abstract>;

const THETA: usize = 26;

/// What does not depend on the pose.
#[derive(Clone)]
struct Hand {
    parents: Vec<Option<usize>>,
    mirrored: bool,
    /// The vertices of each measured point, the corners of its triangle or the one it belongs to.
    corners: Vec<Tensor<f64>>,
    base_relatives: Tensor<f64>,
    inverse_absolutes: Tensor<f64>,
}

/// The rotation of each bone: Rz·Ry·Rx of its three angles.
fn bone_rotations<'t>(theta: &V<'t>, bones: usize) -> V<'t> {
    // Angles of bone i are column i + 3 of the pose; what no parameter sets is 0, the number behind them.
    let mut places = vec![[THETA as f64; 3]; bones];
    let (mut parameter, mut column) = (6, 5);
    for _finger in 0..5 {
        for segment in 2..5 {
            places[column - 3][0] = parameter as f64;
            parameter += 1;
            if segment == 2 {
                places[column - 3][1] = parameter as f64;
                parameter += 1;
            }
            column += 1;
        }
        column += 1;
    }
    let padded = V::concat(&[theta, &theta.constant(Tensor::<f64>::zeros(&[1]))], 0);
    let angles = padded.gather(&theta.constant(Tensor::from(places.concat())), 0).reshape(&[bones, 3]);
    let (cos, sin) = (angles.cos(), angles.sin());
    let (zero, one) = (angles.at(1, 0).zeros_like(), angles.at(1, 0).ones_like());
    let matrices = |rows: [[V<'t>; 3]; 3]| {
        let rows = rows.map(|row| V::stack(&row.each_ref(), 1));
        V::stack(&rows.each_ref(), 1)
    };
    // The pose holds the angles about x, z, y.
    let of = |axis: usize| (cos.at(1, axis), sin.at(1, axis));
    let ((cx, sx), (cz, sz), (cy, sy)) = (of(0), of(1), of(2));
    let x = matrices([[one, zero, zero], [zero, cx, -sx], [zero, sx, cx]]);
    let y = matrices([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]]);
    let z = matrices([[cz, -sz, zero], [sz, cz, zero], [zero, zero, one]]);
    z.matmul(&y).matmul(&x)
}

/// The rotation about `r` by its length; none where that is below 10⁻⁴.
fn global_rotation<'t>(r: &V<'t>) -> V<'t> {
    let square = r.square().sum_all();
    let turns = square.test(autodiff::Compare::Ge, 1e-8);
    let angle = turns.select(&square, &square.ones_like()).sqrt();
    let axis = *r / angle;
    let (c, s) = (angle.cos(), angle.sin());
    let (x, y, z) = (axis.at(0, 0), axis.at(0, 1), axis.at(0, 2));
    let zero = x.zeros_like();
    let across = V::stack(&[&zero, &-z, &y, &z, &zero, &-x, &-y, &x, &zero], 0).reshape(&[3, 3]);
    let along = axis.reshape(&[3, 1]).matmul(&axis.reshape(&[1, 3]));
    let eye = r.constant(Tensor::<f64>::eye(3));
    turns.select(&(eye * c + across * s + along * (1.0 - c)), &eye)
}

impl Hand {
    /// (θ, weights `[n, bones]`, positions `[n, 4]`) ↦ the vertices `[n, 3]`.
    fn vertices<'t>(&self, theta: &V<'t>, weights: &V<'t>, positions: &V<'t>) -> V<'t> {
        let bones = self.parents.len();
        let relative = theta.constant(&self.base_relatives);
        let turned = relative.slice_axis(2, 0..3).matmul(&bone_rotations(theta, bones));
        let relatives = V::concat(&[&turned, &relative.slice_axis(2, 3..4)], 2);
        let mut absolutes: Vec<V<'t>> = Vec::with_capacity(bones);
        for (i, parent) in self.parents.iter().enumerate() {
            let own = relatives.at(0, i);
            absolutes.push(parent.map_or(own, |parent| absolutes[parent].matmul(&own)));
        }
        let absolutes = V::stack(&absolutes.iter().collect::<Vec<_>>(), 0);
        let transforms = absolutes.slice_axis(1, 0..3).matmul(&theta.constant(&self.inverse_absolutes));
        // Σ weight · (transform · position): one product, with weight · position for each bone and coordinate.
        let n = positions.shape()[0];
        let spread = (weights.reshape(&[n, bones, 1]) * positions.reshape(&[n, 1, 4])).reshape(&[n, 4 * bones]);
        let skinned = spread.matmul(&transforms.permute(&[0, 2, 1]).reshape(&[4 * bones, 3]));
        let skinned = if self.mirrored { skinned * theta.constant(Tensor::from([-1.0, 1.0, 1.0])) } else { skinned };
        let rotation = global_rotation(&theta.slice_axis(0, 0..3));
        skinned.matmul_with(&rotation, false, true) + theta.slice_axis(0, 3..6)
    }

    /// (θ, us `[points, 2]`, weights, positions, points `[points, 3]`) ↦ errors `[3·points]`.
    fn errors(&self, shapes: &[&[usize]]) -> autodiff::Result<Program> {
        Program::record(shapes, |a| {
            let [theta, us, weights, positions, points] = a else { unreachable!("five inputs were named") };
            let vertices = self.vertices(theta, weights, positions);
            let corner = |i: usize| vertices.gather(&theta.constant(&self.corners[i]), 0);
            let surface = if let [_, _, _] = self.corners[..] {
                let n = us.shape()[0];
                let (u0, u1) = (us.at(1, 0).reshape(&[n, 1]), us.at(1, 1).reshape(&[n, 1]));
                u0 * corner(0) + u1 * corner(1) + (1.0 - u0 - u1) * corner(2)
            } else {
                corner(0)
            };
            (*points - surface).flatten()
        })
    }
}

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let (data, model) = (&input["data"], &input["data"]["model"]);
    let parents = tensor(model, "parents")?;
    let correspondences = tensor(data, "correspondences")?;
    let simple = input["us"].as_array().is_none_or(Vec::is_empty);
    let corners = if simple {
        vec![correspondences.clone()]
    } else {
        let triangles = tensor(model, "triangles")?;
        let rows: Vec<usize> = correspondences.data().iter().map(|&i| i as usize).collect();
        let own = triangles.take_rows(&rows);
        (0..3).map(|corner| own.at(1, corner)).collect()
    };
    let hand = Hand {
        parents: parents.data().iter().map(|&p| if p < 0.0 { None } else { Some(p as usize) }).collect(),
        mirrored: model["is_mirrored"].as_bool().unwrap_or(false),
        corners,
        base_relatives: tensor(model, "base_relatives")?,
        inverse_absolutes: tensor(model, "inverse_base_absolutes")?,
    };
    let points = tensor(data, "points")?;
    let count = points.dims()[0];
    let us = if simple { Tensor::zeros(&[count, 2]) } else { tensor(input, "us")? };
    let inputs = vec![tensor(input, "theta")?, us, tensor(model, "weights")?, tensor(model, "base_positions")?, points];
    let shapes: Vec<autodiff::Shape> = inputs.iter().map(Value::shape).collect();
    let record = move || {
        let shapes: Vec<&[usize]> = shapes.iter().map(|s| &s[..]).collect();
        let errors = hand.errors(&shapes)?;
        if primal {
            return Ok(errors);
        }
        let pose = errors.jacobian(0)?;
        if simple {
            return Ok(pose);
        }
        // Each error depends on its own two coordinates only: all first ones move at once, then all second ones.
        let along = errors.jvp(&[1])?;
        Program::record(&shapes, |a| {
            let direction = |own: [f64; 2]| a[0].constant(Tensor::from_fn(&[count, 2], |i| own[i[1]]));
            let column = |own: [f64; 2]| along.eval(&[a, &[direction(own)]].concat())[1].reshape(&[3 * count, 1]);
            V::concat(&[&column([1.0, 0.0]), &column([0.0, 1.0]), &pose.eval(a)[0]], 1)
        })
    };
    Ok(compiled(inputs, record, |outputs| outputs.first().map_or(serde_json::Value::Null, nested)))
}
