//! Residual connection: adds one tensor to another in place.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{Buffer, Kernel, Recording};
use crate::reference;

/// See `shaders/residual.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "residual",
    source: include_str!("../../shaders/residual.wgsl"),
    twin: reference::residual::run,
};

/// `@binding(0)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Elements of both tensors.
    pub count: u32,
}

const GROUP: u64 = 64;

/// `x[i] += y[i]` for `count` elements.
pub fn record(recording: &mut Recording, x: &Buffer, y: &Buffer, count: u32) {
    let grid = Recording::fold(u64::from(count).div_ceil(GROUP));
    recording.push(&KERNEL, &Params { count }, vec![x.into(), y.into()], grid, u64::from(count));
}
