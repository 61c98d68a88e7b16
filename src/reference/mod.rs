//! Floor 3: the CPU twin of each kernel, and the backend that runs recordings with them.
//!
//! Twins are written to be read: plain loops in f32, the formula as the kernel's header gives it. They are what the
//! kernels are tested against, and run the model where there is no WebGPU.

pub mod activation;
pub mod append_rows;
pub mod attention;
pub mod cross_entropy_block;
pub mod cross_entropy_labels;
pub mod gated;
pub mod gather_rows;
mod host;
pub mod layer_norm;
pub mod mean_loss;
pub mod residual;
pub mod rms_norm;
pub mod rotary;
pub mod sample;
pub mod threefry;

pub use host::Host;

use crate::kernel::NO_VECTOR;

/// Small parameters, `[branch, stride]`: twin of `shaders/lib/vector.wgsl`.
pub(crate) struct Vectors<'a> {
    values: &'a [f32],
    stride: usize,
}

impl<'a> Vectors<'a> {
    pub(crate) fn new(values: &'a [f32], stride: u32) -> Self {
        Vectors { values, stride: stride as usize }
    }

    /// Element i of the vector at an offset, 0 where there is none.
    pub(crate) fn at(&self, branch: usize, offset: u32, i: usize) -> f32 {
        if offset == NO_VECTOR { 0.0 } else { self.values[branch * self.stride + offset as usize + i] }
    }
}

/// Index and value of the largest; the first of equals.
pub(crate) fn largest(values: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &value) in (0..).zip(values) {
        if value > best.1 {
            best = (i, value);
        }
    }
    best
}
