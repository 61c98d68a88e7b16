//! Turns the rows of a data set into examples with targets, and defines what the targets are scored against.

use super::classifier::Classifier;
use super::session::Session;
use crate::error::{Code, Error, Result, bail};
use crate::model::Score;
use crate::text::encode::{
    ChatEncoder, ClassificationEncoder, CompletionEncoder, Example, HeadKind, LabelWords, PlainEncoder,
    Target, TextEncoder,
};
use crate::text::rows::{Classified, Dataset, Question, Reply, Rows};
use crate::text::task::Task;
use crate::text::template::Template;

/// Maximum tokens of a generated answer.
pub(super) const ANSWER_TOKENS: u32 = 50;

/// Turns rows into the examples of a run, an evaluation or a classification.
#[derive(Clone, Debug)]
pub enum ExampleEncoder {
    /// The target is the label word in a template.
    Classification {
        /// The template.
        template: Template,
        /// Its label words.
        labels: LabelWords,
    },
    /// The targets are the tokens of completions, answers or plain text.
    LanguageModel,
    /// The target is the label, scored by a classifier on hidden states. No token is scored.
    Readout(Classifier),
}

/// Encoded examples.
#[derive(Clone, Debug)]
pub struct Examples {
    /// The training examples.
    pub examples: Vec<Example>,
    /// The questions that the examples answer, one for each example, which an evaluation asks; empty if the data are not questions.
    pub(super) questions: Vec<Question>,
    /// Maximum number of tokens; longer examples were truncated.
    pub(super) length: usize,
    /// The task of the examples, if any.
    pub(super) task: Option<&'static str>,
    /// Fingerprint of the data.
    pub fingerprint: u64,
    /// What a person should know about the data, in sentences.
    pub notes: Vec<String>,
    /// A sentence about the examples that were truncated, if there are any.
    pub truncation: Option<String>,
}

impl Examples {
    /// Examples that do not come from a data set.
    pub fn new(examples: Vec<Example>, fingerprint: u64) -> Examples {
        Examples {
            examples,
            questions: Vec::new(),
            length: 0,
            task: None,
            fingerprint,
            notes: Vec::new(),
            truncation: None,
        }
    }

    /// Maximum tokens of a generated answer (0 if none is generated), and tokens of the longest prompt.
    pub(super) fn written(&self) -> [u32; 2] {
        let writes = |question: &Question| matches!(question.reply, Reply::Text { .. });
        let asked = self.questions.iter().zip(&self.examples).filter(|(question, _)| writes(question));
        let longest = asked.map(|(_, example)| example.ids.len() as u32).max();
        longest.map_or([0; 2], |longest| [ANSWER_TOKENS, longest])
    }
}

impl ExampleEncoder {
    /// Creates an encoder from a template and labels or, without either, for language modeling.
    ///
    /// # Errors
    /// `data-invalid` for a template or label word that the model cannot use; `invalid-argument` if only one of the two is given.
    pub fn new(session: &Session, template: Option<&str>, labels: &[String]) -> Result<ExampleEncoder> {
        match (template, labels) {
            (None, []) => session.model.spec().head().map(|_| ExampleEncoder::LanguageModel),
            (Some(text), labels) if labels.len() > 1 => {
                session.model.spec().head()?;
                let tokenizer = session.tokenizer()?;
                let mask = tokenizer.mask().map(|(word, _)| word);
                let template = Template::parse(text, mask.as_deref())?;
                let labels = LabelWords::find(tokenizer, session.head(), &template, labels)?;
                session.check_tokens(labels.ids.iter().copied()).map_err(|e| e.at("label words"))?;
                Ok(ExampleEncoder::Classification { template, labels })
            }
            _ => bail!(
                InvalidArgument,
                "to classify: expected a template and two labels or more, found {} and {labels:?}",
                template.map_or("no template".to_owned(), |text| format!("the template {text:?}"))
            ),
        }
    }

    /// Creates the encoder of a task for the session's model. A masked model is trained with the cross-entropy over the label
    /// words, a causal one with the cross-entropy of the tokens of the right answer.
    ///
    /// # Errors
    /// `invalid-argument` if the task has no form for such models; `data-invalid` for a label word that the model cannot use.
    pub fn of_task(session: &Session, task: &'static Task) -> Result<ExampleEncoder> {
        session.model.spec().head()?;
        let template = task.template(session.head())?;
        match session.head() {
            HeadKind::MaskedLm => {
                let words: Vec<String> = task.words().into_iter().map(str::to_owned).collect();
                ExampleEncoder::new(session, Some(template), &words)
            }
            HeadKind::CausalLm => Ok(ExampleEncoder::LanguageModel),
        }
    }

