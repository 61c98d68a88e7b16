//! Phi-3, 3.5 and 4 mini (Abdin et al. 2024, arXiv 2404.14219): Llama with queries, keys and values fused into one matrix, and gate
//! and up projection into another. The long-context versions use LongRoPE.

use super::decoder::{Differences, decoder};
use super::parts::MlpLayers;
use super::{layer_count, window};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

pub(super) fn phi3(config: &Config) -> Result<ModelSpec> {
    let layers = layer_count(config, "num_hidden_layers")? as usize;
    let window = if config.has("sliding_window") { window(config, 0)? } else { None };
    let differences = Differences {
        fused_attention: true,
        mlp: MlpLayers::Fused { input: "mlp.gate_up_proj", output: "mlp.down_proj" },
        epsilon: 1e-5,
        max_length: 4096,
        rotary: RotaryFields { original: Some(4096), partial: Some(1.0), ..RotaryFields::default() },
        windows: vec![window; layers],
        ..Differences::none("phi3", Some("Phi3ForSequenceClassification"))
    };
    decoder(config, &differences)
}
