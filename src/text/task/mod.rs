//! Tasks by name, with the prompts and settings of the MeZO paper (arXiv 2305.17333) and readers
//! for the published files of their data sets.
//!
//! A [`Task`] is an entry of a table ([`known`]). It defines where each field is in the files, the prompts for a masked and a
//! causal model, the possible answers, and how answers are scored. Reading a file returns an ordinary [`Dataset`], so that no other
//! module depends on a task's name: labeled texts with a template for a masked model, and [`Question`]s for a causal one.

mod answers;
mod definition;
pub mod known;
mod record;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result, bail, err};
use crate::text::decode::decode;
use crate::text::encode::HeadKind;
use crate::text::rows::{Classified, Dataset, Question, Reply, Rows};
use crate::text::sniff::refuse_binary;
pub use definition::Task;
use definition::{Answers, Prompt, Word};
use record::Record;

/// The settings that the paper's authors start from. The learning rate and epsilon depend on the
/// size of the model; see `train::preset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// Number of steps.
    pub steps: u32,
    /// Number of examples per step.
    pub batch_size: u32,
    /// Weight decay.
    pub weight_decay: f32,
    /// Maximum tokens per example, up to the model's own maximum. Longer examples are truncated.
    pub max_length: u32,
}

/// A name in lower case and without punctuation, for comparison.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Finds the task with this name, ignoring case and hyphens.
///
/// # Errors
/// `invalid-argument`, with the known names.
pub fn find(name: &str) -> Result<&'static Task> {
    known::TASKS.iter().find(|task| plain(task.name) == plain(name)).ok_or_else(|| {
        let names = |head| {
            known::TASKS.iter().filter(|t| t.prompt(head).is_some()).map(|t| t.name).collect::<Vec<_>>()
        };
        err!(
            InvalidArgument,
            "task: expected, for a masked model, {}; for a causal model, {}; found {name:?}",
            names(HeadKind::MaskedLm).join(", "),
            names(HeadKind::CausalLm).join(", ")
        )
    })
}

impl Task {
    fn prompt(&self, head: HeadKind) -> Option<&Prompt> {
        match head {
            HeadKind::MaskedLm => self.masked.as_ref(),
            HeadKind::CausalLm => self.causal.as_ref(),
        }
    }

    /// The task's prompt for models with this head.
    ///
    /// # Errors
    /// `invalid-argument` if the task has no prompt for such models.
    fn form(&self, head: HeadKind) -> Result<&Prompt> {
        self.prompt(head).ok_or_else(|| {
            let kind = match head {
                HeadKind::MaskedLm => "masked",
                HeadKind::CausalLm => "causal",
            };
            let others: Vec<_> =
                known::TASKS.iter().filter(|t| t.prompt(head).is_some()).map(|t| t.name).collect();
            err!(
                InvalidArgument,
                "task {}: expected a task for {kind} language models, which are {}",
                self.name,
                others.join(", ")
            )
        })
    }

