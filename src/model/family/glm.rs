//! GLM-4 and GLM-Edge (arXiv 2406.12793): Llama with biases on queries, keys and values, rotary positions that rotate adjacent
//! columns of a part of each head, and the MLP's input layers fused into one matrix. GLM-4-0414 also normalizes the sublayers'
//! outputs.

use super::decoder::{Differences, decoder};
use super::parts::MlpLayers;
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

pub(super) fn glm(config: &Config) -> Result<ModelSpec> {
    decoder(config, &differences(config, "glm", "GlmForSequenceClassification")?)
}

pub(super) fn glm4(config: &Config) -> Result<ModelSpec> {
    let glm = differences(config, "glm4", "Glm4ForSequenceClassification")?;
    let output_norms = Some(["post_self_attn_layernorm", "post_mlp_layernorm"]);
    decoder(config, &Differences { output_norms, ..glm })
}

fn differences(config: &Config, family: &'static str, class: &'static str) -> Result<Differences> {
    Ok(Differences {
        qkv_bias: config.bool_or("attention_bias", true)?,
        head_dim: Some(128),
        mlp: MlpLayers::Fused { input: "mlp.gate_up_proj", output: "mlp.down_proj" },
        epsilon: 1.562_5e-7,
        max_length: 131_072,
        rotary: RotaryFields { partial: Some(0.5), adjacent: true, ..RotaryFields::default() },
        ..Differences::none(family, Some(class))
    })
}
