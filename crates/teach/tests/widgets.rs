//! The pages' numbers, got another way.

use teach::{Engine, page, widget, widgets};

/// A number that a page gives in full.
fn value(html: &str, name: &str) -> f64 {
    let start = format!("data-name=\"{name}\" value=\"");
    let rest = html.split_once(&start).unwrap_or_else(|| panic!("there is no `{name}` in {html}")).1;
    rest.split_once('"').unwrap().0.parse().unwrap()
}

fn render(name: &str, query: &str) -> String {
    widget(name).unwrap().render(query).unwrap()
}

#[test]
fn truncation_forgets_as_the_bound_says() {
    // F(u) = ½‖v*(u) − t‖², by differences of the closed form.
    let outer = |u: f64| {
        let v = |h: f64| h / (h + u.exp());
        0.5 * (v(0.15).powi(2) + (v(1.0) - 0.3).powi(2))
    };
    for u in [-3.0, -1.2] {
        let html = render("truncation", &format!("T=120&K=120&eta=0.9&u={u}"));
        assert!(
            (value(&html, "end") - value(&html, "solution")).abs() < 1e-12,
            "the path that is drawn is the engine's"
        );
        let by_differences = (outer(u + 1e-5) - outer(u - 1e-5)) / 2e-5;
        assert!((value(&html, "exact") - by_differences).abs() < 1e-9);
        // 120 steps at this rate leave (1 − ημ)¹²⁰ of the distance.
        let left = (1.0 - 0.9 * (0.15 + u.exp())).abs().powi(120);
        let error = (value(&html, "truncated") - by_differences).abs();
        assert!(error < 30.0 * left + 1e-9, "{error} {left}");
    }
    // Ten more steps back shrink the error by (1 − ημ)¹⁰, where T is long and the slow direction rules.
    let error = |k: usize| {
        let html = render("truncation", &format!("T=120&K={k}&eta=0.4&u=-4"));
        (value(&html, "truncated") - value(&html, "exact")).abs()
    };
    let shrink = (1.0 - 0.4 * (0.15 + (-4.0_f64).exp())).powi(10);
    assert!((error(40) / error(30) / shrink - 1.0).abs() < 0.02, "{} {shrink}", error(40) / error(30));
}

#[test]
fn the_list_gives_value_tangent_and_adjoint_of_what_was_typed() {
    // Σ sin²(x)·e⁻ˣ at (0.5, 1.5): the derivative by x₀ is (2 sin cos − sin²)·e⁻ˣ.
    let html = render("stepper", "");
    let f = |x: f64| x.sin().powi(2) * (-x).exp();
    let slope = |x: f64| (2.0 * x.sin() * x.cos() - x.sin().powi(2)) * (-x).exp();
    assert!((value(&html, "value") - f(0.5) - f(1.5)).abs() < 1e-15);
    assert!((value(&html, "tangent") - slope(0.5)).abs() < 1e-15);
    assert!((value(&html, "adjoint") - slope(0.5)).abs() < 1e-15);
    let html = render("stepper", "f=sum(3*x%5e2)%2bx%2a0&mode=forward&step=2");
    assert!(html.contains("Step 2 of"), "{html}");
    let wrong = widget("stepper").unwrap().render("f=sum(sin(x)").unwrap_err();
    assert!(wrong.contains("a closing bracket is missing"), "{wrong}");
    assert!(widget("stepper").unwrap().render("f=1").is_ok(), "what does not depend on x has no tangent, and no error");
}

#[test]
fn forward_is_cheaper_for_few_inputs_and_reverse_for_few_outputs() {
    let costs = |n: usize, m: usize| {
        let html = render("cost", &format!("n={n}&m={m}"));
        (value(&html, "forward"), value(&html, "reverse"))
    };
    let (forward, reverse) = costs(1, 64);
    assert!(forward < reverse / 4.0);
    let (forward, reverse) = costs(64, 1);
    assert!(reverse < forward / 4.0);
    // A product of (m×32)·(32×32)·(32×n) costs two operations an entry: the tangents of n directions by hand.
    let (forward, _) = costs(8, 3);
    let products = 2 * (32 * 8 + 32 * 32 + 3 * 32);
    assert!(forward >= f64::from(products * (1 + 8)) && forward < 1.2 * f64::from(products * (1 + 8)), "{forward}");
}

