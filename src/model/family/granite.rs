//! Granite 3 (IBM 2024): Llama whose embeddings, scores, residual additions and logits are multiplied by numbers of the configuration.

use super::decoder::{Differences, Multipliers, decoder};
use super::positive;
use crate::error::Result;
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn granite(config: &Config) -> Result<ModelSpec> {
    let number = |field| positive(config, field, config.f32_or(field, 1.0)?);
    let differences = Differences {
        mlp_bias: config.bool_or("mlp_bias", false)?,
        multipliers: Multipliers {
            embedding: number("embedding_multiplier")?,
            attention: Some(number("attention_multiplier")?),
            residual: number("residual_multiplier")?,
            logits: 1.0 / number("logits_scaling")?,
        },
        ..Differences::none("granite", None)
    };
    decoder(config, &differences.with_attention_bias(config)?)
}
