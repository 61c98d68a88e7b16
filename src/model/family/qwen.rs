//! Qwen2 and 2.5 (arXiv 2407.10671): Llama with biases on queries, keys and values. Qwen3 (arXiv 2505.09388): Llama with a norm of
//! each query and key head.

use super::decoder::{Differences, decoder};
use super::layer_count;
use super::parts::{self, HeadNorms};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn qwen2(config: &Config) -> Result<ModelSpec> {
    let differences = Differences {
        qkv_bias: true,
        max_length: 32_768,
        windows: windows(config)?,
        ..Differences::none("qwen2", Some("Qwen2ForSequenceClassification"))
    };
    decoder(config, &differences)
}

pub(super) fn qwen3(config: &Config) -> Result<ModelSpec> {
    let differences = Differences {
        head_dim: Some(128),
        head_norms: Some(HeadNorms::Each),
        max_length: 32_768,
        windows: windows(config)?,
        ..Differences::none("qwen3", Some("Qwen3ForSequenceClassification"))
    };
    decoder(config, &differences.with_attention_bias(config)?)
}

/// Layers from `max_window_layers` on use a sliding window if `use_sliding_window` is set. Most models that have a `sliding_window`
/// do not use it.
fn windows(config: &Config) -> Result<Vec<Option<u32>>> {
    if !config.bool_or("use_sliding_window", false)? {
        return Ok(Vec::new());
    }
    let Some(window) = super::window(config, 4096)? else { return Ok(Vec::new()) };
    let first = config.u32_or("max_window_layers", 28)?;
    let windowed = parts::windowed(config, layer_count(config, "num_hidden_layers")?, |i| i >= first)?;
    Ok(windowed.into_iter().map(|windowed| windowed.then_some(window)).collect())
}
