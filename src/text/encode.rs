//! From rows of data to token ids with targets.

use super::dataset::{Classified, Completion};
use super::template::Template;
use super::tokenizer::Tokenizer;
use crate::error::{Result, bail, err};

/// What is scored: the hidden state at `position`, against `label`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index of a token.
    pub position: u32,
    /// Index of a label word, or a token id.
    pub label: u32,
}

/// A sequence with its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Token ids.
    pub ids: Vec<u32>,
    /// What is scored.
    pub targets: Vec<Target>,
}

/// Where a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// At the mask.
    MaskedLm,
    /// After the last token.
    CausalLm,
}

/// The words that stand for labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelWords {
    /// How a file may name each label: the word itself, or what stands before `=`.
    names: Vec<String>,
    /// As they were given: `word`, or `label=word`.
    pub words: Vec<String>,
    /// The token of each.
    pub ids: Vec<u32>,
}

impl LabelWords {
    /// Finds the token of each label word, as the model would write it in the template's gap.
    ///
    /// # Errors
    /// `data-invalid` when a word is not one token of the vocabulary, or two labels share one.
    pub fn find(
        tokenizer: &Tokenizer,
        head: HeadKind,
        template: &Template,
        labels: &[String],
    ) -> Result<LabelWords> {
        let after_space = match head {
            // A mask takes the place of a word with the space before it.
            HeadKind::MaskedLm => true,
            HeadKind::CausalLm => !template.gap_after_space(),
        };
        let mut found = LabelWords { names: Vec::new(), words: labels.to_vec(), ids: Vec::new() };
        for label in labels {
            let (name, word) = label.split_once('=').unwrap_or((label, label));
            let id = tokenizer.single_token(word.trim(), after_space)?;
            if let Some(other) = found.ids.iter().position(|other| *other == id) {
                bail!(DataInvalid, "labels {:?} and {label:?} are the same token", labels[other]);
            }
            found.names.push(name.trim().to_lowercase());
            found.ids.push(id);
        }
        Ok(found)
    }

    /// The index of a file's label: its name whatever its case, or the index itself.
    fn index(&self, label: &str) -> Option<u32> {
        let name = label.to_lowercase();
        let by_name = self.names.iter().position(|n| *n == name).map(|i| i as u32);
        by_name.or_else(|| label.parse().ok().filter(|i| (*i as usize) < self.names.len()))
    }
}

/// Puts labelled texts into a template.
pub struct ClassificationEncoder<'a> {
    tokenizer: &'a Tokenizer,
    template: &'a Template,
    labels: &'a LabelWords,
    mask: Option<(String, u32)>,
    max_length: usize,
}

impl<'a> ClassificationEncoder<'a> {
    /// For a model with this tokenizer and head; examples are cut to `max_length` tokens.
    ///
    /// # Errors
    /// `data-invalid` when the template has a mask and the model fills none, or the other way round.
    pub fn new(
        tokenizer: &'a Tokenizer,
        template: &'a Template,
        labels: &'a LabelWords,
        head: HeadKind,
        max_length: usize,
    ) -> Result<Self> {
        let mask = match (head, template.has_mask()) {
            (HeadKind::MaskedLm, true) => {
                let mask = tokenizer.mask();
                Some(mask.ok_or_else(|| err!(DataInvalid, "the model's tokenizer has no mask token"))?)
            }
            (HeadKind::CausalLm, false) => None,
            (HeadKind::MaskedLm, false) => {
                bail!(DataInvalid, "the template has no [MASK] for the model to fill")
            }
            (HeadKind::CausalLm, true) => {
                bail!(DataInvalid, "the template has a [MASK], but this model answers at the end")
            }
        };
        Ok(ClassificationEncoder { tokenizer, template, labels, mask, max_length })
    }

    /// Token ids with one target: the mask, or the last token.
    ///
    /// # Errors
    /// `data-invalid` naming the row: an unknown label, a missing `text_b`, a template that is too long by itself.
    pub fn encode(&self, row: &Classified) -> Result<Example> {
        let place = || format!("row {}", row.row);
        let label = self.labels.index(&row.label).ok_or_else(|| {
            let known = self.labels.names.join(", ");
            err!(DataInvalid, "row {}: label {:?}, expected one of {known}", row.row, row.label)
        })?;
        let needs_b = self.template.pieces().contains(&super::template::Piece::TextB);
        let text_b = match (&row.text_b, needs_b) {
            (None, true) => bail!(DataInvalid, "row {}: there is no text_b, which the template has", row.row),
            (text_b, _) => text_b.as_deref().unwrap_or_default(),
        };
        let ids = self.fitting(&row.text, text_b).map_err(|e| e.at(place()))?;
        let position = match &self.mask {
            None => ids.len().checked_sub(1),
            Some((_, mask)) => ids.iter().position(|id| id == mask),
        };
        let position = position.ok_or_else(|| {
            let most = self.max_length;
            err!(DataInvalid, "row {}: the template does not fit into {most} tokens", row.row)
        })?;
        Ok(Example { ids, targets: vec![Target { position: position as u32, label }] })
    }

