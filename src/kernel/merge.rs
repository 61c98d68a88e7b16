//! Merge: adds the product of two factors to stored weights.

use crate::dtype::{DType, Format};
use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("merge");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of vec4s in the range.
        pub vec4s: u32,
        /// The index in the stored buffer of the range's first vec4.
        pub first_stored: u32,
        /// The index in its tensor of the range's first vec4.
        pub first_vec4: u32,
        /// Elements per row of the weights.
        pub width: u32,
        /// Rows of a, columns of b.
        pub rank: u32,
        /// First element of a.
        pub a_start: u32,
        /// First element of b.
        pub b_start: u32,
        /// The tensor's ordinal.
        pub ordinal: u32,
        /// The first word of the key of the random bits with which f16 weights are rounded.
        pub key_low: u32,
        /// The second word of the key.
        pub key_high: u32,
        /// Always 0.
        pub zero: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    Format::trainable().map(|format| variant(format.dtype)).collect()
}

fn variant(dtype: DType) -> Variant {
    Variant::from(&KERNEL).provide("storage", super::storage::provider(dtype))
}

/// `stored[r, c] += sum_j b[r, j] * a[j, c]` for a range of one tensor, f32 or f16.
pub fn record(
    recording: &mut Recording,
    dtype: DType,
    params: &Params,
    stored: &Buffer,
    a: &Buffer,
    b: &Buffer,
) {
    let vec4s = u64::from(params.vec4s);
    let bytes = 2 * super::storage::bytes(dtype, 4 * vec4s);
    let cost = Cost { work: vec4s * u64::from(params.rank) * 16, bytes };
    let bindings = vec![a.into(), stored.into(), b.into()];
    recording.push(variant(dtype), params, bindings, super::threads(vec4s), cost);
}
