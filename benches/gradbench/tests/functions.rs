//! Functions against naive implementations, and derivatives against finite differences of the function. Those that are not
//! asked for by themselves (`particle`, `saddle`) are tested where they are written.

use hypertape_gradbench::protocol::answer;
use serde_json::{Value, json};

fn evaluate(module: &str, function: &str, input: &Value) -> Value {
    let message = json!({"id": 1, "kind": "evaluate", "module": module, "function": function, "input": input});
    let reply = answer(&message.to_string()).unwrap();
    assert_eq!(reply["success"], true, "{module} {function}: {reply}");
    reply["output"].clone()
}

/// Numbers that are neither sorted nor round.
fn wave(n: usize, phase: f64) -> Vec<f64> {
    (0..n).map(|i| ((i as f64 + phase) * 1.7).sin() * 0.6 + 0.1).collect()
}

fn rows(n: usize, m: usize, phase: f64) -> Vec<Vec<f64>> {
    wave(n * m, phase).chunks(m.max(1)).take(n).map(<[f64]>::to_vec).collect()
}

/// All numbers of a value, in order.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        Value::Object(fields) => fields.values().flat_map(flat).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

/// The number at a place among all numbers of some of the input's fields, in order; `f` changes it.
fn change(input: &mut Value, fields: &[&str], place: usize, f: &dyn Fn(f64) -> f64) {
    fn walk(value: &mut Value, left: &mut usize, f: &dyn Fn(f64) -> f64) -> bool {
        match value {
            Value::Array(items) => items.iter_mut().any(|item| walk(item, left, f)),
            other if *left == 0 => {
                *other = json!(f(other.as_f64().unwrap()));
                true
            }
            _ => {
                *left -= 1;
                false
            }
        }
    }
    let mut left = place;
    assert!(fields.iter().any(|field| walk(&mut input[*field], &mut left, f)), "no place {place}");
}

/// Central differences of all numbers of the primal by all numbers of some fields: one column for each.
fn differences(module: &str, primal: &str, input: &Value, fields: &[&str]) -> Vec<Vec<f64>> {
    let count: usize = fields.iter().map(|field| flat(&input[*field]).len()).sum();
    let h = 1e-5;
    let at = |place: usize, step: f64| {
        let mut moved = input.clone();
        change(&mut moved, fields, place, &|x| x + step);
        flat(&evaluate(module, primal, &moved))
    };
    let column = |place: usize| {
        let (up, down) = (at(place, h), at(place, -h));
        up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * h)).collect()
    };
    (0..count).map(column).collect()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}: at {i}, {a} and {b}");
    }
}

/// Checks the gradient of a function with one output.
fn gradient(module: &str, [primal, derivative]: [&str; 2], input: &Value, fields: &[&str]) {
    let expected: Vec<f64> = differences(module, primal, input, fields).into_iter().map(|column| column[0]).collect();
    close(&flat(&evaluate(module, derivative, input)), &expected, 1e-7, module);
    assert!(expected.iter().any(|x| x.abs() > 1e-3), "{module}: a gradient of zeros shows nothing");
}

#[test]
fn hello() {
    assert_eq!(evaluate("hello", "square", &json!(3.0)), 9.0);
    assert_eq!(evaluate("hello", "double", &json!(3.0)), 6.0);
}

#[test]
fn lse() {
    let x = [wave(9, 0.0), vec![300.0, 299.0]].concat();
    let input = json!({"x": x});
    let top = 300.0;
    let expected = top + x.iter().map(|x| (x - top).exp()).sum::<f64>().ln();
    close(&flat(&evaluate("lse", "primal", &input)), &[expected], 1e-14, "lse");
    gradient("lse", ["primal", "gradient"], &input, &["x"]);
}

#[test]
fn llsq() {
    let (x, n) = (wave(7, 0.2), 12);
    let square = |i: usize| {
        let t = -1.0 + 2.0 * i as f64 / (n - 1) as f64;
        let fit: f64 = x.iter().enumerate().map(|(j, x)| x * t.powi(j as i32)).sum();
        (if t > 0.0 { 1.0 } else { -1.0 } - fit).powi(2)
    };
    let input = json!({"x": x, "n": n});
    close(&flat(&evaluate("llsq", "primal", &input)), &[0.5 * (0..n).map(square).sum::<f64>()], 1e-13, "llsq");
    gradient("llsq", ["primal", "gradient"], &input, &["x"]);
    // An odd number has a t of 0, whose sign is 0.
    gradient("llsq", ["primal", "gradient"], &json!({"x": x, "n": 9}), &["x"]);
}

