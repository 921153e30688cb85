//! Bundle adjustment: reprojection errors of many observations, and their sparse Jacobian.
//!
//! One observation is a program; its derivatives are batched over a block of observations at a time, so that everything
//! stays near.

use crate::Result;
use crate::json::{count, number, tensor};
use crate::task::{Task, options};
use autodiff::{Abstract, Executable, Program, Value, Var};
use serde_json::json;

type V<'t> = Var<'t, Abstract>;

fn cross<'t>(a: &[V<'t>], b: &[V<'t>]) -> [V<'t>; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot<'t>(a: &[V<'t>], b: &[V<'t>]) -> V<'t> {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// `x` rotated about `r` by its length.
fn rotate<'t>(r: &[V<'t>], x: &[V<'t>]) -> [V<'t>; 3] {
    let square = dot(r, r);
    let turns = square.test(autodiff::Compare::Ne, 0.0);
    // A safe angle where there is none, and the first-order rotation chosen there.
    let angle = turns.select(&square, &square.ones_like()).sqrt();
    let axis: Vec<V<'t>> = r.iter().map(|&r| r / angle).collect();
    let (cos, sin) = (angle.cos(), angle.sin());
    let (across, along) = (cross(&axis, x), dot(&axis, x) * (1.0 - cos));
    let small = cross(r, x);
    std::array::from_fn(|i| {
        let turned = x[i] * cos + across[i] * sin + axis[i] * along;
        turns.select(&turned, &(x[i] + small[i]))
    })
}

const CAM: usize = 11;
const X: usize = 3;
/// Numbers that an error is differentiated by: camera, point, weight.
const WRT: usize = CAM + X + 1;

/// (camera `[11]`, point `[3]`, weight, feature `[2]`) ↦ one of the two reprojection errors.
fn error(coordinate: usize) -> autodiff::Result<Program> {
    Program::record(&[&[CAM], &[X], &[], &[2]], |a| {
        let part = |i: usize, j: usize| a[i].at(0, j);
        let cam: Vec<V<'_>> = (0..CAM).map(|j| part(0, j)).collect();
        let away: Vec<V<'_>> = (0..3).map(|j| part(1, j) - cam[3 + j]).collect();
        let seen = rotate(&cam[..3], &away);
        let p = [seen[0] / seen[2], seen[1] / seen[2]];
        let square = p[0] * p[0] + p[1] * p[1];
        let lens = 1.0 + cam[9] * square + cam[10] * square * square;
        a[2] * (p[coordinate] * lens * cam[6] + cam[7 + coordinate] - part(3, coordinate))
    })
}

/// The two errors of each observation of a block; or its 2 × 15 Jacobian, row by row.
fn block(primal: bool, size: usize) -> Result<Executable<f64>> {
    let programs = [error(0)?, error(1)?];
    let derivatives = programs.each_ref().map(|error| if primal { Ok(error.clone()) } else { error.grad(&[0, 1, 2]) });
    let [first, second] = derivatives;
    let (first, second) = (first?, second?);
    let one = Program::record_shapes(&first.input_shapes(), |a| {
        let parts: Vec<V<'_>> = [first.eval(a), second.eval(a)].concat().iter().map(V::flatten).collect();
        vec![V::concat(&parts.iter().collect::<Vec<_>>(), 0)]
    })?;
    Ok(one.batch(size, &[Some(0); 4], &[0])?.compile(options()))
}

/// Observations in a block.
const BLOCK: usize = 512;

struct Ba {
    primal: bool,
    counts: [usize; 3],
    cams: Vec<f64>,
    points: Vec<f64>,
    weights: Vec<f64>,
    features: Vec<f64>,
    /// For a whole block, and for what is left.
    executables: Option<[Executable<f64>; 2]>,
    weight_error: Option<Executable<f64>>,
    gathered: [Vec<f64>; 2],
    errors: Vec<f64>,
    weight_errors: Vec<f64>,
    rows: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Ba {
    fn run_blocks(&mut self) -> Result<()> {
        let [n, m, p] = self.counts;
        let executables = match &mut self.executables {
            Some(executables) => executables,
            none => none.insert([block(self.primal, BLOCK)?, block(self.primal, (p % BLOCK).max(1))?]),
        };
        let width = if self.primal { 2 } else { 2 * WRT };
        let [cams, points] = &mut self.gathered;
        for from in (0..p).step_by(BLOCK) {
            let to = (from + BLOCK).min(p);
            let size = to - from;
            for (k, i) in (from..to).enumerate() {
                let (cam, point) = (i % n, i % m);
                cams[k * CAM..(k + 1) * CAM].copy_from_slice(&self.cams[cam * CAM..(cam + 1) * CAM]);
                points[k * X..(k + 1) * X].copy_from_slice(&self.points[point * X..(point + 1) * X]);
            }
            let inputs =
                [&cams[..size * CAM], &points[..size * X], &self.weights[from..to], &self.features[2 * from..2 * to]];
            let output = if self.primal { &mut self.errors } else { &mut self.values };
            let executable = &mut executables[usize::from(size < BLOCK)];
            executable.run_slices(&inputs, &mut [&mut output[from * width..to * width]])?;
        }
        Ok(())
    }

    /// 1 − w² for each observation, or its derivative.
    fn run_weights(&mut self) -> Result<()> {
        let p = self.counts[2];
        if self.weight_error.is_none() {
            let error = Program::record(&[&[]], |w| 1.0 - w[0] * w[0])?;
            let one = if self.primal { error } else { error.grad(&[0])? };
            self.weight_error = Some(one.batch(p, &[Some(0)], &[0])?.compile(options()));
        }
        let executable = self.weight_error.as_mut().ok_or("compiled above")?;
        let output = if self.primal { &mut self.weight_errors[..] } else { &mut self.values[2 * WRT * p..] };
        Ok(executable.run_slices(&[&self.weights], &mut [output])?)
    }

    /// Where the entries stand: compressed sparse rows.
    fn pattern(&mut self) -> Result<()> {
        let [n, m, p] = self.counts;
        let (mut at, mut row) = (0, 0);
        let mut put = |rows: &mut [u32], len: usize| {
            at += len;
            row += 1;
            rows[row] = at as u32;
        };
        u32::try_from(31 * p.max(n + m))?;
        for i in 0..p {
            let columns = &mut self.columns[2 * WRT * i..2 * WRT * (i + 1)];
            let (cam, point) = ((CAM * (i % n)) as u32, (CAM * n + X * (i % m)) as u32);
            for half in columns.chunks_exact_mut(WRT) {
                (0..).zip(&mut half[..CAM]).for_each(|(j, c)| *c = cam + j);
                (0..).zip(&mut half[CAM..CAM + X]).for_each(|(j, c)| *c = point + j);
                half[WRT - 1] = (CAM * n + X * m + i) as u32;
                put(&mut self.rows, WRT);
            }
        }
        for i in 0..p {
            self.columns[2 * WRT * p + i] = (CAM * n + X * m + i) as u32;
            put(&mut self.rows, 1);
        }
        Ok(())
    }
}

impl Task for Ba {
    fn run(&mut self) -> Result<()> {
        self.run_blocks()?;
        self.run_weights()?;
        if self.primal { Ok(()) } else { self.pattern() }
    }

    fn output(&self) -> Result<serde_json::Value> {
        let p = self.counts[2];
        if self.primal {
            return Ok(json!({
                "reproj_error": {"elements": self.errors[..2], "repeated": p},
                "w_err": {"element": self.weight_errors[0], "repeated": p},
            }));
        }
        fn ends<T: Clone + Into<serde_json::Value>>(x: &[T]) -> serde_json::Value {
            x[..30.min(x.len())].iter().chain(x.last()).cloned().map(Into::into).collect()
        }
        Ok(json!({"rows": ends(&self.rows), "cols": ends(&self.columns), "vals": ends(&self.values)}))
    }
}

pub(super) fn task(primal: bool, input: &serde_json::Value) -> Result<Box<dyn Task>> {
    let counts = [count(input, "n")?, count(input, "m")?, count(input, "p")?];
    let [n, m, p] = counts;
    let repeated = |name: &str, times: usize| -> Result<Vec<f64>> { Ok(tensor(input, name)?.data().repeat(times)) };
    let entries = if primal { 0 } else { (2 * WRT + 1) * p };
    Ok(Box::new(Ba {
        primal,
        counts,
        cams: repeated("cam", n)?,
        points: repeated("x", m)?,
        weights: vec![number(input, "w")?; p],
        features: repeated("feat", p)?,
        executables: None,
        weight_error: None,
        gathered: [vec![0.0; BLOCK * CAM], vec![0.0; BLOCK * X]],
        errors: vec![0.0; if primal { 2 * p } else { 0 }],
        weight_errors: vec![0.0; if primal { p } else { 0 }],
        rows: vec![0; if primal { 0 } else { 3 * p + 1 }],
        columns: vec![0; entries],
        values: vec![0.0; entries],
    }))
}
