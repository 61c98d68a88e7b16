//! Samples the next token, one block of the vocabulary at a time.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("sample");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
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
        /// The sampling temperature; 0 takes the largest logit.
        pub temperature: f32,
        /// First word of the Threefry key, which differs for every token drawn.
        pub key_low: u32,
        /// Second word of the Threefry key.
        pub key_high: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// Adds a block's logits, `[width]`, to the draw. After the last block, `chosen[0]` is the sampled token. Shapes: vectors
/// `[1, vector_stride]`, chosen `[2]` u32.
pub fn record(recording: &mut Recording, logits: &Buffer, vectors: &Buffer, chosen: &Buffer, params: Params) {
    let width = u64::from(params.width);
    let cost = Cost { work: 60 * width, bytes: 4 * width };
    let bindings = vec![logits.into(), vectors.into(), chosen.into()];
    recording.push(&KERNEL, &params, bindings, [1, 1, 1], cost);
}
