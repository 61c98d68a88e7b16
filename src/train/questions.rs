//! Asks a causal model questions: it chooses the likeliest candidate or generates an answer.

use std::ops::ControlFlow;

use super::encoder::{ANSWER_TOKENS, ExampleEncoder, Examples};
use super::evaluation::{EvaluationReport, TOKENS};
use super::session::Session;
use super::writing::WriteOptions;
use crate::error::Result;
use crate::text::encode::{CompletionEncoder, Example};
use crate::text::figures::Answer;
use crate::text::rows::{Question, Reply};

/// The results of the questions so far.
#[derive(Default)]
struct Tally {
    /// Sum of the losses of the right answers' tokens, and their number.
    loss: (f64, usize),
    right: usize,
    /// For each question with a class, the class and the chosen candidate.
    answers: Vec<Answer>,
    f1: f64,
    /// Number of answers that were generated, not chosen.
    written: usize,
}

impl Session {
    /// Evaluates on questions.
    ///
    /// # Errors
    /// `data-invalid` for a candidate that does not fit; errors from the backend and from `keep_going`.
    pub(super) async fn ask(
        &mut self,
        encoder: &ExampleEncoder,
        examples: &Examples,
        keep_going: &mut dyn FnMut() -> Result<()>,
    ) -> Result<EvaluationReport> {
        let mut tally = Tally::default();
        let mut rest = &examples.questions[..];
        while let Some(first) = rest.first() {
            // Take as many questions as fill a pass with their candidates.
            let mut options: Vec<Example> = self.options(first, examples.length)?;
            let mut counts = vec![options.len()];
            while let Some(next) = rest.get(counts.len())
                && options.iter().map(|o| o.ids.len()).sum::<usize>() < TOKENS
            {
                let more = self.options(next, examples.length)?;
                counts.push(more.len());
                options.extend(more);
            }
            let losses = self.example_losses(encoder, &options, keep_going).await?;
            let (now, later) = rest.split_at(counts.len());
            rest = later;
            let mut losses = &losses[..];
            for (question, count) in now.iter().zip(counts) {
                let (own, after) = losses.split_at(count);
                losses = after;
                match &question.reply {
                    Reply::Choice { correct, .. } => {
                        let chosen = tally.choose(own, correct);
                        let answer = question.class.zip(chosen);
                        tally
                            .answers
                            .extend(answer.map(|(expected, answered)| Answer { expected, answered }));
                    }
                    Reply::Text { answers, normalize } => {
                        keep_going()?;
                        let text = self.reply(question, examples.length).await?;
                        tally.add_loss(own.first());
                        tally.right += usize::from(answers.iter().any(|gold| normalize.exact(&text, gold)));
                        tally.f1 += normalize.f1(&text, answers);
                        tally.written += 1;
                    }
                }
            }
        }
        let count = examples.questions.len();
        let report = EvaluationReport {
            loss: tally.loss.0 / tally.loss.1.max(1) as f64,
            accuracy: None,
            interval: None,
            labels: None,
            f1: (tally.written > 0).then(|| tally.f1 / tally.written as f64),
            examples: count,
        };
        // Questions with a class all have the same candidates.
        Ok(match examples.questions.first().map(|question| &question.reply) {
            Some(Reply::Choice { candidates, .. }) if tally.answers.len() == count => {
                let labels: Vec<String> = candidates.iter().map(|text| text.trim().to_owned()).collect();
                report.with_answers(&labels, tally.answers)
            }
            _ => report.with_accuracy(tally.right),
        })
    }

    /// The question with each of its candidates or, for a question without candidates, with the answer that is trained on.
    pub(super) fn options(&self, question: &Question, length: usize) -> Result<Vec<Example>> {
        let encoder = CompletionEncoder::new(self.tokenizer()?, length)?;
        let option = |text: &str| {
            let example = encoder.continuation(&question.prompt, text, false).and_then(|example| {
                let targets = example.targets.iter().map(|target| target.label);
                self.check_tokens(example.ids.iter().copied().chain(targets))?;
                Ok(example)
            });
            example.map_err(|e| e.at(format!("row {}, candidate {text:?}", question.row)))
        };
        match &question.reply {
            Reply::Choice { candidates, .. } => candidates.iter().map(|text| option(text)).collect(),
            Reply::Text { .. } => Ok(vec![option(&question.reply.trained())?]),
        }
    }

    /// The text that the model generates after the question, up to a line end, by greedy decoding.
    async fn reply(&self, question: &Question, length: usize) -> Result<String> {
        let encoder = CompletionEncoder::new(self.tokenizer()?, length)?;
        let prompt = encoder.prompt(&question.prompt, ANSWER_TOKENS as usize)?;
        let options =
            WriteOptions { max_tokens: ANSWER_TOKENS, temperature: 0.0, seed: 0, ignore_eos: false };
        let mut up_to_line_end = |piece: &str| match piece.contains('\n') {
            true => Ok(ControlFlow::Break(())),
            false => Ok(ControlFlow::Continue(())),
        };
        let written = self.write(&prompt, options, &mut up_to_line_end).await?;
        Ok(written.text.lines().next().unwrap_or_default().trim().to_owned())
    }
}

impl Tally {
    /// Adds the choice of the candidate with the lowest mean loss, and returns its index.
    fn choose(&mut self, losses: &[(f64, usize)], correct: &[usize]) -> Option<u32> {
        let mean = |(sum, count): &(f64, usize)| sum / (*count).max(1) as f64;
        let best = (0..losses.len()).min_by(|a, b| mean(&losses[*a]).total_cmp(&mean(&losses[*b])));
        self.right += usize::from(best.is_some_and(|best| correct.contains(&best)));
        self.add_loss(correct.first().and_then(|i| losses.get(*i)));
        best.and_then(|best| u32::try_from(best).ok())
    }

    fn add_loss(&mut self, losses: Option<&(f64, usize)>) {
        let (sum, count) = losses.copied().unwrap_or_default();
        self.loss = (self.loss.0 + sum, self.loss.1 + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_mean_log_likelihood_is_chosen() {
        let mut tally = Tally::default();
        // Three tokens at 0.5 beat one at 0.6, although their sum is larger.
        assert_eq!(tally.choose(&[(1.5, 3), (0.6, 1)], &[0]), Some(0));
        assert_eq!(tally.choose(&[(1.5, 3), (0.6, 1)], &[1]), Some(0));
        assert_eq!(tally.choose(&[(1.0, 1), (1.0, 1)], &[1, 0]), Some(0));
        assert_eq!(tally.choose(&[], &[]), None);
        assert_eq!((tally.right, tally.loss), (2, (1.5 + 0.6 + 1.0, 5)));
    }
}
