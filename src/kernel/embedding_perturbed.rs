//! Perturbed embedding: rows of a trained table as each branch sees them.

use crate::dtype::{DType, Format};
use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("embedding_perturbed");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Rows looked up in each branch.
        pub tokens: u32,
        /// Elements of a row.
        pub width: u32,
        /// Number of branches.
        pub branches: u32,
        /// The table's ordinal.
        pub ordinal: u32,
        /// 1: weight decay applies to the table.
        pub decays: u32,
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

/// Every composition of the kernel.
pub fn variants() -> Vec<Variant> {
    Format::trainable().map(|format| variant(format.dtype)).collect()
}

fn variant(dtype: DType) -> Variant {
    Variant::from(&KERNEL).provide("storage", super::storage::provider(dtype))
}

/// The approximate number of operations for a vec4, as for [`super::materialize`].
const WORK: u64 = 300;

/// `y[b, t, :] (+)= scale * w_b[ids[t], :]` for the rows that one part of the table holds.
pub fn record(
    recording: &mut Recording,
    dtype: DType,
    params: &Params,
    step: &Buffer,
    stored: &Buffer,
    ids: &Buffer,
    y: &Buffer,
) {
    let of_row = if params.width.is_multiple_of(4) { params.width / 4 } else { (params.width + 6) / 4 };
    let vec4s = u64::from(params.branches) * u64::from(params.tokens) * u64::from(of_row);
    let bindings = vec![ids.into(), stored.into(), step.into(), y.into()];
    let bytes = super::storage::bytes(dtype, 4 * vec4s) + 16 * vec4s;
    recording.push(
        variant(dtype),
        params,
        bindings,
        super::threads(vec4s),
        Cost { work: vec4s * WORK, bytes },
    );
}
