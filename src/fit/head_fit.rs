//! Fits a language model's head to label words, on cached hidden states h.
//!
//! The fit starts at the pretrained values, and minimizes `sum over rows of -log softmax(logits)[label] + strength / 2 * |d|^2`,
//! where d is the difference from the pretrained values. Each value is measured in a unit in which its typical input is 1: a weight
//! of a feature is multiplied by the feature's standard deviation. Since the loss is a sum, the penalty is a normal prior with the
//! same variance for any number of rows. The strength is therefore chosen on the first rows and also holds for more rows.
//!
//! The problem is not convex. The starting point and all arithmetic are deterministic, so that the same features give the same bits
//! on every target.

use super::head::{HeadInner, Row, WordHead};
use super::matrix::dot;
use super::{Labels, Strength, lbfgs, strength};
use crate::error::{Result, bail};

/// The strengths to try, strongest first. Weaker ones take longer, so trials end once the held-out loss has risen.
const STRENGTHS: [f64; 6] = [3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0];

/// The penalty, in nats, of a strength that differs from the expected one by a factor of e. It grows with the square of the
/// logarithm. The held-out loss of a few rows is mostly noise.
const PRIOR: f64 = 1.0;

/// Maximum number of rows that the strength is chosen on.
const CHOSEN_ON: usize = 1000;

/// Maximum number of rows for which five parts are held out in turn; with more rows, a single quarter is held out.
const MAX_FOLDED_ROWS: usize = 100;

/// A trial of a strength ends when no entry of the mean gradient is larger than this.
const TRIAL_TOLERANCE: f64 = 3e-4;

/// Maximum number of steps of a fit.
const MAX_STEPS: usize = 300;

/// A fitted head.
#[derive(Clone, Debug)]
pub struct WordFit {
    /// The head, for unscaled features.
    pub head: WordHead,
    /// The strength of the penalty, as given or chosen.
    pub strength: f64,
    /// The mean log-loss on the fitted rows, in nats.
    pub loss: f64,
}

