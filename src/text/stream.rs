//! Decodes generated ids to text as they arrive.

use std::borrow::Borrow;

use crate::error::Result;
use crate::text::tokenizer::Tokenizer;

/// Maximum number of tokens to hold back until a token ends with a whole character. After that, only the bytes of a character that
/// is still incomplete are held back.
const MAX_HELD: usize = 8;

/// Maximum number of U+FFFD that stand for one incomplete character: a character has at most four bytes.
const INCOMPLETE: usize = 3;

/// Converts a stream of token ids to a stream of text. It holds back the first bytes of an incomplete character.
///
/// All pieces together, including the result of [`Detokenizer::finish`], equal the text of all ids decoded at once, if that is
/// valid UTF-8. Otherwise the two may differ in the number of U+FFFD for invalid bytes.
#[derive(Debug)]
pub struct Detokenizer<T> {
    tokenizer: T,
    skip_special: bool,
    /// The ids that are decoded together: a few that have been emitted, because the text of a token may depend on the previous
    /// token (WordPiece, SentencePiece), followed by those that have not.
    ids: Vec<u32>,
    /// The number of `ids` that have been emitted.
    emitted: usize,
    /// The number of bytes of the later ids' text that have been emitted.
    begun: usize,
}

impl<T: Borrow<Tokenizer>> Detokenizer<T> {
    /// Starts a stream. `skip_special` leaves special tokens out of the text. The tokenizer may be
    /// borrowed or shared.
    pub fn new(tokenizer: T, skip_special: bool) -> Self {
        Detokenizer { tokenizer, skip_special, ids: Vec::new(), emitted: 0, begun: 0 }
    }

    /// Adds the next id and returns the text that it completes, if any.
    ///
    /// # Errors
    /// The errors of [`Tokenizer::decode`].
    pub fn push(&mut self, id: u32) -> Result<Option<String>> {
        self.ids.push(id);
        self.take(false)
    }

    /// Returns the text that is still held back at the end of the stream, with U+FFFD for
    /// incomplete characters.
    ///
    /// # Errors
    /// The errors of [`Tokenizer::decode`].
    pub fn finish(mut self) -> Result<Option<String>> {
        self.take(true)
    }

    fn take(&mut self, all: bool) -> Result<Option<String>> {
        let tokenizer = self.tokenizer.borrow();
        let before = tokenizer.decode(&self.ids[..self.emitted], self.skip_special)?;
        let text = tokenizer.decode(&self.ids, self.skip_special)?;
        let is_late = self.ids.len() - self.emitted > MAX_HELD;
        let start = before.len() + self.begun;
        if text.len() <= start {
            if self.begun == 0 && (all || is_late) {
                self.ids.truncate(self.emitted);
            }
            return Ok(None);
        }
        // A decoder may change text that was already emitted (WordPiece joins "don ' t"). That text is left unchanged.
        let new = text.get(start..).unwrap_or_default();
        if text.ends_with('\u{FFFD}') && !all {
            let whole = new.trim_end_matches('\u{FFFD}').len();
            let certain = whole.max(new.len().saturating_sub(INCOMPLETE * '\u{FFFD}'.len_utf8()));
            if !is_late || certain == 0 {
                return Ok(None);
            }
            self.begun += certain;
            return Ok(Some(new[..certain].to_owned()));
        }
        let new = new.to_owned();
        self.ids.drain(..self.emitted);
        (self.emitted, self.begun) = (self.ids.len(), 0);
        Ok(Some(new).filter(|t| !t.is_empty()))
    }
}
