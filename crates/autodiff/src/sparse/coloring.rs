//! Colourings: groups of columns, or rows, that one directional derivative can serve.
//!
//! (Curtis, Powell, Reid 1974; Coleman, Moré 1983, 1984; Gebremedhin, Manne, Pothen: What color is your Jacobian?,
//! SIAM Review 47, 2005.)

use super::csr::Pattern;

const NONE: u32 = u32::MAX;

/// The smallest colour that `forbidden` does not mark with `mark`.
fn smallest(forbidden: &mut Vec<usize>, mark: usize) -> u32 {
    let color = forbidden.iter().position(|&f| f != mark).unwrap_or(forbidden.len());
    if color == forbidden.len() {
        forbidden.push(usize::MAX);
    }
    color as u32
}

/// Vertices with the most neighbours first.
fn by_degree(pattern: &Pattern) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pattern.rows()).collect();
    order.sort_by_key(|&v| std::cmp::Reverse(pattern.row(v).len()));
    order
}

/// Colours rows so that no two of one colour have an entry in the same column: a VJP serves a colour.
///
/// Greedy, the fullest rows first. Time: entries × the most entries of a column.
pub fn color_rows(pattern: &Pattern) -> Vec<u32> {
    let columns = pattern.transpose();
    let mut colors = vec![NONE; pattern.rows()];
    let mut forbidden = Vec::new();
    for v in by_degree(pattern) {
        for &column in pattern.row(v) {
            for &other in columns.row(column as usize) {
                if colors[other as usize] != NONE {
                    forbidden[colors[other as usize] as usize] = v;
                }
            }
        }
        colors[v] = smallest(&mut forbidden, v);
    }
    colors
}

/// Colours columns so that no two of one colour have an entry in the same row: a JVP serves a colour.
///
/// Greedy, the fullest columns first. Time: entries × the most entries of a row.
pub fn color_columns(pattern: &Pattern) -> Vec<u32> {
    color_rows(&pattern.transpose())
}

/// Colours the columns of a symmetric matrix so that each entry, or its mirror image, stands alone among the columns of
/// one colour in its row: a star colouring. Fewer colours than [`color_columns`] needs, for the same Hessian-vector
/// products.
///
/// Time: entries × the square of the most entries of a row.
///
/// # Panics
/// If the pattern is not symmetric.
#[track_caller]
pub fn color_star(pattern: &Pattern) -> Vec<u32> {
    assert!(pattern.rows() == pattern.columns(), "star colouring: {}×{}", pattern.rows(), pattern.columns());
    assert!(pattern.transpose() == *pattern, "star colouring: the pattern is not symmetric");
    let mut colors = vec![NONE; pattern.rows()];
    let mut forbidden: Vec<usize> = Vec::new();
    let neighbours = |v: usize| pattern.row(v).iter().map(|&w| w as usize).filter(move |&w| w != v);
    for v in by_degree(pattern) {
        for w in neighbours(v) {
            if colors[w] != NONE {
                forbidden[colors[w] as usize] = v;
            }
            for x in neighbours(w).filter(|&x| x != v) {
                if colors[x] == NONE {
                    continue;
                }
                // A path v, w, x, y of two colours only must not arise; w without a colour may yet get any.
                let closes = colors[w] == NONE || neighbours(x).any(|y| y != w && colors[y] == colors[w]);
                if closes {
                    forbidden[colors[x] as usize] = v;
                }
            }
        }
        colors[v] = smallest(&mut forbidden, v);
    }
    colors
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symmetric(n: usize, edges: &[(usize, usize)]) -> Pattern {
        let mut rows: Vec<Vec<u32>> = (0..n as u32).map(|i| vec![i]).collect();
        for &(a, b) in edges.iter().filter(|(a, b)| a != b) {
            rows[a].push(b as u32);
            rows[b].push(a as u32);
        }
        rows.iter_mut().for_each(|row| {
            row.sort_unstable();
            row.dedup();
        });
        Pattern::new(n, rows.iter().map(|r| &r[..]))
    }

    proptest! {
        #[test]
        fn columns_of_a_color_never_meet(entries in prop::collection::vec((0_usize..12, 0_u32..15), 0..60)) {
            let mut rows = vec![Vec::new(); 12];
            entries.iter().for_each(|&(i, j)| rows[i].push(j));
            rows.iter_mut().for_each(|row: &mut Vec<u32>| { row.sort_unstable(); row.dedup(); });
            let pattern = Pattern::new(15, rows.iter().map(|r| &r[..]));
            let colors = color_columns(&pattern);
            for row in &rows {
                let mut seen: Vec<u32> = row.iter().map(|&j| colors[j as usize]).collect();
                seen.sort_unstable();
                prop_assert!(seen.windows(2).all(|w| w[0] != w[1]));
            }
        }

        #[test]
        fn each_entry_or_its_mirror_image_stands_alone(edges in prop::collection::vec((0_usize..14, 0_usize..14), 0..40)) {
            let pattern = symmetric(14, &edges);
            let colors = color_star(&pattern);
            let alone = |i: usize, j: usize| {
                pattern.row(i).iter().filter(|&&k| colors[k as usize] == colors[j]).count() == 1
            };
            for i in 0..14 {
                for &j in pattern.row(i) {
                    let j = j as usize;
                    let found = if i == j { alone(i, i) } else { alone(i, j) || alone(j, i) };
                    prop_assert!(found);
                }
            }
        }
    }

    #[test]
    fn known_patterns_get_the_fewest_colors() {
        let count = |colors: &[u32]| colors.iter().max().unwrap() + 1;
        let chain: Vec<(usize, usize)> = (0..99).map(|i| (i, i + 1)).collect();
        // A tridiagonal matrix: three as any, three as a symmetric one.
        assert_eq!(count(&color_columns(&symmetric(100, &chain))), 3);
        assert_eq!(count(&color_star(&symmetric(100, &chain))), 3);
        // An arrow: every two columns meet in the first row, but two colours tell a symmetric one.
        let arrow: Vec<(usize, usize)> = (1..50).map(|i| (0, i)).collect();
        assert_eq!(count(&color_columns(&symmetric(50, &arrow))), 50);
        assert_eq!(count(&color_star(&symmetric(50, &arrow))), 2);
    }
}
