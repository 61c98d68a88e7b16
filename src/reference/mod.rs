//! Floor 3: the CPU twin of each kernel, and the backend that runs recordings with them.
//!
//! Twins are written to be read: plain loops in f32, the formula as the kernel's header gives it. They are what the
//! kernels are tested against, and run the model where there is no WebGPU.

pub(crate) mod activation;
pub(crate) mod append_rows;
pub(crate) mod attention;
pub(crate) mod cross_entropy_block;
pub(crate) mod cross_entropy_labels;
pub(crate) mod dequantize;
pub(crate) mod embedding;
pub(crate) mod gated;
pub(crate) mod gather_rows;
mod host;
pub(crate) mod layer_norm;
pub(crate) mod layout;
pub(crate) mod lookup;
pub(crate) mod materialise;
pub(crate) mod matmul;
pub(crate) mod mean_loss;
pub(crate) mod merge;
pub(crate) mod multiply_add;
pub(crate) mod pack;
pub mod perturb;
pub(crate) mod rms_norm;
pub(crate) mod rotary;
pub(crate) mod sample;
pub mod storage;
pub mod threefry;

pub use host::Host;

use crate::error::{Result, err};
use crate::kernel::NO_VECTOR;
use crate::kernel::step::Step;

/// The step in a buffer's words.
fn step(words: &[u32]) -> Result<Step> {
    Step::from_words(words)
        .ok_or_else(|| err!(InvalidArgument, "the step's buffer has {} words", words.len()))
}

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
