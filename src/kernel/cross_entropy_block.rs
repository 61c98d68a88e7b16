//! Cross-entropy over the full vocabulary, block by block.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("cross_entropy_block");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Branches times targets.
        pub rows: u32,
        /// Number of targets in each branch.
        pub rows_per_branch: u32,
        /// Tokens of the block.
        pub width: u32,
        /// Token of the block's column 0.
        pub first: u32,
        /// Offset in `vectors` of the vocabulary's bias, or [`NO_BIAS`](super::NO_BIAS).
        pub bias: u32,
        /// Elements of a branch in `vectors`.
        pub vector_stride: u32,
        /// 1 in the first block, 0 in later ones.
        pub start: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// The tensors.
#[derive(Clone, Copy, Debug)]
pub struct Tensors<'a> {
    /// `[branch, target, width]` f32.
    pub logits: &'a Buffer,
    /// `[branch, vector_stride]` f32.
    pub vectors: &'a Buffer,
    /// `[target]` u32: the correct token.
    pub targets: &'a Buffer,
    /// `[branch, target]` of 16 bytes, carried from block to block.
    pub state: &'a Buffer,
    /// `[branch, target]` f32, valid after the last block.
    pub loss: &'a Buffer,
    /// `[branch, target]` u32, valid after the last block: the token with the largest logit.
    pub prediction: &'a Buffer,
}

/// `loss = log(sum of exp(logits + bias)) - (logits + bias)[target]`, over the blocks processed so far.
pub fn record(recording: &mut Recording, tensors: Tensors<'_>, params: Params) {
    let Tensors { logits, vectors, targets, state, loss, prediction } = tensors;
    let bindings = [logits, vectors, targets, state, loss, prediction].map(Into::into).to_vec();
    let logits = u64::from(params.rows) * u64::from(params.width);
    let cost = Cost { work: 12 * logits, bytes: 4 * logits };
    recording.push(&KERNEL, &params, bindings, super::groups(params.rows), cost);
}
