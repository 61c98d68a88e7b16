//! Encodes conversations as examples in which the assistant's turns are scored.

use std::ops::Range;

use crate::error::{Code, Error, Result, bail};
use crate::text::chat::{ChatTemplate, Conversation};
use crate::text::encode::{Example, Target, index};
use crate::text::tokenizer::Tokenizer;

/// Encodes conversations with the model's chat template. The scored part of a turn is what the
/// model would have to generate: everything after the generation prompt, up to the token that ends
/// the turn.
#[derive(Clone, Debug)]
pub struct ChatEncoder<'t> {
    tokenizer: &'t Tokenizer,
    template: &'t ChatTemplate,
    max_len: usize,
}

impl<'t> ChatEncoder<'t> {
    /// Creates an encoder for examples of at most `max_len` tokens.
    ///
    /// # Errors
    /// `invalid-argument` if `max_len` is below 2, because nothing could be predicted.
    pub fn new(tokenizer: &'t Tokenizer, template: &'t ChatTemplate, max_len: usize) -> Result<Self> {
        if max_len < 2 {
            bail!(InvalidArgument, "length: expected at least 2 tokens, found {max_len}");
        }
        Ok(ChatEncoder { tokenizer, template, max_len })
    }

    /// Encodes the conversation up to the assistant's last turn, usually as one example. Some
    /// templates render an earlier turn differently from the last one, as Qwen 3's does, which
    /// drops earlier reasoning. Then each of the assistant's turns becomes an example with the
    /// messages before it. Examples that are too long are truncated at the end.
    ///
    /// # Errors
    /// `data-invalid`, naming the row, if no turn is within `max_len` tokens or the template
    /// rejects the conversation; `model-unsupported` if the template changes the text before an
    /// answer when the answer is added, so that the answer's tokens cannot be identified.
    pub fn encode(&self, conversation: &Conversation) -> Result<Vec<Example>> {
        let place = |e: Error| match e.code() {
            // The template is at fault, and other rows would fail as well.
            Code::ModelUnsupported => {
                Error::new(e.code(), format!("{} (found at row {})", e.message(), conversation.row))
            }
            _ => e.at(format!("row {}", conversation.row)),
        };
        self.encode_row(conversation).map_err(place)
    }

    fn encode_row(&self, conversation: &Conversation) -> Result<Vec<Example>> {
        let messages = conversation.messages.as_slice();
        let render = |messages, prompt| self.template.render(messages, &conversation.variables, prompt);
        let answers: Vec<usize> =
            (conversation.prompt..messages.len()).filter(|&i| messages[i].is_learned()).collect();
        let Some(&last) = answers.last() else {
            bail!(DataInvalid, "field `messages`: expected a message whose role is assistant, found none");
        };
        let full = render(&messages[..=last], false)?;
        let mut turns: Vec<(String, Range<usize>)> = Vec::new();
        for &i in &answers {
            let before = render(&messages[..i], true)?;
            let whole = if i == last { full.clone() } else { render(&messages[..=i], false)? };
            if !whole.starts_with(&before) {
                bail!(
                    ModelUnsupported,
                    "message {}: expected the chat template to render an answer after its prompt, found other text before \
                     it; give the data as prompt and completion instead",
                    i + 1
                );
            }
            let span = before.len()..whole.len();
            turns.push((whole, span));
        }
        if turns.iter().all(|(whole, _)| full.starts_with(whole.as_str())) {
            let spans: Vec<Range<usize>> = turns.into_iter().map(|(_, span)| span).collect();
            return Ok(vec![self.example(&full, &spans)?]);
        }
        turns.iter().map(|(whole, span)| self.example(whole, std::slice::from_ref(span))).collect()
    }

    /// Encodes a text, with the tokens within `spans` as targets.
    fn example(&self, text: &str, spans: &[Range<usize>]) -> Result<Example> {
        // The template adds the special tokens itself.
        let pieces = self.tokenizer.pieces(text, false)?;
        let mut targets = Vec::new();
        for span in spans {
            let within = |i: &usize| pieces[*i].start >= span.start && pieces[*i].end <= span.end;
            let mut scored: Vec<usize> = (1..pieces.len()).filter(within).collect();
            // After the token that ends the turn, the template may add white space that the model
            // never generates.
            let end = scored.iter().rposition(|&i| self.tokenizer.is_special(pieces[i].id));
            if let Some(end) = end
                && text.get(pieces[scored[end]].end..span.end).is_some_and(|rest| rest.trim().is_empty())
            {
                scored.truncate(end + 1);
            }
            targets.extend(scored.iter().map(|&i| Target { position: index(i - 1), label: pieces[i].id }));
        }
        targets.sort_unstable_by_key(|t| t.position);
        targets.dedup();
        let whole = targets.len();
        targets.retain(|t| (t.position as usize) < self.max_len);
        let truncated = targets.len() < whole;
        let Some(last) = targets.last() else {
            bail!(
                DataInvalid,
                "field `messages`: expected an answer within the first {} tokens, found none",
                self.max_len
            );
        };
        let ids = pieces.iter().take(last.position as usize + 1).map(|p| p.id).collect();
        Ok(Example { ids, targets, truncated, ..Example::default() })
    }
}
