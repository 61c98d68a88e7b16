//! Mistral (Jiang et al. 2023, arXiv 2310.06825): Llama with attention to a window in every layer, in its first version.

use super::decoder::{Differences, decoder};
use super::{layer_count, window};
use crate::error::Result;
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
