//! Chooses the penalty's strength on held-out rows.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::Labels;
use super::logistic::Problem;
use super::matrix::Matrix;

/// The strengths to try, strongest first. Each fit starts from the previous one.
const STRENGTHS: [f64; 12] = [30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001];

/// The strength used if no row can be held out, and the one expected before any row is held out.
const DEFAULT: f64 = 1.0;

/// The penalty, in nats, of a strength that differs from [`DEFAULT`] by a factor of e. It grows with the square of the logarithm,
/// which makes it a log-normal prior with a variance of 2. The held-out loss of 32 rows is mostly noise, and would sometimes choose
/// a strength with which nothing is learned. Compared with the loss of hundreds of rows, the prior is negligible.
const PRIOR: f64 = 0.25;

const FOLDS: usize = 5;

/// Maximum number of rows for which five parts are held out in turn; above, only one part is held out.
const MAX_FOLDED_ROWS: usize = 1000;

/// Above [`MAX_FOLDED_ROWS`], one in this many rows is held out.
const PART: usize = 4;

/// A trial ends when no entry of the gradient is larger than this. The held-out loss is then known far more precisely than the
/// strengths differ.
const TOLERANCE: f64 = 1e-4;

/// The strength with the lowest log-loss on held-out rows, including the penalty of [`PRIOR`], and its mean log-loss on them. If
/// several are equal, the strongest is chosen. `progress` receives the number of fits so far, and the number of all.
pub(super) fn choose(
    features: &Matrix,
    of: &Labels,
    bias: bool,
    progress: &mut dyn FnMut(usize, usize),
) -> (f64, Option<f64>) {
    let (labels, classes) = (of.of_rows(), of.names().len());
    let parts = if labels.len() <= MAX_FOLDED_ROWS { FOLDS } else { PART };
    let tried = if labels.len() <= MAX_FOLDED_ROWS { FOLDS } else { 1 };
    let part_of = folds(of, parts);
    let mut sums = [0.0; STRENGTHS.len()];
    let mut count = 0;
    for part in 0..tried {
        let (held_out, kept): (Vec<usize>, Vec<usize>) =
            (0..labels.len()).partition(|&row| part_of[row] == Some(part));
        if held_out.is_empty() {
            continue;
        }
        count += held_out.len();
        let mut problem = Problem { features, labels, rows: &kept, classes, bias, strength: DEFAULT };
        let mut parameters = problem.start();
        for (at, (strength, sum)) in STRENGTHS.iter().zip(&mut sums).enumerate() {
            problem.strength = *strength;
            problem.minimize(&mut parameters, TOLERANCE);
            progress(part * STRENGTHS.len() + at + 1, tried * STRENGTHS.len());
            *sum += problem.log_loss(&parameters, &held_out) * held_out.len() as f64;
        }
    }
    if count == 0 {
        return (DEFAULT, None);
    }
    let judged: Vec<f64> = STRENGTHS
        .iter()
        .zip(&sums)
        .map(|(strength, sum)| {
            let away = libm::log(strength / DEFAULT);
            sum + PRIOR * away * away
        })
        .collect();
    let best = (1..sums.len()).fold(0, |best, at| if judged[at] < judged[best] { at } else { best });
    (STRENGTHS[best], Some(sums[best] / count as f64))
}

/// The part, out of `parts`, of each row of data with these labels. The texts of each class are dealt to the parts in turn, and each
/// class continues where the previous one ended. Copies of a text are in one part, whatever their labels, because a fit to one of them
/// would know the others. The only text of a class has no part, since a fit without it could not learn the class.
pub fn folds(labels: &Labels, parts: usize) -> Vec<Option<usize>> {
    let (of_rows, texts) = (labels.of_rows(), labels.texts());
    let classes: Vec<Vec<usize>> = (0..labels.names().len())
        .map(|class| {
            let own = of_rows.iter().zip(texts).filter(|(label, _)| **label == class);
            let mut seen = BTreeSet::new();
            own.map(|(_, text)| *text).filter(|text| seen.insert(*text)).collect()
        })
        .collect();
    let only: BTreeSet<usize> = classes.iter().filter(|texts| texts.len() == 1).flatten().copied().collect();
    let mut part_of = BTreeMap::new();
    for text in classes.iter().flatten().filter(|text| !only.contains(text)) {
        let next = part_of.len() % parts;
        part_of.entry(*text).or_insert(next);
    }
    texts.iter().map(|text| part_of.get(text).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of_rows: &[usize], texts: &[&str]) -> Labels {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        Labels::numbered(names, of_rows.to_vec()).unwrap().with_texts(texts.iter())
    }

    #[test]
    fn each_class_is_dealt_to_the_parts_in_turn() {
        let labels = labels(&[0, 1, 0, 1, 0, 2], &["u", "v", "w", "x", "y", "z"]);
        assert_eq!(folds(&labels, 5), [Some(0), Some(3), Some(1), Some(4), Some(2), None]);
    }

    #[test]
    fn copies_of_a_text_are_held_out_together() {
        // The copies of "u" have two labels.
        let labels = labels(&[0, 0, 0, 1, 1, 1, 0, 1], &["u", "v", "u", "w", "u", "x", "v", "w"]);
        let parts = [Some(0), Some(1), Some(0), Some(2), Some(0), Some(3), Some(1), Some(2)];
        assert_eq!(folds(&labels, 5), parts);
        // Rows that were selected are still copies of each other.
        assert_eq!(folds(&labels.select(&[6, 3, 5, 0, 1]), 5), [Some(0), Some(2), Some(3), Some(1), Some(0)]);
    }

    #[test]
    fn the_only_text_of_a_class_is_never_held_out() {
        let labels = labels(&[0, 0, 1, 1, 2], &["u", "u", "v", "w", "v"]);
        assert_eq!(folds(&labels, 5), [None, None, None, Some(0), None]);
    }
}