#[test]
fn det() {
    fn cofactors(a: &[Vec<f64>]) -> f64 {
        let Some((first, rest)) = a.split_first() else { return 1.0 };
        let minor = |j: usize| -> Vec<Vec<f64>> {
            rest.iter().map(|row| row.iter().enumerate().filter(|(k, _)| *k != j).map(|(_, &x)| x).collect()).collect()
        };
        (0..first.len()).map(|j| if j % 2 == 0 { 1.0 } else { -1.0 } * first[j] * cofactors(&minor(j))).sum()
    }
    // Expanded number by number, and as a stack of smaller ones.
    for n in [1, 2, 5, 7, 8] {
        let mut a = rows(n, n, 0.4);
        (0..n).for_each(|i| a[i][i] += 1.0);
        let input = json!({"A": a.concat(), "ell": n});
        close(&flat(&evaluate("det", "primal", &input)), &[cofactors(&a)], 1e-12, "det");
        if n > 1 {
            gradient("det", ["primal", "gradient"], &input, &["A"]);
        }
    }
}

#[test]
fn ode() {
    // At this size the last component has been reached, so its gradient is not zero.
    let (n, s) = (6, 10);
    let x: Vec<f64> = wave(n, 0.9).iter().map(|x| x + 1.0).collect();
    let slope = |y: &[f64]| -> Vec<f64> { (0..n).map(|i| if i == 0 { x[0] } else { x[i] * y[i - 1] }).collect() };
    let h = 2.0 / s as f64;
    let plus = |y: &[f64], k: &[f64], h: f64| -> Vec<f64> { y.iter().zip(k).map(|(y, k)| y + h * k).collect() };
    let mut y = vec![0.0; n];
    for _ in 0..s {
        let k1 = slope(&y);
        let k2 = slope(&plus(&y, &k1, h / 2.0));
        let k3 = slope(&plus(&y, &k2, h / 2.0));
        let k4 = slope(&plus(&y, &k3, h));
        for i in 0..n {
            y[i] += h * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]) / 6.0;
        }
    }
    let input = json!({"x": x, "s": s});
    close(&flat(&evaluate("ode", "primal", &input)), &y, 1e-14, "ode");
    let expected: Vec<f64> = differences("ode", "primal", &input, &["x"]).iter().map(|column| column[n - 1]).collect();
    assert!(expected.iter().all(|x| x.abs() > 1e-4), "{expected:?}");
    close(&flat(&evaluate("ode", "gradient", &input)), &expected, 1e-8, "ode");
}

#[test]
fn kmeans() {
    let (points, centroids) = (rows(40, 3, 0.0), rows(4, 3, 5.5));
    let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let nearest =
        |p: &[f64]| (0..4).min_by(|&a, &b| square(p, &centroids[a]).total_cmp(&square(p, &centroids[b]))).unwrap();
    let cost: f64 = points.iter().map(|p| square(p, &centroids[nearest(p)])).sum();
    let input = json!({"points": points, "centroids": centroids});
    close(&flat(&evaluate("kmeans", "cost", &input)), &[cost], 1e-12, "kmeans");
    // J / diag H is the way from the mean of a centroid's points to it.
    let own = |j: usize| points.iter().filter(|p| nearest(p) == j).collect::<Vec<_>>();
    let expected: Vec<f64> = (0..4)
        .flat_map(|j| (0..3).map(move |d| (j, d)))
        .map(|(j, d)| centroids[j][d] - own(j).iter().map(|p| p[d]).sum::<f64>() / own(j).len() as f64)
        .collect();
    close(&flat(&evaluate("kmeans", "dir", &input)), &expected, 1e-12, "kmeans");
}