    /// The template for models with this head. It has `{text}`, `{text_b}` and `[MASK]` for a
    /// masked model, and the task's own fields for a causal one.
    ///
    /// # Errors
    /// `invalid-argument` if the task has no prompt for such models.
    pub fn template(&self, head: HeadKind) -> Result<&'static str> {
        self.form(head).map(|prompt| prompt.template)
    }

    /// The label words in the order of the labels' indices. Empty if rows have their own candidates
    /// or text.
    pub fn words(&self) -> Vec<&'static str> {
        match self.answers {
            Answers::Words { words, .. } => words.iter().map(|w| w.word).collect(),
            Answers::Choices(_) | Answers::Text(..) => Vec::new(),
        }
    }

    /// The initial settings for a method: `full`, `lora` or `prefix`.
    ///
    /// # Errors
    /// `invalid-argument` for another method.
    pub fn defaults(&self, head: HeadKind, method: &str) -> Result<Defaults> {
        let masked = head == HeadKind::MaskedLm;
        let weight_decay = match (method, masked) {
            ("full" | "prefix", _) | ("lora", false) => 0.0,
            ("lora", true) => 0.1,
            _ => bail!(InvalidArgument, "method: expected full, lora or prefix, found {method:?}"),
        };
        let (steps, batch_size, max_length) = if masked { (100_000, 64, 256) } else { (20_000, 16, 2048) };
        Ok(Defaults { steps, batch_size, weight_decay, max_length })
    }

    /// Reads a published file of the data set, or a file of rows with `text`, `text_b` and `label`,
    /// for models with this head.
    ///
    /// # Errors
    /// `data-invalid`, naming the file, the row and the field if a value is wrong, what was
    /// expected and what was found; `invalid-argument` if the task has no prompt for such models.
    pub fn read(&self, head: HeadKind, name: &str, bytes: &[u8]) -> Result<Dataset> {
        let prompt = self.form(head)?;
        refuse_binary(name, bytes)?;
        let lossy =
            if self.layout.lines.is_some() { record::without_stray_bytes(bytes) } else { bytes.into() };
        let (text, _) = decode(&lossy).map_err(|e| e.at(name))?;
        if text.trim().is_empty() {
            bail!(DataInvalid, "{name}: expected the rows of {}, found an empty file", self.name);
        }
        let values = record::values(&self.layout, self.name, name, &text)?;
        let mut rows = match head {
            HeadKind::MaskedLm => Rows::Classified(Vec::new()),
            HeadKind::CausalLm => Rows::Questions(Vec::new()),
        };
        for (row, value) in &values {
            let at = |e: Error| e.at(format!("{name}, row {row}"));
            for record in record::unnest(value, self.layout.nest, *row).map_err(at)? {
                self.add(&mut rows, prompt, &record).map_err(at)?;
            }
        }
        let dataset = Dataset { name: name.to_owned(), rows, task: Some(self.name) };
        if dataset.is_empty() {
            bail!(DataInvalid, "{name}: expected at least one row of {}, found none", self.name);
        }
        Ok(dataset)
    }

    fn add(&self, rows: &mut Rows, prompt: &Prompt, record: &Record<'_>) -> Result<()> {
        let field = |name: &str| -> Result<String> {
            let Some(field) = self.fields.iter().find(|f| f.name == name) else {
                bail!(InvalidArgument, "task {}: there is no field {name}", self.name);
            };
            let text = record.text(field.paths)?;
            let edit = prompt.edits.iter().find(|(edited, _)| *edited == name);
            Ok(edit.map_or_else(|| text.trim().to_owned(), |(_, edit)| edit(text.trim())))
        };
        let label = match self.answers {
            Answers::Words { label, words, skipped } => {
                let found = record.label(label)?;
                if skipped.contains(&found.as_str()) {
                    return Ok(());
                }
                Some(index_of(words, &found)?)
            }
            Answers::Choices(_) | Answers::Text(..) => None,
        };
        match rows {
            Rows::Classified(rows) => {
                let Some(label) = label.and_then(|i| self.words().get(i).copied()) else {
                    bail!(InvalidArgument, "task {}: there are no label words for a masked model", self.name);
                };
                let second = self.fields.iter().any(|f| f.name == "text_b");
                let text_b = second.then(|| field("text_b")).transpose()?;
                rows.push(Classified {
                    text: field("text")?,
                    text_b,
                    label: label.to_owned(),
                    row: record.row,
                });
            }
            Rows::Questions(rows) => {
                let rendered = render(prompt.template, field)?;
                // A space before the answer belongs to the first word of the answer.
                let prompt = rendered.trim_end_matches(' ').to_owned();
                let reply = match self.answers {
                    Answers::Words { words, .. } => {
                        let lead = if prompt.ends_with('\n') { "" } else { " " };
                        let candidates = words.iter().map(|w| format!("{lead}{}", w.word)).collect();
                        Reply::Choice { candidates, correct: label.into_iter().collect() }
                    }
                    Answers::Choices(of) => {
                        let (candidates, correct) = of(record)?;
                        Reply::Choice { candidates, correct }
                    }
                    Answers::Text(of, normalize) => Reply::Text { answers: of(record)?, normalize },
                };
                let class = label.and_then(|i| u32::try_from(i).ok());
                rows.push(Question { prompt, reply, class, row: record.row });
            }
            Rows::Completion(_) | Rows::Plain(_) | Rows::Chat(_) => {}
        }
        Ok(())
    }
}

/// The index of a label that is given as a name, its word or the index itself.
fn index_of(words: &[Word], label: &str) -> Result<usize> {
    let same = |name: &&str| name.eq_ignore_ascii_case(label);
    let by_name = words.iter().position(|w| w.names.iter().any(&same) || same(&w.word));
    by_name.or_else(|| label.parse().ok().filter(|i| *i < words.len())).ok_or_else(|| {
        let names: Vec<_> = words.iter().map(|w| w.names.first().unwrap_or(&w.word)).copied().collect();
        err!(
            DataInvalid,
            "label: expected {} or an index below {}, found {label:?}",
            names.join(", "),
            words.len()
        )
    })
}

/// Renders a causal prompt: replaces each `{field}` of the template by its text.
fn render(template: &str, mut field: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((literal, (name, after))) =
        rest.split_once('{').and_then(|(literal, more)| Some((literal, more.split_once('}')?)))
    {
        out.push_str(literal);
        out.push_str(&field(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}
