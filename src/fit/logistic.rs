//! The penalized log-loss of multinomial logistic regression and its minimum by Newton's method.
//!
//! Each Newton step is solved by conjugate gradients, which only need products with the Hessian (Nocedal and Wright, Numerical
//! Optimization, algorithm 7.1), and shortened until the objective decreases.

use super::matrix::{Matrix, add_scaled, dot};

const MAX_NEWTON_STEPS: usize = 100;
const MAX_CONJUGATE_STEPS: usize = 1000;
const MAX_HALVINGS: usize = 40;

/// The problem that a fit minimizes.
pub(super) struct Problem<'a> {
    /// `[all rows, width]`.
    pub(super) features: &'a Matrix,
    /// The class of every row of `features`.
    pub(super) labels: &'a [usize],
    /// The rows that are fitted.
    pub(super) rows: &'a [usize],
    pub(super) classes: usize,
    /// Whether biases are fitted. Otherwise they stay 0.
    pub(super) bias: bool,
    pub(super) strength: f64,
}

/// Converts logits to probabilities. Returns the logarithm of the sum of their exponentials.
pub(super) fn softmax(logits: &mut [f64]) -> f64 {
    let largest = logits
        .iter()
        .fold(f64::NEG_INFINITY, |largest, &logit| if logit > largest { logit } else { largest });
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = libm::exp(*logit - largest);
        sum += *logit;
    }
    logits.iter_mut().for_each(|value| *value /= sum);
    largest + libm::log(sum)
}

