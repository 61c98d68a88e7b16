//! Encodes prompts with completions, and plain text, for language modeling.

use crate::error::{Result, bail, err};
use crate::text::encode::{Example, Target, index};
use crate::text::rows::Completion;
use crate::text::tokenizer::Tokenizer;

/// Encodes prompts with completions for a causal model. Only the tokens of the completion are
/// scored, and the end-of-text token if the model has one.
#[derive(Clone, Debug)]
pub struct CompletionEncoder<'t> {
    tokenizer: &'t Tokenizer,
    max_len: usize,
}

impl<'t> CompletionEncoder<'t> {
    /// Creates an encoder for examples of at most `max_len` tokens.
    ///
    /// # Errors
    /// `invalid-argument` if `max_len` is below 2, because nothing could be predicted.
    pub fn new(tokenizer: &'t Tokenizer, max_len: usize) -> Result<Self> {
        if max_len < 2 {
            bail!(InvalidArgument, "length: expected at least 2 tokens, found {max_len}");
        }
        Ok(CompletionEncoder { tokenizer, max_len })
    }

    /// Encodes the prompt's tokens, which are the same as for generation, followed by the completion's. The last token is not among
    /// the ids, because nothing is predicted from it. If an example is too long, tokens are removed from the start of the prompt,
    /// after its special tokens.
    ///
    /// # Errors
    /// `data-invalid`, naming the row, if the completion alone does not fit or has nothing to
    /// score.
    pub fn encode(&self, row: &Completion) -> Result<Example> {
        self.continuation(&row.prompt, &row.completion, true)
            .map_err(|e| e.at(format!("row {}: field `completion`", row.row)))
    }

    /// Encodes two texts like [`CompletionEncoder::encode`]. Without `ends`, the end-of-text token is not scored.
    ///
    /// # Errors
    /// `data-invalid` if `text` alone does not fit or has nothing to score.
    pub fn continuation(&self, prompt: &str, text: &str, ends: bool) -> Result<Example> {
        let tokenizer = self.tokenizer;
        let opening = tokenizer.open_pieces(prompt)?;
        let special = opening.iter().take_while(|p| p.added).count();
        let mut ids: Vec<u32> = opening.iter().map(|p| p.id).collect();
        // Both texts are encoded together if the resulting tokens begin with the prompt's, because a tokenizer may mark the start
        // of a text.
        let full = tokenizer.encode(&format!("{prompt}{text}"), false)?;
        let mut completion = match full.strip_prefix(&ids[special..]) {
            Some(rest) => rest.to_vec(),
            None => tokenizer.encode(text, false)?,
        };
        if let Some(eos) = tokenizer.eos().filter(|&eos| ends && completion.last() != Some(&eos)) {
            completion.push(eos);
        }
        if completion.is_empty() || (ids.is_empty() && completion.len() < 2) {
            bail!(
                DataInvalid,
                "expected at least one token before the one to predict, found {} in all",
                completion.len()
            );
        }

        // The ids start with the special tokens and end before the last token of the completion.
        let length = ids.len() + completion.len() - 1;
        let excess = length.saturating_sub(self.max_len);
        let removable = ids.len().saturating_sub(special.max(1));
        if excess > removable {
            bail!(
                DataInvalid,
                "expected at most {} tokens, found {}",
                completion.len().saturating_sub(excess - removable),
                completion.len()
            );
        }
        ids.drain(special..special + excess);

        let first = ids.len();
        ids.extend_from_slice(&completion);
        let targets =
            (first.max(1)..ids.len()).map(|p| Target { position: index(p - 1), label: ids[p] }).collect();
        ids.pop();
        Ok(Example { ids, targets, truncated: excess > 0, ..Example::default() })
    }

    /// Encodes a prompt for generating up to `new_tokens` tokens. A prompt that is too long loses tokens as in
    /// [`CompletionEncoder::encode`].
    ///
    /// # Errors
    /// The errors of [`Tokenizer::encode`].
    pub fn prompt(&self, prompt: &str, new_tokens: usize) -> Result<Vec<u32>> {
        let pieces = self.tokenizer.open_pieces(prompt)?;
        let special = pieces.iter().take_while(|p| p.added).count();
        let mut ids: Vec<u32> = pieces.iter().map(|p| p.id).collect();
        let most = self.max_len.saturating_sub(new_tokens).max(special + 1);
        let excess = ids.len().saturating_sub(most);
        ids.drain(special..special + excess);
        Ok(ids)
    }
}

/// Splits texts into windows for a causal model, in which every token predicts the next.
#[derive(Clone, Debug)]
pub struct PlainEncoder<'t> {
    tokenizer: &'t Tokenizer,
    context: usize,
}

impl<'t> PlainEncoder<'t> {
    /// Creates an encoder for windows of `context` tokens.
    ///
    /// # Errors
    /// `invalid-argument` if `context` is 0.
    pub fn new(tokenizer: &'t Tokenizer, context: usize) -> Result<Self> {
        if context == 0 {
            bail!(InvalidArgument, "context: expected at least 1 token, found 0");
        }
        Ok(PlainEncoder { tokenizer, context })
    }

    /// Encodes the text as windows, in order. Each token of the text except the first is a label exactly once: the last token of a
    /// window predicts the first token of the next. The last window may be shorter. With `ends`, the end-of-text token is also
    /// trained on, if the model has one.
    ///
    /// # Errors
    /// `data-invalid` if the text has fewer than two tokens.
    pub fn encode(&self, text: &str, ends: bool) -> Result<Vec<Example>> {
        let mut stream = self.tokenizer.encode_stream(text)?;
        if let Some(eos) = self.tokenizer.eos().filter(|&eos| ends && stream.last() != Some(&eos)) {
            stream.push(eos);
        }
        let last =
            stream.len().checked_sub(1).filter(|&n| n > 0).ok_or_else(|| {
                err!(DataInvalid, "text: expected at least two tokens, found {}", stream.len())
            })?;
        let windows = (0..last).step_by(self.context).map(|start| {
            let end = (start + self.context).min(last);
            let targets = stream[start + 1..=end].iter().enumerate();
            Example {
                ids: stream[start..end].to_vec(),
                targets: targets.map(|(p, &label)| Target { position: index(p), label }).collect(),
                ..Example::default()
            }
        });
        Ok(windows.collect())
    }
}
