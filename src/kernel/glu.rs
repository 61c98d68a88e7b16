//! The gated linear unit of an MLP (Shazeer 2020, arXiv 2002.05202); SwiGLU if the activation is SiLU.

use crate::gpu::{Buffer, Cost, Recording, Variant};
use crate::kernel::activation::Activation;

super::kernel!("glu");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Branches times tokens.
        pub rows: u32,
        /// Columns of y.
        pub width: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    Activation::ALL.iter().map(|a| Variant::from(&KERNEL).provide("activate", a.snippet())).collect()
}

/// `y[r, c] = activate(x[r, c]) * x[r, width + c]`: x `[branch, token, 2 * width]`, y `[branch, token, width]`.
pub fn record(recording: &mut Recording, activation: Activation, x: &Buffer, y: &Buffer, params: Params) {
    let variant = Variant::from(&KERNEL).provide("activate", activation.snippet());
    let count = u64::from(params.rows) * u64::from(params.width);
    let cost = Cost { work: 20 * count, bytes: 12 * count };
    recording.push(variant, &params, vec![x.into(), y.into()], super::threads(count), cost);
}
