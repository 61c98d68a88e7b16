//! The table of all CPU reference kernels.

use super::call::Call;
use super::{
    activation, attention, cross_entropy_block, cross_entropy_labels, dequantize, embedding,
    embedding_perturbed, gather_rows, glu, kv_append, layer_norm, materialize, matmul, mean_loss, merge,
    multiply_add, pack, pool, rms_norm, rotary, sample, short_convolution, softcap,
};
use crate::error::Result;

/// A CPU reference kernel.
pub type Reference = fn(&Call<'_>) -> Result<()>;

/// Every CPU reference kernel, under the name of the kernel that it corresponds to.
pub static KERNELS: &[(&str, Reference)] = &[
    ("activation", activation::run),
    ("attention", attention::run),
    ("attention_decode", attention::run),
    ("attention_registers", attention::run),
    ("cross_entropy_block", cross_entropy_block::run),
    ("cross_entropy_labels", cross_entropy_labels::run),
    ("dequantize", dequantize::run),
    ("embedding", embedding::run),
    ("embedding_perturbed", embedding_perturbed::run),
    ("gather_rows", gather_rows::run),
    ("glu", glu::run),
    ("kv_append", kv_append::run),
    ("layer_norm", layer_norm::run),
    ("materialize", materialize::run),
    ("matmul", matmul::run),
    ("mean_loss", mean_loss::run),
    ("merge", merge::run),
    ("multiply_add", multiply_add::run),
    ("pack", pack::run),
    ("pool", pool::run),
    ("rms_norm", rms_norm::run),
    ("rotary", rotary::run),
    ("sample", sample::run),
    ("short_convolution", short_convolution::run),
    ("softcap", softcap::run),
];