/// The mean and the standard deviation of each feature.
struct Scaling {
    /// Zeros if features are not centered.
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl WordHead {
    /// Fits the head, which has the pretrained values, to `features`, `[rows, hidden]`, and the label of each row. The fit ends
    /// when no entry of the gradient of the mean loss is larger than `tolerance`.
    ///
    /// # Errors
    /// `InvalidArgument` if the sizes do not match, or the strength is not a positive number; `NonFiniteLoss` if a feature or a
    /// fitted value is infinite or NaN.
    pub fn fit(&self, features: &[f32], of: &Labels, strength: Strength, tolerance: f64) -> Result<WordFit> {
        let labels = of.of_rows();
        let (rows, width) = (labels.len(), self.hidden);
        if rows == 0 || rows.checked_mul(width) != Some(features.len()) {
            let found = features.len();
            bail!(InvalidArgument, "expected {rows} rows of {width} features, found {found} values");
        }
        if let Some(label) = labels.iter().find(|label| **label >= self.labels) {
            bail!(InvalidArgument, "label {label} is out of range: the head has {} labels", self.labels);
        }
        if let Some(at) = features.iter().position(|value| !value.is_finite()) {
            bail!(NonFiniteLoss, "row {}: feature {} is {}", at / width + 1, at % width, features[at]);
        }
        if let Strength::Fixed(value) = strength
            && !(value.is_finite() && value > 0.0)
        {
            bail!(InvalidArgument, "the strength of the penalty must be greater than 0, found {value}");
        }
        let scaling = Scaling::of(features, width, self.centers());
        let standardized = scaling.apply(features);
        let start = self.standardized(&scaling);
        let strength = match strength {
            Strength::Fixed(value) => value,
            Strength::Chosen => choose(&start, &standardized, of),
        };
        let every_row: Vec<usize> = (0..rows).collect();
        let mut problem = Problem::new(&start, &standardized, labels, every_row);
        problem.minimize(strength, tolerance);
        let loss = problem.log_loss(&problem.rows.clone());
        let head = self.original(&start, &problem.head, &scaling);
        if head.values().iter().any(|value| !value.is_finite()) {
            bail!(NonFiniteLoss, "a fitted value of the head is infinite or not a number");
        }
        Ok(WordFit { head, strength, loss })
    }

    /// The logit of each label for one row of features.
    pub fn logits(&self, features: &[f64]) -> Vec<f64> {
        let mut row = Row::default();
        self.forward(features, &mut row);
        row.logits
    }

    /// Whether the head has biases that can absorb the features' means.
    fn centers(&self) -> bool {
        matches!(self.inner, HeadInner::Dense { bias: Some(_), .. })
    }

    /// The strength that is expected before any row is held out, and used if none can be held out. It is the value that worked for
    /// spam detection and the small BERT with 64 to 5,046 rows. A low-rank correction has fewer values, each of which must
    /// contribute more.
    fn expected_strength(&self) -> f64 {
        match self.inner {
            HeadInner::Dense { .. } => 300.0,
            HeadInner::LowRank { .. } => 30.0,
        }
    }

    /// The equivalent head for standardized features.
    fn standardized(&self, scaling: &Scaling) -> WordHead {
        let mut head = self.clone();
        match &mut head.inner {
            HeadInner::Dense { weight, bias, .. } => {
                if let Some(bias) = bias {
                    for (bias, weight) in bias.iter_mut().zip(weight.chunks_exact(self.hidden)) {
                        *bias += dot(weight, &scaling.mean);
                    }
                }
                scale_columns(weight, &scaling.deviation);
            }
            // The correction applies to standardized features, so that the initial values of a need not depend on their units.
            HeadInner::LowRank { .. } => scale_columns(&mut head.rows, &scaling.deviation),
        }
        head
    }

    /// Converts `fitted`, for standardized features, to the equivalent head for unscaled features. `start` is the head that the fit
    /// started from.
    fn original(&self, start: &WordHead, fitted: &WordHead, scaling: &Scaling) -> WordHead {
        let inverse: Vec<f64> = scaling
            .deviation
            .iter()
            .map(|&deviation| if deviation == 0.0 { 0.0 } else { 1.0 / deviation })
            .collect();
        // The weights of a constant feature stay at their pretrained values.
        let moved = |own: &[f64], start: &[f64], fitted: &[f64]| {
            let columns = inverse.iter().cycle();
            let differences = fitted.iter().zip(start).map(|(fitted, start)| fitted - start);
            own.iter()
                .zip(differences)
                .zip(columns)
                .map(|((own, moved), inverse)| own + moved * inverse)
                .collect::<Vec<f64>>()
        };
        let mut head = fitted.clone();
        match (&mut head.inner, &self.inner, &start.inner, &fitted.inner) {
            (
                HeadInner::Dense { weight, bias, .. },
                HeadInner::Dense { weight: own, .. },
                HeadInner::Dense { weight: before, .. },
                HeadInner::Dense { weight: after, .. },
            ) => {
                *weight = moved(own, before, after);
                if let Some(bias) = bias {
                    for (bias, weight) in bias.iter_mut().zip(weight.chunks_exact(self.hidden)) {
                        *bias -= dot(weight, &scaling.mean);
                    }
                }
            }
            (HeadInner::LowRank { a, b }, ..) => {
                scale_columns(a, &inverse);
                let rank = b.len() / self.hidden;
                for (b, deviation) in b.chunks_exact_mut(rank).zip(&scaling.deviation) {
                    b.iter_mut().for_each(|value| *value *= deviation);
                }
                head.rows = moved(&self.rows, &start.rows, &fitted.rows);
            }
            _ => {}
        }
        head
    }
}

fn scale_columns(matrix: &mut [f64], factors: &[f64]) {
    for (value, factor) in matrix.iter_mut().zip(factors.iter().cycle()) {
        *value *= factor;
    }
}

impl Scaling {
    fn of(features: &[f32], width: usize, center: bool) -> Scaling {
        let rows = (features.len() / width) as f64;
        let mut mean = vec![0.0; width];
        if center {
            for row in features.chunks_exact(width) {
                mean.iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value));
            }
            mean.iter_mut().for_each(|sum| *sum /= rows);
        }
        let mut deviation = vec![0.0; width];
        for row in features.chunks_exact(width) {
            for ((deviation, &value), mean) in deviation.iter_mut().zip(row).zip(&mean) {
                let centered = f64::from(value) - mean;
                *deviation += centered * centered;
            }
        }
        for (deviation, mean) in deviation.iter_mut().zip(&mean) {
            *deviation = (*deviation / rows).sqrt();
            // Rounding of the mean leaves a constant feature with a deviation below this.
            if *deviation <= 1e-11 * mean.abs() {
                *deviation = 0.0;
            }
        }
        Scaling { mean, deviation }
    }

    /// Features with mean 0, if they are centered, and mean square 1. A constant feature becomes 0.
    fn apply(&self, features: &[f32]) -> Vec<f64> {
        let of_columns = self.mean.iter().zip(&self.deviation).cycle();
        let standardized = features.iter().zip(of_columns).map(|(&value, (mean, &deviation))| {
            if deviation == 0.0 { 0.0 } else { (f64::from(value) - mean) / deviation }
        });
        standardized.collect()
    }
}

