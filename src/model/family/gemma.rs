//! Gemma (arXiv 2403.08295): Llama with GELU instead of SiLU, embeddings multiplied by the square root of their width, and norms
//! that multiply by 1 + w.

use super::decoder::{Differences, Multipliers, decoder};
use super::require;
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, NormKind};

pub(super) fn gemma(config: &Config) -> Result<ModelSpec> {
    require(config, "use_bidirectional_attention", false, false)?;
    let none = Differences::none("gemma", Some("GemmaForSequenceClassification"));
    let root = (config.u32("hidden_size")? as f32).sqrt();
    let differences = Differences {
        head_dim: Some(256),
        norm: Some(NormKind::Rms { eps: config.f32_or("rms_norm_eps", 1e-6)?, plus_one: true }),
        activation: TANH,
        max_length: 8192,
        tied: true,
        multipliers: Multipliers { embedding: root, ..none.multipliers },
        ..none
    };
    decoder(&with_tanh(config)?, &differences.with_attention_bias(config)?)
}

const TANH: &str = "gelu_pytorch_tanh";

/// The first files say "gelu" but mean the tanh approximation, and transformers reads it that way.
fn with_tanh(config: &Config) -> Result<Config> {
    let mut fields = config.fields().clone();
    if config.opt_str("hidden_act")? == Some("gelu") {
        fields.insert("hidden_act".into(), TANH.into());
    }
    Ok(Config::from_fields(config.name(), fields))
}
