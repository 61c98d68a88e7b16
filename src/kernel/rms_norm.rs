//! RMS norm (Zhang and Sennrich 2019, arXiv 1910.07467) over the last axis, or over each head in it.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("rms_norm");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of vectors to normalize: branches times tokens times heads.
        pub rows: u32,
        /// Tokens times heads.
        pub rows_per_branch: u32,
        /// Columns of a vector.
        pub width: u32,
        /// Offset of the weight `[width]` in `vectors`.
        pub weight: u32,
        /// Elements of a branch in `vectors`.
        pub vector_stride: u32,
        /// Added to the mean of the squares.
        pub epsilon: f32,
        /// Added to the weight: 0, or 1 for models that store a weight as its difference from 1.
        pub weight_offset: f32,
        /// Number of adjacent vectors per token. All of them use the same weight.
        pub heads: u32,
        /// Elements between tokens.
        pub stride: u32,
        /// The column where a token's first vector begins.
        pub column: u32,
    }
}

const COPY: &str = "norm_copy";
const IN_PLACE: &str = "norm_in_place";
const ADD: &str = "norm_add";

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    [COPY, IN_PLACE, ADD].map(variant).to_vec()
}

fn variant(place: &'static str) -> Variant {
    Variant::from(&KERNEL).provide("place", place)
}

/// `y = x / sqrt(mean of squares + epsilon) * (weight + weight_offset)` for each vector: x, y `[branch, token, stride]`, vectors
/// `[branch, vector_stride]`. Columns of y that belong to no vector are unchanged.
pub fn record(recording: &mut Recording, x: &Buffer, vectors: &Buffer, y: &Buffer, params: Params) {
    push(recording, COPY, vec![x, vectors, y], params);
}

/// Like [`record`], but adds the result to y.
pub fn record_added(recording: &mut Recording, x: &Buffer, vectors: &Buffer, y: &Buffer, params: Params) {
    push(recording, ADD, vec![x, vectors, y], params);
}

/// Like [`record`], but in place on x, `[branch, token, stride]`.
pub fn record_in_place(recording: &mut Recording, x: &Buffer, vectors: &Buffer, params: Params) {
    push(recording, IN_PLACE, vec![x, vectors], params);
}

fn push(recording: &mut Recording, place: &'static str, buffers: Vec<&Buffer>, params: Params) {
    let grid = super::groups(params.rows.div_ceil(super::SUMMED_ROWS));
    let elements = u64::from(params.rows) * u64::from(params.width);
    let cost = Cost { work: 5 * elements, bytes: 8 * elements };
    let bindings = buffers.into_iter().map(Into::into).collect();
    recording.push(variant(place), &params, bindings, grid, cost);
}