/// A fit on standardized features.
struct Problem<'a> {
    features: &'a [f64],
    labels: &'a [usize],
    /// The fitted rows.
    rows: Vec<usize>,
    head: WordHead,
    start: Vec<f64>,
    /// How far each value moves per unit of distance.
    units: Vec<f64>,
    /// How far each value has moved, in its unit.
    moved: Vec<f64>,
}

impl<'a> Problem<'a> {
    fn new(start: &WordHead, features: &'a [f64], labels: &'a [usize], rows: Vec<usize>) -> Problem<'a> {
        let values = start.values();
        let mut units = vec![1.0; values.len()];
        if matches!(start.inner, HeadInner::Dense { .. }) {
            // The label words' rows are multiplied by the transform's outputs.
            let mut squares = vec![0.0; start.width()];
            let mut row = Row::default();
            for &index in &rows {
                start.forward(&features[index * start.hidden..][..start.hidden], &mut row);
                squares.iter_mut().zip(&row.inner).for_each(|(sum, x)| *sum += x * x);
            }
            let count = rows.len() as f64;
            let first = values.len() - start.rows.len() - start.bias.as_ref().map_or(0, Vec::len);
            let of_rows = units[first..].iter_mut().take(start.rows.len());
            for (unit, square) in of_rows.zip(squares.iter().cycle()) {
                *unit = if *square == 0.0 { 0.0 } else { 1.0 / (square / count).sqrt() };
            }
        }
        let moved = vec![0.0; values.len()];
        Problem { features, labels, rows, head: start.clone(), start: values, units, moved }
    }

    /// Moves the head to the minimum, starting from its current values.
    fn minimize(&mut self, strength: f64, tolerance: f64) {
        let Problem { features, labels, rows, head, start, units, moved } = self;
        let hidden = head.hidden;
        let (mut row, mut values) = (Row::default(), start.clone());
        let mut objective = |moved: &[f64], gradient: &mut [f64]| {
            place(&mut values, start, units, moved);
            head.place(&values);
            gradient.fill(0.0);
            let loss = rows.iter().fold(0.0, |sum, &index| {
                sum + head.loss(&features[index * hidden..][..hidden], labels[index], &mut row, gradient)
            });
            for ((gradient, unit), moved) in gradient.iter_mut().zip(units.iter()).zip(moved) {
                *gradient = *gradient * unit + strength * moved;
            }
            loss + 0.5 * strength * dot(moved, moved)
        };
        lbfgs::minimize(moved, tolerance * rows.len() as f64, MAX_STEPS, &mut objective);
        place(&mut values, start, units, moved);
        head.place(&values);
    }

    /// The mean log-loss of some rows.
    fn log_loss(&self, rows: &[usize]) -> f64 {
        let (hidden, mut row) = (self.head.hidden, Row::default());
        let sum = rows.iter().fold(0.0, |sum, &index| {
            self.head.forward(&self.features[index * hidden..][..hidden], &mut row);
            sum + super::log_loss(&row.logits, self.labels[index])
        });
        sum / rows.len() as f64
    }
}

/// values = start + units * moved.
fn place(values: &mut [f64], start: &[f64], units: &[f64], moved: &[f64]) {
    values.copy_from_slice(start);
    for ((value, unit), moved) in values.iter_mut().zip(units).zip(moved) {
        *value += unit * moved;
    }
}

/// The strength with the lowest log-loss on held-out rows among the first rows, including the penalty of [`PRIOR`].
fn choose(start: &WordHead, features: &[f64], of: &Labels) -> f64 {
    let first: Vec<usize> = (0..of.of_rows().len().min(CHOSEN_ON)).collect();
    let of = of.select(&first);
    let labels = of.of_rows();
    let (parts, tried) = if labels.len() <= MAX_FOLDED_ROWS { (5, 5) } else { (4, 1) };
    let part_of = strength::folds(&of, parts);
    let mut problems = Vec::new();
    for part in 0..tried {
        let (held_out, kept): (Vec<usize>, Vec<usize>) =
            (0..labels.len()).partition(|&row| part_of[row] == Some(part));
        if !held_out.is_empty() {
            problems.push((Problem::new(start, features, labels, kept), held_out));
        }
    }
    let expected = start.expected_strength();
    let mut best = (expected, f64::INFINITY);
    let mut before = f64::INFINITY;
    for strength in STRENGTHS {
        let mut sum = 0.0;
        for (problem, held_out) in &mut problems {
            problem.minimize(strength, TRIAL_TOLERANCE);
            sum += problem.log_loss(held_out) * held_out.len() as f64;
        }
        let away = libm::log(strength / expected);
        let judged = sum + PRIOR * away * away;
        if problems.is_empty() {
            break;
        }
        if judged < best.1 {
            best = (strength, judged);
        }
        // Weaker strengths would only fit the training rows better.
        if judged > before {
            break;
        }
        before = judged;
    }
    best.0
}
