//! Fitting a classifier on cached features, on the host: multinomial logistic regression with an L2 penalty.
//!
//! The fit minimizes `mean over rows of -log softmax(W x + b)[label] + strength / 2 * |W|^2` over the standardized features `x`
//! (mean 0 and variance 1 each). The biases `b` are not penalized. scikit-learn's `LogisticRegression` minimizes the same with
//! `C = 1 / (rows * strength)`. With two classes, scikit-learn has one row of weights, the difference of our two rows, and
//! `C = 2 / (rows * strength)`.
//!
//! All arithmetic is f64 in a fixed order, and `exp` and `log` come from the `libm` crate, so that the same features give the same
//! bits natively and in every browser.

mod head;
mod head_fit;
mod labels;
mod lbfgs;
mod linear;
mod logistic;
mod matrix;
mod principal;
mod strength;

use crate::error::{Result, bail};

pub use head::{HeadInner, Slope, WordHead};
pub use head_fit::WordFit;
pub(crate) use labels::plain;
pub use labels::{Labels, MAX_LABEL_BYTES, MAX_LABELS, position};
pub use linear::{Linear, log_loss, probabilities, solve_rows};
use logistic::Problem;
use matrix::{RowSpace, dot};
pub use principal::SecondMoments;
pub use strength::folds;

/// A fit ends when no entry of the gradient is larger than this. The curvature along every weight is at least the strength, so the
/// weights are then accurate to this value divided by the strength.
const TOLERANCE: f64 = 1e-10;

/// Features are replaced by coordinates in the row space if there are at least this many times as many features as rows. Otherwise,
/// an orthonormal basis of that space costs more than it saves.
const WIDE: usize = 4;

/// The strength of the L2 penalty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strength {
    /// This strength, a positive number.
    Fixed(f64),
    /// The strength with the lowest log-loss on held-out rows: with five folds up to 1,000 rows, and with one quarter held out above.
    Chosen,
}

/// The options of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The strength of the penalty.
    pub strength: Strength,
    /// Whether to fit biases. Without them, features are scaled to variance 1 but not shifted to mean 0, because that would
    /// introduce biases.
    pub bias: bool,
}

/// A fitted linear classifier: `logits = weight * features + bias`. The standardization of the features is included.
#[derive(Clone, Debug, PartialEq)]
pub struct Readout {
    /// `[classes, width]`, row-major, for unscaled features.
    pub weight: Vec<f64>,
    /// `[classes]`.
    pub bias: Vec<f64>,
    /// The strength of the penalty, as given or chosen.
    pub strength: f64,
    /// The mean log-loss on the fitted rows, in nats.
    pub loss: f64,
    /// The mean log-loss on the held-out rows at this strength, in nats, if the strength was chosen on such rows.
    pub held_out_loss: Option<f64>,
}

impl Readout {
    /// Fits a classifier to `features`, `[rows, width]` row-major, where row `i` has the label `labels.of_rows()[i]`.
    ///
    /// # Errors
    /// `InvalidArgument` if the sizes do not match or the strength is not a positive number; `NonFiniteLoss` if a feature is
    /// infinite or NaN.
    pub fn fit(features: &[f32], width: usize, labels: &Labels, fit: Fit) -> Result<Readout> {
        Readout::fit_watched(features, width, labels, fit, &mut |_, _| ())
    }

    /// As [`Readout::fit`]. While the strength is chosen, `progress` receives the number of fits so far, and the number of all.
    ///
    /// # Errors
    /// The errors of [`Readout::fit`].
    pub fn fit_watched(
        features: &[f32],
        width: usize,
        labels: &Labels,
        fit: Fit,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Readout> {
        let Fit { strength, bias } = fit;
        let (of_rows, classes) = (labels.of_rows(), labels.names().len());
        let rows = of_rows.len();
        if width == 0 || rows.checked_mul(width) != Some(features.len()) {
            bail!(
                InvalidArgument,
                "expected {rows} rows of {width} features, found {} values",
                features.len()
            );
        }
        if let Some(at) = features.iter().position(|value| !value.is_finite()) {
            bail!(NonFiniteLoss, "row {}: feature {} is {}", at / width + 1, at % width, features[at]);
        }
        if let Strength::Fixed(value) = strength
            && !(value.is_finite() && value > 0.0)
        {
            bail!(InvalidArgument, "the strength of the penalty must be greater than 0, found {value}");
        }

        let (standardized, scaling) = matrix::standardize(features, width, bias);
        let space = (rows * WIDE <= width).then(|| RowSpace::of(&standardized));
        let coordinates = space.as_ref().map_or(&standardized, |space| &space.coordinates);
        let (strength, held_out_loss) = match strength {
            Strength::Fixed(value) => (value, None),
            Strength::Chosen => strength::choose(coordinates, labels, bias, progress),
        };
        let every_row: Vec<usize> = (0..rows).collect();
        let problem =
            Problem { features: coordinates, labels: of_rows, rows: &every_row, classes, bias, strength };
        let mut parameters = problem.start();
        problem.minimize(&mut parameters, TOLERANCE);
        let loss = problem.log_loss(&parameters, &every_row);

        let mut readout = Readout { weight: Vec::new(), bias: Vec::new(), strength, loss, held_out_loss };
        for class in parameters.chunks_exact(coordinates.width + 1) {
            let (weight, bias) = class.split_at(coordinates.width);
            let weight = space.as_ref().map_or_else(|| weight.to_vec(), |space| space.expand(weight));
            let (weight, bias) = scaling.undo(&weight, bias[0]);
            readout.weight.extend(weight);
            readout.bias.push(bias);
        }
        Ok(readout)
    }

    /// The classifier with its values rounded to f32, as files store them.
    ///
    /// # Errors
    /// `NonFiniteLoss` if a value is beyond the range of f32.
    pub fn rounded(&self) -> Result<Linear> {
        let values: Vec<f32> = self.weight.iter().chain(&self.bias).map(|&value| value as f32).collect();
        Linear::from_values(&values, self.bias.len(), self.weight.len() / self.bias.len())
    }

    /// The probability of each class for one row of `width` features.
    ///
    /// # Errors
    /// `InvalidArgument` if the row and the rows of the fit differ in width.
    pub fn probabilities(&self, features: &[f32]) -> Result<Vec<f64>> {
        let width = self.weight.len() / self.bias.len();
        if features.len() != width {
            bail!(InvalidArgument, "expected {width} features, found {}", features.len());
        }
        let features: Vec<f64> = features.iter().map(|&value| f64::from(value)).collect();
        let rows = self.weight.chunks_exact(width).zip(&self.bias);
        let mut logits: Vec<f64> = rows.map(|(weight, bias)| dot(weight, &features) + bias).collect();
        logistic::softmax(&mut logits);
        Ok(logits)
    }
}
