//! The choice of the penalty's strength on rows held out.

use super::labels::Labels;
use super::logistic::Problem;
use super::matrix::Matrix;

/// The strengths tried, from the strongest: each fit begins at the one before it.
const STRENGTHS: [f64; 12] = [30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001];

/// The strength where no row can be held out, and the one that is expected before any is.
const DEFAULT: f64 = 1.0;

/// Nats that a strength loses for being a factor of e away from [`DEFAULT`]; the loss grows with the square of the logarithm. It is a
/// prior, log-normal with a variance of 2: the held-out loss of 32 rows is noise for the most part, and now and then it would choose a
/// strength with which nothing is learned. Beside that of hundreds of rows it does not count.
const PRIOR: f64 = 0.25;

const FOLDS: usize = 5;

/// Above this many rows one part is held out in place of five in turn.
const MAX_FOLDED_ROWS: usize = 1000;

/// The part of the rows that is held out above [`MAX_FOLDED_ROWS`]: one in this many.
const PART: usize = 4;

/// Largest entry of the gradient at which a trial ends: the held-out loss is then known to far less than strengths differ by.
const TOLERANCE: f64 = 1e-4;

/// The strength of the lowest log-loss on held-out rows, with what [`PRIOR`] adds, and its mean log-loss on them. Of equal ones the
/// stronger is taken.
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

/// The part of each row of data with these labels, of `parts` parts. The only row of a label has none.
pub fn folds(labels: &Labels, parts: usize) -> Vec<Option<usize>> {
    parts_of_rows(labels.of_rows(), labels.names().len(), parts)
}

/// The part of each row: the rows of each class are dealt to the parts in turn, and each class goes on where the one before
/// it ended. The only row of a class has no part, since a fit without it would know nothing of the class.
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
