//! The CPU reference of each kernel, and the backend that runs recordings with them.
//!
//! A reference kernel is written for readability: plain loops in f32 that compute the formula in the header of the shader. The
//! tests compare the shaders with them, and they can run a model without WebGPU.

pub(crate) mod activation;
pub(crate) mod attention;
mod call;
pub(crate) mod cross_entropy_block;
mod cross_entropy_labels;
pub(crate) mod dequantize;
pub(crate) mod embedding;
pub(crate) mod embedding_perturbed;
mod gather_rows;
mod glu;
mod host;
mod kv_append;
mod layer_norm;
mod layout;
pub(crate) mod materialize;
mod matmul;
mod mean_loss;
mod merge;
mod multiply_add;
mod pack;
pub(crate) mod perturb;
mod pool;
pub(crate) mod rms_norm;
mod rotary;
mod sample;
mod short_convolution;
mod softcap;
pub(crate) mod storage;
mod table;

pub use call::Call;
pub use host::Host;
pub use table::{KERNELS, Reference};

use crate::error::{Result, err};
use crate::kernel::NO_BIAS;
use crate::kernel::step::Step;

/// Reads the step parameters from the words of a buffer.
pub(crate) fn step(words: &[u32]) -> Result<Step> {
    Step::from_words(words)
        .ok_or_else(|| err!(InvalidArgument, "the buffer of the step parameters has {} words", words.len()))
}

/// Norm weights and biases, `[branch, stride]`: CPU reference of `shaders/lib/vector.wgsl`.
pub(crate) struct Vectors<'a> {
    values: &'a [f32],
    stride: usize,
}

impl<'a> Vectors<'a> {
    pub(crate) fn new(values: &'a [f32], stride: u32) -> Self {
        Vectors { values, stride: stride as usize }
    }

    /// Element `i` of the norm weight or bias at an offset; 0 for [`NO_BIAS`].
    pub(crate) fn at(&self, branch: usize, offset: u32, i: usize) -> f32 {
        if offset == NO_BIAS { 0.0 } else { self.values[branch * self.stride + offset as usize + i] }
    }
}

/// Index and value of the largest element; the first one if several are equal.
pub(crate) fn largest(values: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &value) in (0..).zip(values) {
        if value > best.1 {
            best = (i, value);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::KERNELS;

    #[test]
    fn every_kernel_has_a_cpu_reference_and_every_reference_a_kernel() {
        let kernels: BTreeSet<&str> = crate::kernel::ALL
            .iter()
            .chain([&crate::gemm::tiles::ENTRY])
            .flat_map(|entry| (entry.variants)())
            .map(|variant| variant.kernel.name)
            .collect();
        let references: Vec<&str> = KERNELS.iter().map(|(name, _)| *name).collect();
        assert_eq!(references, kernels.into_iter().collect::<Vec<_>>(), "references left, kernels right");
    }
}
