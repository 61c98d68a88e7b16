//! Evaluation of data, classification of a text, and continuation of a prompt.

use wasm_bindgen::JsValue;

use super::fine_tuner::Tuner;
use super::options::{self, GenerateOptions, Prompting};
use super::report::{Classification, Evaluated, Scored, Shown};
use crate::error::{Result, bail, err};
use crate::text::batch::Batch;
use crate::text::chat::Conversation;
use crate::train::{Demonstrations, Draw, ExampleEncoder, IN_CONTEXT_LENGTH, WriteOptions, length};

impl Tuner {
    pub(super) async fn measure(&mut self, config: &JsValue, cancel: &JsValue) -> Result<Evaluated> {
        let (encoder, prompting) = self.encoder(config)?;
        let data = prompting.data(&self.session, config, "data", options::text(config, "dataName"))?;
        let data = data.ok_or_else(|| err!(InvalidArgument, "data are missing"))?;
        let shown = self.demonstrations(config, &encoder, &prompting)?;
        let wanted = if shown.is_some() { IN_CONTEXT_LENGTH } else { self.max_length };
        let length = length(wanted, self.session.model.spec());
        let (encoder, prompted) = match &shown {
            Some(shown) => shown.put_before(&encoder, &data),
            None => (encoder, data.clone()),
        };
        let notes = match &shown {
            Some(_) => self.session.check_demonstrations(&encoder, &prompted, length)?,
            None => Vec::new(),
        };
        let examples = encoder.encode(&self.session, &prompted, length)?;
        self.settle().await?;
        let mut keep_going = || options::check_cancel(cancel);
        let report = self.session.evaluate(&encoder, &examples, &mut keep_going).await?;
        let lists = options::field(config, "wrong").is_some_and(|wrong| wrong.is_truthy());
        let wrong = report.labels.as_ref().filter(|_| lists).map(|labels| labels.wrong(&data.rows));
        let mut evaluated =
            Evaluated { wrong, in_context: shown.map(Shown::from), ..Evaluated::from(report) };
        if let Some(figures) = &mut evaluated.labels {
            figures.notes.extend(notes);
        }
        Ok(evaluated)
    }

    /// The rows of `train` that stand before each evaluated row, if `inContext` asks for any.
    fn demonstrations(
        &self,
        config: &JsValue,
        encoder: &ExampleEncoder,
        prompting: &Prompting,
    ) -> Result<Option<Demonstrations>> {
        let count =
            options::field(config, "inContext").map_or(Ok(0), |count| options::parse(count, "inContext"))?;
        let data = prompting.data(&self.session, config, "train", options::text(config, "trainName"))?;
        match (count, data) {
            (0, None) => Ok(None),
            (0, Some(_)) => bail!(InvalidArgument, "train: expected inContext beside it, a number from 1 up"),
            (_, None) => bail!(InvalidArgument, "inContext: expected train beside it, whose rows are shown"),
            (count, Some(data)) => {
                let seed = options::parse::<Draw>(config.clone(), "evaluate")?.data_seed;
                Demonstrations::draw(&self.session, encoder, &data, count, seed).map(Some)
            }
        }
    }

    pub(super) async fn answer(&mut self, text: String, options: &JsValue) -> Result<Classification> {
        let (encoder, prompting) = self.encoder(options)?;
        let words = encoder.label_words().to_vec();
        let Some(first) = words.first() else {
            bail!(InvalidArgument, "to classify, give a template and labels, or fit a readout");
        };
        let data = prompting.row(&self.session, text, options::text(options, "textB"), first)?;
        let length = length(self.max_length, self.session.model.spec());
        let examples = encoder.encode(&self.session, &data, length)?;
        self.settle().await?;
        let batch = Batch::pack(&examples.examples.iter().collect::<Vec<_>>());
        let logits = self.session.evaluate_batch(&encoder, &batch).await?.label_logits;
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f64> = logits.iter().map(|l| f64::from(l - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mut scores: Vec<Scored> = words
            .into_iter()
            .zip(weights)
            .map(|(label, weight)| Scored { label, probability: weight / sum })
            .collect();
        scores.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let label = scores.first().map(|s| s.label.clone()).unwrap_or_default();
        Ok(Classification { label, scores })
    }

    pub(super) async fn start_writing(&mut self, prompt: JsValue, options: JsValue) -> Result<()> {
        let seed = options::seed(&options)?;
        let given: GenerateOptions = options::parse(options, "generation options")?;
        self.settle().await?;
        let tokens = match prompt.as_string() {
            Some(text) => self.session.prompt(&text)?,
            // The template writes the special tokens itself.
            None => {
                let Conversation { messages, variables, .. } = options::conversation(&prompt)?;
                let text = self.session.chat_template()?.render(&messages, &variables, true)?;
                self.session.tokenizer()?.encode(&text, false)?
            }
        };
        let options = WriteOptions {
            max_tokens: given.tokens()?,
            temperature: given.temperature as f32,
            seed,
            ignore_eos: false,
        };
        self.writing = Some(self.session.start_writing(&tokens, options)?);
        Ok(())
    }

    pub(super) async fn next_piece(&mut self) -> Result<Option<String>> {
        let Some(writing) = &mut self.writing else { return Ok(None) };
        let piece = writing.next_piece(&self.session).await?;
        if piece.is_none() {
            self.end_generation();
        }
        Ok(piece)
    }
}
