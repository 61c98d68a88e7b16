//! The cross-validation of a readout on its training rows.

use super::classifier::Classifier;
use super::encoder::ExampleEncoder;
use super::evaluation::{EvaluationReport, report};
use super::fits::{ReadoutProgress, fit_linear};
use super::readout::ReadoutTrainer;
use super::session::Session;
use crate::error::Result;
use crate::fit::folds;
use crate::model::Evaluation;
use crate::text::figures::Answer;

/// Number of parts of the training rows in a cross-validation.
const FOLDS: usize = 5;

impl ReadoutTrainer {
    /// Cross-validates on the training rows, for data with too few rows to hold some out: each part of the rows is answered by a
    /// classifier that was fitted on the other parts. Returns the report, and the indices in the data of the answered rows, in the
    /// order of the report's answers. A row that is the only one of its label is left out. Returns `None` before the fit on all
    /// rows, and on label words.
    ///
    /// # Errors
    /// The errors of [`crate::fit::Readout::fit`]; errors from `progress`.
    pub fn cross_validate(
        &self,
        session: &Session,
        progress: &mut dyn FnMut(ReadoutProgress) -> Result<()>,
    ) -> Result<Option<(EvaluationReport, Vec<usize>)>> {
        let ExampleEncoder::Readout(classifier) = &self.encoder else { return Ok(None) };
        if self.header.fitted_rows as usize != self.train.len() || classifier.words.is_some() {
            return Ok(None);
        }
        let width = session.model.spec().hidden as usize;
        let features = |rows: &[usize]| -> Vec<f32> {
            rows.iter().flat_map(|row| &self.train.features[row * width..][..width]).copied().collect()
        };
        let part_of = folds(&self.labels, FOLDS);
        let (mut loss, mut answers, mut answered) = (0.0, Vec::new(), Vec::new());
        for part in 0..FOLDS {
            let (out, kept): (Vec<usize>, Vec<usize>) =
                (0..part_of.len()).partition(|row| part_of[*row] == Some(part));
            if out.is_empty() {
                continue;
            }
            let (spec, labels) = (session.model.spec(), self.labels.select(&kept));
            let mut of_part = |now| match now {
                ReadoutProgress::Fits { done, all } => {
                    progress(ReadoutProgress::Fits { done: part * all + done, all: FOLDS * all })
                }
                rows @ ReadoutProgress::Rows(_) => progress(rows),
            };
            let fit = fit_linear(spec, self.train.pooling, &features(&kept), &labels, &mut of_part)?;
            let classifier = Classifier { linear: fit.rounded()?, ..classifier.clone() };
            let targets =
                out.iter().flat_map(|row| self.train.examples.examples[*row].targets.iter().copied());
            let targets: Vec<_> = targets.collect();
            let Evaluation { losses, predictions, .. } = classifier.evaluate(&features(&out), &targets)?;
            loss += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
            let pairs = targets.iter().zip(&predictions);
            answers.extend(pairs.map(|(target, found)| Answer { expected: target.label, answered: *found }));
            answered.extend(out.iter().map(|row| self.order[*row]));
        }
        let report = report(&self.encoder, answered.len(), loss, answers).check()?;
        Ok(Some((report, answered)))
    }
}
