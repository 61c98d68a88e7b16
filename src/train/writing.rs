//! Generates text: continues a prompt token by token, and decodes the tokens to text.

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
    /// The maximum number of tokens to generate.
    pub max_tokens: u32,
    /// The sampling temperature: logits are divided by it before a token is drawn. 0 always takes the most likely token.
    pub temperature: f32,
    /// Seed of the sampling.
    pub seed: u64,
    /// Whether to continue after a token that ends a text.
    pub ignore_eos: bool,
}

/// A text that is being generated.
///
/// It borrows nothing, so a caller may take one piece at a time. [`Session::write`] takes all of them.
pub struct Writing {
    generation: Generation,
    options: WriteOptions,
    /// The tokens that end the text.
    ends: BTreeSet<u32>,
    ids: Vec<u32>,
    /// Why the text has ended, once it has.
    end: Option<End>,
    /// Converts the ids to text; `None` once the text has ended.
    text: Option<Detokenizer<Rc<Tokenizer>>>,
}

/// Why a generated text has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The model wrote a token that ends a text.
    EndToken,
    /// The text has the maximum number of tokens.
    MaxTokens,
    /// The prompt and the text fill the model's context.
    Context,
}

/// A generated text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The pieces, joined.
    pub text: String,
    /// The tokens.
    pub ids: Vec<u32>,
    /// Why it has ended; `None` if the caller has ended it.
    pub end: Option<End>,
}

impl Session {
    /// The tokens of a prompt that the model is to continue. They include the special tokens that begin a text, as in training, but
    /// none that end a text.
    ///
    /// # Errors
    /// `model-unsupported` if the model came without a tokenizer; `data-invalid` for a token that the model has no row for.
    pub fn prompt(&self, text: &str) -> Result<Vec<u32>> {
        let ids: Vec<u32> = self.tokenizer()?.open_pieces(text)?.iter().map(|piece| piece.id).collect();
        self.check_tokens(ids.iter().copied())?;
        Ok(ids)
    }

    /// Starts generating a continuation of a prompt of at least one token.
    ///
    /// # Errors
    /// `model-unsupported` if the model came without a tokenizer; the errors of
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
            end: None,
            text: Some(Detokenizer::new(tokenizer, true)),
        })
    }

    /// Generates a continuation of a prompt of at least one token. `on_piece` receives each piece of the text as soon as its
    /// characters are complete, and may end the generation.
    ///
    /// # Errors
    /// The errors of [`Session::start_writing`]; errors from the backend and from `on_piece`.
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
        Ok(Written { text, ids: writing.ids, end: writing.end })
    }
}

impl Writing {
    /// Generates the next piece of the text with the model that started it; `None` at the end. If a token ends within a character,
    /// the character is held back until it is complete or the text ends.
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn next_piece(&mut self, session: &Session) -> Result<Option<String>> {
        while self.text.is_some() {
            let index = self.ids.len() as u32;
            let next = match index < self.options.max_tokens {
                true => self.generation.next(&session.model, sampling_key(self.options.seed, index)).await?,
                false => None,
            };
            let id = match next {
                Some(id) if !self.ends.contains(&id) => id,
                next => {
                    self.end = Some(match next {
                        Some(_) => End::EndToken,
                        None if index < self.options.max_tokens => End::Context,
                        None => End::MaxTokens,
                    });
                    break;
                }
            };
            self.ids.push(id);
            if let Some(piece) = self.text.as_mut().map(|text| text.push(id)).transpose()?.flatten() {
                return Ok(Some(piece));
            }
        }
        self.text.take().map_or(Ok(None), Detokenizer::finish)
    }
}
