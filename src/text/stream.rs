//! Generated ids back to text as they arrive.

use std::borrow::Borrow;

use crate::error::Result;
use crate::text::tokenizer::Tokenizer;

/// A character is at most four bytes, and a byte at least a part of a token: if more tokens than this make no
/// whole character, the bytes are not UTF-8 and waiting for more is in vain.
const MAX_HELD: usize = 8;

/// Turns a stream of token ids into a stream of text, holding back the first bytes of an unfinished character.
///
/// The pieces joined, with [`Detokenizer::finish`]'s, are the text of all ids decoded at once, if that is UTF-8;
/// if not, the two may show its broken bytes with another number of U+FFFD.
#[derive(Debug)]
pub struct Detokenizer<T> {
    tokenizer: T,
    skip_special: bool,
    /// The ids decoded together: a few emitted ones, since a token's text may depend on the one before
    /// (WordPiece, SentencePiece), then those not yet emitted.
    ids: Vec<u32>,
    /// How many of `ids` have been emitted.
    emitted: usize,
}

impl<T: Borrow<Tokenizer>> Detokenizer<T> {
    /// A stream at its start; `skip_special` leaves special tokens out of the text. The tokenizer is borrowed or shared.
    pub fn new(tokenizer: T, skip_special: bool) -> Self {
        Detokenizer { tokenizer, skip_special, ids: Vec::new(), emitted: 0 }
    }

    /// Takes the next id and returns the text that it completes, if any.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn push(&mut self, id: u32) -> Result<Option<String>> {
        self.ids.push(id);
        self.take(self.ids.len() - self.emitted > MAX_HELD)
    }

    /// The text still held back at the end of the stream, with U+FFFD for what never became a character.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn finish(mut self) -> Result<Option<String>> {
        self.take(true)
    }

    fn take(&mut self, all: bool) -> Result<Option<String>> {
        let tokenizer = self.tokenizer.borrow();
        let before = tokenizer.decode(&self.ids[..self.emitted], self.skip_special)?;
        let text = tokenizer.decode(&self.ids, self.skip_special)?;
        if text.len() <= before.len() {
            if all {
                self.ids.truncate(self.emitted);
            }
            return Ok(None);
        }
        if text.ends_with('\u{FFFD}') && !all {
            return Ok(None);
        }
        // A decoder may rewrite what was already shown (WordPiece joins "don ' t"); that cannot be taken back.
        let new = text.get(before.len()..).unwrap_or_default().to_string();
        self.ids.drain(..self.emitted);
        self.emitted = self.ids.len();
        Ok(Some(new).filter(|t| !t.is_empty()))
    }
}
