//! The tokens that represent a whole sequence.

use crate::names::names;
use crate::text::batch::Batch;

/// The tokens of a sequence whose hidden states are its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens, special tokens included.
    Mean,
    /// The first token: BERT's `[CLS]`.
    First,
    /// The last token: the only one that a causal model computes from the whole sequence.
    Last,
    /// The mask of a template, which a masked model's head reads.
    Mask,
}

names!(Pooling: Mean = "mean", First = "first", Last = "last", Mask = "mask");

impl Pooling {
    /// The token range of each sequence of a batch that is averaged. Every sequence has at least one token. For [`Pooling::Mask`],
    /// its one target is at the mask.
    pub(super) fn ranges(self, batch: &Batch) -> Vec<[u32; 2]> {
        let bounds = batch.cu_seqlens.windows(2).map(|bounds| [bounds[0], bounds[1]]);
        match self {
            Pooling::Mean => bounds.collect(),
            Pooling::First => bounds.map(|[first, _]| [first, first + 1]).collect(),
            Pooling::Last => bounds.map(|[_, end]| [end - 1, end]).collect(),
            Pooling::Mask => {
                batch.targets.iter().map(|target| [target.position, target.position + 1]).collect()
            }
        }
    }
}
