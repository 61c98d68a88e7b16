//! Evaluation of data, classification of a text, and continuation of a prompt.

use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::fine_tuner::Tuner;
use super::js_error;
use super::options::{self, GenerateOptions, Progress, Prompting, to_js};
use super::report::{Classification, Evaluated, Scored, Shown};
use crate::error::{Result, bail, err};
use crate::gpu::ProgramWatch;
use crate::text::batch::Batch;
use crate::text::chat::Conversation;
use crate::train::{
    Demonstrations, Draw, ExampleEncoder, IN_CONTEXT_LENGTH, WriteOptions, evaluated_before_passes, length,
};

#[wasm_bindgen]
impl Tuner {
    /// The label of each text, with the probability of each label.
    #[wasm_bindgen(js_name = classifyAll)]
    pub async fn classify_all(
        &mut self,
        texts: Vec<String>,
        options: JsValue,
    ) -> std::result::Result<JsValue, JsValue> {
        let answers = self.answers(&texts, &options).await.map_err(js_error)?;
        to_js(&answers).map_err(js_error)
    }

    /// The number of tokens of each text, without special tokens and a template.
    #[wasm_bindgen(js_name = tokenLengths)]
    pub fn token_lengths(&self, texts: Vec<String>) -> std::result::Result<Vec<u32>, JsValue> {
        let tokenizer = self.session.tokenizer().map_err(js_error)?;
        let length = |text: &String| Ok(tokenizer.encode(text, false)?.len() as u32);
        texts.iter().map(length).collect::<Result<Vec<u32>>>().map_err(js_error)
    }

    /// The number of tokens of each text that replace something that the vocabulary cannot represent.
    #[wasm_bindgen(js_name = unknownTokens)]
    pub fn unknown_tokens(&self, texts: Vec<String>) -> std::result::Result<Vec<u32>, JsValue> {
        let tokenizer = self.session.tokenizer().map_err(js_error)?;
        let unknown = |text: &String| Ok(tokenizer.unknown_tokens(text)? as u32);
        texts.iter().map(unknown).collect::<Result<Vec<u32>>>().map_err(js_error)
    }
}

impl Tuner {
    /// Sets the listener that receives the number of compiled programs from now on, or removes it.
    pub(super) fn watch_programs(&self, listener: Option<Function>) {
        self.device.watch_programs(listener.map(|listener| -> ProgramWatch {
            Box::new(move |ready, needed| {
                let (loaded, total) = (ready as u64, needed as u64);
                Progress { stage: "programs", file: "", loaded, total }.tell(&listener);
            })
        }));
    }

    /// `on_progress` receives the number of examples that have been evaluated.
    pub(super) async fn measure(
        &mut self,
        config: &JsValue,
        cancel: &JsValue,
        on_progress: Option<&Function>,
    ) -> Result<Evaluated> {
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
        let total = examples.examples.len() as u64;
        let mut before = evaluated_before_passes(&examples).into_iter();
        let mut keep_going = || {
            if let (Some(listener), Some(loaded)) = (on_progress, before.next()) {
                Progress { stage: "evaluate", file: "", loaded: loaded as u64, total }.tell(listener);
            }
            options::check_cancel(cancel)
        };
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

    /// The demonstrations from `train` to put before each evaluated row, if `inContext` requests any.
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
            (0, Some(_)) => {
                bail!(InvalidArgument, "train: expected inContext along with it, a number of at least 1")
            }
            (_, None) => {
                bail!(InvalidArgument, "inContext: expected train along with it, whose rows are shown")
            }
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
        Ok(classification(&words, weights.into_iter().map(|weight| weight / sum)))
    }

    /// The label of each text, with the probability of each label.
    pub(super) async fn answers(
        &mut self,
        texts: &[String],
        options: &JsValue,
    ) -> Result<Vec<Classification>> {
        if options::field(options, "textB").is_some() {
            bail!(
                InvalidArgument,
                "textB: expected none for a list of texts, each of which is classified alone"
            );
        }
        let (encoder, _) = self.encoder(options)?;
        self.settle().await?;
        let length = length(self.max_length, self.session.model.spec());
        let texts: Vec<_> = texts.iter().map(|text| (text.as_str(), None)).collect();
        let examples = self.session.texts(&encoder, &texts, length)?;
        let found = self.session.classify(&encoder, &examples).await?;
        let words = encoder.label_words();
        Ok(found.into_iter().map(|each| classification(words, each)).collect())
    }

    pub(super) async fn start_writing(&mut self, prompt: JsValue, options: JsValue) -> Result<()> {
        let seed = options::seed(&options)?;
        let given: GenerateOptions = options::parse(options, "generation options")?;
        self.settle().await?;
        let tokens = match prompt.as_string() {
            Some(text) => self.session.prompt(&text)?,
            // The template adds the special tokens itself.
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

/// The labels with their probabilities, in order of decreasing probability.
fn classification(words: &[String], probabilities: impl IntoIterator<Item = f64>) -> Classification {
    let scored = words.iter().zip(probabilities);
    let mut scores: Vec<Scored> =
        scored.map(|(label, probability)| Scored { label: label.clone(), probability }).collect();
    scores.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let label = scores.first().map(|s| s.label.clone()).unwrap_or_default();
    Classification { label, scores }
}
