//! Embedding: rows of a table as it is stored.

use crate::dtype::{DType, Format};
use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("embedding");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Rows looked up.
        pub tokens: u32,
        /// Elements of a row.
        pub width: u32,
        /// Branches, which all see the same rows.
        pub branches: u32,
        /// The part's first row.
        pub first_row: u32,
        /// The part's rows.
        pub rows: u32,
        /// 1: add to the output instead of replacing it.
        pub accumulate: u32,
        /// What the rows are multiplied by.
        pub scale: f32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    Format::on_device().map(|format| variant(format.dtype)).collect()
}

fn variant(dtype: DType) -> Variant {
    Variant::from(&KERNEL).provide("storage", super::storage::provider(dtype))
}

/// `y[b, t, :] (+)= scale * w[ids[t], :]` for the rows that one part of the table holds.
pub fn record(
    recording: &mut Recording,
    dtype: DType,
    params: &Params,
    stored: &Buffer,
    ids: &Buffer,
    y: &Buffer,
) {
    let elements = u64::from(params.branches) * u64::from(params.tokens) * u64::from(params.width);
    let bindings = vec![ids.into(), stored.into(), y.into()];
    let bytes = super::storage::bytes(dtype, elements) + 4 * elements;
    recording.push(
        variant(dtype),
        params,
        bindings,
        super::threads(elements),
        Cost { work: elements * 16, bytes },
    );
}
