//! Embedding: looks up rows of a stored table.

use crate::dtype::{DType, Format};
use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("embedding");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of rows to look up.
        pub tokens: u32,
        /// Elements per row.
        pub width: u32,
        /// Number of branches. All of them see the same rows.
        pub branches: u32,
        /// The first row of this part of the table.
        pub first_row: u32,
        /// Number of rows in this part of the table.
        pub rows: u32,
        /// 1: add to the output instead of replacing it.
        pub accumulate: u32,
        /// The factor of the rows.
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

/// `y[b, t, :] (+)= scale * w[ids[t], :]` for the rows in one part of the table.
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
