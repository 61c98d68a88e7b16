//! Arcee's AFM (2025): Llama with an ungated MLP and squared ReLU.

use super::decoder::{Differences, decoder};
use super::parts::MlpLayers;
use crate::error::Result;
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn arcee(config: &Config) -> Result<ModelSpec> {
    let differences = Differences {
        mlp_bias: config.bool_or("mlp_bias", false)?,
        mlp: MlpLayers::Plain { input: "mlp.up_proj", output: "mlp.down_proj" },
        activation: "relu2",
        epsilon: 1e-5,
        max_length: 4096,
        ..Differences::none("arcee", Some("ArceeForSequenceClassification"))
    };
    decoder(config, &differences.with_attention_bias(config)?)
}
