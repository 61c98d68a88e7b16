//! Seed-OSS (ByteDance 2025): Llama with biases on queries, keys and values.

use super::decoder::{Differences, decoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn seed_oss(config: &Config) -> Result<ModelSpec> {
    let differences = Differences {
        qkv_bias: config.bool_or("attention_bias", true)?,
        output_bias: config.bool_or("attention_out_bias", false)?,
        mlp_bias: config.bool_or("mlp_bias", false)?,
        head_dim: if config.is_null("head_dim") { None } else { Some(128) },
        max_length: 524_288,
        ..Differences::none("seed_oss", Some("SeedOssForSequenceClassification"))
    };
    decoder(config, &differences)
}
