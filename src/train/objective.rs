//! What is learned: a data set as examples with targets, and what the targets are scored against.

use super::session::Session;
use crate::error::{Error, Result, bail};
use crate::model::Score;
use crate::text::dataset::{Dataset, Rows};
use crate::text::encode::{ClassificationEncoder, CompletionEncoder, Example, LabelWords, PlainEncoder};
use crate::text::template::Template;

/// What a run, an evaluation or a classification scores.
pub enum Objective {
    /// The label word in a template.
    Classification {
        /// The template.
        template: Template,
        /// Its label words.
        labels: LabelWords,
    },
    /// The tokens of completions, or of plain text.
    LanguageModel,
}

/// Encoded examples.
pub struct Examples {
    /// The examples.
    pub examples: Vec<Example>,
    /// Fingerprint of the data they came from.
    pub fingerprint: u64,
}

impl Objective {
    /// From a template and labels, or none for language modelling.
    ///
    /// # Errors
    /// `data-invalid` for a template or label word that the model cannot use; `invalid-argument` when only one of the two is given.
    pub fn new(session: &Session, template: Option<&str>, labels: &[String]) -> Result<Objective> {
        match (template, labels) {
            (None, []) => Ok(Objective::LanguageModel),
            (Some(text), labels) if labels.len() > 1 => {
                let tokenizer = session.tokenizer()?;
                let mask = tokenizer.mask().map(|(word, _)| word);
                let template = Template::parse(text, mask.as_deref())?;
                let labels = LabelWords::find(tokenizer, session.head(), &template, labels)?;
                Ok(Objective::Classification { template, labels })
            }
            _ => bail!(
                InvalidArgument,
                "classification takes a template and two labels or more, got {template:?} and {labels:?}"
            ),
        }
    }

    /// What a target is scored against.
    pub fn score(&self) -> Score<'_> {
        match self {
            Objective::Classification { labels, .. } => Score::Labels(&labels.ids),
            Objective::LanguageModel => Score::Vocabulary,
        }
    }

    /// Label words, empty for language modelling.
    pub fn label_words(&self) -> &[String] {
        match self {
            Objective::Classification { labels, .. } => &labels.words,
            Objective::LanguageModel => &[],
        }
    }

    /// Encodes a data set, each example cut to `max_length` tokens.
    ///
    /// # Errors
    /// `data-invalid` naming the row; `invalid-argument` when the data are of another kind than the objective.
    pub fn encode(&self, session: &Session, data: &Dataset, max_length: u32) -> Result<Examples> {
        let tokenizer = session.tokenizer()?;
        let length = max_length as usize;
        // The encoders know a row by its number; whose row it is, only the data set knows.
        let named = |e: Error| e.at(&data.name);
        let examples: Vec<Example> = match (self, &data.rows) {
            (Objective::Classification { template, labels }, Rows::Classified(rows)) => {
                let (template, labels, head) = (template.clone(), labels.clone(), session.head());
                let encoder = ClassificationEncoder::new(tokenizer, template, labels, head, length)?;
                rows.iter().map(|row| encoder.encode(row)).collect::<Result<_>>().map_err(named)?
            }
            (Objective::Classification { .. }, _) => {
                bail!(DataInvalid, "{}: classification needs the columns text and label", data.name)
            }
            (Objective::LanguageModel, Rows::Classified(_)) => {
                bail!(InvalidArgument, "{}: text with labels needs a template and labels", data.name)
            }
            (Objective::LanguageModel, _) if !session.model.spec().causal => {
                bail!(
                    InvalidArgument,
                    "{}: a {} model fills masks: it needs text with labels, a template and label words",
                    data.name,
                    session.model.spec().family
                )
            }
            (Objective::LanguageModel, Rows::Completion(rows)) => {
                let encoder = CompletionEncoder::new(tokenizer, length)?;
                rows.iter().map(|row| encoder.encode(row)).collect::<Result<_>>().map_err(named)?
            }
            (Objective::LanguageModel, Rows::Plain(texts)) => {
                let encoder = PlainEncoder::new(tokenizer, length)?;
                let windows = texts.iter().map(|text| encoder.encode(text)).collect::<Result<Vec<_>>>();
                let windows = windows.map_err(named)?;
                windows.into_iter().flatten().collect()
            }
        };
        if examples.is_empty() {
            bail!(DataInvalid, "{}: no examples", data.name);
        }
        Ok(Examples { examples, fingerprint: data.fingerprint() })
    }
}
