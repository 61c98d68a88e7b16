//! A linear classifier with the values that a file stores.

use super::logistic::softmax;
use super::matrix::{add_scaled, dot};
use crate::error::{Result, bail};

/// A linear classifier, `logits = weight * features + bias`, in f32. Its logits are computed in f64 in a fixed order, so that the same
/// values and features give the same bits on every target.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// Creates a classifier from its values: the weights of each class, `[classes, width]`, then the biases, `[classes]`.
    ///
    /// # Errors
    /// `InvalidArgument` if the number of values is wrong; `NonFiniteLoss` if one is infinite or NaN.
    pub fn from_values(values: &[f32], classes: usize, width: usize) -> Result<Linear> {
        let Some((weight, bias)) = classes
            .checked_mul(width)
            .and_then(|weights| values.split_at_checked(weights))
            .filter(|(_, bias)| bias.len() == classes)
        else {
            let found = values.len();
            bail!(
                InvalidArgument,
                "expected {width} weights and a bias for each of {classes} labels, found {found} values"
            );
        };
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            bail!(NonFiniteLoss, "a weight of the readout is {value}");
        }
        Ok(Linear { weight: weight.to_vec(), bias: bias.to_vec() })
    }

    /// The classifier that gives every class the same probability.
    pub fn zeros(classes: usize, width: usize) -> Linear {
        Linear { weight: vec![0.0; classes.saturating_mul(width)], bias: vec![0.0; classes] }
    }

    /// The values in the order of [`Linear::from_values`].
    pub fn values(&self) -> Vec<f32> {
        [self.weight.as_slice(), &self.bias].concat()
    }

    /// The weights, `[classes, width]`.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// The biases, `[classes]`.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.weight.len() / self.bias.len().max(1)
    }

    /// The logit of each class for one row of features.
    ///
    /// # Errors
    /// `InvalidArgument` if the row and the weights differ in width.
    pub fn logits(&self, features: &[f32]) -> Result<Vec<f64>> {
        let width = self.width();
        if features.len() != width {
            bail!(InvalidArgument, "expected {width} features, found {}", features.len());
        }
        let features = wide(features);
        let classes = self.weight.chunks_exact(width.max(1)).zip(&self.bias);
        Ok(classes.map(|(weight, &bias)| dot(&wide(weight), &features) + f64::from(bias)).collect())
    }
}

/// The log-loss of a class, in nats, from the logits of all classes.
pub fn log_loss(logits: &[f64], class: usize) -> f64 {
    softmax(&mut logits.to_vec()) - logits[class]
}

/// The probability of each class, from the logits of all classes.
pub fn probabilities(logits: &[f64]) -> Vec<f64> {
    let mut probabilities = logits.to_vec();
    softmax(&mut probabilities);
    probabilities
}

/// The shortest shift c of the features that is equivalent to the biases: weight * c = bias. `None` if there is no such shift.
///
/// The weights of a multinomial classifier sum to 0 over the classes, and so do its biases. So the last class is left out of the
/// equations, since it follows from the others.
pub fn solve_rows(linear: &Linear) -> Option<Vec<f64>> {
    let (width, count) = (linear.width(), linear.bias.len().saturating_sub(1));
    let rows: Vec<Vec<f64>> = linear.weight.chunks_exact(width.max(1)).map(wide).collect();
    // Cholesky decomposition of weight * weight^T, row by row.
    let mut lower: Vec<Vec<f64>> = Vec::with_capacity(count);
    for (i, row) in rows.iter().take(count).enumerate() {
        let mut factors: Vec<f64> = Vec::with_capacity(i + 1);
        for (other, known) in rows.iter().zip(&lower) {
            let at = factors.len();
            factors.push((dot(row, other) - dot(&factors, &known[..at])) / known[at]);
        }
        let own = dot(row, row);
        let rest = own - dot(&factors, &factors);
        if rest <= 1e-10 * own {
            return None;
        }
        factors.push(rest.sqrt());
        lower.push(factors);
    }
    let mut solution = wide(&linear.bias[..count]);
    for i in 0..count {
        solution[i] = (solution[i] - dot(&lower[i][..i], &solution[..i])) / lower[i][i];
    }
    for i in (0..count).rev() {
        solution[i] /= lower[i][i];
        for j in 0..i {
            solution[j] -= lower[i][j] * solution[i];
        }
    }
    let mut shift = vec![0.0; width];
    for (row, factor) in rows.iter().zip(&solution) {
        add_scaled(&mut shift, *factor, row);
    }
    let largest = linear.bias.iter().fold(0.0_f64, |largest, bias| largest.max(f64::from(*bias).abs()));
    let solved = rows
        .iter()
        .zip(&linear.bias)
        .all(|(row, bias)| (dot(row, &shift) - f64::from(*bias)).abs() <= 1e-5 * largest);
    solved.then_some(shift)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}
