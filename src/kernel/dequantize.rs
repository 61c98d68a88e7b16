//! Dequantize: frozen weights as every branch sees them.

use crate::dtype::DType;
use crate::gpu::{Buffer, Kernel, Recording, Variant};
use crate::reference;

/// See `shaders/dequantize.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "dequantize",
    source: include_str!("../../shaders/dequantize.wgsl"),
    twin: reference::dequantize::run,
};

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Quads of the range.
        pub quads: u32,
        /// Quad of the stored buffer where the range begins.
        pub first_stored: u32,
    }
}

/// Every variant that can be recorded: f32 is bound as it is.
pub fn variants() -> Vec<Variant> {
    [DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_1].map(variant).to_vec()
}

fn variant(dtype: DType) -> Variant {
    Variant::from(&KERNEL).provide("storage", super::storage::provider(dtype))
}

/// `weights[quad]` = the quads of `stored` from `params.first_stored` on.
pub fn record(recording: &mut Recording, dtype: DType, params: &Params, stored: &Buffer, weights: &Buffer) {
    let quads = u64::from(params.quads);
    let bindings = vec![weights.into(), stored.into()];
    recording.push(variant(dtype), params, bindings, super::threads(quads), quads * 16);
}
