//! Expressions: values, derivatives, and complaints.

use autodiff::{Program, Tensor, Value, grad};
use modes::{Bench, Error, Expression, Function, Settings, report};

#[test]
fn expressions_mean_what_they_say() {
    let x = Tensor::from([0.5_f64, 1.5]);
    let each = |f: &dyn Fn(f64) -> f64| x.data().iter().map(|&x| f(x)).sum::<f64>();
    for (text, expected) in [
        ("sum(2*x^2 - x/4 + 1)", each(&|x| 2.0 * x * x - x / 4.0 + 1.0)),
        ("sum(-x^2)", each(&|x| -(x * x))),
        ("sum(2^3^x)", each(&|x| 2_f64.powf(3_f64.powf(x)))),
        ("sum(x^-2)", each(&|x| x.powi(-2))),
        ("sum(x^0.5)", each(&f64::sqrt)),
        ("sum(sin(cos(x))*exp(-x)) ", each(&|x| x.cos().sin() * (-x).exp())),
        ("1 - 2 - 3 + sum(0*x)", -4.0),
        ("2 / 4 / 2 + sum(0 * x)", 0.25),
        ("mean(x) * max(x) + min(x)", 1.0 * 1.5 + 0.5),
        ("lse(x) + prod(x)", (0.5_f64.exp() + 1.5_f64.exp()).ln() + 0.75),
        ("sum(cumsum(x)) * 1e-1", (0.5 + 2.0) * 0.1),
        ("pi + e + sum(x - x)", std::f64::consts::PI + std::f64::consts::E),
        ("sum(1.5e+2*x)", 300.0),
    ] {
        let found = Expression::parse(text).unwrap().eval(&x).item();
        assert!((found - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{text}: {found}, not {expected}");
    }
}

#[test]
fn expressions_are_differentiated() {
    let f = Expression::parse("sum(sin(x)^2 * exp(-x))").unwrap();
    let x = [Tensor::from([0.3_f64, 1.2])];
    let g = grad(|v| f.eval(&v[0]), &x).unwrap();
    for (x, g) in x[0].data().iter().zip(g[0].data()) {
        let expected = (2.0 * x.sin() * x.cos() - x.sin() * x.sin()) * (-x).exp();
        assert!((g - expected).abs() < 1e-14);
    }
    assert!(Program::record(&[&[2]], |x| f.eval(&x[0])).unwrap().hvp(&[0]).is_ok());
}

#[test]
fn what_cannot_be_read_is_pointed_at() {
    for (text, column, part) in [
        ("", 1, "something is missing"),
        ("sum(x", 6, "a closing bracket is missing"),
        ("sum(x))", 7, "without an opening one"),
        ("2 +", 4, "something is missing"),
        ("2 $ 3", 3, "'$' is not expected"),
        ("sum x", 5, "sum needs its argument in brackets"),
        ("foo(x)", 1, "\"foo\" is no function; there are x, pi, e, sin"),
        ("1.2.3", 1, "\"1.2.3\" is no number"),
        ("x y", 3, "'y' is not expected"),
        ("*x", 1, "'*' is not expected"),
    ] {
        let error = Expression::parse(text).unwrap_err();
        let Error::Expression { column: found, ref message, .. } = error else { panic!("{error:?}") };
        assert_eq!(found, column, "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn a_bench_has_every_mode_and_its_reports_hold_every_row() {
    let functions: Vec<Function> =
        ["rosenbrock", "wide", "tall", "rk4", "ba"].iter().map(|name| Function::named(name).unwrap()).collect();
    let settings = Settings { sizes: vec![8, 30], seconds: 0.0, ..Settings::default() };
    let mut seen = 0;
    let bench = Bench::run(&functions, &settings, |progress| {
        assert!(progress.done < progress.all);
        seen += 1;
    })
    .unwrap();
    assert_eq!(seen, 10);
    for mode in [
        "primal",
        "forward, 1 tangent",
        "forward, n tangents",
        "reverse, tape",
        "reverse, program",
        "reverse, executable",
        "reverse, m cotangents",
        "sparse, by colours",
        "forward over reverse",
        "reverse over forward",
        "reverse over reverse",
        "forward over forward",
    ] {
        assert!(bench.rows.iter().any(|r| r.mode.name() == mode), "{mode}");
    }
    let csv = report::csv(&bench).unwrap();
    assert_eq!(csv.lines().count(), bench.rows.len() + 1);
    let json: serde_json::Value = serde_json::to_value(&bench).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), bench.rows.len());
    assert!(json["rows"][0]["seconds"]["median"].as_f64().unwrap() > 0.0);
    let table = report::table(&bench);
    assert_eq!(table.matches("× primal").count(), 10);
    let svg = report::svg(&bench);
    assert!(svg.starts_with("<svg") && functions.iter().all(|f| svg.contains(f.name())));
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let f = [Function::named("chain").unwrap()];
    let none = Settings { sizes: Vec::new(), ..Settings::default() };
    assert!(matches!(Bench::run(&f, &none, |_| ()), Err(Error::Setting { .. })));
    assert!(matches!(Bench::run(&[], &Settings::default(), |_| ()), Err(Error::Setting { .. })));
    assert!(Function::named("chains").unwrap_err().to_string().contains("there are rosenbrock, chain"));
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_before_it_can_do_harm() {
    for (text, words) in [
        ("(".repeat(1500), "inside each other"),
        ("-".repeat(1500), "inside each other"),
        ("x^".repeat(900), "inside each other"),
        ("sin(".repeat(400), "inside each other"),
        ("x+".repeat(5000) + "x", "at most 2000"),
    ] {
        let message = modes::Expression::parse(&text).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    let long = "x+".repeat(900) + "x";
    assert_eq!(modes::Expression::parse(&long).unwrap().eval(&autodiff::Tensor::from([1.0])).data(), [901.0]);
}