#[test]
fn gmm() {
    let (n, d, k, m, gamma) = (12, 3, 2, 2.0, 1.3);
    let (x, mu, q) = (rows(n, d, 0.0), rows(k, d, 1.0), rows(k, d, 2.0));
    let (alpha, l) = (wave(k, 3.0), rows(k, 3, 4.0));
    let input =
        json!({"d": d, "k": k, "n": n, "x": x, "alpha": alpha, "mu": mu, "q": q, "l": l, "m": m, "gamma": gamma});
    let lse = |v: &[f64]| v.iter().map(|v| v.exp()).sum::<f64>().ln();
    let component = |c: usize, x: &[f64]| {
        let away: Vec<f64> = x.iter().zip(&mu[c]).map(|(x, mu)| x - mu).collect();
        // Below the diagonal by columns: (1,0), (2,0), (2,1).
        let below = [[0.0, 0.0, 0.0], [l[c][0], 0.0, 0.0], [l[c][1], l[c][2], 0.0]];
        let square: f64 = (0..d)
            .map(|i| q[c][i].exp() * away[i] + (0..i).map(|j| below[i][j] * away[j]).sum::<f64>())
            .map(|y| y * y)
            .sum();
        alpha[c] + q[c].iter().sum::<f64>() - 0.5 * square
    };
    let likelihood: f64 =
        x.iter().map(|x| lse(&[component(0, x), component(1, x)])).sum::<f64>() - n as f64 * lse(&alpha);
    let prior: f64 = (0..k)
        .map(|c| {
            let squares = q[c].iter().map(|q| (2.0 * q).exp()).sum::<f64>() + l[c].iter().map(|l| l * l).sum::<f64>();
            -0.5 * gamma * gamma * squares + m * q[c].iter().sum::<f64>()
        })
        .sum();
    let pi = std::f64::consts::PI;
    let freedom = d as f64 + m + 1.0;
    // Γ of half integers: Γ(3) = 2, Γ(5/2) = 3√π/4, Γ(2) = 1.
    assert_eq!(freedom, 6.0);
    let log_gamma = (d * (d - 1)) as f64 / 4.0 * pi.ln() + 2_f64.ln() + (0.75 * pi.sqrt()).ln();
    let constant = -((n * d) as f64) / 2.0 * (2.0 * pi).ln()
        + k as f64 * (freedom * d as f64 * (f64::ln(gamma) - 0.5 * 2_f64.ln()) - log_gamma);
    let expected = likelihood + prior + constant;
    close(&flat(&evaluate("gmm", "objective", &input)), &[expected], 1e-12, "gmm");
    // The fields of the answer come in alphabetical order.
    gradient("gmm", ["objective", "jacobian"], &input, &["alpha", "l", "mu", "q"]);
}

#[test]
fn lstm() {
    let (layers, b, c) = (2, 3, 6);
    let (main, extra) = (rows(2 * layers, 4 * b, 0.0), rows(3, b, 1.0));
    let (state, sequence) = (rows(2 * layers, b, 2.0), rows(c, b, 3.0));
    let input = json!({"main_params": main, "extra_params": extra, "state": state, "sequence": sequence});
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut s, mut total) = (state.clone(), 0.0);
    for t in 0..c - 1 {
        let mut x: Vec<f64> = (0..b).map(|i| sequence[t][i] * extra[0][i]).collect();
        for j in 0..layers {
            for i in 0..b {
                let gate = |k: usize, v: f64| v * main[2 * j][k * b + i] + main[2 * j + 1][k * b + i];
                let (h, cell) = (s[2 * j][i], s[2 * j + 1][i]);
                let cell = cell * sigmoid(gate(0, x[i])) + sigmoid(gate(1, h)) * gate(3, h).tanh();
                s[2 * j + 1][i] = cell;
                s[2 * j][i] = sigmoid(gate(2, x[i])) * cell.tanh();
            }
            x.clone_from(&s[2 * j]);
        }
        let y: Vec<f64> = (0..b).map(|i| x[i] * extra[1][i] + extra[2][i]).collect();
        let z = (2.0 + y.iter().map(|y| y.exp()).sum::<f64>()).ln();
        total += (0..b).map(|i| sequence[t + 1][i] * (y[i] - z)).sum::<f64>();
    }
    let expected = -total / (b * (c - 1)) as f64;
    close(&flat(&evaluate("lstm", "objective", &input)), &[expected], 1e-13, "lstm");
    gradient("lstm", ["objective", "jacobian"], &input, &["main_params", "extra_params"]);
}

