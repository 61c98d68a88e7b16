//! Encodes rows as examples: token ids with the positions to score and the expected answers there.

mod chat;
mod classification;
mod labels;
mod language;
mod plain;

pub use chat::ChatEncoder;
pub use classification::ClassificationEncoder;
pub use labels::LabelWords;
pub use language::{CompletionEncoder, PlainEncoder};
pub use plain::TextEncoder;

/// What a model predicts at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadKind {
    /// The model predicts the token at the mask (BERT, RoBERTa).
    MaskedLm,
    /// The model predicts the next token (OPT, Llama).
    CausalLm,
}

/// A position whose hidden state is scored, and the correct answer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Index into the ids of the example, or of the batch after packing.
    pub position: u32,
    /// Index into the label words for classification, or the id of the next token for language
    /// modeling.
    pub label: u32,
}

/// One sequence of tokens with its targets in ascending order of position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// Token ids, including special tokens.
    pub ids: Vec<u32>,
    /// The type of each token; empty if all are of type 0.
    pub types: Vec<u32>,
    /// The positions to score.
    pub targets: Vec<Target>,
    /// Whether tokens were removed so that the example fits.
    pub truncated: bool,
}

impl Example {
    /// The label of a classification example, which has one target; 0 for a text, whose targets are its next tokens.
    pub fn label(&self) -> u32 {
        match self.targets[..] {
            [target] => target.label,
            _ => 0,
        }
    }
}

/// Converts an index into ids to `u32`. It always fits, because the model's context bounds the ids.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
