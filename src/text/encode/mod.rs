//! Rows to examples: token ids with the positions that are scored and what is expected there.

mod chat;
mod classification;
mod labels;
mod language;

pub use chat::ChatEncoder;
pub use classification::ClassificationEncoder;
pub use labels::LabelWords;
pub use language::{CompletionEncoder, PlainEncoder};

/// What the model predicts at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadKind {
    /// The word under a mask (BERT, RoBERTa).
    MaskedLm,
    /// The next token (OPT, Llama).
    CausalLm,
}

/// A position whose hidden state is scored, and the right answer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Index into the ids of the example (of the batch, once packed).
    pub position: u32,
    /// Index into the label words for classification, the id of the next token for language modelling.
    pub label: u32,
}

/// One sequence of tokens with its targets, ascending by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// Token ids, special ones included.
    pub ids: Vec<u32>,
    /// What is scored.
    pub targets: Vec<Target>,
}

/// An index into ids; they are bounded by the model's context.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