    /// What a target is scored against.
    pub fn score(&self) -> Score<'_> {
        match self {
            ExampleEncoder::Classification { labels, .. } => Score::Labels(&labels.ids),
            ExampleEncoder::LanguageModel => Score::Vocabulary,
            ExampleEncoder::Readout(classifier) => Score::Readout(classifier.labels.len() as u32),
        }
    }

    /// The label words, or the labels of a readout; empty for language modeling.
    pub fn label_words(&self) -> &[String] {
        match self {
            ExampleEncoder::Classification { labels, .. } => &labels.words,
            ExampleEncoder::LanguageModel => &[],
            ExampleEncoder::Readout(classifier) => &classifier.labels,
        }
    }

    /// The classifier of a readout.
    pub(super) fn classifier(&self) -> Option<&Classifier> {
        match self {
            ExampleEncoder::Readout(classifier) => Some(classifier),
            _ => None,
        }
    }

    /// The labels as the data spell them; empty for language modeling.
    pub(super) fn label_names(&self) -> &[String] {
        match self {
            ExampleEncoder::Classification { labels, .. } => &labels.names,
            ExampleEncoder::LanguageModel => &[],
            ExampleEncoder::Readout(classifier) => &classifier.labels,
        }
    }

    /// Encodes a data set. Examples are truncated to `max_length` tokens.
    ///
    /// # Errors
    /// `data-invalid` naming the row; `invalid-argument` if the objective needs data of another kind.
    pub fn encode(&self, session: &Session, data: &Dataset, max_length: u32) -> Result<Examples> {
        let length = max_length as usize;
        let place = |e: Error| match e.code() {
            // The fault is in the model, not in the row.
            Code::ModelUnsupported => e,
            _ => e.at(&data.name),
        };
        let examples = self.examples(session, data, length).map_err(place)?;
        if examples.is_empty() {
            bail!(DataInvalid, "{}: no examples", data.name);
        }
        let questions = match &data.rows {
            Rows::Questions(rows) => rows.clone(),
            _ => Vec::new(),
        };
        let notes = notes(session, data);
        let truncation = truncation(&data.name, &examples, length);
        let (task, fingerprint) = (data.task, data.fingerprint());
        Ok(Examples { examples, questions, length, task, fingerprint, notes, truncation })
    }

    fn examples(&self, session: &Session, data: &Dataset, length: usize) -> Result<Vec<Example>> {
        let tokenizer = session.tokenizer()?;
        let scores_tokens = matches!(self, ExampleEncoder::LanguageModel);
        // Returns the example of a row if the model has all its tokens.
        let known = |example: Example, row: usize| {
            let targets = example.targets.iter().filter(|_| scores_tokens).map(|target| target.label);
            let checked = session.check_tokens(example.ids.iter().copied().chain(targets));
            checked.map_err(|e| e.at(format!("row {row}")))?;
            Ok(example)
        };
        Ok(match (self, &data.rows) {
            (ExampleEncoder::Classification { template, labels }, Rows::Classified(rows)) => {
                let (template, labels, head) = (template.clone(), labels.clone(), session.head());
                let encoder = ClassificationEncoder::new(tokenizer, template, labels, head, length)?;
                rows.iter().map(|row| known(encoder.encode(row)?, row.row)).collect::<Result<_>>()?
            }
            (ExampleEncoder::Readout(Classifier { words: Some(words), .. }), Rows::Classified(rows)) => {
                let (template, labels) = (words.template.clone(), words.labels.clone());
                let encoder =
                    ClassificationEncoder::new(tokenizer, template, labels, session.head(), length)?;
                rows.iter().map(|row| known(encoder.encode(row)?, row.row)).collect::<Result<_>>()?
            }
            (ExampleEncoder::Readout(classifier), Rows::Classified(rows)) => {
                let encoder = TextEncoder::new(tokenizer, session.head(), length)?;
                let example = |row: &Classified| -> Result<Example> {
                    let label = classifier.index_of(&row.label)?;
                    let mut example = encoder.encode(&row.text, row.text_b.as_deref())?;
                    let kept = classifier.without_padding(&example.ids).len();
                    example.ids.truncate(kept);
                    example.types.truncate(if session.model.spec().token_types() > 1 { kept } else { 0 });
                    Ok(Example { targets: vec![Target { position: 0, label }], ..example })
                };
                rows.iter()
                    .map(|row| {
                        let example = example(row).map_err(|e| e.at(format!("row {}", row.row)))?;
                        known(example, row.row)
                    })
                    .collect::<Result<_>>()?
            }
            (ExampleEncoder::Classification { .. } | ExampleEncoder::Readout(_), _) => {
                bail!(DataInvalid, "classification needs the fields text and label")
            }
            (ExampleEncoder::LanguageModel, Rows::Classified(_)) => {
                bail!(
                    InvalidArgument,
                    "text with labels needs a template and labels, a task, or method readout"
                )
            }
            (ExampleEncoder::LanguageModel, _) if !session.model.spec().causal => {
                bail!(
                    InvalidArgument,
                    "a {} model fills masks: it needs text with labels, a template and label words",
                    session.model.spec().family
                )
            }
            (ExampleEncoder::LanguageModel, Rows::Completion(rows)) => {
                let encoder = CompletionEncoder::new(tokenizer, length)?;
                rows.iter().map(|row| known(encoder.encode(row)?, row.row)).collect::<Result<_>>()?
            }
            (ExampleEncoder::LanguageModel, Rows::Questions(rows)) => {
                let encoder = CompletionEncoder::new(tokenizer, length)?;
                let answered = |row: &Question| {
                    let answer = encoder.continuation(&row.prompt, &row.reply.trained(), false);
                    known(answer.map_err(|e| e.at(format!("row {}, answer", row.row)))?, row.row)
                };
                rows.iter().map(answered).collect::<Result<_>>()?
            }
            (ExampleEncoder::LanguageModel, Rows::Chat(rows)) => {
                let encoder = ChatEncoder::new(tokenizer, session.chat_template()?, length)?;
                let turns = rows.iter().map(|row| Ok((encoder.encode(row)?, row.row)));
                let turns = turns.collect::<Result<Vec<_>>>()?.into_iter();
                let turns = turns.flat_map(|(turns, row)| turns.into_iter().map(move |turn| (turn, row)));
                turns.map(|(turn, row)| known(turn, row)).collect::<Result<_>>()?
            }
            (ExampleEncoder::LanguageModel, Rows::Plain(texts)) => {
                let encoder = PlainEncoder::new(tokenizer, length)?;
                // With several texts, the model also learns where each one ends.
                let ends = texts.len() > 1;
                let place = |row: usize, e: Error| if ends { e.at(format!("row {row}")) } else { e };
                let windows = texts.iter().zip(1..);
                let windows =
                    windows.map(|(text, row)| encoder.encode(text, ends).map_err(|e| place(row, e)));
                let windows = windows.collect::<Result<Vec<_>>>()?;
                let windows: Vec<Example> = windows.into_iter().flatten().collect();
                session.check_tokens(windows.iter().flat_map(|window| window.ids.iter().copied()))?;
                windows
            }
        })
    }
}

