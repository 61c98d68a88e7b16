//! Dequantize: converts frozen weights, which every branch sees unperturbed, to f32.

use super::panels;
use crate::dtype::{DType, Format};
use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("dequantize");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of vec4s in the range.
        pub vec4s: u32,
        /// The index in the stored buffer of the range's first vec4.
        pub first_stored: u32,
        /// Unused: there is one copy of the weights.
        pub branch_stride: u32,
        /// Vec4s in a row if the weights are written in panels ([`super::panels`]), otherwise 0.
        pub across: u32,
    }
}

/// Every variant that can be recorded. Rows of f32 need none, since they are bound directly.
pub fn variants() -> Vec<Variant> {
    let layouts = |dtype| if dtype == DType::F32 { 1..2 } else { 0..2 };
    let of = |dtype| layouts(dtype).map(move |across| variant(dtype, across));
    Format::on_device().flat_map(|format| of(format.dtype)).collect()
}

fn variant(dtype: DType, across: u32) -> Variant {
    panels::provide(across, Variant::from(&KERNEL).provide("storage", super::storage::provider(dtype)))
}

/// `weights` = the vec4s of `stored`, starting at `params.first_stored`. If panels are written, the range is whole rows.
pub fn record(recording: &mut Recording, dtype: DType, params: &Params, stored: &Buffer, weights: &Buffer) {
    let grid = panels::grid(params.across, params.vec4s);
    let bindings = vec![weights.into(), stored.into()];
    let vec4s = u64::from(params.vec4s);
    let bytes = super::storage::bytes(dtype, 4 * vec4s) + 16 * vec4s;
    recording.push(variant(dtype, params.across), params, bindings, grid, Cost { work: vec4s * 16, bytes });
}
