//! What a step makes small: the loss, or 1 - accuracy, or 1 - F1, which have no gradient and which zeroth-order steps can follow all the same.

use crate::model::BranchScores;
use crate::text::batch::Batch;
use crate::text::metrics;
use crate::zo::trajectory::Measure;

/// Each branch's value for a batch, and what it weighs beside other batches of the step.
pub(super) fn values(measure: Measure, batch: &Batch, scores: &BranchScores) -> (Vec<f64>, f64) {
    let targets = batch.targets.len();
    let branches = || scores.predictions.chunks_exact(targets.max(1));
    match measure {
        Measure::Loss => (scores.means.iter().map(|l| f64::from(*l)).collect(), targets as f64),
        Measure::Accuracy => {
            (branches().map(|p| 1.0 - metrics::accuracy(p, &batch.targets)).collect(), targets as f64)
        }
        Measure::F1 => {
            let f1 = |p| 1.0 - metrics::mean_token_f1(p, &batch.targets, &batch.example_targets);
            (branches().map(f1).collect(), batch.sequences() as f64)
        }
    }
}
