//! SmolLM3 (Hugging Face 2025): Llama without rotary positions in every fourth layer (NoPE, arXiv 2501.18795).

use super::decoder::{Differences, decoder};
use super::parts::windowed;
use super::{layer_count, window};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

pub(super) fn smollm3(config: &Config) -> Result<ModelSpec> {
    let layers = layer_count(config, "num_hidden_layers")?;
    let unrotated = unrotated(config, layers)?;
    // transformers checks `use_sliding_window` only when it derives a missing `layer_types`.
    let is_windowed = config.has("layer_types") || config.bool_or("use_sliding_window", false)?;
    let windows = match is_windowed && config.has("sliding_window") {
        true => {
            let window = window(config, 0)?;
            let windowed = windowed(config, layers, |i| unrotated[i as usize])?;
            windowed.into_iter().map(|windowed| window.filter(|_| windowed)).collect()
        }
        false => Vec::new(),
    };
    let differences = Differences {
        mlp_bias: config.bool_or("mlp_bias", false)?,
        max_length: 32_768,
        rotary: RotaryFields { default_theta: 2e6, partial: None, ..RotaryFields::default() },
        tied: true,
        windows,
        unrotated,
        ..Differences::none("smollm3", Some("SmolLM3ForSequenceClassification"))
    };
    decoder(config, &differences.with_attention_bias(config)?)
}

/// The layers without rotary positions: those with 0 in `no_rope_layers`, or every layer whose number, counted from 1, is a
/// multiple of `no_rope_layer_interval`.
fn unrotated(config: &Config, layers: u32) -> Result<Vec<bool>> {
    let listed = config.u32_list("no_rope_layers")?;
    if listed.is_empty() {
        let interval = config.u32_or("no_rope_layer_interval", 4)?.max(1);
        return Ok((1..=layers).map(|number| number % interval == 0).collect());
    }
    if listed.len() != layers as usize {
        let (name, found) = (config.name(), listed.len());
        bail!(ModelUnsupported, "{name}: no_rope_layers has {found} entries for {layers} layers");
    }
    Ok(listed.into_iter().map(|rotated| rotated == 0).collect())
}