    /// The prompt's tokens, the texts shortened from their ends until they fit: the longer one first.
    fn fitting(&self, text: &str, text_b: &str) -> Result<Vec<u32>> {
        let (mut text, mut text_b) = (text, text_b);
        loop {
            let ids = self.prompt(text, text_b)?;
            let over = ids.len().saturating_sub(self.max_length);
            if over == 0 {
                return Ok(ids);
            }
            if text.is_empty() && text_b.is_empty() {
                bail!(
                    DataInvalid,
                    "the template alone has {} tokens, more than {}",
                    ids.len(),
                    self.max_length
                );
            }
            let longer = if text.len() >= text_b.len() { &mut text } else { &mut text_b };
            *longer = self.shortened(longer, over)?;
        }
    }

    fn prompt(&self, text: &str, text_b: &str) -> Result<Vec<u32>> {
        let mask = self.mask.as_ref().map_or("", |(word, _)| word);
        self.tokenizer.encode(&self.template.render(text, text_b, mask), true)
    }

    /// A text without its last `over` tokens, and shorter in any case.
    fn shortened<'t>(&self, text: &'t str, over: usize) -> Result<&'t str> {
        let ends = self.tokenizer.token_ends(text)?;
        let keep = ends.len().saturating_sub(over);
        let mut end = if keep == 0 { 0 } else { ends[keep - 1] };
        if end >= text.len() {
            end = text.len() - 1;
        }
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Ok(&text[..end])
    }
}

/// Puts prompts and completions end to end; the completion's tokens are scored.
pub struct CompletionEncoder<'a> {
    tokenizer: &'a Tokenizer,
    max_length: usize,
}

impl<'a> CompletionEncoder<'a> {
    /// Examples are cut to `max_length` tokens: a long prompt from its start, a long completion from its end.
    ///
    /// # Errors
    /// `invalid-argument` when not even two tokens fit.
    pub fn new(tokenizer: &'a Tokenizer, max_length: usize) -> Result<Self> {
        if max_length < 2 {
            bail!(InvalidArgument, "a length of {max_length} tokens leaves nothing to predict");
        }
        Ok(CompletionEncoder { tokenizer, max_length })
    }

    /// Token ids; each token of the completion, and the end after it, is the label of the token before.
    ///
    /// # Errors
    /// `data-invalid` naming the row.
    pub fn encode(&self, row: &Completion) -> Result<Example> {
        let place = |e: crate::error::Error| e.at(format!("row {}", row.row));
        let mut prompt = self.tokenizer.encode(&row.prompt, true).map_err(place)?;
        let mut completion = self.tokenizer.encode(&row.completion, false).map_err(place)?;
        completion.extend(self.tokenizer.eos());
        // The first token of all can be predicted from nothing.
        completion.truncate(self.max_length - usize::from(!prompt.is_empty()));
        let over = (prompt.len() + completion.len()).saturating_sub(self.max_length);
        prompt.drain(..over);
        let first = prompt.len().max(1);
        let mut ids = prompt;
        ids.extend(completion);
        if ids.len() < 2 {
            bail!(DataInvalid, "row {}: nothing in it can be predicted", row.row);
        }
        Ok(next_token(ids, first))
    }
}

/// Cuts plain text into windows in which every token but the first is predicted.
pub struct PlainTextEncoder<'a> {
    tokenizer: &'a Tokenizer,
    window: usize,
}

impl<'a> PlainTextEncoder<'a> {
    /// Windows of `window` tokens.
    ///
    /// # Errors
    /// `invalid-argument` when not even two tokens fit.
    pub fn new(tokenizer: &'a Tokenizer, window: usize) -> Result<Self> {
        if window < 2 {
            bail!(InvalidArgument, "a length of {window} tokens leaves nothing to predict");
        }
        Ok(PlainTextEncoder { tokenizer, window })
    }

    /// Windows side by side; one of a single token at the end is left out.
    ///
    /// # Errors
    /// `data-invalid` when the text is shorter than two tokens.
    pub fn encode(&self, text: &str) -> Result<Vec<Example>> {
        let ids = self.tokenizer.encode(text, false)?;
        let windows = ids.chunks(self.window).filter(|window| window.len() > 1);
        let examples: Vec<Example> = windows.map(|window| next_token(window.to_vec(), 1)).collect();
        if examples.is_empty() {
            bail!(DataInvalid, "the text has {} tokens, expected 2 or more", ids.len());
        }
        Ok(examples)
    }
}

/// Every token from `first` on is the label of the one before it.
fn next_token(ids: Vec<u32>, first: usize) -> Example {
    let targets = (first..ids.len()).map(|i| Target { position: i as u32 - 1, label: ids[i] }).collect();
    Example { ids, targets }
}
