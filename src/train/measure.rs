//! What a step makes small: the loss, or 1 - accuracy, or 1 - F1, which have no gradient and which zeroth-order steps can follow all the same.

use std::collections::HashMap;

use crate::model::BranchScores;
use crate::text::batch::Batch;
use crate::zo::trajectory::Measure;

/// Each branch's value for a batch, and what it weighs beside other batches of the step.
pub(super) fn values(measure: Measure, batch: &Batch, scores: &BranchScores) -> (Vec<f64>, f64) {
    let targets = batch.targets.len();
    let branches = || scores.predictions.chunks_exact(targets.max(1));
    match measure {
        Measure::Loss => (scores.means.iter().map(|l| f64::from(*l)).collect(), targets as f64),
        Measure::Accuracy => {
            let wrong = |predictions: &[u32]| {
                predictions.iter().zip(&batch.targets).filter(|(p, t)| **p != t.label).count() as f64
            };
            (branches().map(|p| wrong(p) / targets.max(1) as f64).collect(), targets as f64)
        }
        Measure::F1 => {
            let examples = batch.sequences().max(1) as f64;
            (branches().map(|p| 1.0 - f1_of_examples(batch, p) / examples).collect(), examples)
        }
    }
}

/// The sum over the examples of the F1 of their predicted tokens.
fn f1_of_examples(batch: &Batch, predictions: &[u32]) -> f64 {
    let bounds = batch.example_targets.windows(2).map(|b| b[0] as usize..b[1] as usize);
    bounds
        .map(|range| {
            let right: Vec<u32> = batch.targets[range.clone()].iter().map(|t| t.label).collect();
            f1(&predictions[range], &right)
        })
        .sum()
}

/// F1 of two bags of tokens.
fn f1(predicted: &[u32], right: &[u32]) -> f64 {
    let mut left: HashMap<u32, usize> = HashMap::new();
    for token in right {
        *left.entry(*token).or_default() += 1;
    }
    let mut common = 0;
    for token in predicted {
        if let Some(count) = left.get_mut(token).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    if common == 0 { 0.0 } else { 2.0 * f64::from(common) / (predicted.len() + right.len()) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_counts_each_token_as_often_as_it_is_there() {
        assert_eq!(f1(&[1, 1, 2], &[1, 2, 2]), 2.0 / 3.0);
        assert_eq!(f1(&[3], &[4]), 0.0);
        assert_eq!(f1(&[5, 6], &[6, 5]), 1.0);
    }
}
