//! StableLM (Bellagente et al. 2024, arXiv 2402.17834): Llama with layer norms, and with rotary positions on a part of each head.

use super::decoder::{Differences, decoder};
use super::require;
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, NormKind, RotaryFields};

pub(super) fn stablelm(config: &Config) -> Result<ModelSpec> {
    // The 12B model has a layer norm for each head.
    require(config, "qk_layernorm", false, false)?;
    let differences = Differences {
        qkv_bias: config.bool_or("use_qkv_bias", false)?,
        norm: Some(NormKind::layer(config.f32_or("layer_norm_eps", 1e-5)?)),
        parallel_residual: config.bool_or("use_parallel_residual", false)?,
        max_length: 4096,
        rotary: RotaryFields { partial: Some(0.25), ..RotaryFields::default() },
        ..Differences::none("stablelm", Some("StableLmForSequenceClassification"))
    };
    decoder(config, &differences)
}
