//! What is said of weights and models.

/// Mean and standard deviation (of a sample; 0 for one).
pub(crate) fn mean_and_deviation(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let squares: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / (x.len() as f64 - 1.0).max(1.0)).sqrt())
}

/// A mean in per cent, and its spread if there are several.
pub(crate) fn percent(x: &[f64]) -> String {
    let (mean, deviation) = mean_and_deviation(x);
    let spread = if x.len() > 1 { format!(" ± {:.1}", 100.0 * deviation) } else { String::new() };
    format!("{:.1} %{spread}", 100.0 * mean)
}

/// A mean with three places; nothing of nothing.
pub(crate) fn number(x: &[f64]) -> String {
    if x.is_empty() { String::new() } else { format!("{:.3}", mean_and_deviation(x).0) }
}

/// The order of suspicion: least weight first, those that were never drawn last. Of equal weights, the first row first.
pub(crate) fn by_suspicion(weights: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[a].is_nan().cmp(&weights[b].is_nan()).then(weights[a].total_cmp(&weights[b])));
    order
}

/// Points `(false positive rate, true positive rate)` of "corrupted" by a falling threshold on the weight, and the area under
/// them; `None` if all or none are corrupted. Equal weights are passed at once.
pub(crate) fn roc(weights: &[f64], wrong: &[bool]) -> Option<(Vec<(f64, f64)>, f64)> {
    let positives = wrong.iter().filter(|w| **w).count() as f64;
    let negatives = wrong.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let order = by_suspicion(weights);
    let (mut points, mut area) = (vec![(0.0, 0.0)], 0.0);
    let (mut hits, mut alarms) = (0.0, 0.0);
    for (place, &i) in order.iter().enumerate() {
        if wrong[i] {
            hits += 1.0;
        } else {
            alarms += 1.0;
        }
        let ends = order.get(place + 1).is_none_or(|&next| weights[next].total_cmp(&weights[i]).is_ne());
        if ends {
            let (x, y) = (alarms / negatives, hits / positives);
            let (x0, y0) = points[points.len() - 1];
            area += (x - x0) * (y + y0) / 2.0;
            points.push((x, y));
        }
    }
    Some((points, area))
}

/// Counts of `(true class, predicted class)`, row by row.
pub(crate) fn confusion(labels: &[usize], predicted: &[usize], classes: usize) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; classes]; classes];
    labels.iter().zip(predicted).for_each(|(&l, &p)| table[l][p] += 1);
    table
}

/// The mean over classes of the fraction that is right: what accuracy would be if classes were equally frequent.
pub(crate) fn balanced_accuracy(confusion: &[Vec<usize>]) -> f64 {
    let of = |(k, row): (usize, &Vec<usize>)| {
        let all: usize = row.iter().sum();
        (all > 0).then(|| row[k] as f64 / all as f64)
    };
    let known: Vec<f64> = confusion.iter().enumerate().filter_map(of).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

/// Mean weight of the wrong over that of the right; NaN without either.
pub(crate) fn weight_ratio(weights: &[f64], wrong: &[bool]) -> f64 {
    let mean = |kind: bool| {
        let of: Vec<f64> =
            weights.iter().zip(wrong).filter(|(w, k)| **k == kind && w.is_finite()).map(|(w, _)| *w).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    mean(true) / mean(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_the_chance_that_a_wrong_one_has_the_smaller_weight() {
        let weights = [0.1, 0.5, 0.5, 0.9, 0.0, f64::NAN];
        let wrong = [true, true, false, false, false, false];
        let (points, area) = roc(&weights, &wrong).unwrap();
        // By counting pairs: ties are half, a weight that is not known is the largest.
        let mut pairs = 0.0;
        for (w, _) in weights.iter().zip(wrong).filter(|(_, k)| *k) {
            for (r, _) in weights.iter().zip(wrong).filter(|(_, k)| !k) {
                pairs += if r.is_nan() || w < r {
                    1.0
                } else if w == r {
                    0.5
                } else {
                    0.0
                };
            }
        }
        assert!((area - pairs / 8.0).abs() < 1e-12);
        assert_eq!(points.last(), Some(&(1.0, 1.0)));
        assert!(roc(&weights, &[false; 6]).is_none());
        assert_eq!(by_suspicion(&weights), [4, 0, 1, 2, 3, 5]);
    }

    #[test]
    fn balanced_accuracy_weighs_classes_alike() {
        let table = confusion(&[0, 0, 0, 0, 1], &[0, 0, 0, 0, 0], 3);
        assert_eq!(table[0], [4, 0, 0]);
        assert_eq!(balanced_accuracy(&table), 0.5);
        assert_eq!(weight_ratio(&[1.0, 3.0, 4.0], &[true, false, false]), 1.0 / 3.5);
    }
}
