//! Encodes labeled rows as prompts with one target.

use std::ops::Range;

use crate::error::{Result, bail};
use crate::text::encode::labels::check_template;
use crate::text::encode::{Example, HeadKind, LabelWords, Target, index};
use crate::text::rows::Classified;
use crate::text::template::{Rendered, Template};
use crate::text::tokenizer::{Piece, Tokenizer};

/// Encodes labeled rows with a template. The ids are those that Hugging Face's tokenizer gives for the rendered template, with
/// special tokens. If a prompt is too long, tokens are removed from the end of `{text}`, then of `{text_b}`.
#[derive(Clone, Debug)]
pub struct ClassificationEncoder<'t> {
    tokenizer: &'t Tokenizer,
    template: Template,
    labels: LabelWords,
    head: HeadKind,
    max_len: usize,
}

impl<'t> ClassificationEncoder<'t> {
    /// Creates an encoder for prompts of at most `max_len` tokens.
    ///
    /// # Errors
    /// `invalid-argument` if the template does not match the head, or has more than `max_len`
    /// tokens even with empty texts.
    pub fn new(
        tokenizer: &'t Tokenizer,
        template: Template,
        labels: LabelWords,
        head: HeadKind,
        max_len: usize,
    ) -> Result<Self> {
        check_template(tokenizer, head, &template)?;
        let encoder = ClassificationEncoder { tokenizer, template, labels, head, max_len };
        let empty = encoder.template.render("", Some(""))?;
        let least = encoder.tokenizer.encode(&empty, true)?.len();
        if least > max_len {
            bail!(
                InvalidArgument,
                "template: expected at most {max_len} tokens with an empty text, found {least}"
            );
        }
        Ok(encoder)
    }

    /// The labels and their words.
    pub fn labels(&self) -> &LabelWords {
        &self.labels
    }

    /// Encodes the row as a prompt with one target: the label's index at the mask, or at the last
    /// token of the prompt.
    ///
    /// # Errors
    /// `data-invalid`, naming the row, if the label is unknown, the template has a `{text_b}` but
    /// the row does not, the prompt cannot be shortened enough, or it has another mask.
    pub fn encode(&self, row: &Classified) -> Result<Example> {
        let place = |e: crate::error::Error| e.at(format!("row {}", row.row));
        let label = self.labels.index_of(&row.label).map_err(place)?;
        self.prompt(&row.text, row.text_b.as_deref(), label).map_err(place)
    }

    /// The prompt of texts with the index of their label.
    ///
    /// # Errors
    /// The errors of [`ClassificationEncoder::encode`], without the row.
    fn prompt(&self, text: &str, text_b: Option<&str>, label: u32) -> Result<Example> {
        let rendered = self.template.render_ranges(text, text_b)?;
        let mut pieces = match self.head {
            HeadKind::MaskedLm => self.tokenizer.pieces(&rendered.string, true)?,
            HeadKind::CausalLm => self.tokenizer.open_pieces(&rendered.string)?,
        };
        let whole = pieces.len();
        self.shorten(&mut pieces, &rendered)?;
        let position = match self.head {
            HeadKind::MaskedLm => self.mask_position(&pieces)?,
            HeadKind::CausalLm => match pieces.len().checked_sub(1) {
                Some(last) => last,
                None => bail!(DataInvalid, "expected a prompt of at least one token, found none"),
            },
        };
        Ok(Example {
            ids: pieces.iter().map(|p| p.id).collect(),
            targets: vec![Target { position: index(position), label }],
            truncated: pieces.len() < whole,
            ..Example::default()
        })
    }

    /// Removes tokens of the texts until the prompt fits.
    fn shorten(&self, pieces: &mut Vec<Piece>, rendered: &Rendered) -> Result<()> {
        let whole = pieces.len();
        let mut excess = whole.saturating_sub(self.max_len);
        if excess == 0 {
            return Ok(());
        }
        let mut drop = vec![false; whole];
        for ranges in [&rendered.text, &rendered.text_b] {
            // The tokens of each occurrence of the text, in order.
            let mut places: Vec<Vec<usize>> = ranges
                .iter()
                .map(|r| (0..whole).filter(|&i| is_within(&pieces[i], r, &rendered.string)).collect())
                .collect();
            while excess > 0 {
                let Some(last) = places.iter_mut().max_by_key(|p| p.len()).and_then(Vec::pop) else { break };
                drop[last] = true;
                excess -= 1;
            }
        }
        if excess > 0 {
            let (least, max) = (self.max_len + excess, self.max_len);
            bail!(DataInvalid, "expected at most {max} tokens without the texts, found {least}");
        }
        let mut keep = drop.iter().map(|d| !d);
        pieces.retain(|_| keep.next().unwrap_or(true));
        Ok(())
    }

    /// The position of the only mask.
    fn mask_position(&self, pieces: &[Piece]) -> Result<usize> {
        let mask = self.tokenizer.mask().map(|(_, id)| id);
        let mut masks = pieces.iter().enumerate().filter(|(_, p)| Some(p.id) == mask).map(|(i, _)| i);
        match (masks.next(), masks.count()) {
            (Some(position), 0) => Ok(position),
            (None, _) => bail!(DataInvalid, "expected the template's mask among the tokens, found none"),
            (Some(_), more) => {
                bail!(DataInvalid, "expected only the template's mask, found {} more in the text", more)
            }
        }
    }
}

/// Whether a token comes from `range` of the string. The space before a word may belong to the template.
fn is_within(piece: &Piece, range: &Range<usize>, string: &str) -> bool {
    let starts = piece.start >= range.start
        || string.get(piece.start..range.start).is_some_and(|before| before.trim().is_empty());
    !piece.added && starts && piece.end > range.start && piece.end <= range.end
}
