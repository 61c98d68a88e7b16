//! Layer norm over the last axis.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("layer_norm");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Branches times tokens.
        pub rows: u32,
        /// Number of rows in each branch.
        pub rows_per_branch: u32,
        /// Number of columns.
        pub width: u32,
        /// Offset of the weight in `vectors`, or [`NO_BIAS`](super::NO_BIAS) for a weight of 1.
        pub weight: u32,
        /// Offset of the bias in `vectors`, or [`NO_BIAS`](super::NO_BIAS).
        pub bias: u32,
        /// Elements of a branch in `vectors`.
        pub vector_stride: u32,
        /// Added to the variance.
        pub epsilon: f32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `y[r, :] = (x[r, :] - mean) / sqrt(variance + epsilon) * weight + bias`: x, y `[branch, token, width]`, vectors
/// `[branch, vector_stride]`.
pub fn record(recording: &mut Recording, x: &Buffer, vectors: &Buffer, y: &Buffer, params: Params) {
    let grid = super::groups(params.rows.div_ceil(super::SUMMED_ROWS));
    let elements = u64::from(params.rows) * u64::from(params.width);
    let cost = Cost { work: 8 * elements, bytes: 8 * elements };
    recording.push(&KERNEL, &params, vec![x.into(), vectors.into(), y.into()], grid, cost);
}
