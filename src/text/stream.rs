//! Detokenizing one token at a time: a character that is spread over tokens is held back until it is whole.

use super::tokenizer::Tokenizer;
use crate::error::Result;

/// Turns a stream of tokens into a stream of text.
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    ids: Vec<u32>,
    shown: usize,
}

impl<'a> Detokenizer<'a> {
    /// For a text that begins with the first token pushed.
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Detokenizer { tokenizer, ids: Vec::new(), shown: 0 }
    }

    /// Adds a token; returns the text that is now certain, if any.
    ///
    /// # Errors
    /// `invalid-argument` for a token that is not of the vocabulary.
    pub fn push(&mut self, id: u32) -> Result<Option<String>> {
        self.ids.push(id);
        let text = self.tokenizer.decode(&self.ids, true)?;
        // A character that is not whole yet decodes as the replacement character.
        if text.ends_with('\u{fffd}') || text.len() <= self.shown {
            return Ok(None);
        }
        let piece = text.get(self.shown..).map(str::to_owned);
        self.shown = text.len();
        Ok(piece)
    }
}
