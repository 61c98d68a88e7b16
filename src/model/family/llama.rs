//! Llama (Touvron et al. 2023) and derived models (SmolLM2, TinyLlama).

use super::decoder::{Differences, decoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::ModelSpec;

/// transformers has no sliding window in this family, whatever `sliding_window` says.
pub(super) fn llama(config: &Config) -> Result<ModelSpec> {
    let llama = Differences::none("llama", Some("LlamaForSequenceClassification"));
    let differences =
        Differences { mlp_bias: config.bool_or("mlp_bias", false)?, ..llama.with_attention_bias(config)? };
    decoder(config, &differences)
}
