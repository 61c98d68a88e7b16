//! Command R (Cohere 2024) and Aya: a decoder whose attention and MLP read the same normalized input, with layer norms without
//! biases, rotary positions that rotate adjacent columns of a head, and scaled logits. Command R7B (arXiv 2504.00698) is the same
//! with sliding-window attention in most layers, and without rotary positions in the others.

use super::decoder::{Differences, Multipliers, decoder};
use super::parts::windowed;
use super::{layer_count, positive, require, window};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{ModelSpec, NormKind, RotaryFields};

pub(super) fn cohere(config: &Config) -> Result<ModelSpec> {
    decoder(config, &differences(config, "cohere", 5e5)?)
}

pub(super) fn cohere2(config: &Config) -> Result<ModelSpec> {
    // Fields of Cohere's own code that transformers does not read.
    require(config, "use_parallel_block", true, true)?;
    require(config, "use_gated_activation", true, true)?;
    let Some(window) = window(config, 4096)? else {
        bail!(ModelUnsupported, "{}: sliding_window is null, expected a number", config.name());
    };
    let every = match config.u32_or("sliding_window_pattern", 4)? {
        0 => bail!(ModelUnsupported, "{}: sliding_window_pattern is 0, expected 1 or more", config.name()),
        every => every,
    };
    let windowed = windowed(config, layer_count(config, "num_hidden_layers")?, |i| (i + 1) % every != 0)?;
    let differences = Differences {
        windows: windowed.iter().map(|windowed| windowed.then_some(window)).collect(),
        unrotated: windowed.iter().map(|windowed| !windowed).collect(),
        ..differences(config, "cohere2", 1e4)?
    };
    decoder(config, &differences)
}

fn differences(config: &Config, family: &'static str, default_theta: f32) -> Result<Differences> {
    // The largest model has layer norms on its query and key heads.
    require(config, "use_qk_norm", false, false)?;
    let none = Differences::none(family, None);
    let logits = positive(config, "logit_scale", config.f32_or("logit_scale", 0.0625)?)?;
    let differences = Differences {
        parallel_residual: true,
        norm: Some(NormKind::Layer { eps: config.f32_or("layer_norm_eps", 1e-5)?, bias: false }),
        max_length: 8192,
        rotary: RotaryFields { default_theta, partial: None, adjacent: true, ..RotaryFields::default() },
        tied: true,
        multipliers: Multipliers { logits, ..none.multipliers },
        ..none
    };
    differences.with_attention_bias(config)
}
