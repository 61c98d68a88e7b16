//! Perturbed embedding: looks up rows of a trained table as each branch sees them.

use crate::dtype::{DType, Format};
use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("embedding_perturbed");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of rows to look up in each branch.
        pub tokens: u32,
        /// Elements per row.
        pub width: u32,
        /// Number of branches.
        pub branches: u32,
        /// The table's ordinal.
        pub ordinal: u32,
        /// 1: weight decay applies to the table.
        pub decays: u32,
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

/// Every variant of the kernel.
pub fn variants() -> Vec<Variant> {
    Format::trainable().map(|format| variant(format.dtype)).collect()
}

fn variant(dtype: DType) -> Variant {
    Variant::from(&KERNEL).provide("storage", super::storage::provider(dtype))
}

/// The approximate number of operations per vec4, as in [`super::materialize`].
const WORK: u64 = 300;

/// `y[b, t, :] (+)= scale * w_b[ids[t], :]` for the rows in one part of the table.
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
