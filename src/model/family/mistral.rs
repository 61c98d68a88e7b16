//! Mistral (Jiang et al. 2023, arXiv 2310.06825): Llama, with a sliding window in every layer in its first version. Ministral
//! (Mistral AI 2024): the same with a window in some layers. The text model of Ministral 3 (Mistral AI 2025): Mistral with queries
//! that are scaled up beyond the pretraining length.

use serde_json::json;

use super::decoder::{Differences, decoder};
use super::parts::windowed;
use super::{layer_count, window};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn mistral(config: &Config) -> Result<ModelSpec> {
    let layers = layer_count(config, "num_hidden_layers")? as usize;
    let differences = Differences {
        max_length: 131_072,
        windows: vec![window(config, 4096)?; layers],
        ..Differences::none("mistral", Some("MistralForSequenceClassification"))
    };
    decoder(config, &differences)
}

pub(super) fn ministral(config: &Config) -> Result<ModelSpec> {
    let (layers, window) = (layer_count(config, "num_hidden_layers")?, window(config, 4096)?);
    let windowed = windowed(config, layers, |_| window.is_some())?;
    let windows = match window {
        Some(window) => windowed.into_iter().map(|windowed| windowed.then_some(window)).collect(),
        None if windowed.contains(&true) => {
            bail!(ModelUnsupported, "{}: sliding_window is null, expected a number", config.name())
        }
        None => Vec::new(),
    };
    let differences = Differences {
        max_length: 131_072,
        windows,
        ..Differences::none("ministral", Some("MinistralForSequenceClassification"))
    };
    decoder(config, &differences)
}

pub(super) fn ministral3(config: &Config) -> Result<ModelSpec> {
    let config = &with_yarn(config);
    let layers = layer_count(config, "num_hidden_layers")? as usize;
    let window = if config.has("sliding_window") { window(config, 0)? } else { None };
    let differences = Differences {
        head_dim: if config.is_null("head_dim") { None } else { Some(128) },
        epsilon: 1e-5,
        max_length: 262_144,
        windows: vec![window; layers],
        ..Differences::none("ministral3", Some("Ministral3ForSequenceClassification"))
    };
    let mut spec = decoder(config, &differences)?;
    // Up to the original length, the factor of queries, 1 + beta * ln(1 + floor(position / original)), is 1. Longer texts are rejected.
    let rope = config.opt_object("rope_scaling")?.or(config.opt_object("rope_parameters")?);
    if let Some(rope) = rope
        && rope.f32_or("llama_4_scaling_beta", 0.0)? != 0.0
    {
        let field = "original_max_position_embeddings";
        let original = config.opt_u32(field)?.or(rope.opt_u32(field)?);
        spec.max_length = spec.max_length.min(original.unwrap_or(u32::MAX));
    }
    Ok(spec)
}

/// Adds the rotary positions that transformers uses if a configuration does not specify them.
fn with_yarn(config: &Config) -> Config {
    let mut fields = config.fields().clone();
    if !config.has("rope_parameters") && !config.has("rope_scaling") {
        let yarn = json!({
            "type": "yarn", "rope_theta": 1e6, "factor": 16.0, "original_max_position_embeddings": 16384,
            "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1,
        });
        fields.insert("rope_parameters".into(), yarn);
    }
    Config::from_fields(config.name(), fields)
}
