//! Materialize: computes the weights that each branch sees from the stored ones, after applying the pending updates to them.

use super::panels;
use crate::dtype::{DType, Format};
use crate::gpu::{Binding, Buffer, Cost, Recording, Variant};

super::kernel!("materialize");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of vec4s in the range.
        pub vec4s: u32,
        /// The index in the stored buffer of the range's first vec4.
        pub first_stored: u32,
        /// The index in its tensor of the range's first vec4.
        pub first_vec4: u32,
        /// The tensor's ordinal.
        pub ordinal: u32,
        /// Number of branches to write; 0: only apply the updates.
        pub branches: u32,
        /// Vec4s between the weights of consecutive branches.
        pub branch_stride: u32,
        /// 1: weight decay applies.
        pub decays: u32,
        /// Vec4s in a row if the weights are written in panels ([`super::panels`]), otherwise 0.
        pub across: u32,
    }
}

/// Every variant of the kernel.
pub fn variants() -> Vec<Variant> {
    let of = |dtype| [0, 1].map(|across| matrix(dtype, across));
    Format::trainable().flat_map(|format| of(format.dtype)).chain([packed()]).collect()
}

fn matrix(dtype: DType, across: u32) -> Variant {
    let variant = Variant::from(&KERNEL).provide("storage", super::storage::provider(dtype));
    panels::provide(across, variant.provide("counter", "counter_matrix"))
}

fn packed() -> Variant {
    let variant = Variant::from(&KERNEL).provide("storage", "storage_f32");
    panels::provide(0, variant.provide("counter", "counter_packed"))
}

/// The approximate number of operations per vec4: the generator twice, the table, and the additions.
const WORK: u64 = 300;

/// Materializes a range of one tensor, f32 or f16: `params.vec4s` vec4s of `stored` to `weights` `[branch, branch_stride]`. If
/// panels are written, the range is whole rows.
pub fn record_matrix(
    recording: &mut Recording,
    dtype: DType,
    params: &Params,
    step: &Buffer,
    stored: &Buffer,
    weights: &Buffer,
) {
    let bindings = vec![weights.into(), stored.into(), step.into()];
    push(recording, matrix(dtype, params.across), params, bindings, dtype);
}

/// Materializes many packed small tensors, with a counter `(index in its tensor, ordinal)` for each vec4.
pub fn record_packed(
    recording: &mut Recording,
    params: &Params,
    step: &Buffer,
    stored: &Buffer,
    weights: &Buffer,
    counters: &Buffer,
) {
    let bindings = vec![weights.into(), stored.into(), step.into(), counters.into()];
    push(recording, packed(), params, bindings, DType::F32);
}

fn push(recording: &mut Recording, variant: Variant, params: &Params, bindings: Vec<Binding>, dtype: DType) {
    let grid = panels::grid(params.across, params.vec4s);
    let vec4s = u64::from(params.vec4s);
    // The stored weights are both read and written.
    let bytes = 2 * super::storage::bytes(dtype, 4 * vec4s) + 16 * vec4s * u64::from(params.branches);
    recording.push(variant, params, bindings, grid, Cost { work: vec4s * WORK, bytes });
}