#[test]
fn ba() {
    let cam = json!([0.3, -0.2, 0.5, 0.4, 0.1, -4.0, 1.3, 0.2, -0.1, 0.03, 0.01]);
    // 600 observations: a whole block, and a part of one.
    let input = json!({"n": 5, "m": 7, "p": 600, "cam": cam, "x": [0.6, -0.4, 1.1], "w": 0.8, "feat": [0.3, 0.2]});
    let columns = differences("ba", "objective", &input, &["cam", "x", "w"]);
    let answer = evaluate("ba", "jacobian", &input);
    // Objects come in alphabetical order: two reprojection errors and their number, one weight error.
    let row = |k: usize| columns.iter().map(|column| column[k]).collect::<Vec<_>>();
    let values = flat(&answer["vals"]);
    close(&values[..15], &row(0), 1e-7, "ba, first row");
    close(&values[15..30], &row(1), 1e-7, "ba, second row");
    close(&values[30..], &[-1.6], 1e-12, "ba, weight");
    assert_eq!(flat(&answer["rows"])[..4], [0.0, 15.0, 30.0, 45.0]);
    assert_eq!(*flat(&answer["rows"]).last().unwrap(), 31.0 * 600.0);
    let expected: Vec<f64> = (0..11).chain(55..58).chain([55 + 21]).map(f64::from).collect();
    assert_eq!(flat(&answer["cols"])[..15], expected);
    // Without rotation: the other formula.
    let mut still = input.clone();
    still["cam"] = json!([0.0, 0.0, 0.0, 0.4, 0.1, -4.0, 1.3, 0.2, -0.1, 0.03, 0.01]);
    let p = [(0.6 - 0.4) / 5.1, (-0.4 - 0.1) / 5.1];
    let square: f64 = p[0] * p[0] + p[1] * p[1];
    let lens = 1.0 + 0.03 * square + 0.01 * square * square;
    let expected = [0.8 * (p[0] * lens * 1.3 + 0.2 - 0.3), 0.8 * (p[1] * lens * 1.3 - 0.1 - 0.2)];
    let found = evaluate("ba", "objective", &still);
    close(&flat(&found["reproj_error"]["elements"]), &expected, 1e-14, "ba without rotation");
}

/// A hand of 22 bones and few vertices.
fn hand(points: usize, complicated: bool) -> Value {
    let (bones, vertices) = (22, 9);
    let matrices = |phase: f64| -> Vec<Vec<Vec<f64>>> {
        (0..bones)
            .map(|i| {
                let mut m = rows(3, 4, phase + i as f64);
                m.push(vec![0.0, 0.0, 0.0, 1.0]);
                m
            })
            .collect()
    };
    let positions: Vec<Vec<f64>> = rows(vertices, 3, 0.3).into_iter().map(|p| [p, vec![1.0]].concat()).collect();
    let parents: Vec<i64> = (0..bones as i64).map(|i| if i == 0 { -1 } else { (i - 1) / 2 }).collect();
    let theta: Vec<f64> = wave(26, 0.8);
    let us = if complicated { rows(points, 2, 6.0) } else { Vec::new() };
    let correspondences: Vec<usize> = (0..points).map(|i| i * 2 % 5).collect();
    let triangles: Vec<[usize; 3]> = (0..5).map(|i| [i, i + 2, i + 4]).collect();
    json!({"theta": theta, "us": us, "data": {
        "correspondences": correspondences, "points": rows(points, 3, 7.0),
        "model": {
            "bone_count": bones, "parents": parents, "base_relatives": matrices(1.0),
            "inverse_base_absolutes": matrices(2.0), "base_positions": positions, "weights": rows(vertices, bones, 9.0),
            "triangles": triangles, "is_mirrored": false,
        },
    }})
}

#[test]
fn ht() {
    let input = hand(4, false);
    let columns = differences("ht", "objective", &input, &["theta"]);
    let found = evaluate("ht", "jacobian", &input);
    let rows: Vec<Vec<f64>> = found.as_array().unwrap().iter().map(flat).collect();
    assert_eq!((rows.len(), rows[0].len()), (12, 26));
    for (i, row) in rows.iter().enumerate() {
        close(row, &columns.iter().map(|column| column[i]).collect::<Vec<_>>(), 1e-6, "ht");
    }
    // Complicated: each row has the two coordinates of its own point first.
    let input = hand(4, true);
    let (us, theta) =
        (differences("ht", "objective", &input, &["us"]), differences("ht", "objective", &input, &["theta"]));
    let found = evaluate("ht", "jacobian", &input);
    for (i, row) in found.as_array().unwrap().iter().map(flat).enumerate() {
        let own = i / 3;
        let mut expected = vec![us[2 * own][i], us[2 * own + 1][i]];
        expected.extend(theta.iter().map(|column| column[i]));
        close(&row, &expected, 1e-6, "ht, complicated");
    }
}

#[test]
fn nested_descents_agree_in_all_modes() {
    for modes in ["ff", "fr", "rf", "rr"] {
        let w = evaluate("particle", modes, &json!({"w": 0.0}));
        close(&flat(&w), &[0.207_191_874_648_611_6], 1e-4, "particle");
        let saddle = evaluate("saddle", modes, &json!({"start": [1.0, 1.0]}));
        close(&flat(&saddle), &[8.246e-6; 4], 1e-6, "saddle");
    }
}