#[test]
fn every_arrow_points_where_its_method_says() {
    // The objective by differences of a closed form that is written anew here.
    let outer = |u: [f64; 2]| {
        let (a, b, d) = (1.0 + u[0].exp(), 0.45, 0.4 + u[1].exp());
        let (v0, v1) = ((1.1 * d - 0.75 * b) / (a * d - b * b), (0.75 * a - 1.1 * b) / (a * d - b * b));
        0.5 * (0.9 * v0 * v0 + 0.2 * v0 * v1 + 0.6 * v1 * v1) - 0.677 * v0 - 0.4127 * v1
    };
    let (u, h) = ([0.0, -3.5], 1e-5);
    let slopes = [
        (outer([u[0] + h, u[1]]) - outer([u[0] - h, u[1]])) / (2.0 * h),
        (outer([u[0], u[1] + h]) - outer([u[0], u[1] - h])) / (2.0 * h),
    ];
    for method in ["exact", "implicit", "reverse", "forward"] {
        let html = render("landscape", &format!("method={method}&T=60&k=2"));
        let g = [value(&html, "g1"), value(&html, "g2")];
        let near = (0..2).all(|j| (g[j] - slopes[j]).abs() < if method == "exact" { 1e-9 } else { 2e-3 });
        assert!(near, "{method}: {g:?} for {slopes:?}");
        assert!((value(&html, "F") - outer(u)).abs() < 1e-14);
    }
    let start = value(&render("landscape", "method=implicit&k=2"), "F");
    let end = value(&render("landscape", "method=implicit&k=2&steps=30"), "F");
    assert!(end < start - 0.01, "{end} {start}");
}

#[test]
fn weights_find_flipped_points_and_the_run_goes_on_where_it_was() {
    let at = |query: &str| value(&render("trust", query), "accuracy");
    let plain = at("method=plain&noise=40&step=150");
    for method in ["l2rw", "hyper-cleaning"] {
        let learnt = at(&format!("method={method}&noise=40&step=150"));
        assert!(learnt >= plain + 0.03, "{method}: {learnt}, plain {plain}");
    }
    let onward = (0..=20).map(|step| value(&render("trust", &format!("step={step}")), "first")).next_back().unwrap();
    render("trust", "step=0&rate=0.5");
    assert_eq!(value(&render("trust", "step=20"), "first"), onward, "at once, and step by step");
}

#[test]
fn pages_stand_alone_and_settings_are_checked() {
    for widget in widgets() {
        let page = page(&widget, &Engine::Server);
        assert!(page.contains("<svg") || widget.name == "stepper");
        assert!(
            !page.contains("http")
                || page.matches("http").count() == page.matches("http://www.w3.org/2000/svg").count()
        );
        assert!(widget.render("nothing=1").unwrap_err().contains("there is no `nothing` to set"));
        assert!(teach::answer(widget.name, "x=%zz").contains("role=\"alert\""));
    }
    let truncation = widget("truncation").unwrap();
    assert!(truncation.render("T=many").unwrap_err().contains("`many` is no number"));
    assert!(truncation.render("T=1000").unwrap_err().contains("not between 1 and 120"));
    assert!(truncation.render("T=NaN").unwrap_err().contains("not between"));
    assert!(widget("landscape").unwrap().render("method=magic").unwrap_err().contains("none of truncated"));
    assert!(teach::answer("nowhere", "").contains("there is no page"));
    // The ends of every slider.
    for widget in widgets() {
        for control in &widget.controls {
            if let teach::Control::Range { name, least, most, .. } = control {
                for end in [least, most] {
                    widget
                        .render(&format!("{name}={end}"))
                        .unwrap_or_else(|e| panic!("{} {name}={end}: {e}", widget.name));
                }
            }
        }
    }
}
