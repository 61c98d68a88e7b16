//! OLMo 2 (arXiv 2501.00656): Llama with output norms instead of input norms, and with norms over all query heads together and all
//! key heads together. OLMo 3 (arXiv 2512.13961): the same with a sliding window in three of four layers, whose rotary positions
//! are not scaled.

use super::decoder::{Differences, decoder};
use super::parts::{HeadNorms, windowed};
use super::{layer_count, window};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

pub(super) fn olmo2(config: &Config) -> Result<ModelSpec> {
    decoder(config, &differences(config, "olmo2", "Olmo2ForSequenceClassification")?)
}

pub(super) fn olmo3(config: &Config) -> Result<ModelSpec> {
    let Some(window) = window(config, 4096)? else {
        bail!(ModelUnsupported, "{}: sliding_window is null, expected a number", config.name());
    };
    let windowed = windowed(config, layer_count(config, "num_hidden_layers")?, |i| (i + 1) % 4 != 0)?;
    let of = |layer_type, theta, scaled| {
        let layer_type = Some(layer_type);
        RotaryFields {
            layer_type,
            theta,
            default_theta: 5e5,
            scaled,
            partial: None,
            ..RotaryFields::default()
        }
    };
    let differences = Differences {
        windows: windowed.into_iter().map(|windowed| windowed.then_some(window)).collect(),
        rotary: of("full_attention", "rope_theta", true),
        // transformers applies a top-level base only to layers without a window.
        window_rotary: Some(of("sliding_attention", "sliding_attention.rope_theta", false)),
        ..differences(config, "olmo3", "Olmo3ForSequenceClassification")?
    };
    decoder(config, &differences)
}

fn differences(config: &Config, family: &'static str, class: &'static str) -> Result<Differences> {
    let differences = Differences {
        head_norms: Some(HeadNorms::Together),
        norms_after: true,
        epsilon: 1e-5,
        ..Differences::none(family, Some(class))
    };
    differences.with_attention_bias(config)
}
