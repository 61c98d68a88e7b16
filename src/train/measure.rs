//! The objective values of the branches of a step. Zeroth-order steps can also minimize 1 - accuracy and 1 - F1, which have no gradient.

use super::settings::Objective;
use crate::model::BranchScores;
use crate::text::batch::Batch;
use crate::text::metrics;

/// The objective of each branch for a batch, and the weight of the batch within the step. The objective is not finite if the loss is
/// not, because predictions from scores that are not finite mean nothing.
pub(super) fn values(objective: Objective, batch: &Batch, scores: &BranchScores) -> (Vec<f64>, f64) {
    let targets = batch.targets.len();
    let branches = || scores.predictions.chunks_exact(targets.max(1)).zip(&scores.means);
    let of = |value: f64, loss: f32| if loss.is_finite() { 1.0 - value } else { f64::NAN };
    match objective {
        Objective::Loss => (scores.means.iter().map(|l| f64::from(*l)).collect(), targets as f64),
        Objective::Accuracy => {
            let accuracy = |p: &[u32]| metrics::accuracy(p, &batch.targets);
            (branches().map(|(p, loss)| of(accuracy(p), *loss)).collect(), targets as f64)
        }
        Objective::F1 => {
            let f1 = |p: &[u32]| metrics::mean_token_f1(p, &batch.targets, &batch.example_targets);
            (branches().map(|(p, loss)| of(f1(p), *loss)).collect(), batch.sequences() as f64)
        }
    }
}
