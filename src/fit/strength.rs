//! Chooses the penalty's strength on held-out rows.

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
/// several are equal, the strongest is chosen.
pub(super) fn choose(features: &Matrix, labels: &[usize], classes: usize, bias: bool) -> (f64, Option<f64>) {
    let parts = if labels.len() <= MAX_FOLDED_ROWS { FOLDS } else { PART };
    let tried = if labels.len() <= MAX_FOLDED_ROWS { FOLDS } else { 1 };
    let part_of = parts_of_rows(labels, classes, parts);
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
        for (strength, sum) in STRENGTHS.iter().zip(&mut sums) {
            problem.strength = *strength;
            problem.minimize(&mut parameters, TOLERANCE);
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

/// The part, out of `parts`, of each row of data with these labels. A row that is the only one of its label has none.
pub fn folds(labels: &Labels, parts: usize) -> Vec<Option<usize>> {
    parts_of_rows(labels.of_rows(), labels.names().len(), parts)
}

/// The part of each row. The rows of each class are dealt to the parts in turn, and each class continues where the previous one
/// ended. A row that is the only one of its class has no part, since a fit without it could not learn the class.
pub(super) fn parts_of_rows(labels: &[usize], classes: usize, parts: usize) -> Vec<Option<usize>> {
    let mut part_of = vec![None; labels.len()];
    let mut next = 0;
    for class in 0..classes {
        let rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == class).collect();
        if rows.len() < 2 {
            continue;
        }
        for row in rows {
            part_of[row] = Some(next % parts);
            next += 1;
        }
    }
    part_of
}
