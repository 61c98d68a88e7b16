//! Which tokens of a sequence stand for all of it.

use crate::names::names;

/// The tokens of a sequence whose hidden states are its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens, special tokens included.
    Mean,
    /// The first token: BERT's `[CLS]`.
    First,
    /// The last token: the only one that a causal model computes from the whole sequence.
    Last,
}

names!(Pooling: Mean = "mean", First = "first", Last = "last");

impl Pooling {
    /// For a sequence of the tokens `first` to `end`, the tokens that are averaged.
    pub(super) fn range(self, first: u32, end: u32) -> [u32; 2] {
        match self {
            Pooling::Mean => [first, end],
            Pooling::First => [first, first + 1],
            Pooling::Last => [end - 1, end],
        }
    }
}
