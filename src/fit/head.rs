//! A language model's head on label words, with the gradient of its log-loss, which [`super::head_fit`] minimizes.

use super::logistic::softmax;
use super::matrix::{add_scaled, dot};
use crate::error::{Result, bail};

/// A nonlinearity and its derivative.
pub type Slope = fn(f64) -> (f64, f64);

/// The operation applied to hidden states before the label words' rows.
#[derive(Clone, Debug)]
pub enum HeadInner {
    /// A masked model's transform, `norm(activation(weight * h + bias))`.
    Dense {
        /// `[width, hidden]`.
        weight: Vec<f64>,
        /// `[width]`, if the layer has biases.
        bias: Option<Vec<f64>>,
        /// The nonlinearity.
        activation: Slope,
        /// The layer norm's weight, `[width]`.
        norm_weight: Vec<f64>,
        /// The layer norm's bias, `[width]`, if it has one.
        norm_bias: Option<Vec<f64>>,
        /// Added to the variance.
        epsilon: f64,
    },
    /// A low-rank correction before a causal model's head, `h + b * (a * h)`.
    LowRank {
        /// `[rank, hidden]`.
        a: Vec<f64>,
        /// `[hidden, rank]`.
        b: Vec<f64>,
    },
}

/// A head on label words: `logits = rows * inner(h) + bias`, where h are the hidden states at the mask or at the last token.
#[derive(Clone, Debug)]
pub struct WordHead {
    /// Number of features.
    pub hidden: usize,
    /// The operation applied to the features first.
    pub inner: HeadInner,
    /// A row of weights for each label word, `[labels, width]`.
    pub rows: Vec<f64>,
    /// `[labels]`, if the head has biases.
    pub bias: Option<Vec<f64>>,
    /// Number of labels.
    pub labels: usize,
    /// The softcap: logits l become cap * tanh(l / cap).
    pub softcap: Option<f64>,
}

/// The intermediate values of one row that the gradient needs.
#[derive(Default)]
pub(super) struct Row {
    /// The values before the nonlinearity, or a * h.
    first: Vec<f64>,
    /// The slopes of the nonlinearity.
    slopes: Vec<f64>,
    /// The normalized values, before the norm's weight.
    normalized: Vec<f64>,
    /// 1 / standard deviation in the norm.
    inverse: f64,
    /// The vector that the label words' rows are multiplied by.
    pub(super) inner: Vec<f64>,
    pub(super) logits: Vec<f64>,
    /// The slopes of the softcap.
    caps: Vec<f64>,
}

impl WordHead {
    /// Number of values in a label word's row.
    pub fn width(&self) -> usize {
        self.rows.len() / self.labels
    }

    /// The groups of fitted values, in the order of [`WordHead::values`].
    fn groups(&self) -> Vec<&[f64]> {
        let mut groups: Vec<&[f64]> = Vec::new();
        match &self.inner {
            HeadInner::Dense { weight, bias, norm_weight, norm_bias, .. } => {
                groups.push(weight);
                groups.extend(bias.as_deref());
                groups.push(norm_weight);
                groups.extend(norm_bias.as_deref());
            }
            HeadInner::LowRank { a, b } => groups.extend([&a[..], b]),
        }
        groups.push(&self.rows);
        groups.extend(self.bias.as_deref());
        groups
    }

    fn groups_mut(&mut self) -> Vec<&mut [f64]> {
        let mut groups: Vec<&mut [f64]> = Vec::new();
        match &mut self.inner {
            HeadInner::Dense { weight, bias, norm_weight, norm_bias, .. } => {
                groups.push(weight);
                groups.extend(bias.as_deref_mut());
                groups.push(norm_weight);
                groups.extend(norm_bias.as_deref_mut());
            }
            HeadInner::LowRank { a, b } => groups.extend([&mut a[..], b]),
        }
        groups.push(&mut self.rows);
        groups.extend(self.bias.as_deref_mut());
        groups
    }

    /// All fitted values, in this order: the weights, biases, norm weights and norm biases of the transform, or the factors a and
    /// b; the rows; the biases. Parts that the head does not have are left out.
    pub fn values(&self) -> Vec<f64> {
        self.groups().concat()
    }

    /// Replaces all fitted values.
    ///
    /// # Errors
    /// `InvalidArgument` if the number of values differs from that of [`WordHead::values`].
    pub fn set(&mut self, values: &[f64]) -> Result<()> {
        let expected: usize = self.groups().iter().map(|group| group.len()).sum();
        if values.len() != expected {
            let found = values.len();
            bail!(InvalidArgument, "expected {expected} values of the head on label words, found {found}");
        }
        self.place(values);
        Ok(())
    }

    /// Replaces all fitted values. Their number has already been checked.
    pub(super) fn place(&mut self, values: &[f64]) {
        let mut rest = values;
        for group in self.groups_mut() {
            let (now, later) = rest.split_at(group.len());
            group.copy_from_slice(now);
            rest = later;
        }
    }

