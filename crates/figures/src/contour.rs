//! Level lines of a function on a grid, by marching squares.

/// The segments of the level line through a grid of `columns × rows` values, row by row; coordinates count cells.
///
/// A cell whose corners cross the level twice on each side is divided by the mean of its corners; a corner that is not finite
/// leaves its cells empty.
pub(crate) fn level_line(values: &[f64], columns: usize, level: f64) -> Vec<[(f64, f64); 2]> {
    let rows = values.len() / columns.max(1);
    let mut segments = Vec::new();
    for row in 1..rows {
        for column in 1..columns {
            let at = |i: usize, j: usize| values[(row - 1 + i) * columns + column - 1 + j] - level;
            // Around the cell: corners, and the edges between each and the next.
            let corners = [at(0, 0), at(0, 1), at(1, 1), at(1, 0)];
            if corners.iter().any(|c| !c.is_finite()) {
                continue;
            }
            let places = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
            let mut crossings = Vec::with_capacity(4);
            for edge in 0..4 {
                let (a, b) = (corners[edge], corners[(edge + 1) % 4]);
                if (a < 0.0) != (b < 0.0) {
                    let t = a / (a - b);
                    let (p, q): ((f64, f64), (f64, f64)) = (places[edge], places[(edge + 1) % 4]);
                    let (x, y) = (p.0 + t * (q.0 - p.0), p.1 + t * (q.1 - p.1));
                    crossings.push(((column - 1) as f64 + x, (row - 1) as f64 + y));
                }
            }
            match crossings[..] {
                [a, b] => segments.push([a, b]),
                [a, b, c, d] => {
                    let middle = corners.iter().sum::<f64>();
                    // The first corner is on the side of the middle: its two edges belong to the other corners.
                    if (middle < 0.0) == (corners[0] < 0.0) {
                        segments.extend([[a, b], [c, d]]);
                    } else {
                        segments.extend([[d, a], [b, c]]);
                    }
                }
                _ => {}
            }
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::level_line;

    #[test]
    fn the_level_line_of_a_cone_is_a_circle() {
        let n = 41;
        let grid: Vec<f64> = (0..n * n).map(|i| ((i % n) as f64 - 20.0).hypot((i / n) as f64 - 20.0)).collect();
        let segments = level_line(&grid, n, 12.5);
        assert!(segments.len() > 80);
        let mut length = 0.0;
        for [a, b] in segments {
            for p in [a, b] {
                assert!(((p.0 - 20.0).hypot(p.1 - 20.0) - 12.5).abs() < 0.02);
            }
            length += (a.0 - b.0).hypot(a.1 - b.1);
        }
        assert!((length - std::f64::consts::TAU * 12.5).abs() < 0.2, "{length}");
    }

    #[test]
    fn a_saddle_is_divided_by_its_middle_and_gaps_stay_empty() {
        // Corners + − / − + with a positive middle: the two negative corners are cut off.
        let segments = level_line(&[3.0, -1.0, -1.0, 3.0], 2, 0.0);
        assert_eq!(segments, [[(0.75, 0.0), (1.0, 0.25)], [(0.25, 1.0), (0.0, 0.75)]]);
        assert!(level_line(&[3.0, f64::NAN, -1.0, 3.0], 2, 0.0).is_empty());
    }
}
