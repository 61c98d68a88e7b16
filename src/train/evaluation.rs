//! Evaluation: the mean loss over all targets and, for data with labels or answers, the accuracy with figures that put it in context.

use super::encoder::{ExampleEncoder, Examples};
use super::session::Session;
use crate::error::{Result, bail};
use crate::model::{Evaluation, Extent, OVERGROWN, Score};
use crate::text::batch::Batch;
use crate::text::encode::Example;
use crate::text::figures::{Answer, Figures, wilson};

/// Maximum tokens in one pass of an evaluation, unless a single example has more.
pub(super) const TOKENS: usize = 1024;

/// The result of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationReport {
    /// Mean cross-entropy over the targets; for questions, the tokens of the right answers.
    pub loss: f64,
    /// The share of the examples that are answered correctly: the likeliest label, the candidate whose tokens have the highest mean
    /// log-likelihood, or text that agrees with a right answer in all words. None for language modeling.
    pub accuracy: Option<f64>,
    /// Wilson's 95% interval of the accuracy.
    pub interval: Option<[f64; 2]>,
    /// The baseline for the accuracy and the results of each label, if all examples share their labels.
    pub labels: Option<Figures>,
    /// Mean F1 of the generated words against the best right answer, if the model generates answers.
    pub f1: Option<f64>,
    /// Number of examples.
    pub examples: usize,
}

impl EvaluationReport {
    /// Returns the report if its loss is finite.
    ///
    /// # Errors
    /// `non-finite-loss`.
    pub(super) fn check(self) -> Result<EvaluationReport> {
        if !self.loss.is_finite() {
            bail!(NonFiniteLoss, "the mean loss on {} examples is {}: {OVERGROWN}", self.examples, self.loss);
        }
        Ok(self)
    }

    /// The report with the accuracy of `right` right answers.
    pub(super) fn with_accuracy(mut self, right: usize) -> EvaluationReport {
        self.accuracy = Some(right as f64 / self.examples.max(1) as f64);
        self.interval = Some(wilson(right, self.examples));
        self
    }

    /// Returns the report with figures computed from the answer to each example. The answers are indices into `labels`.
    pub(super) fn with_answers(self, labels: &[String], answers: Vec<Answer>) -> EvaluationReport {
        let right = answers.iter().filter(|answer| answer.expected == answer.answered).count();
        let figures = Figures::of(labels, answers);
        EvaluationReport { labels: Some(figures), ..self.with_accuracy(right) }
    }
}

impl Session {
    /// Evaluates the current weights. `keep_going` is called before each pass and may stop the evaluation by returning an error.
    ///
    /// # Errors
    /// Errors from the backend and from `keep_going`.
    pub async fn evaluate(
        &mut self,
        encoder: &ExampleEncoder,
        examples: &Examples,
        keep_going: &mut dyn FnMut() -> Result<()>,
    ) -> Result<EvaluationReport> {
        if !examples.questions.is_empty() {
            return self.ask(encoder, examples, keep_going).await?.check();
        }
        let (mut loss, mut answers) = (0.0, Vec::new());
        let mut rest = &examples.examples[..];
        while !rest.is_empty() {
            keep_going()?;
            let (now, later) = rest.split_at(fitting(rest.iter().map(|example| example.ids.len())));
            rest = later;
            let batch = Batch::pack(&now.iter().collect::<Vec<_>>());
            let seen = self.evaluate_batch(encoder, &batch).await?;
            loss += seen.losses.iter().map(|l| f64::from(*l)).sum::<f64>();
            let both = batch.targets.iter().zip(&seen.predictions);
            answers.extend(
                both.map(|(target, answered)| Answer { expected: target.label, answered: *answered }),
            );
        }
        report(encoder, examples.examples.len(), loss, answers).check()
    }

    /// The sum of the losses of each example's targets, and their number.
    ///
    /// # Errors
    /// Errors from the backend and from `keep_going`.
    pub(super) async fn example_losses(
        &mut self,
        encoder: &ExampleEncoder,
        examples: &[Example],
        keep_going: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Vec<(f64, usize)>> {
        let mut sums = Vec::with_capacity(examples.len());
        let mut rest = examples;
        while !rest.is_empty() {
            keep_going()?;
            let (now, later) = rest.split_at(fitting(rest.iter().map(|example| example.ids.len())));
            rest = later;
            let batch = Batch::pack(&now.iter().collect::<Vec<_>>());
            let losses = self.evaluate_batch(encoder, &batch).await?.losses;
            for bounds in batch.example_targets.windows(2) {
                let own = losses.get(bounds[0] as usize..bounds[1] as usize).unwrap_or_default();
                sums.push((own.iter().map(|l| f64::from(*l)).sum(), own.len()));
            }
        }
        Ok(sums)
    }

    /// Losses, predictions and label logits of one packed batch.
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn evaluate_batch(&mut self, encoder: &ExampleEncoder, batch: &Batch) -> Result<Evaluation> {
        if let ExampleEncoder::Readout(classifier) = encoder {
            let features = self.features(batch, classifier.pooling).await?;
            return classifier.evaluate(&features, &batch.targets);
        }
        let (model, ws) = self.prepare(extent(batch, 1, encoder.score()))?;
        model.evaluate(ws, batch, encoder.score()).await
    }
}

/// The report on `examples` examples, from the sum of the losses at their targets and the answer at each target.
pub(super) fn report(
    encoder: &ExampleEncoder,
    examples: usize,
    loss: f64,
    answers: Vec<Answer>,
) -> EvaluationReport {
    let loss = loss / answers.len().max(1) as f64;
    let report = EvaluationReport { loss, accuracy: None, interval: None, labels: None, f1: None, examples };
    match encoder.label_names() {
        [] => report,
        names => report.with_answers(names, answers),
    }
}

/// The number of examples already evaluated before each pass of [`Session::evaluate`].
pub fn evaluated_before_passes(examples: &Examples) -> Vec<usize> {
    let (mut before, mut done) = (Vec::new(), 0);
    while done < examples.examples.len() {
        before.push(done);
        done += fitting(examples.examples[done..].iter().map(|example| example.ids.len()));
    }
    before
}

/// The number of examples that fit in the next pass, given the number of tokens of each.
pub(super) fn fitting(lengths: impl Iterator<Item = usize>) -> usize {
    let mut tokens = 0;
    let count = lengths
        .take_while(|length| {
            tokens += length;
            tokens <= TOKENS
        })
        .count();
    count.max(1)
}

/// The workspace size that a batch needs.
pub(super) fn extent(batch: &Batch, branches: u32, score: Score<'_>) -> Extent {
    let labels = match score {
        Score::Labels(ids) => ids.len() as u32,
        Score::Readout(labels) => labels,
        Score::Vocabulary => 0,
    };
    Extent { branches, tokens: batch.ids.len() as u32, targets: batch.targets.len() as u32, labels }
}