impl Problem<'_> {
    /// Zero parameters: the weights of each class, then its bias, `[classes, width + 1]`.
    pub(super) fn start(&self) -> Vec<f64> {
        vec![0.0; self.classes * (self.features.width + 1)]
    }

    /// Moves `parameters` to the minimum, until no entry of the gradient is larger than `tolerance`, or rounding hides any descent.
    pub(super) fn minimize(&self, parameters: &mut Vec<f64>, tolerance: f64) {
        let mut probabilities = vec![0.0; self.rows.len() * self.classes];
        let mut moved_probabilities = probabilities.clone();
        let mut objective = self.objective(parameters, &mut probabilities);
        for _ in 0..MAX_NEWTON_STEPS {
            let gradient = self.gradient(parameters, &probabilities);
            let size = gradient.iter().fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
            if size <= tolerance {
                return;
            }
            let direction = self.newton_direction(&gradient, &probabilities);
            let slope = dot(&gradient, &direction);
            // Near the minimum, the descent is smaller than the rounding error of the objective.
            let rounding = 1e-14 * (1.0 + objective.abs());
            let mut length = 1.0;
            let mut halvings = 0;
            loop {
                let mut moved = parameters.clone();
                add_scaled(&mut moved, length, &direction);
                let value = self.objective(&moved, &mut moved_probabilities);
                if value <= objective + 1e-4 * length * slope + rounding {
                    *parameters = moved;
                    objective = value;
                    std::mem::swap(&mut probabilities, &mut moved_probabilities);
                    break;
                }
                halvings += 1;
                if halvings > MAX_HALVINGS {
                    return;
                }
                length *= 0.5;
            }
        }
    }

    /// The mean log-loss of `rows` under `parameters`, without the penalty.
    pub(super) fn log_loss(&self, parameters: &[f64], rows: &[usize]) -> f64 {
        let mut logits = vec![0.0; self.classes];
        let sum = rows.iter().fold(0.0, |sum, &row| sum + self.row_loss(parameters, row, &mut logits));
        sum / rows.len() as f64
    }

    /// The log-loss of one row. Writes the probability of each class to `probabilities`.
    fn row_loss(&self, parameters: &[f64], row: usize, probabilities: &mut [f64]) -> f64 {
        self.products(parameters, row, probabilities);
        let logit = probabilities[self.labels[row]];
        softmax(probabilities) - logit
    }

    /// For each class, the product of a row with the class's weights, plus its bias.
    fn products(&self, parameters: &[f64], row: usize, out: &mut [f64]) {
        let width = self.features.width;
        let features = self.features.row(row);
        for (out, class) in out.iter_mut().zip(parameters.chunks_exact(width + 1)) {
            *out = dot(&class[..width], features) + class[width];
        }
    }

    /// The mean log-loss plus the penalty. Writes `[rows, classes]` to `probabilities`.
    fn objective(&self, parameters: &[f64], probabilities: &mut [f64]) -> f64 {
        let mut loss = 0.0;
        for (&row, probabilities) in self.rows.iter().zip(probabilities.chunks_exact_mut(self.classes)) {
            loss += self.row_loss(parameters, row, probabilities);
        }
        let width = self.features.width;
        let penalty = parameters
            .chunks_exact(width + 1)
            .fold(0.0, |sum, class| sum + dot(&class[..width], &class[..width]));
        loss / self.rows.len() as f64 + 0.5 * self.strength * penalty
    }

    fn gradient(&self, parameters: &[f64], probabilities: &[f64]) -> Vec<f64> {
        self.weighted_rows(parameters, probabilities, |row, _, residual| residual[self.labels[row]] -= 1.0)
    }

    fn hessian_product(&self, vector: &[f64], probabilities: &[f64], products: &mut [f64]) -> Vec<f64> {
        self.weighted_rows(vector, probabilities, |row, probabilities, factors| {
            self.products(vector, row, products);
            let mean = dot(probabilities, products);
            for ((factor, probability), product) in factors.iter_mut().zip(probabilities).zip(products.iter())
            {
                *factor = probability * (product - mean);
            }
        })
    }

    /// The mean over the rows of `factor of (row, class) * (features of row, 1)`, plus the penalty's contribution for `vector`.
    /// `change` receives a row, its probabilities, and the factors, which are initialized to the probabilities.
    fn weighted_rows(
        &self,
        vector: &[f64],
        probabilities: &[f64],
        mut change: impl FnMut(usize, &[f64], &mut [f64]),
    ) -> Vec<f64> {
        let width = self.features.width;
        let mut sum = self.start();
        let mut factors = vec![0.0; self.classes];
        for (&row, probabilities) in self.rows.iter().zip(probabilities.chunks_exact(self.classes)) {
            factors.copy_from_slice(probabilities);
            change(row, probabilities, &mut factors);
            for (class, &factor) in sum.chunks_exact_mut(width + 1).zip(&factors) {
                add_scaled(&mut class[..width], factor, self.features.row(row));
                if self.bias {
                    class[width] += factor;
                }
            }
        }
        let rows = self.rows.len() as f64;
        sum.iter_mut().for_each(|entry| *entry /= rows);
        for (class, vector) in sum.chunks_exact_mut(width + 1).zip(vector.chunks_exact(width + 1)) {
            add_scaled(&mut class[..width], self.strength, &vector[..width]);
        }
        sum
    }

    /// Solves `Hessian * direction = -gradient` by conjugate gradients. The smaller the gradient, the more precise the solution.
    fn newton_direction(&self, gradient: &[f64], probabilities: &[f64]) -> Vec<f64> {
        let mut products = vec![0.0; self.classes];
        let mut direction = vec![0.0; gradient.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|entry| -entry).collect();
        let mut conjugate = residual.clone();
        let mut squared = dot(&residual, &residual);
        let length = squared.sqrt();
        let enough = length * length.sqrt().min(0.1);
        for _ in 0..MAX_CONJUGATE_STEPS {
            if squared.sqrt() <= enough {
                break;
            }
            let image = self.hessian_product(&conjugate, probabilities, &mut products);
            let curvature = dot(&conjugate, &image);
            // The objective is convex, so only rounding can bring the curvature to 0.
            if curvature <= 0.0 {
                break;
            }
            let step = squared / curvature;
            add_scaled(&mut direction, step, &conjugate);
            add_scaled(&mut residual, -step, &image);
            let next = dot(&residual, &residual);
            let kept = next / squared;
            for (conjugate, residual) in conjugate.iter_mut().zip(&residual) {
                *conjugate = residual + kept * *conjugate;
            }
            squared = next;
        }
        direction
    }
}
