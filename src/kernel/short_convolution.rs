//! The gated short convolution of LFM2 (Liquid AI 2025, arXiv 2511.23404).

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("short_convolution");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Branches times tokens.
        pub rows: u32,
        /// Tokens of each branch.
        pub tokens: u32,
        /// Columns of y.
        pub width: u32,
        /// The number of taps, which is the number of tokens that are summed over.
        pub taps: u32,
        /// Offset of the weight `[width, taps]` in `vectors`.
        pub weight: u32,
        /// Offset of the bias `[width]` in `vectors`, or [`NO_BIAS`](super::NO_BIAS).
        pub bias: u32,
        /// Elements of a branch in `vectors`.
        pub vector_stride: u32,
        /// Number of tokens in the cache.
        pub cached: u32,
        /// 1 if there is a cache to which the new tokens are appended.
        pub append: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// The buffers of a dispatch.
#[derive(Clone, Copy, Debug)]
pub struct Tensors<'a> {
    /// The projected input: b, c and v side by side `[branch, token, 3 * width]`.
    pub x: &'a Buffer,
    /// The range of tokens that each token sees, first and end, `[token]` x 2.
    pub spans: &'a Buffer,
    /// `[branch, vector_stride]`.
    pub vectors: &'a Buffer,
    /// Products b v of earlier tokens `[capacity, width]`. Without a cache, any buffer that is not bound elsewhere in this dispatch.
    pub cache: &'a Buffer,
    /// `[branch, token, width]`.
    pub y: &'a Buffer,
}

/// `y[t] = c[t] * (bias + sum over j of weight[:, j] * (b v)[t - (taps - 1) + j])` over the tokens that token t sees.
pub fn record(recording: &mut Recording, tensors: Tensors<'_>, params: Params) {
    let Tensors { x, spans, vectors, cache, y } = tensors;
    let count = u64::from(params.rows) * u64::from(params.width);
    let taps = u64::from(params.taps);
    let cost = Cost { work: (3 * taps + 2) * count, bytes: (8 + 12 * taps) * count };
    let buffers = vec![x.into(), spans.into(), vectors.into(), cache.into(), y.into()];
    recording.push(&KERNEL, &params, buffers, super::threads(count), cost);
}
