//! Qwen2 and 2.5 (arXiv 2407.10671): Llama with biases of queries, keys and values. Qwen3 (arXiv 2505.09388): Llama with a norm of
//! each query and key head.

use super::llama::{Differences, decoder};
use super::{layer_count, parts};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn qwen2(config: &Config) -> Result<ModelSpec> {
    let differences = Differences {
        family: "qwen2",
        class: Some("Qwen2ForSequenceClassification"),
        qkv_bias: true,
        output_bias: false,
        mlp_bias: false,
        head_norms: false,
        max_length: 32_768,
        windows: windows(config)?,
    };
    decoder(config, &differences)
}

pub(super) fn qwen3(config: &Config) -> Result<ModelSpec> {
    let bias = config.bool_or("attention_bias", false)?;
    let differences = Differences {
        family: "qwen3",
        class: Some("Qwen3ForSequenceClassification"),
        qkv_bias: bias,
        output_bias: bias,
        mlp_bias: false,
        head_norms: true,
        max_length: 32_768,
        windows: windows(config)?,
    };
    decoder(config, &differences)
}

/// Attention is to a window in the layers from `max_window_layers` on, if `use_sliding_window` says so: most models that have a
/// `sliding_window` do not use it.
fn windows(config: &Config) -> Result<Vec<Option<u32>>> {
    if !config.bool_or("use_sliding_window", false)? {
        return Ok(Vec::new());
    }
    let Some(window) = super::window(config, 4096)? else { return Ok(Vec::new()) };
    let first = config.u32_or("max_window_layers", 28)?;
    let windowed = parts::windowed(config, layer_count(config, "num_hidden_layers")?, |i| i >= first)?;
    Ok(windowed.into_iter().map(|windowed| windowed.then_some(window)).collect())
}
