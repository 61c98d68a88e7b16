//! One step on random tokens, to measure time and memory without data or a tokenizer.

use super::encoder::{ExampleEncoder, Examples};
use super::session::Session;
use super::settings::Settings;
use super::step_report::StepReport;
use super::trainer::Trainer;
use crate::error::{Result, err};
use crate::model::{HeadKind, ModelSpec};
use crate::rng::threefry2x32;
use crate::text::encode::{Example, Target};

/// Creates examples of `length` random tokens with the targets that the model is trained on: one mask, or every token but the first.
pub fn random_examples(spec: &ModelSpec, count: u32, length: u32) -> Vec<Example> {
    let token = |i: u32| threefry2x32([1, 2], [i, 0])[0] % spec.vocabulary;
    let example = |n: u32| {
        let ids: Vec<u32> = (n * length..(n + 1) * length).map(token).collect();
        let targets = match spec.head_kind() {
            HeadKind::MaskedLm => vec![Target { position: length.saturating_sub(1), label: token(0) }],
            HeadKind::CausalLm => {
                (1..length).map(|i| Target { position: i - 1, label: ids[i as usize] }).collect()
            }
        };
        Example { ids, targets, ..Example::default() }
    };
    (0..count).map(example).collect()
}

/// Runs the first step of a run on a batch of random examples, and applies its update.
///
/// # Errors
/// The errors of [`Trainer::step`].
pub async fn trial(session: &mut Session, settings: &Settings, length: u32) -> Result<StepReport> {
    let examples = random_examples(session.model.spec(), settings.batch_size, length);
    let settings = Settings { steps: 1, ..settings.clone() };
    let examples = Examples::new(examples, 0);
    let mut trainer = Trainer::new(session, settings, ExampleEncoder::LanguageModel, None, examples)?;
    let report = trainer.step(session).await?;
    trainer.settle(session).await?;
    report.ok_or_else(|| err!(InvalidArgument, "a run of no steps"))
}
