//! Helium (Kyutai 2025): Llama whose rotary positions rotate adjacent columns of a head.

use super::decoder::{Differences, decoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

pub(super) fn helium(config: &Config) -> Result<ModelSpec> {
    let differences = Differences {
        qkv_bias: config.bool_or("attention_bias", false)?,
        mlp_bias: config.bool_or("mlp_bias", false)?,
        head_dim: Some(128),
        epsilon: 1e-8,
        max_length: 4096,
        rotary: RotaryFields { default_theta: 1e5, partial: None, adjacent: true, ..RotaryFields::default() },
        ..Differences::none("helium", Some("HeliumForSequenceClassification"))
    };
    decoder(config, &differences)
}
