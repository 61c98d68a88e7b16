//! Granite 3 (IBM 2024): Llama whose embeddings, scores, residual additions and logits are multiplied by factors from the
//! configuration. Granite 4 (IBM 2025) without experts and Mamba layers: the same with the MLP's input layers fused into one
//! matrix.

use super::decoder::{Differences, Multipliers, decoder};
use super::parts::{MlpLayers, windowed};
use super::{layer_count, positive};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn granite(config: &Config) -> Result<ModelSpec> {
    let differences = Differences {
        mlp_bias: config.bool_or("mlp_bias", false)?,
        multipliers: multipliers(config)?,
        ..Differences::none("granite", None)
    };
    decoder(config, &differences.with_attention_bias(config)?)
}

pub(super) fn granitemoehybrid(config: &Config) -> Result<ModelSpec> {
    let name = config.name();
    let experts = config.u32_or("num_local_experts", 8)?;
    if experts > 0 {
        bail!(ModelUnsupported, "{name}: num_local_experts is {experts}, but only 0 is implemented");
    }
    let layers = layer_count(config, "num_hidden_layers")?;
    // Older files use another name for the field, and "attention" for "full_attention". Without the field, all layers are Mamba layers.
    let config = &config.with_aliases(&[("layer_types", "layers_block_type")]);
    if !config.has("layer_types") || windowed(config, layers, |_| false)?.contains(&true) {
        bail!(ModelUnsupported, "{name}: layer_types: only layers of type \"attention\" are implemented");
    }
    let rotated = match config.opt_str("position_embedding_type")? {
        Some("rope") => true,
        None => false,
        Some(other) => {
            bail!(ModelUnsupported, "{name}: position_embedding_type {other:?} is not implemented")
        }
    };
    let differences = Differences {
        mlp: MlpLayers::Fused { input: "shared_mlp.input_linear", output: "shared_mlp.output_linear" },
        mlp_width: "shared_intermediate_size",
        unrotated: vec![!rotated; layers as usize],
        multipliers: multipliers(config)?,
        ..Differences::none("granitemoehybrid", None)
    };
    decoder(config, &differences.with_attention_bias(config)?)
}

fn multipliers(config: &Config) -> Result<Multipliers> {
    let number = |field| positive(config, field, config.f32_or(field, 1.0)?);
    Ok(Multipliers {
        embedding: number("embedding_multiplier")?,
        attention: Some(number("attention_multiplier")?),
        residual: number("residual_multiplier")?,
        logits: 1.0 / number("logits_scaling")?,
    })
}
