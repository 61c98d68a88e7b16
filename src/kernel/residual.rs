//! Residual connection: adds one tensor to another in place.

use crate::gpu::{Buffer, Kernel, Recording, Variant};
use crate::reference;

/// See `shaders/residual.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "residual",
    source: include_str!("../../shaders/residual.wgsl"),
    twin: reference::residual::run,
};

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Elements of both tensors.
        pub count: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `x[i] += y[i]` for `count` elements.
pub fn record(recording: &mut Recording, x: &Buffer, y: &Buffer, count: u32) {
    let (grid, work) = (super::threads(u64::from(count)), u64::from(count));
    recording.push(&KERNEL, &Params { count }, vec![x.into(), y.into()], grid, work);
}