    /// Computes the logits of a row of features.
    pub(super) fn forward(&self, h: &[f64], row: &mut Row) {
        match &self.inner {
            HeadInner::Dense { weight, bias, activation, norm_weight, norm_bias, epsilon } => {
                let width = norm_weight.len();
                row.first.clear();
                row.slopes.clear();
                for (at, weight) in weight.chunks_exact(self.hidden).enumerate() {
                    let x = dot(weight, h) + bias.as_ref().map_or(0.0, |bias| bias[at]);
                    let (value, slope) = activation(x);
                    row.first.push(value);
                    row.slopes.push(slope);
                }
                let mean = row.first.iter().sum::<f64>() / width as f64;
                let variance = row.first.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / width as f64;
                row.inverse = 1.0 / (variance + epsilon).sqrt();
                row.normalized.clear();
                row.normalized.extend(row.first.iter().map(|x| (x - mean) * row.inverse));
                row.inner.clear();
                row.inner.extend(row.normalized.iter().zip(norm_weight).map(|(x, weight)| x * weight));
                if let Some(bias) = norm_bias {
                    add_scaled(&mut row.inner, 1.0, bias);
                }
            }
            HeadInner::LowRank { a, b } => {
                row.first.clear();
                row.first.extend(a.chunks_exact(self.hidden).map(|a| dot(a, h)));
                row.inner.clear();
                let rank = row.first.len();
                row.inner.extend(h.iter().zip(b.chunks_exact(rank)).map(|(h, b)| h + dot(b, &row.first)));
            }
        }
        row.logits.clear();
        row.caps.clear();
        for (at, weight) in self.rows.chunks_exact(self.width()).enumerate() {
            let logit = dot(weight, &row.inner) + self.bias.as_ref().map_or(0.0, |bias| bias[at]);
            let Some(cap) = self.softcap else {
                row.logits.push(logit);
                row.caps.push(1.0);
                continue;
            };
            let t = libm::tanh(logit / cap);
            row.logits.push(cap * t);
            row.caps.push(1.0 - t * t);
        }
    }

    /// Returns the log-loss of a row, and adds its gradient to `gradient`.
    pub(super) fn loss(&self, h: &[f64], label: usize, row: &mut Row, gradient: &mut [f64]) -> f64 {
        self.forward(h, row);
        let logit = row.logits[label];
        let loss = softmax(&mut row.logits) - logit;
        // From here on, this is the gradient with respect to the logits before the cap.
        row.logits[label] -= 1.0;
        row.logits.iter_mut().zip(&row.caps).for_each(|(residual, cap)| *residual *= cap);
        let (width, hidden) = (self.width(), self.hidden);
        let inner = gradient.len() - self.rows.len() - self.bias.as_ref().map_or(0, Vec::len);
        let (of_inner, of_rows) = gradient.split_at_mut(inner);
        let (of_rows, of_bias) = of_rows.split_at_mut(self.rows.len());
        let mut back = vec![0.0; width];
        for ((of_row, weight), &residual) in
            of_rows.chunks_exact_mut(width).zip(self.rows.chunks_exact(width)).zip(&row.logits)
        {
            add_scaled(of_row, residual, &row.inner);
            add_scaled(&mut back, residual, weight);
        }
        add_scaled(of_bias, 1.0, &row.logits[..of_bias.len()]);
        match &self.inner {
            HeadInner::Dense { bias, norm_weight, norm_bias, .. } => {
                let (of_weight, rest) = of_inner.split_at_mut(width * hidden);
                let (of_dense_bias, rest) = rest.split_at_mut(bias.as_ref().map_or(0, Vec::len));
                let (of_norm, of_norm_bias) = rest.split_at_mut(width);
                for ((of, back), x) in of_norm.iter_mut().zip(&back).zip(&row.normalized) {
                    *of += back * x;
                }
                if norm_bias.is_some() {
                    add_scaled(of_norm_bias, 1.0, &back);
                }
                back.iter_mut().zip(norm_weight).for_each(|(back, weight)| *back *= weight);
                let mean = back.iter().sum::<f64>() / width as f64;
                let along = dot(&back, &row.normalized) / width as f64;
                for ((back, x), slope) in back.iter_mut().zip(&row.normalized).zip(&row.slopes) {
                    *back = (*back - mean - x * along) * row.inverse * slope;
                }
                for (of, &back) in of_weight.chunks_exact_mut(hidden).zip(&back) {
                    add_scaled(of, back, h);
                }
                add_scaled(of_dense_bias, 1.0, &back[..of_dense_bias.len()]);
            }
            HeadInner::LowRank { a, b } => {
                let rank = row.first.len();
                let (of_a, of_b) = of_inner.split_at_mut(a.len());
                let mut inward = vec![0.0; rank];
                for ((of, b), &back) in of_b.chunks_exact_mut(rank).zip(b.chunks_exact(rank)).zip(&back) {
                    add_scaled(of, back, &row.first);
                    add_scaled(&mut inward, back, b);
                }
                for (of, &inward) in of_a.chunks_exact_mut(hidden).zip(&inward) {
                    add_scaled(of, inward, h);
                }
            }
        }
        loss
    }
}
