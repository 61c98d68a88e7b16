//! Encodes texts without a template, for a classifier on hidden states.

use crate::error::{Result, bail};
use crate::text::encode::{Example, HeadKind};
use crate::text::tokenizer::Tokenizer;

/// Encodes a text, or a pair of texts, with the tokenizer's special tokens. For a bidirectional model, a pair is joined as the
/// tokenizer does it; for a causal model, a line end is put between the texts. If the texts are too long, tokens are removed from
/// their ends, starting with the longer one of a pair.
#[derive(Clone, Debug)]
pub struct TextEncoder<'t> {
    tokenizer: &'t Tokenizer,
    head: HeadKind,
    max_len: usize,
}

impl<'t> TextEncoder<'t> {
    /// Creates an encoder for at most `max_len` tokens.
    ///
    /// # Errors
    /// `invalid-argument` if the special tokens alone leave no token for a text.
    pub fn new(tokenizer: &'t Tokenizer, head: HeadKind, max_len: usize) -> Result<Self> {
        let special = tokenizer.framed("", None)?.len();
        if special >= max_len {
            let least = special + 1;
            bail!(InvalidArgument, "length: expected at least {least} tokens, found {max_len}");
        }
        Ok(TextEncoder { tokenizer, head, max_len })
    }

    /// A text or a pair as an example without targets, with the types that the tokenizer gives its tokens.
    ///
    /// # Errors
    /// `data-invalid` if there is no text, or if it has no tokens.
    pub fn encode(&self, text: &str, text_b: Option<&str>) -> Result<Example> {
        if text.trim().is_empty() && text_b.is_none_or(|text_b| text_b.trim().is_empty()) {
            bail!(DataInvalid, "field `text`: expected a non-empty text, found an empty one");
        }
        let tokens = match (self.head, text_b) {
            (HeadKind::MaskedLm, text_b) => self.tokenizer.framed(text, text_b)?,
            (HeadKind::CausalLm, Some(text_b)) => {
                self.tokenizer.framed(&format!("{text}\n{text_b}"), None)?
            }
            (HeadKind::CausalLm, None) => self.tokenizer.framed(text, None)?,
        };
        let count = |of: usize| tokens.iter().filter(|token| token.of == Some(of)).count();
        let [first, second] = [count(0), count(1)];
        let Some(most) = self.max_len.checked_sub(tokens.len() - first - second).filter(|most| *most > 0)
        else {
            bail!(InvalidArgument, "length: {} tokens leave no room for the text", self.max_len);
        };
        // The longer text loses tokens until both are equally long; then both do.
        let kept_first = first.min(most.saturating_sub(second).max(most.div_ceil(2)));
        let mut left = [kept_first, second.min(most - kept_first)];
        let whole = tokens.len();
        let mut kept = Example::default();
        for token in tokens {
            match token.of.and_then(|of| left.get_mut(of)) {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => {}
            }
            kept.ids.push(token.id);
            kept.types.push(token.kind);
        }
        if kept.ids.is_empty() {
            bail!(DataInvalid, "field `text`: expected at least one token, found none");
        }
        kept.truncated = kept.ids.len() < whole;
        if kept.types.iter().all(|kind| *kind == 0) {
            kept.types.clear();
        }
        Ok(kept)
    }
}
