//! Where marks stand, read back from the text that was drawn.

use figures::{COLORS, Figure, Series, panels};

/// The attributes of the elements of a kind, as numbers.
fn elements(svg: &str, kind: &str, attributes: &[&str]) -> Vec<Vec<f64>> {
    let number = |element: &str, name: &str| -> f64 {
        let rest = element.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("{name}: {element}")).1;
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let start = format!("<{kind} ");
    let parts = svg.split(&start).skip(1).map(|part| format!(" {}", part.split_once('>').unwrap().0));
    parts.map(|element| attributes.iter().map(|name| number(&element, name)).collect()).collect()
}

#[test]
fn points_stand_where_the_axes_say() {
    let figure = Figure::new("t").x_range(0.0, 10.0).y_range(1.0, 100.0).log_y();
    let figure =
        figure.points(Series::new("", [(0.0, 1.0), (10.0, 100.0), (5.0, 10.0), (5.0, -1.0), (f64::NAN, 10.0)]));
    let at = elements(&figure.inline(), "circle", &["cx", "cy"]);
    assert_eq!(at.len(), 3, "what is not positive on a logarithmic axis, or no number, is not drawn");
    for (point, place) in [(0.0, 1.0), (10.0, 100.0), (5.0, 10.0)].into_iter().zip(&at) {
        let (x, y) = figure.locate(point).unwrap();
        assert!((x - place[0]).abs() < 0.006 && (y - place[1]).abs() < 0.006);
    }
    // The third is the middle of the other two on both axes.
    assert!(
        (at[2][0] - 0.5 * (at[0][0] + at[1][0])).abs() < 0.02 && (at[2][1] - 0.5 * (at[0][1] + at[1][1])).abs() < 0.02
    );
}

#[test]
fn bars_stand_on_zero_and_histograms_count() {
    let bars = Figure::new("t").bars([("a", 2.0, COLORS[0]), ("b", 6.0, COLORS[1])]);
    let boxes = elements(&bars.inline(), "rect", &["y", "height"]);
    assert!((boxes[1][1] / boxes[0][1] - 3.0).abs() < 0.01);
    assert!((boxes[0][0] + boxes[0][1] - boxes[1][0] - boxes[1][1]).abs() < 0.02, "one floor");
    // 0.1 and 0.2 in the first half, 0.9 and 1 in the second, what is outside in none.
    let values = [0.1, 0.2, 0.9, 1.0, 0.8, 7.0, f64::NAN];
    let counted = Figure::new("t").histogram("h", COLORS[0], &values, (0.0, 1.0), 2);
    let boxes = elements(&counted.inline(), "rect", &["height"]);
    assert!(boxes.len() == 2 && (boxes[1][0] / boxes[0][0] - 1.5).abs() < 0.01, "{boxes:?}");
}

#[test]
fn strips_join_neighbours_and_leave_out_nothing_else() {
    let figure = Figure::new("t").strip(COLORS[0], (0.0, 6.0), (0.0, 1.0), &[0.5, 0.5, 0.0, 1.0, 1.0, 1.0]);
    let widths = elements(&figure.inline(), "rect", &["width"]);
    assert!(widths.len() == 2 && (widths[1][0] / widths[0][0] - 1.5).abs() < 0.01, "{widths:?}");
}

#[test]
fn names_do_not_cover_each_other_and_text_is_escaped() {
    let same = |name: &str| Series::new(name, [(0.0, 0.0), (1.0, 1.0)]);
    let svg = Figure::new("a < b").x("\"x\"").line(same("first")).line(same("second & third")).inline();
    let name = |text: &str| -> f64 {
        let before = svg.split_once(&format!(">{text}</text>")).unwrap().0;
        before.rsplit_once(" y=\"").unwrap().1.split_once('"').unwrap().0.parse().unwrap()
    };
    assert!((name("first") - name("second &amp; third")).abs() >= 13.0);
    assert!(svg.contains("aria-label=\"a &lt; b\"") && svg.contains("&quot;x&quot;"));
}

#[test]
fn gaps_interrupt_a_line_and_a_lonely_point_is_a_dot() {
    let points = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0)];
    let svg = Figure::new("t").line(Series::new("", points)).inline();
    assert_eq!(svg.matches("stroke-width=\"2\"").count(), 1);
    assert_eq!(elements(&svg, "circle", &["r"]).len(), 1);
}

#[test]
fn panels_stand_beside_and_below_each_other() {
    let one = Figure::new("t").size(100.0, 80.0);
    let svg = panels("all", &[one.clone(), one.clone(), one], 2);
    assert!(svg.contains("viewBox=\"0 0 200 160\"") && svg.contains("<svg x=\"0\" y=\"80\""));
    assert!(svg.contains("prefers-color-scheme"), "what stands alone knows light and dark");
}

#[test]
#[should_panic(expected = "an axis from 1 to 1")]
fn an_axis_without_length_is_refused() {
    let _ = Figure::new("t").x_range(1.0, 1.0).inline();
}
