//! Generates text: continues a prompt token by token, and converts the tokens to text.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::session::Session;
use crate::error::Result;
use crate::model::{Generation, Sampling};
use crate::text::stream::Detokenizer;
use crate::text::tokenizer::Tokenizer;
use crate::zo::random::sampling_key;

/// How a prompt is continued.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WriteOptions {
    /// The most tokens to write.
    pub max_tokens: u32,
    /// The sampling temperature: logits are divided by it before a token is drawn. 0 always takes the most likely token.
    pub temperature: f32,
    /// Seed of the sampling.
    pub seed: u64,
    /// Whether to continue after the token that ends a text.
    pub ignore_eos: bool,
}

/// A text that is being written.
///
/// It borrows nothing, so that a caller may take one piece at a time. [`Session::write`] takes all of them.
pub struct Writing {
    generation: Generation,
    options: WriteOptions,
    /// The tokens that end the text.
    ends: BTreeSet<u32>,
    ids: Vec<u32>,
    /// Converts the ids to text; none once the text has ended.
    text: Option<Detokenizer<Rc<Tokenizer>>>,
}

/// A text that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The pieces, joined.
    pub text: String,
    /// The tokens.
    pub ids: Vec<u32>,
}

impl Session {
    /// The tokens of a text that the model is to continue. They begin with the special tokens that a text begins with, as in
    /// training, and have none of those that end a text.
    ///
    /// # Errors
    /// `model-unsupported` when the model came without a tokenizer; `data-invalid` for a token that the model has no row for.
    pub fn prompt(&self, text: &str) -> Result<Vec<u32>> {
        let ids: Vec<u32> = self.tokenizer()?.open_pieces(text)?.iter().map(|piece| piece.id).collect();
        self.check_tokens(ids.iter().copied())?;
        Ok(ids)
    }

    /// Starts to continue a prompt of at least one token.
    ///
    /// # Errors
    /// `model-unsupported` when the model came without a tokenizer; those of
    /// [`Transformer::generate`](crate::model::Transformer::generate).
    pub fn start_writing(&self, prompt: &[u32], options: WriteOptions) -> Result<Writing> {
        let tokenizer = self.tokenizer()?.clone();
        let mut ends = if options.ignore_eos { BTreeSet::new() } else { self.ends().clone() };
        ends.extend(tokenizer.eos().filter(|_| !options.ignore_eos));
        let sampling = Sampling { temperature: options.temperature };
        Ok(Writing {
            generation: self.model.generate(prompt, options.max_tokens, sampling)?,
            options,
            ends,
            ids: Vec::new(),
            text: Some(Detokenizer::new(tokenizer, true)),
        })
    }

    /// Continues a prompt of at least one token. `on_piece` gets each piece of the text as soon as its
    /// characters are complete, and may end the writing.
    ///
    /// # Errors
    /// The errors of [`Session::start_writing`]; those of the backend; and any error of `on_piece`.
    pub async fn write(
        &self,
        prompt: &[u32],
        options: WriteOptions,
        on_piece: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<Written> {
        let mut writing = self.start_writing(prompt, options)?;
        let mut text = String::new();
        while let Some(piece) = writing.next_piece(self).await? {
            text += &piece;
            if on_piece(&piece)?.is_break() {
                break;
            }
        }
        Ok(Written { text, ids: writing.ids })
    }
}

impl Writing {
    /// The next piece of the text, by the model that began it; none at the end. A token may end within a
    /// character, which is held back until it is complete or the text ends.
    ///
    /// # Errors
    /// The errors of the backend.
    pub async fn next_piece(&mut self, session: &Session) -> Result<Option<String>> {
        while self.text.is_some() {
            let index = self.ids.len() as u32;
            let next = match index < self.options.max_tokens {
                true => self.generation.next(&session.model, sampling_key(self.options.seed, index)).await?,
                false => None,
            };
            let Some(id) = next.filter(|id| !self.ends.contains(id)) else { break };
            self.ids.push(id);
            if let Some(piece) = self.text.as_mut().map(|text| text.push(id)).transpose()?.flatten() {
                return Ok(Some(piece));
            }
        }
        self.text.take().map_or(Ok(None), Detokenizer::finish)
    }
}