/// See [`Examples::truncation`].
fn truncation(name: &str, examples: &[Example], length: usize) -> Option<String> {
    let count = examples.iter().filter(|example| example.truncated).count();
    let all = examples.len();
    (count > 0).then(|| format!("{name}: {count} of {all} examples were truncated to {length} tokens"))
}

/// Notes on the data for the user: that all rows have one label, or which fields no template reads.
fn notes(session: &Session, data: &Dataset) -> Vec<String> {
    let name = &data.name;
    match &data.rows {
        Rows::Classified(rows) if rows.len() > 1 => {
            let first = rows.first().map_or("", |row| row.label.as_str());
            let one = rows.iter().all(|row| row.label == first);
            let note = || {
                format!(
                    "{name}: all {} rows have the label {first:?}, so there is nothing to tell apart.",
                    rows.len()
                )
            };
            one.then(note).into_iter().collect()
        }
        Rows::Chat(rows) => {
            let Ok(template) = session.chat_template() else { return Vec::new() };
            let mut unread: Vec<String> = rows.iter().flat_map(|row| template.unread(row)).collect();
            unread.sort();
            unread.dedup();
            let names = unread.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            let note = || format!("{name}: the model's chat template does not read these fields: {names}.");
            (!unread.is_empty()).then(note).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
